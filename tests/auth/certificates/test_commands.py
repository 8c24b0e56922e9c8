"""`ris certificates`, `ris config check`, `ris keys rotate` over a pool."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from ris.cli import cli
from ris.core import http
from ris.core.crypto import Envelope, Keyring
from ris.sandbox.pki import TestPki
from tests.auth.certificates.conftest import Shelf
from tests.auth.certificates.making import A, B, archive, drop, issue, key, key_pem, pem, serial


class Operator:
    """Types commands on a site."""

    def __init__(self, shelf: Shelf, trust: Path, folder: Path) -> None:
        self.runner = CliRunner(
            env={
                "RIS_ENVIRONMENT": "test",
                "RIS_DATABASE_URL": shelf.database.url,
                "RIS_KEYRING": str(shelf.ring),
                "RIS_AUTH__CERTIFICATES": str(shelf.folder),
                "RIS_TRUST_STORE": str(trust),
                "RIS_DATA_DIR": str(folder),
            }
        )

    def __call__(self, *arguments: str, types: str = "") -> Result:
        return self.runner.invoke(cli, arguments, input=types)


@pytest.fixture
def ris(shelf: Shelf, pki: TestPki, tmp_path: Path) -> Operator:
    return Operator(shelf, pki.trust, tmp_path)


def test_an_archive_is_added_its_password_asked_and_never_shown(
    ris: Operator, shelf: Shelf, pki: TestPki, tmp_path: Path
) -> None:
    offer = issue(pki)
    file = tmp_path / "igc.p12"
    file.write_bytes(archive(offer, "mot-de-passe"))
    ran = ris("certificates", "add", A, "AUTH_CLI", str(file), types="mot-de-passe\n")
    assert ran.exit_code == 0, ran.output
    assert f"certificat {A} AUTH_CLI : en service" in ran.output
    assert "mot-de-passe" not in ran.output
    assert shelf.serving() == serial(offer)
    wrong = ris("certificates", "add", A, "AUTH_CLI", str(file), types="autre\n")
    assert wrong.exit_code == 1
    assert getattr(wrong.exception, "code", "") == "CERTIFICATE_REFUSED"


def test_a_replacement_is_added_and_the_former_retired(
    ris: Operator, shelf: Shelf, pki: TestPki, tmp_path: Path
) -> None:
    former, newer = issue(pki, days=(-9, 20)), issue(pki, own=key(1))
    drop(shelf.folder, A, "AUTH_CLI", former)
    listed = ris("certificates", "list").output
    assert "clé privée en clair" in listed
    assert "ALERTE" in listed
    (tmp_path / "c.pem").write_bytes(pem(newer))
    (tmp_path / "k.pem").write_bytes(key_pem(newer.key))
    files = str(tmp_path / "c.pem"), str(tmp_path / "k.pem")
    assert ris("certificates", "add", A, "AUTH_CLI", *files).exit_code == 0
    listed = ris("certificates", "list").output
    assert "ALERTE" not in listed
    assert "utilisable, remplacé" in listed
    assert ris("certificates", "retire", A, "AUTH_CLI", serial(newer)).exit_code == 1
    assert ris("certificates", "retire", A, "AUTH_CLI", serial(former)).exit_code == 0
    assert shelf.standing() == [(serial(newer), "current")]
    absent = ris("certificates", "add", A, "AUTH_CLI", str(tmp_path / "absent.pem"))
    assert getattr(absent.exception, "code", "") == "FILE_UNREADABLE"


def test_a_check_of_the_configuration_names_every_certificate_of_no_use(
    ris: Operator, shelf: Shelf, pki: TestPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ris.cli.missing", lambda _settings: [])
    shelf.add(issue(pki))
    sound = ris("config", "check")
    assert (sound.exit_code, "À corriger" in sound.output) == (0, False)
    assert f"certificat {A} AUTH_CLI : en service" in sound.output
    drop(shelf.folder, B, "AUTH_CLI", issue(pki))
    ran = ris("config", "check")
    assert ran.exit_code == 1
    assert f"À corriger : certificat {B} AUTH_CLI : inutilisable" in ran.output
    assert "OTHER_STRUCTURE (Le certificat appartient à une autre structure)" in ran.output


@pytest.mark.parametrize(
    ("command", "stays"), [("api", "uvicorn.run"), ("worker", "jobs.run_worker")]
)
def test_a_process_that_starts_logs_every_certificate_of_no_use(
    ris: Operator, shelf: Shelf, pki: TestPki, monkeypatch: pytest.MonkeyPatch, *, command: str,
    stays: str,
) -> None:  # fmt: skip
    drop(shelf.folder, B, "AUTH_CLI", issue(pki))
    started: list[object] = []
    for name in ("logs.configure", "signal.signal"):
        monkeypatch.setattr(f"ris.cli.{name}", lambda *_: None)
    monkeypatch.setattr(f"ris.cli.{stays}", lambda *given, **_: started.append(given))
    with capture_logs() as logs:
        assert ris(command).exit_code == 0
    assert len(started) == 1, "a wrong certificate stops nobody"
    told = [(one["struct"], one["reason"]) for one in logs if one["event"] == "certificate.refused"]
    assert told == [(B, "OTHER_STRUCTURE")]


def test_the_keys_follow_a_rotation_and_serve_processes_that_kept_running(
    ris: Operator, shelf: Shelf, pki: TestPki
) -> None:
    shelf.add(issue(pki))
    shelf.add(issue(pki, usage="SIGN"), "SIGN")
    running = shelf.reopened()
    running.credential(A, "SIGN")
    before = {path: path.read_bytes() for path in shelf.folder.rglob("*.pem")}
    ran = ris("keys", "rotate")
    assert ran.exit_code == 0, ran.output
    assert "2 clé(s) de certificat reprise(s)." in ran.output
    ids = [Envelope.unpack(one.read_bytes()).kek_id for one in shelf.folder.rglob("passphrase")]
    assert ids == ["k2", "k2"]
    assert {path: path.read_bytes() for path in shelf.folder.rglob("*.pem")} == before
    for pool in (running, shelf.reopened()):
        http.context(trust=pki.trust, credential=pool.credential(A, "AUTH_CLI"))
    assert "reprise(s)" not in ris("keys", "rotate", "--resume").output.split("\n", 1)[1]
    (event,) = shelf.journal("auth.certificate_keys_rotated")
    assert event.detail == {"kek": "k2", "rewrapped": 2, "unreadable": 0}


def test_a_key_no_ring_opens_is_told_and_serves_nothing(
    ris: Operator, shelf: Shelf, pki: TestPki
) -> None:
    shelf.add(issue(pki))
    shelf.ring.unlink()
    Keyring.generate(shelf.ring)
    assert ris("keys", "rotate").exit_code == 1
    (held,) = shelf.reopened().inventory()
    assert held.refusal == "UNREADABLE"
