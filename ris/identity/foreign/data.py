"""Health data whose INS is not verified: held, released or refused; never filed by itself.

The data rest with whoever received them (`ris.interop`); here is only whether they may be filed.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import SYSTEM, Actor, record
from ris.identity.compartment import Visible, everybody
from ris.identity.errors import ForeignDataDecided, ForeignNotFound
from ris.identity.foreign.model import ForeignData, ForeignIdentity, ForeignState, HeldState
from ris.identity.model import Patient
from ris.rem import satisfies
from ris.web.pages import PageQuery

_REFERENCE_MAX: Final = 128


@satisfies("RIS.INS.47")
def hold(session: Session, foreign_id: UUID, *, kind: str, reference: str) -> ForeignData:
    """Queue data instead of filing them; released at once when the INS was verified meanwhile.

    *kind* is `ORU`, `ORM`…, *reference* the receiver's own name of the data. The same reference
    comes back as it is.
    """
    foreign = session.get(ForeignIdentity, foreign_id, with_for_update=True)
    if foreign is None:
        raise ForeignNotFound
    same = select(ForeignData).where(ForeignData.kind == kind, ForeignData.reference == reference)
    if (known := session.scalar(same)) is not None:
        return known
    state = HeldState.RELEASED if foreign.state == ForeignState.OK else HeldState.HELD
    row = ForeignData(foreign_id=foreign_id, kind=kind, reference=reference, state=state.value)
    session.add(row)
    session.flush()
    _journal(session, "foreign_data.held", row, foreign, SYSTEM)
    return row


def reference_of(sender: str, message_id: str) -> str:
    """Return how a message is named here: `<message id>@<sender>`, its digest when too long."""
    whole = f"{message_id}@{sender}"
    fits = len(whole) <= _REFERENCE_MAX
    return whole if fits else hashlib.sha256(whole.encode()).hexdigest()


def release_all(session: Session, foreign_id: UUID) -> None:
    """Let go everything that waited for a verification that is now OK."""
    query = select(ForeignData).where(
        ForeignData.foreign_id == foreign_id, ForeignData.state == HeldState.HELD
    )
    for row in session.scalars(query.with_for_update()):
        row.state, row.decided_at = HeldState.RELEASED.value, clock.now()


@satisfies("RIS.INS.47")
def decide(
    session: Session, data_id: UUID, *, release: bool, reason: str, actor: Actor
) -> ForeignData:
    """A person has looked: release the data for filing, or refuse them.

    Raises `ForeignNotFound`, `ForeignDataDecided`.
    """
    row = session.get(ForeignData, data_id, with_for_update=True)
    if row is None:
        raise ForeignNotFound
    if row.state != HeldState.HELD:
        raise ForeignDataDecided
    row.state = (HeldState.RELEASED if release else HeldState.REFUSED).value
    row.decided_at, row.reason = clock.now(), reason
    session.flush()
    foreign = session.get_one(ForeignIdentity, row.foreign_id)
    _journal(session, f"foreign_data.{row.state}", row, foreign, actor)
    return row


def released(session: Session, *, limit: int = 100) -> tuple[ForeignData, ...]:
    """Return the data that may now be filed, oldest first, locked for the one who files them."""
    query = select(ForeignData).where(ForeignData.state == HeldState.RELEASED)
    ordered = query.order_by(ForeignData.held_at, ForeignData.id).limit(limit)
    return tuple(session.scalars(ordered.with_for_update(skip_locked=True)))


def listed(
    session: Session, state: HeldState, paging: PageQuery, visible: Visible = everybody
) -> tuple[Sequence[ForeignData], str | None]:
    """Return the data in *state* of *visible* records, oldest first, and the next cursor."""
    at, key = ForeignData.held_at, ForeignData.id
    query = (
        select(ForeignData)
        .join(ForeignIdentity, ForeignIdentity.id == ForeignData.foreign_id)
        .join(Patient, Patient.id == ForeignIdentity.patient_id)
        .where(ForeignData.state == state, visible(Patient))
    )
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    found = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    return paging.cut(found, lambda row: (row.held_at.isoformat(), str(row.id)))


def filed(session: Session, data_id: UUID, *, at: datetime | None = None) -> None:
    """Note that released data were filed."""
    row = session.get_one(ForeignData, data_id)
    row.state, row.decided_at = HeldState.FILED.value, at or clock.now()
    session.flush()


def _journal(
    session: Session, action: str, row: ForeignData, foreign: ForeignIdentity, actor: Actor
) -> None:
    detail = {"kind": row.kind, "verification": foreign.state}
    target = ("foreign_data", row.id)
    record(
        session, action, actor=actor, target=target, patient_id=foreign.patient_id, detail=detail
    )
