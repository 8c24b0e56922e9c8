"""The worker that empties the propagation queue: in order per patient and partner, never lost.

Claim and commit, send, settle and commit. A message that the partner refuses stops the line of
that patient and partner until a person retries it: a later message must not overtake it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from ris.core import clock
from ris.core.audit import SYSTEM, Actor, record
from ris.core.db import Database
from ris.core.errors import Lost, RemoteError, Transient
from ris.identity import disclosures, service
from ris.identity.errors import OutboxNotFailed
from ris.identity.propagation.model import IdentityOutbox, Kind, OutboxState
from ris.identity.propagation.queue import Outbound, Propagate
from ris.identity.rules import ins_to_output
from ris.rem import satisfies

LEASE: Final = timedelta(minutes=2)
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class _Claimed:
    """One message taken by this worker; *attempt_no* fences one that wakes up late."""

    id: UUID
    attempt_no: int
    partner: str
    message: Outbound


class Propagator:
    """The periodic job; *propagate* is the wire, *sender* our own domain's OID."""

    def __init__(self, database: Database, propagate: Propagate, *, sender: str) -> None:
        self._database = database
        self._propagate = propagate
        self._sender = sender

    @satisfies("RIS.INS.34", "RIS.INS.36")
    def run(self) -> int:
        """Send what is due, 200 messages at most; return how many were tried."""
        for done in range(_BATCH):
            with self._database.transaction() as session:
                claimed = _claim(session, clock.now())
            if claimed is None:
                return done
            error: RemoteError | None = None
            try:
                self._propagate(claimed.partner, claimed.message)
            except RemoteError as failure:
                error = failure
            with self._database.transaction() as session:
                _settle(session, claimed, error, sender=self._sender)
        return _BATCH


def listed(session: Session, patient_id: UUID) -> tuple[IdentityOutbox, ...]:
    """Return the messages of a patient, sent or not, in order; raises `PatientNotFound`."""
    patient = service.get(session, patient_id)
    query = select(IdentityOutbox).where(IdentityOutbox.patient_id == patient.id)
    return tuple(session.scalars(query.order_by(IdentityOutbox.seq)))


def retry(session: Session, outbox_id: UUID, *, actor: Actor) -> IdentityOutbox:
    """Send a refused message again, its line after it; raises `OutboxNotFailed`."""
    row = session.get(IdentityOutbox, outbox_id, with_for_update=True)
    if row is None or row.state != OutboxState.FAILED:
        raise OutboxNotFailed
    row.state, row.due_at, row.error = OutboxState.PENDING.value, clock.now(), ""
    session.flush()
    target = ("identity_outbox", row.id)
    detail = {"partner": row.partner, "kind": row.kind}
    record(session, "identity.propagation_retried", actor=actor, target=target,
           patient_id=row.patient_id, detail=detail)  # fmt: skip
    return row


def _claim(session: Session, now: datetime) -> _Claimed | None:
    """Take the next due message that nothing of its line precedes."""
    earlier = aliased(IdentityOutbox)
    blocked = (
        select(earlier.id)
        .where(
            earlier.patient_id == IdentityOutbox.patient_id,
            earlier.partner == IdentityOutbox.partner,
            earlier.seq < IdentityOutbox.seq,
            earlier.state != OutboxState.SENT,
        )
        .exists()
    )
    due = select(IdentityOutbox).where(
        IdentityOutbox.state == OutboxState.PENDING, IdentityOutbox.due_at <= now, ~blocked
    )
    ordered = due.order_by(IdentityOutbox.seq).limit(1)
    row = session.scalar(ordered.with_for_update(skip_locked=True, of=IdentityOutbox))
    if row is None:
        return None
    row.attempt_no, row.due_at = row.attempt_no + 1, now + LEASE
    message = Outbound(
        kind=Kind(row.kind),
        message_id=row.id,
        identity=service.identity_of(session, row.patient_id),
        occurred_at=row.occurred_at,
        absorbed_ipp=row.absorbed_ipp,
        withdrawn_oid=row.withdrawn_oid,
    )
    return _Claimed(row.id, row.attempt_no, row.partner, message)


def _settle(session: Session, claimed: _Claimed, error: RemoteError | None, *, sender: str) -> None:
    row = session.get_one(IdentityOutbox, claimed.id, with_for_update=True)
    if row.state != OutboxState.PENDING or row.attempt_no != claimed.attempt_no:
        return
    if error is not None:
        row.error = error.remote_code or error.code
        again = isinstance(error, (Transient, Lost))  # the same message id: a repeat is harmless
        row.due_at = clock.now() + timedelta(seconds=min(3600, 10 * 2 ** min(row.attempt_no, 9)))
        row.state = (OutboxState.PENDING if again else OutboxState.FAILED).value
        return
    row.state, row.sent_at, row.error = OutboxState.SENT.value, clock.now(), ""
    if claimed.message.kind is not Kind.WITHDRAW and ins_to_output(claimed.message.identity):
        disclosures.note(
            session, row.patient_id, sender=sender, partner=row.partner, channel="hl7_pam",
            reference=str(row.id),
        )  # fmt: skip
    target = ("identity_outbox", row.id)
    detail = {"partner": row.partner, "kind": row.kind}
    record(session, "identity.propagated", actor=SYSTEM, target=target,
           patient_id=row.patient_id, detail=detail)  # fmt: skip
