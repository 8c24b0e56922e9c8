"""The worklist of INS received that INSi did not confirm: shown, asked again, closed."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.identity.compartment import Visible, everybody
from ris.identity.errors import ForeignDataDecided, ForeignNotFound
from ris.identity.foreign.model import ForeignIdentity, ForeignState
from ris.identity.model import Patient
from ris.rem import satisfies
from ris.web.pages import PageQuery

TO_REVIEW: Final = (ForeignState.KO, ForeignState.UNCLEAR, ForeignState.CONFLICT)


@satisfies("RIS.INS.47")
def listed(
    session: Session,
    states: Collection[ForeignState] | None,
    paging: PageQuery,
    *,
    errors: Collection[str] = (),
    visible: Visible = everybody,
    actor: Actor,
) -> tuple[Sequence[ForeignIdentity], str | None]:
    """Return the verifications in *states*, oldest first, and the cursor of the next page.

    Without *states*, those that a person must look at; *errors* keeps those of one of these codes;
    only those of *visible* records.
    """
    at, key = ForeignIdentity.received_at, ForeignIdentity.id
    query = select(ForeignIdentity).join(Patient, Patient.id == ForeignIdentity.patient_id)
    query = query.where(ForeignIdentity.state.in_(states or TO_REVIEW), visible(Patient))
    if errors:
        query = query.where(ForeignIdentity.error.in_(errors))
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    found = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    rows, following = paging.cut(found, lambda row: (row.received_at.isoformat(), str(row.id)))
    record(session, "foreign.worklist_read", actor=actor, detail={"found": len(rows)})
    return rows, following


def retry(session: Session, foreign_id: UUID, *, actor: Actor) -> ForeignIdentity:
    """Ask INSi again; raises `ForeignNotFound`, `ForeignDataDecided` when nothing is to review."""
    row = _to_review(session, foreign_id)
    row.state, row.due_at, row.error = ForeignState.PENDING.value, clock.now(), ""
    row.settled_at = None
    session.flush()
    _journal(session, "foreign.retried", row, actor)
    return row


def close(session: Session, foreign_id: UUID, *, reason: str, actor: Actor) -> ForeignIdentity:
    """Take a verification off the worklist; held data stay held until decided one by one."""
    row = _to_review(session, foreign_id)
    row.state, row.settled_at = ForeignState.CLOSED.value, clock.now()
    session.flush()
    _journal(session, "foreign.closed", row, actor, reason)
    return row


def _to_review(session: Session, foreign_id: UUID) -> ForeignIdentity:
    row = session.get(ForeignIdentity, foreign_id, with_for_update=True)
    if row is None:
        raise ForeignNotFound
    if row.state not in TO_REVIEW:
        raise ForeignDataDecided
    return row


def _journal(
    session: Session, action: str, row: ForeignIdentity, actor: Actor, reason: str | None = None
) -> None:
    target = ("foreign_identity", row.id)
    record(session, action, actor=actor, target=target, patient_id=row.patient_id, reason=reason)
