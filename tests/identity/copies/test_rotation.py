"""Keys turn, images stay: rotation of the key ring over the copies, whole or interrupted."""

import json
from uuid import UUID

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from ris.cli import cli
from ris.core.audit import AuditEvent
from ris.core.crypto import Envelope, Keyring, Sealer
from ris.core.errors import Conflict
from ris.identity.copies import purge, rotation
from ris.identity.copies.model import IdCopy, IdCopyPurgeKey
from ris.identity.copies.service import context
from ris.rem.evidence import Evidence
from tests.identity.copies.conftest import SCAN, Site
from tests.identity.copies.test_purge import TERM, purged


@pytest.fixture
def runner(site: Site) -> CliRunner:
    settings = {
        "RIS_ENVIRONMENT": "test",
        "RIS_DATABASE_URL": site.database.url,
        "RIS_KEYRING": str(site.keyring),
    }
    return CliRunner(env=settings)


def sealed(site: Site) -> dict[UUID, Envelope]:
    with site.database.transaction() as session:
        return {copy.id: copy.envelope for copy in session.scalars(select(IdCopy))}


def told(*, copies: int, values: int = 0) -> str:
    return f"Clé courante k2 : {copies} copie(s) et {values} autre(s) donnée(s) reprises.\n"


def kek_ids(site: Site) -> set[str]:
    return {envelope.kek_id for envelope in sealed(site).values()}


@pytest.mark.rem("RIS.INS.58", scenario="INS/va1.42.01")
def test_a_rotation_changes_no_ciphertext_and_every_copy_stays_readable(
    site: Site, runner: CliRunner, evidence: Evidence
) -> None:
    patient = site.patient()
    for _ in range(3):
        site.keep(patient)
    before = sealed(site)
    ran = runner.invoke(cli, ["keys", "rotate"])
    assert (ran.exit_code, ran.output) == (0, told(copies=3))
    after = sealed(site)
    assert after.keys() == before.keys()
    fresh = Sealer(Keyring.from_file(site.keyring))
    for copy_id, envelope in after.items():
        former = before[copy_id]
        assert (envelope.ciphertext, envelope.nonce) == (former.ciphertext, former.nonce)
        assert (former.kek_id, envelope.kek_id) == ("k1", "k2")
        assert envelope.wrapped_key != former.wrapped_key
        for sealer in (fresh, site.feature.sealer):  # the second is a process that kept running
            assert sealer.decrypt(envelope, context(copy_id, patient[0])) == SCAN
    with site.database.transaction() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "keys.rotated")).one()
        assert event.detail == {"kek": "k2", "rewrapped": 3, "values": 0, "unreadable": 0}
        evidence.add("05", "rotation.json", json.dumps(event.detail))
    assert site.keyring.stat().st_mode & 0o777 == 0o600


def test_a_rotation_stopped_half_way_is_resumed_without_another_key(
    site: Site, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = site.patient()
    for _ in range(5):
        site.keep(patient)
    monkeypatch.setattr(rotation, "_BATCH", 2)
    whole = rotation._batch

    def stops(*given: object) -> tuple[UUID | None, int, int]:
        if len(kek_ids(site)) == 2:
            raise KeyboardInterrupt
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(rotation, "_batch", stops)
    assert runner.invoke(cli, ["keys", "rotate"]).exit_code != 0
    assert kek_ids(site) == {"k1", "k2"}
    monkeypatch.setattr(rotation, "_batch", whole)
    ran = runner.invoke(cli, ["keys", "rotate", "--resume"])
    assert (ran.exit_code, ran.output) == (0, told(copies=3))
    assert kek_ids(site) == {"k2"}
    assert runner.invoke(cli, ["keys", "rotate", "--resume"]).output == told(copies=0)
    assert Keyring.from_file(site.keyring).current == "k2"
    sealer = Sealer(Keyring.from_file(site.keyring))
    for copy_id, envelope in sealed(site).items():
        assert sealer.decrypt(envelope, context(copy_id, patient[0])) == SCAN


def test_a_copy_whose_key_is_lost_is_told_and_stops_nothing(site: Site, runner: CliRunner) -> None:
    patient = site.patient()
    lost, sound = site.keep(patient), site.keep(patient)
    with site.database.transaction() as session:
        session.execute(update(IdCopy).where(IdCopy.id == lost).values(kek_id="k0"))
    ran = runner.invoke(cli, ["keys", "rotate"])
    assert ran.exit_code == 1
    assert "1 donnée(s) dont la clé est perdue" in ran.output
    found = sealed(site)
    assert (found[lost].kek_id, found[sound].kek_id) == ("k0", "k2")


def test_the_signing_key_follows_and_goes_on_signing(site: Site, runner: CliRunner) -> None:
    site.keep(site.patient("1"))
    purged(site, TERM)
    assert runner.invoke(cli, ["keys", "rotate"]).exit_code == 0
    with site.database.transaction() as session:
        key = session.scalars(select(IdCopyPurgeKey)).one()
        assert Envelope.unpack(key.sealed_private_key).kek_id == "k2"
    site.keep(site.patient("2"))
    assert purged(site, TERM) == 1
    with site.database.transaction() as session:
        assert [proof.sound for proof in purge.proofs(session)] == [True, True]


def test_two_rotations_never_run_together(site: Site) -> None:
    with rotation.alone(site.database), pytest.raises(Conflict), rotation.alone(site.database):
        pass
    with rotation.alone(site.database):
        pass


@pytest.mark.rem("LOC-CNI-02")
def test_the_operator_lists_the_erasures_and_a_false_one_shows(
    site: Site, runner: CliRunner
) -> None:
    site.keep(site.patient())
    purged(site, TERM)
    ran = runner.invoke(cli, ["copies", "erasures"])
    assert ran.exit_code == 0
    assert json.loads(ran.output)["sound"] is True
    with site.database.engine.begin() as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update id_copy_purge set due_at = now()")
    ran = runner.invoke(cli, ["copies", "erasures"])
    assert ran.exit_code == 1
    assert json.loads(ran.output)["sound"] is False
