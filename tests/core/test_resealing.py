"""Turning the keys of every sealed column: whole, interrupted, raced; the ring that is missing."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from ris.core import resealing
from ris.core.crypto import Envelope, Keyring, Sealer
from ris.core.db import Database
from ris.identity.model import Patient
from ris.web.model import IdempotencyRecord


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    Keyring.generate(path)
    return path


@pytest.fixture
def site(database: Database, ring: Path) -> Database:
    """A base sealed with *ring*: seven patients, one kept answer."""
    database.seal_with(Sealer(Keyring.from_file(ring)))
    with database.transaction() as session:
        for number in range(7):
            session.add(patient(number))
        session.add(
            IdempotencyRecord(actor="a", key="k", method_path="POST /", body_sha256=b"x",
                              status=201, headers={}, body=b"answer")
        )  # fmt: skip
    return database


def patient(number: int) -> Patient:
    return Patient(
        ipp=f"R{number}", ipp_oid="2.25.1", birth_family="PAT-TROIS", birth_given_names="ANNE",
        first_birth_given="ANNE", birth_date=date(1979, 3, 28), sex="F", birth_place="51215",
        billing_number=f"{number:015}", status="qualifiée", ins_matricule=f"{number:015}",
        ins_oid="1.2.250.1.213.1.4.10",
    )  # fmt: skip


def keys_used(database: Database) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {}
    with database.transaction() as session:
        for place in resealing.places():
            rows = place.rows()
            for blob in session.scalars(select(rows.c[place.column])):
                name = f"{place.table}.{place.column}"
                used.setdefault(name, set()).add(Envelope.unpack(blob).kek_id)
    return used


def patients(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as session:
        rows = session.scalars(select(Patient).order_by(Patient.ipp))
        return [(p.ipp, p.ins_matricule, p.billing_number, p.version, p.updated_at) for p in rows]


def test_a_rotation_turns_every_sealed_column_and_changes_nothing_else(
    site: Database, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "_BATCH", 3)
    before = patients(site)
    keyring = Keyring.from_file(ring).rotate(ring)
    assert resealing.rewrap(site, Sealer(keyring), keyring.current) == (7 + 7 + 2, 0)
    assert keys_used(site) == {
        name: {"k2"}
        for name in ("patient.ins_sealed", "patient.billing_sealed", "idempotency.body_sealed",
                     "idempotency.body_sha256_sealed")
    }  # fmt: skip
    assert patients(site) == before, "a process that kept running reads its key ring again"
    with site.transaction() as session:
        found = session.scalars(select(Patient.ipp).where(Patient.ins_matricule == f"{3:015}"))
        assert found.all() == ["R3"], "the search key has not turned"
    assert resealing.rewrap(site, Sealer(keyring), keyring.current) == (0, 0)


def test_a_rotation_stopped_half_way_is_resumed(
    site: Database, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "_BATCH", 3)
    whole, calls = resealing._former, iter(range(3))

    def stops(*given: Any) -> list[Any]:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(resealing, "_former", stops)
    keyring = Keyring.from_file(ring).rotate(ring)
    with pytest.raises(KeyboardInterrupt):
        resealing.rewrap(site, Sealer(keyring), keyring.current)
    assert {"k1", "k2"} == set().union(*keys_used(site).values())
    monkeypatch.setattr(resealing, "_former", whole)
    done, lost = resealing.rewrap(site, Sealer(keyring), keyring.current)
    assert (0 < done < 16, lost) == (True, 0)
    assert set().union(*keys_used(site).values()) == {"k2"}


def test_a_value_written_during_the_rotation_is_left_to_its_writer(
    site: Database, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring.from_file(ring).rotate(ring)
    whole = resealing._rewrapped

    def meanwhile(*given: Any) -> Any:
        with site.transaction() as session:
            row = session.scalars(select(Patient).where(Patient.ipp == "R0")).one()
            row.billing_number = "changed"
        return whole(*given)

    monkeypatch.setattr(resealing, "_rewrapped", meanwhile)
    resealing.rewrap(site, Sealer(keyring), keyring.current)
    assert patients(site)[0][2] == "changed"
    assert set().union(*keys_used(site).values()) == {"k2"}


def test_a_value_whose_key_is_lost_is_counted_and_stops_nothing(site: Database, ring: Path) -> None:
    alien = Sealer(Keyring("k9", {"k9": bytes(32)})).seal(b"x", b"y")
    with site.transaction() as session:
        session.execute(text("update patient set billing_sealed = :x where ipp = 'R2'"),
                        {"x": alien})  # fmt: skip
    keyring = Keyring.from_file(ring).rotate(ring)
    assert resealing.rewrap(site, Sealer(keyring), keyring.current) == (15, 1)


def test_a_base_is_checked_against_the_ring_it_needs(site: Database, ring: Path) -> None:
    resealing.check(site, Sealer(Keyring.from_file(ring)))
    with pytest.raises(resealing.KeyringForeign, match="absent"):
        resealing.check(site, None)
    with pytest.raises(resealing.KeyringForeign, match="n'ouvre pas cette base"):
        resealing.check(site, Sealer(Keyring("k1", {"k1": bytes(32)})))


def test_a_ring_older_than_the_base_is_told(site: Database, ring: Path) -> None:
    old = ring.read_text()
    keyring = Keyring.from_file(ring).rotate(ring)
    resealing.rewrap(site, Sealer(keyring), keyring.current)
    ring.write_text(old)
    with pytest.raises(resealing.KeyringForeign):
        resealing.check(site, Sealer(Keyring.from_file(ring)))


def test_an_empty_base_needs_no_ring(database: Database) -> None:
    resealing.check(database, None)
