"""A matricule at rest: sealed for its own row, found by its keyed digest, once per authority."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.crypto import Keyring, SealBroken, Sealer
from ris.core.db import Database
from ris.core.errors import NotConfigured
from ris.identity import search
from ris.identity.insi.values import CallMode
from ris.identity.model import InsiCall, Patient
from ris.identity.settings import IdentitySettings
from ris.web.model import IdempotencyRecord
from tests.plugin_database import SEALER

ONE, OTHER = "279035121518989", "284036938300135"
NIR_TEST = "1.2.250.1.213.1.4.10"


def patient(number: int, **values: Any) -> Patient:
    traits = {
        "ipp": f"S{number}", "ipp_oid": "2.25.1", "birth_family": "PAT-TROIS",
        "birth_given_names": "DOMINIQUE", "first_birth_given": "DOMINIQUE",
        "birth_date": date(1979, 3, 28), "sex": "F", "birth_place": "51215",
    }  # fmt: skip
    return Patient(**{**traits, **values})


def qualified(number: int, matricule: str, **values: Any) -> Patient:
    held = {"status": "qualifiée", "ins_matricule": matricule, "ins_oid": NIR_TEST}
    return patient(number, **{**held, **values})


def stored(session: Session, *rows: object) -> None:
    session.add_all(rows)
    session.flush()
    session.expire_all()


def test_what_was_written_is_read_and_the_column_shows_nothing(session: Session) -> None:
    row = qualified(1, ONE, billing_number=OTHER)
    assert row.ins_matricule == ONE, "before it is written too"
    stored(session, row)
    assert (row.ins_matricule, row.billing_number) == (ONE, OTHER)
    raw = session.execute(text("select ins_sealed, ins_digest, billing_sealed from patient")).one()
    assert all(ONE.encode() not in part and OTHER.encode() not in part for part in raw)
    assert SEALER.open(raw[0], f"ris.patient.ins_sealed.v1|{row.id}".encode()) == ONE.encode()
    assert ONE not in repr(row.ins_sealed)


def test_two_rows_with_the_same_value_do_not_look_alike(session: Session) -> None:
    stored(session, patient(1, billing_number=ONE), patient(2, billing_number=ONE))
    first, second = session.scalars(text("select billing_sealed from patient")).all()
    assert first != second


def test_a_value_set_to_what_it_was_changes_no_row(session: Session) -> None:
    row = qualified(1, ONE)
    stored(session, row)
    version = row.version
    row.ins_matricule = ONE
    session.flush()
    assert row.version == version
    row.ins_matricule = row.ins_oid = None
    session.flush()
    session.expire_all()
    assert (row.version, row.ins_matricule, row.ins_digest) == (version + 1, None, None)


def test_bytes_moved_from_one_patient_to_another_do_not_open(session: Session) -> None:
    mine, theirs = qualified(1, ONE), qualified(2, OTHER)
    stored(session, mine, theirs)
    session.execute(
        text("update patient set ins_sealed = (select ins_sealed from patient where id = :a)"
             " where id = :b"),
        {"a": mine.id, "b": theirs.id},
    )  # fmt: skip
    session.expire_all()
    with pytest.raises(SealBroken):
        _ = theirs.identity
    assert mine.ins_matricule == ONE


def test_bytes_moved_from_one_column_to_another_do_not_open(session: Session) -> None:
    row = qualified(1, ONE, billing_number=OTHER)
    stored(session, row)
    session.execute(text("update patient set ins_sealed = billing_sealed"))
    session.expire_all()
    with pytest.raises(SealBroken):
        _ = row.ins_matricule


def test_one_altered_bit_does_not_open(session: Session) -> None:
    row = qualified(1, ONE)
    stored(session, row)
    flipped = "set_bit(ins_sealed, 700, 1 - get_bit(ins_sealed, 700))"
    session.execute(text(f"update patient set ins_sealed = {flipped}"))
    session.expire_all()
    with pytest.raises(SealBroken):
        _ = row.ins_matricule


def test_the_whole_matricule_finds_its_patient_and_no_other(session: Session) -> None:
    stored(session, qualified(1, ONE), qualified(2, OTHER), patient(3))
    found = search.search(session, search.Criteria(matricule=ONE), IdentitySettings())
    assert [one.ipp for one in found.patients] == ["S1"]
    held = session.scalars(select(Patient.ipp).where(Patient.ins_matricule.is_not(None)))
    assert sorted(held) == ["S1", "S2"]


def test_the_search_by_matricule_reads_the_index(session: Session) -> None:
    digest = SEALER.digest(ONE.encode(), b"ins")
    filled = """
        insert into patient (id, ipp, ipp_oid, birth_family, birth_given_names, first_birth_given,
          birth_date, sex, birth_place, used_family, used_given, status, attributes, ins_sealed,
          ins_digest, ins_oid, address, phone, created_at, updated_at, version)
        select gen_random_uuid(), 'X' || n, '2.25.1', 'A', 'A', 'A', '1980-01-01', 'F', '70099',
          '', '', 'qualifiée', '[]', '\\x00', sha256(n::text::bytea), '1.2.250.1.213.1.4.10',
          '{}', '', now(), now(), 1 from generate_series(1, 5000) n"""
    session.execute(text(filled))
    session.execute(text("analyze patient"))
    query = select(Patient.id).where(Patient.ins_matricule == ONE)
    compiled = query.compile(session.get_bind())
    (name,) = compiled.params
    plan = session.connection().exec_driver_sql(f"explain {compiled}", {name: digest}).all()
    assert any("uq_patient_ins" in line for (line,) in plan), plan


def test_one_ins_belongs_to_one_record(session: Session) -> None:
    stored(session, qualified(1, ONE))
    with pytest.raises(IntegrityError, match="uq_patient_ins"), session.begin_nested():
        stored(session, qualified(2, ONE))
    stored(session, qualified(3, ONE, ins_oid="1.2.250.1.213.1.4.11"))


@pytest.mark.parametrize("gone", ["ins_sealed", "ins_digest", "ins_oid"])
def test_an_ins_is_stored_whole_or_not_at_all(session: Session, gone: str) -> None:
    stored(session, qualified(1, ONE))
    with pytest.raises(IntegrityError, match="ins_whole"), session.begin_nested():
        session.execute(text(f"update patient set {gone} = null"))


def test_a_matricule_above_its_status_is_refused_by_the_base(session: Session) -> None:
    with pytest.raises(IntegrityError, match="ins_by_status"), session.begin_nested():
        stored(session, qualified(1, ONE, status="validée"))


def test_an_answer_of_insi_rests_sealed_and_comes_back_whole(session: Session) -> None:
    owner = patient(1)
    stored(session, owner)
    answer = {"label": "OK", "matricule": ONE, "history": [{"matricule": OTHER, "oid": NIR_TEST}]}
    call = InsiCall(
        patient_id=owner.id, operation="traits", mode=CallMode.MANUAL.value, message_id="uuid:1",
        duration_ms=1, at=clock.now(), code="00", traits_digest="", answer=answer,
    )  # fmt: skip
    stored(session, call)
    assert call.answer == answer
    raw = session.scalar(text("select answer_sealed from insi_call"))
    assert isinstance(raw, bytes)
    assert ONE.encode() not in raw


def test_a_kept_answer_is_bound_to_its_actor_and_key(session: Session) -> None:
    for actor in ("a", "b"):
        session.add(
            IdempotencyRecord(
                body=actor.encode(), body_sha256=b"x", actor=actor, key="k", method_path="POST /",
                status=201, headers={},
            )
        )  # fmt: skip
    session.flush()
    session.expire_all()
    assert session.get_one(IdempotencyRecord, ("a", "k")).body == b"a"
    of_a = "(select body_sealed from idempotency where actor = 'a')"
    session.execute(text(f"update idempotency set body_sealed = {of_a}"))
    session.expire_all()
    with pytest.raises(SealBroken):
        _ = session.get_one(IdempotencyRecord, ("b", "k")).body


def test_without_a_key_ring_nothing_is_sealed_searched_nor_opened(
    session: Session, database: Database
) -> None:
    row = qualified(1, ONE)
    stored(session, row)
    database.seal_with(None)
    assert row.ipp == "S1", "what is not sealed stays readable"
    acts: list[Callable[[], object]] = [
        lambda: row.ins_matricule,
        lambda: session.scalar(select(Patient.id).where(Patient.ins_matricule == ONE)),
        lambda: stored(session, qualified(2, OTHER)),
    ]
    for act in acts:
        with pytest.raises(Exception, match="Trousseau") as caught:
            act()
        assert isinstance(caught.value.__cause__ or caught.value, NotConfigured)


def test_another_key_ring_neither_opens_nor_finds(session: Session, database: Database) -> None:
    row = qualified(1, ONE)
    stored(session, row)
    database.seal_with(Sealer(Keyring("k1", {"k1": bytes(32)})))
    with pytest.raises(SealBroken):
        _ = row.ins_matricule
    assert session.scalar(select(Patient.id).where(Patient.ins_matricule == ONE)) is None


def test_a_bulk_write_that_would_store_a_digest_alone_is_refused_by_the_base(
    session: Session,
) -> None:
    stored(session, patient(1, status="qualifiée"))
    with pytest.raises(IntegrityError, match="ins_whole"), session.begin_nested():
        session.execute(update(Patient).values(ins_matricule=ONE, ins_oid=NIR_TEST))
