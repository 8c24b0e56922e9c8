"""Copies go at their term, not before and not later, and leave a signed record without image."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from ris.core import clock, ids
from ris.core.audit import AuditEvent
from ris.core.crypto import Envelope, Keyring, SealBroken, Sealer
from ris.identity.copies import purge
from ris.identity.copies.model import IdCopy, IdCopyPurge, IdCopyPurgeKey
from ris.identity.copies.service import context
from ris.identity.copies.signature import fingerprint, holds, statement
from ris.identity.feature import Change
from ris.identity.model import IdentityDocument, IdentityHistory
from ris.identity.states import Event
from ris.identity.values import Status
from ris.orders.model import ExamRecord, ImagingOrder
from ris.rem.evidence import Evidence
from ris.reports.model import Report
from tests.identity.copies.conftest import ARRIVAL, SCAN, Door, Site

TERM = datetime(2029, 2, 28, 9, 30, tzinfo=UTC)  # 29 February 2024 + 60 months
TICK = timedelta(microseconds=1)
LATER = ARRIVAL + timedelta(days=400)


def purged(site: Site, at: datetime) -> int:
    with clock.frozen(at):
        return purge.purge_due(site.database, site.feature)


def copies(site: Site) -> int:
    with site.database.transaction() as session:
        return session.scalars(select(func.count()).select_from(IdCopy)).one()


def history(session: Session, patient_id: UUID, event: Event) -> None:
    session.add(
        IdentityHistory(patient_id=patient_id, at=LATER, event=event, to_status="provisoire")
    )


def document(session: Session, patient_id: UUID) -> None:
    session.add(
        IdentityDocument(
            patient_id=patient_id, type="CN", trust="high", recorded_at=LATER, traits_digest="0"
        )
    )


def order(session: Session, patient_id: UUID, *, at: datetime = LATER) -> ImagingOrder:
    placed = ImagingOrder(
        patient_id=patient_id, order_number="1", order_oid="2.25.3", issued_locally=True,
        requester={}, recipients=[], reason="", created_at=at,
    )  # fmt: skip
    session.add(placed)
    session.flush()
    return placed


def exam(session: Session, patient_id: UUID, *, at: datetime = LATER) -> ExamRecord:
    booked = ExamRecord(
        order_id=order(session, patient_id, at=ARRIVAL).id, patient_id=patient_id,
        accession_number="1", accession_oid="2.25.2", study_uid="2.25.9", procedure={},
        scheduled_at=at,
    )  # fmt: skip
    session.add(booked)
    session.flush()
    return booked


def report(session: Session, patient_id: UUID) -> None:
    session.execute(text("set local session_replication_role = replica"))  # no author account
    session.add(
        Report(
            patient_id=patient_id,
            exam_id=exam(session, patient_id, at=ARRIVAL).id,
            author_account_id=ids.new(),
            title="",
            created_at=ARRIVAL,
            updated_at=LATER,
        )
    )
    session.flush()


@pytest.mark.rem("RIS.INS.58", "LOC-CNI-02", scenario="INS/va1.42.01")
def test_a_copy_goes_at_its_term_and_not_a_moment_before(site: Site, evidence: Evidence) -> None:
    patient = site.patient()
    copy = site.keep(patient)
    assert purged(site, TERM - TICK) == 0
    assert copies(site) == 1
    assert purged(site, TERM) == 1
    assert copies(site) == 0
    assert purged(site, TERM) == 0
    with site.database.transaction() as session:
        (proof,) = purge.proofs(session)
        assert proof.sound
        record = proof.record
        assert (record.copy_id, record.reason, record.due_at) == (copy, "retention", TERM)
        assert record.last_activity_at == ARRIVAL
        evidence.add("04", "erasure.json", proof.line())
        (event,) = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "identity.copy_erased")
        )
        assert (event.actor_role, event.target_id, event.reason) == (
            "SYSTEM", str(copy), "retention",
        )  # fmt: skip


@pytest.mark.rem("RIS.INS.58")
@pytest.mark.parametrize(
    "activity",
    [
        lambda session, who: history(session, who, Event.COMPLEMENTARY_TRAIT_CHANGED),
        document,
        order,
        exam,
        report,
    ],
    ids=["identity event", "document shown", "order", "exam", "report"],
)
def test_each_activity_pushes_the_term_back(site: Site, activity: object) -> None:
    patient = site.patient()
    site.keep(patient)
    with site.database.transaction() as session:
        activity(session, patient[0])  # type: ignore[operator]
    again = LATER.replace(year=LATER.year + 5)
    assert purged(site, TERM) == 0
    assert purged(site, again - TICK) == 0
    assert purged(site, again) == 1


def test_a_second_copy_counts_as_an_activity(site: Site) -> None:
    patient = site.patient()
    site.keep(patient)
    site.keep(patient, at=LATER)
    assert purged(site, TERM) == 0
    assert purged(site, LATER.replace(year=LATER.year + 5)) == 2


@pytest.mark.parametrize("event", [Event.INSI_CONFIRMED, Event.INSI_DENIED])
def test_our_own_periodic_checks_keep_no_copy_alive(site: Site, event: Event) -> None:
    patient = site.patient()
    site.keep(patient)
    with site.database.transaction() as session:
        history(session, patient[0], event)
    assert purged(site, TERM) == 1


def test_another_patient_s_activity_changes_nothing(site: Site) -> None:
    patient, other = site.patient("1"), site.patient("2")
    site.keep(patient)
    site.keep(other)
    with site.database.transaction() as session:
        order(session, other[0])
    assert purged(site, TERM) == 1
    assert copies(site) == 1


def test_a_site_that_gives_the_profile_up_still_purges(site: Site) -> None:
    site.keep(site.patient())
    assert purged(site.now_on(enabled=False), TERM) == 1


def test_a_copy_past_its_term_is_not_shown_even_before_the_purge_has_run(
    site: Site, door: Door
) -> None:
    old = ARRIVAL.replace(year=2015, day=1)
    patient = site.patient(at=old)
    copy = site.keep(patient, at=old)
    url = f"/patients/{patient[0]}/identity-copies/{copy}/content"
    refused = door().get(url, params={"reason": "dispute"})
    assert (refused.status_code, refused.json()["code"]) == (410, "COPY_RETENTION")


@pytest.mark.rem("RIS.INS.58", "LOC-CNI-02")
def test_what_was_erased_is_nowhere_in_the_base_and_no_key_opens_it(site: Site) -> None:
    patient = site.patient()
    copy = site.keep(patient)
    other = site.keep(patient)
    with site.database.transaction() as session:
        stolen = session.get_one(IdCopy, copy).envelope
        neighbour = session.get_one(IdCopy, other).envelope
    purged(site, TERM)
    tables = "select tablename from pg_tables where schemaname = 'public'"
    with psycopg.connect(site.database.url.replace("+psycopg", "")) as connection:
        whole = b""
        for (table,) in connection.execute(tables).fetchall():
            with connection.cursor().copy(f'copy "{table}" to stdout') as out:  # type: ignore[call-overload]
                whole += b"".join(bytes(part) for part in out)
    for secret in (SCAN, stolen.ciphertext, stolen.wrapped_key, stolen.nonce):
        assert secret.hex().encode() not in whole
        assert base64.b64encode(secret) not in whole
    sealer = Sealer(Keyring.from_file(site.keyring))
    bound = context(copy, patient[0])
    assert sealer.decrypt(stolen, bound) == SCAN, "the wrapped key was all it took"
    for wrapped in (neighbour.wrapped_key, bytes(40), b""):
        with pytest.raises(SealBroken):
            sealer.decrypt(Envelope(stolen.kek_id, wrapped, stolen.nonce, stolen.ciphertext), bound)


@pytest.mark.rem("RIS.INS.58")
def test_a_row_moved_to_another_patient_does_not_open(site: Site, door: Door) -> None:
    patient, other = site.patient("1"), site.patient("2")
    copy = site.keep(patient)
    with site.database.transaction() as session:
        session.execute(update(IdCopy).values(patient_id=other[0], document_id=other[1]))
    url = f"/patients/{other[0]}/identity-copies/{copy}/content"
    with site.database.transaction() as session:  # the visit of today keeps it within its term
        order(session, other[0], at=clock.now())
    refused = door().get(url, params={"reason": "dispute"})
    assert (refused.status_code, refused.json()["code"]) == (500, "SEAL_BROKEN")
    assert SCAN not in refused.content


@pytest.mark.rem("LOC-CNI-02")
def test_a_record_proves_itself_to_who_has_the_public_key_only(site: Site) -> None:
    site.keep(site.patient())
    purged(site, TERM)
    with site.database.transaction() as session:
        (proof,) = purge.proofs(session)
        created = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "identity.copy_purge_key_created")
        ).one()
    told = json.loads(proof.line())
    key = base64.b64decode(told["public_key"])
    Ed25519PublicKey.from_public_bytes(key).verify(
        base64.b64decode(told["signature"]), told["signed"].encode()
    )
    assert json.loads(told["signed"])["format"] == "ris.id_copy_purge.v1"
    assert created.target_id == proof.record.key_id == fingerprint(key)


@pytest.mark.rem("LOC-CNI-02")
def test_a_record_altered_in_any_field_no_longer_holds(site: Site) -> None:
    site.keep(site.patient())
    purged(site, TERM)
    with site.database.transaction() as session:
        (proof,) = purge.proofs(session)
        session.expunge_all()
    record = proof.record
    assert holds(record, proof.public_key)
    for name, wrong in {
        "copy_id": ids.new(), "patient_id": ids.new(), "document_type": "CN",
        "stored_at": TERM, "last_activity_at": TERM, "due_at": ARRIVAL, "erased_at": ARRIVAL,
        "reason": "request", "account_id": ids.new(), "key_id": "0", "signature": bytes(64),
    }.items():  # fmt: skip
        kept = getattr(record, name)
        setattr(record, name, wrong)
        assert not holds(record, proof.public_key), name
        setattr(record, name, kept)
    assert not holds(record, bytes(32))
    assert b"JFIF" not in statement(record)


@pytest.mark.rem("LOC-CNI-02")
def test_a_forger_s_own_key_does_not_pass_under_the_name_of_ours(site: Site) -> None:
    site.keep(site.patient())
    purged(site, TERM)
    with site.database.transaction() as session:
        (proof,) = purge.proofs(session)
        session.expunge_all()
    forger = Ed25519PrivateKey.generate()
    proof.record.due_at = ARRIVAL
    proof.record.signature = forger.sign(statement(proof.record))
    assert not holds(proof.record, forger.public_key().public_bytes_raw())


def test_records_are_append_only_and_signed_by_one_key(site: Site) -> None:
    for number in ("1", "2", "3"):
        site.keep(site.patient(number))
    assert purged(site, TERM) == 3
    with site.database.transaction() as session:
        assert [proof.sound for proof in purge.proofs(session)] == [True] * 3
        assert session.scalars(select(func.count()).select_from(IdCopyPurgeKey)).one() == 1
    for change in (
        "update id_copy_purge set reason = 'request'", "delete from id_copy_purge",
        "truncate id_copy_purge",
    ):  # fmt: skip
        with (
            pytest.raises(DatabaseError, match="append-only"),
            site.database.transaction() as session,
        ):
            session.execute(text(change))
    with site.database.transaction() as session:
        assert session.scalars(select(func.count()).select_from(IdCopyPurge)).one() == 3


@pytest.mark.parametrize("event", Event)
def test_an_absorbed_record_keeps_no_copy_and_no_other_event_erases_one(
    site: Site, event: Event
) -> None:
    patient = site.patient()
    copy = site.keep(patient)
    change = Change(patient[0], event, Status.PROVISOIRE, Status.PROVISOIRE, propagate=False)
    with site.database.transaction() as session:
        purge.on_identity_changed(session, site.feature, change)
    with site.database.transaction() as session:
        told = [(proof.record.copy_id, proof.record.reason) for proof in purge.proofs(session)]
    assert told == ([(copy, "merge")] if event is Event.ABSORBED else [])
    assert copies(site) == (event is not Event.ABSORBED)


def test_a_copy_whose_patient_comes_back_during_the_purge_is_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = site.patient()
    site.keep(patient)
    one = purge._purge

    def after_a_visit(session: Session, feature: object, copy_id: UUID) -> bool:
        with site.database.transaction() as other:
            order(other, patient[0])
        return one(session, site.feature, copy_id)

    monkeypatch.setattr(purge, "_purge", after_a_visit)
    assert purged(site, TERM) == 0
    assert copies(site) == 1
