"""What ends is told in time, once; what is of no use is told loudly, and stops nobody else."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ris import app as root
from ris.auth.certificates import watch
from ris.auth.errors import CertificateMissing
from ris.core import clock
from ris.rem.evidence import Evidence
from ris.sandbox.pki import TestPki
from ris.settings import Settings, coherent
from ris.web.health import exposition
from tests.auth.certificates.conftest import Shelf
from tests.auth.certificates.making import A, B, drop, issue, key, pem, serial

NOW = datetime.now(UTC).replace(microsecond=0)  # as certificates count
WARNING = "auth.certificate_expiry_warning"


def warnings(shelf: Shelf) -> list[tuple[str, int, int]]:
    return [
        (one.detail["serial"], one.detail["threshold"], one.detail["days_left"])
        for one in shelf.journal(WARNING)
    ]


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_each_threshold_is_journaled_once_whatever_runs_again(
    shelf: Shelf, pki: TestPki, evidence: Evidence
) -> None:
    offer = issue(pki, days=(-1, 100), at=NOW)
    shelf.add(offer)
    told = []
    for day in (0, 9, 10, 10, 11, 40, 41, 80, 95, 95, 101, 150):
        with clock.frozen(NOW + timedelta(days=day)):
            told.append(watch.warn(shelf.database, shelf.reopened()))
    assert told == [0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0]
    number = serial(offer)
    assert warnings(shelf) == [
        (number, 90, 90), (number, 60, 60), (number, 30, 20), (number, 7, 5), (number, 0, -1),
    ]  # fmt: skip
    evidence.add("04", "expiry-warnings.txt", "\n".join(str(one) for one in warnings(shelf)))


def test_two_processes_at_once_warn_once(shelf: Shelf, pki: TestPki) -> None:
    shelf.add(issue(pki, days=(-1, 5)))
    counted: list[int] = []

    def run() -> None:
        counted.append(watch.warn(shelf.database, shelf.reopened()))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert sorted(counted) == [0, 0, 0, 1]
    assert len(warnings(shelf)) == 1


def test_a_replacement_in_place_is_not_warned_about(shelf: Shelf, pki: TestPki) -> None:
    shelf.add(issue(pki, days=(-1, 20)))
    shelf.add(issue(pki, days=(15, 900), own=key(1)))
    assert watch.warn(shelf.database, shelf.pool) == 0
    assert [one.alert for one in shelf.pool.inventory()] == [None, None]


def test_the_thresholds_are_a_setting(shelf: Shelf, pki: TestPki) -> None:
    shelf.settings = shelf.settings.model_copy(update={"thresholds": (15,)})
    shelf.pool = shelf.reopened()
    shelf.add(issue(pki, days=(-1, 20)))
    assert watch.warn(shelf.database, shelf.pool) == 0
    with clock.frozen(clock.now() + timedelta(days=6)):
        assert watch.warn(shelf.database, shelf.pool) == 1


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_at_start_a_foreign_certificate_is_loud_and_the_other_practices_work(
    shelf: Shelf, pki: TestPki
) -> None:
    shelf.add(issue(pki))
    foreign = issue(pki)
    drop(shelf.folder, B, "AUTH_CLI", foreign)
    with capture_logs() as logs:
        (wrong,) = watch.announce(shelf.pool)
    assert (wrong.struct_idnat, wrong.refusal) == (B, "OTHER_STRUCTURE")
    assert logs == [
        {"event": "certificate.refused", "log_level": "warning", "struct": B, "usage": "AUTH_CLI",
         "serial": serial(foreign), "reason": "OTHER_STRUCTURE"}
    ]  # fmt: skip
    shelf.pool.credential(A, "AUTH_CLI")
    with pytest.raises(CertificateMissing):
        shelf.pool.credential(B, "AUTH_CLI")


def test_the_product_says_it_when_it_starts_and_every_day(
    shelf: Shelf, pki: TestPki, tmp_path: Path
) -> None:
    drop(shelf.folder, B, "AUTH_CLI", issue(pki))
    settings = Settings(
        environment="test", database_url=shelf.database.url, data_dir=tmp_path,
        keyring=shelf.ring, trust_store=pki.trust, auth={"certificates": shelf.folder},
    )  # type: ignore[arg-type]  # fmt: skip
    with capture_logs() as logs, root.serving(settings) as runtime:
        jobs = {one.name: one for one in runtime.diffusion.upkeep}
        assert jobs["warn_certificates"].every_s == 86_400
        jobs["warn_certificates"].run()
    assert [one["reason"] for one in logs if one["event"] == "certificate.refused"] == [
        "OTHER_STRUCTURE"
    ]


def test_certificates_kept_elsewhere_are_watched_too(
    shelf: Shelf, pki: TestPki, tmp_path: Path
) -> None:
    psc = issue(pki, days=(-1, 20))
    file, proxy = tmp_path / "psc.pem", tmp_path / "proxy.pem"
    file.write_bytes(pem(psc))
    auth: dict[str, Any] = {
        "psc": {"certificate": file, "key": file}, "pool": {"watched": {"PROXY": proxy}},
        "card": {"enabled": False, "server_certificate": proxy},
    }  # fmt: skip
    hl7 = {
        "certificate": file,
        "partners": [{"name": "GAP", "host": "h", "port": 1, "application": "G", "facility": "F"}],
    }
    settings = coherent(Settings(environment="test", auth=auth, hl7=hl7))  # type: ignore[arg-type]
    assert settings.auth.pool.watched == {"PSC": file, "HL7": file, "PROXY": proxy}
    shelf.settings = settings.auth.pool
    held = {one.usage: one for one in shelf.reopened().inventory()}
    assert (held["PSC"].struct_idnat, held["PSC"].alert, held["PSC"].refusal) == (A, 30, None)
    assert held["PROXY"].refusal == "UNREADABLE"
    assert watch.warn(shelf.database, shelf.reopened()) == 2
    told = {(one.detail["usage"], one.detail["threshold"]) for one in shelf.journal(WARNING)}
    assert told == {("PSC", 30), ("HL7", 30)}


def test_the_days_left_are_measured_for_a_supervisor(shelf: Shelf, pki: TestPki) -> None:
    shelf.add(issue(pki, days=(-9, 20), at=NOW))
    shelf.add(issue(pki, days=(30, 900), own=key(1), at=NOW))
    drop(shelf.folder, B, "SIGN", issue(pki, B, "SIGN", days=(-9, -3), at=NOW))
    with shelf.database.transaction() as session, clock.frozen(NOW):
        text = exposition(watch.collect(shelf.pool, session))
    assert f'ris_certificate_days_left{{struct="{A}",usage="AUTH_CLI"}} 20\n' in text
    assert f'ris_certificate_days_left{{struct="{B}",usage="SIGN"}} -3\n' in text
    assert f'ris_certificate_refused{{struct="{B}",usage="SIGN"}} 1\n' in text
    assert f'ris_certificate_refused{{struct="{A}"' not in text
