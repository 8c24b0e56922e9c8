"""The queue of INS received that INSi must verify: asked once each, claimed by one worker.

What an answer means is in `check.py`.
"""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import clock, ids
from ris.core.audit import Actor, record
from ris.identity.foreign import feed_match
from ris.identity.foreign.feed import Inbound
from ris.identity.foreign.model import ForeignIdentity, ForeignState
from ris.identity.model import Patient
from ris.identity.traits import TypedTraits
from ris.identity.values import Attribute, Ins
from ris.rem import satisfies

LEASE: Final = timedelta(minutes=5)
_DONE: Final = (ForeignState.OK, ForeignState.CLOSED)


@dataclass(frozen=True, slots=True)
class Claimed:
    """One verification a worker has taken; *attempt_no* fences one that wakes up late.

    *attributes* are those of the record now: some forbid any call (RIS.INS.28).
    """

    id: UUID
    attempt_no: int
    typed: TypedTraits
    birth_date_raw: str = ""
    attributes: frozenset[Attribute] = frozenset()


@satisfies("RIS.INS.46")
def ask(
    session: Session,
    patient: Patient,
    inbound: Inbound,
    typed: TypedTraits,
    *,
    created: bool,
    actor: Actor,
) -> ForeignIdentity:
    """Queue the verification of the INS of *inbound*; the one already queued when there is one.

    *typed* are its traits after R-TRT-02, *created* whether this message created the record.
    """
    if (waiting := _already(session, patient, inbound)) is not None:
        return waiting
    row = ForeignIdentity(
        id=ids.new(),
        patient_id=patient.id,
        created_patient=created,
        sender=inbound.sender,
        message_id=inbound.message_id,
        traits=asdict(typed),
        state=ForeignState.PENDING.value,
    )
    row.ins_digest = digest(row.id, inbound.ins)
    session.add(row)
    session.flush()
    target = ("foreign_identity", row.id)
    detail = {"sender": row.sender, "created": created}
    record(
        session, "foreign.queued", actor=actor, target=target, patient_id=patient.id, detail=detail
    )
    return row


def digest(foreign_id: UUID, ins: Ins | None) -> str:
    """Return what is kept of an INS not verified: enough to compare, nothing to show."""
    whole = f"{foreign_id}|{ins.matricule}|{ins.oid}" if ins else str(foreign_id)
    return hashlib.sha256(whole.encode()).hexdigest()


def claim(session: Session, now: datetime) -> Claimed | None:
    """Take the next verification that is due, leased for as long as an attempt can last."""
    due = select(ForeignIdentity).where(
        ForeignIdentity.state == ForeignState.PENDING, ForeignIdentity.due_at <= now
    )
    ordered = due.order_by(ForeignIdentity.due_at, ForeignIdentity.id).limit(1)
    row = session.scalar(ordered.with_for_update(skip_locked=True))
    if row is None:
        return None
    row.attempt_no += 1
    row.due_at = now + LEASE
    typed = TypedTraits(**row.traits)
    patient = session.get_one(Patient, row.patient_id)
    told = patient.birth_date_raw if patient.birth_date.isoformat() == typed.birth_date else None
    held = feed_match.survivor(session, patient).identity.attributes
    return Claimed(row.id, row.attempt_no, typed, told or "", held)


def still_ours(session: Session, claimed: Claimed) -> ForeignIdentity | None:
    """Return the row, locked, unless another worker or a person settled it meanwhile."""
    row = session.get(ForeignIdentity, claimed.id, with_for_update=True, populate_existing=True)
    mine = row is not None and row.attempt_no == claimed.attempt_no
    return row if mine and row is not None and row.state == ForeignState.PENDING else None


def postpone(row: ForeignIdentity, error: str) -> None:
    """INSi cannot answer now: try again, less and less often, up to one hour apart."""
    wait = min(60, 2 ** min(row.attempt_no, 6))
    row.due_at, row.error = clock.now() + timedelta(minutes=wait), error


def _already(session: Session, patient: Patient, inbound: Inbound) -> ForeignIdentity | None:
    query = select(ForeignIdentity).where(
        ForeignIdentity.patient_id == patient.id,
        ForeignIdentity.sender == inbound.sender,
        ForeignIdentity.state.not_in(_DONE),
    )
    rows = session.scalars(query)
    return next((row for row in rows if row.ins_digest == digest(row.id, inbound.ins)), None)
