"""Which record a message is about: by its identifiers, then by the INS we hold. Never by traits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ris.identity import service
from ris.identity.feature import IdentityFeature
from ris.identity.feed import Inbound, LocalId
from ris.identity.foreign_model import FeedIdentifier
from ris.identity.model import Patient
from ris.identity.values import Ins


def one_at_a_time(session: Session, inbound: Inbound) -> None:
    """Let messages about the same identifiers wait for each other until the commit."""
    for one in sorted(f"{i.authority}|{i.value}" for i in _named(inbound)):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(one, 0))))


def lock_pair(session: Session, feature: IdentityFeature, inbound: Inbound) -> None:
    """Lock the records that a merge names, lowest id first, as the merge of a person does.

    Two merges that cross wait for each other: neither is a victim of a deadlock.
    """
    ids = (_patient_id(session, feature, one) for one in _named(inbound))
    for one in sorted({patient_id for patient_id in ids if patient_id is not None}):
        service.locked(session, one, against_filing=True)


def known(session: Session, feature: IdentityFeature, inbound: Inbound) -> Patient | None:
    """Return the record that *inbound* names by an identifier, locked; the survivor of a merge."""
    for local_id in inbound.local_ids:
        found = by_local_id(session, feature, local_id)
        if found is not None:
            return found
    return None


def by_local_id(session: Session, feature: IdentityFeature, local_id: LocalId) -> Patient | None:
    """Return the record that *local_id* names, locked; the survivor when it was absorbed."""
    patient_id = _patient_id(session, feature, local_id)
    return survivor(session, service.locked(session, patient_id)) if patient_id else None


def holder(session: Session, ins: Ins) -> Patient | None:
    """Return the record that holds *ins*, locked, if any."""
    query = select(Patient.id).where(
        Patient.ins_matricule == ins.matricule, Patient.ins_oid == ins.oid
    )
    patient_id = session.scalar(query)
    return service.locked(session, patient_id) if patient_id else None


def outdated(session: Session, inbound: Inbound) -> bool:
    """Say whether newer news of these identifiers were applied already (R-PAM-06)."""
    if inbound.occurred_at is None:
        return False
    rows = (session.get(FeedIdentifier, (i.authority, i.value)) for i in inbound.local_ids)
    last = [row.last_event_at for row in rows if row is not None and row.last_event_at]
    return any(at > inbound.occurred_at for at in last)


def remember(
    session: Session, patient: Patient, ids: tuple[LocalId, ...], at: datetime | None
) -> None:
    """Keep what the sender calls *patient*, and how fresh its news are."""
    for one in ids:
        row = session.get(FeedIdentifier, (one.authority, one.value))
        if row is None:
            row = FeedIdentifier(authority=one.authority, value=one.value)
            session.add(row)
        row.patient_id = patient.id
        row.last_event_at = at or row.last_event_at
    session.flush()


def survivor(session: Session, patient: Patient) -> Patient:
    """Return the record that absorbed *patient* in the end, locked; itself when none did."""
    while patient.merged_into_id is not None:
        patient = service.locked(session, patient.merged_into_id)
    return patient


def _named(inbound: Inbound) -> tuple[LocalId, ...]:
    return inbound.local_ids + ((inbound.absorbed,) if inbound.absorbed else ())


def _patient_id(session: Session, feature: IdentityFeature, local_id: LocalId) -> UUID | None:
    alias = session.get(FeedIdentifier, (local_id.authority, local_id.value))
    if alias is not None:
        return alias.patient_id
    if local_id.authority != feature.ipp_oid:
        return None
    return session.scalar(select(Patient.id).where(Patient.ipp == local_id.value))
