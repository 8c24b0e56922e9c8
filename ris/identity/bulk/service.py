"""Verification of many INS at once: which identities are due, a batch begun, listed, begun again.

What the worker does with a batch is in `run.py` (ins.md R-VER-01, R-INSI-01).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import DateTime, Select, exists, func, literal, not_, or_, select
from sqlalchemy.orm import Session, aliased

from ris.core import clock
from ris.core.audit import Actor, record
from ris.identity.bulk.model import OPEN, BatchState, InsiBatch, InsiBatchItem
from ris.identity.compartment import Visible, everybody
from ris.identity.feature import IdentityFeature
from ris.identity.insi.errors import (
    BatchEmpty,
    BatchNotFailed,
    BatchNotFound,
    BatchOpen,
    InsiBulkOff,
)
from ris.identity.insi.values import Caller
from ris.identity.model import IdentityHistory, Patient
from ris.identity.states import Event
from ris.identity.values import Status

_AGAIN: Final = timedelta(days=30)
_VERIFYING: Final = (
    Event.INSI_ACCEPTED,
    Event.INSI_CONFIRMED,
    Event.FOREIGN_CONFIRMED,
    Event.FOREIGN_TRUSTED,
)


def due(now: datetime, months: int, limit: int) -> Select[Any]:
    """Return the query of the identities to verify: INS held, not verified for *months* at *now*.

    Whatever a merge brought together is verified again (R-VER-01 c). Those in an open batch wait,
    and those of which INSi could say nothing clear in the last month.
    """
    since = literal(now, DateTime(timezone=True)) - func.make_interval(0, months)
    merge = aliased(IdentityHistory)
    merged_later = exists().where(
        merge.patient_id == IdentityHistory.patient_id,
        merge.event == Event.MERGED,
        merge.at >= IdentityHistory.at,
    )
    verified = exists().where(
        IdentityHistory.patient_id == Patient.id,
        IdentityHistory.event.in_(_VERIFYING),
        IdentityHistory.at > since,
        not_(merged_later),
    )
    waiting = exists().where(
        InsiBatchItem.patient_id == Patient.id,
        or_(
            InsiBatchItem.applied_at > now - _AGAIN,
            InsiBatchItem.batch_id.in_(select(InsiBatch.id).where(InsiBatch.state.in_(OPEN))),
        ),
    )
    held = Patient.status.in_((Status.RECUPEREE, Status.QUALIFIEE))
    query = select(Patient.id).where(
        held, Patient.ins_matricule.is_not(None), Patient.merged_into_id.is_(None)
    )
    return query.where(not_(verified), not_(waiting)).order_by(Patient.id).limit(limit)


def start(session: Session, feature: IdentityFeature, caller: Caller, *, actor: Actor) -> InsiBatch:
    """Begin a batch of the identities that are due, in the name of *caller*'s structure.

    Raises `InsiBulkOff`, `BatchOpen` (one at a time for a structure), `BatchEmpty`.
    """
    insi = feature.settings.insi
    if insi.bulk == "off":
        raise InsiBulkOff
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(caller.structure))))
    under_way = InsiBatch.structure == caller.structure, InsiBatch.state.in_(OPEN)
    if (other := session.scalar(select(InsiBatch.id).where(*under_way))) is not None:
        raise BatchOpen(batch_id=str(other))
    wanted = due(clock.now(), insi.reverify_after_months, insi.bulk_size)
    chosen = session.scalars(wanted).all()
    if not chosen:
        raise BatchEmpty
    batch = InsiBatch(
        structure=caller.structure,
        mode=caller.mode.value,
        size=len(chosen),
        account_id=actor.account_id,
        ps_idnat=actor.ps_idnat,
    )
    session.add(batch)
    session.flush()
    session.add_all(
        InsiBatchItem(batch_id=batch.id, rank=rank, patient_id=patient_id)
        for rank, patient_id in enumerate(chosen, 1)
    )
    session.flush()
    _trace(session, "insi.batch_started", batch, actor)
    return batch


def listed(session: Session, *, limit: int = 50) -> Sequence[InsiBatch]:
    """Return the batches, the newest first."""
    ordered = select(InsiBatch).order_by(InsiBatch.created_at.desc(), InsiBatch.id.desc())
    return session.scalars(ordered.limit(limit)).all()


def seen(
    session: Session, batch_id: UUID, visible: Visible = everybody
) -> tuple[InsiBatch, Sequence[InsiBatchItem]]:
    """Return a batch and its *visible* identities by rank; raises `BatchNotFound`."""
    batch = session.get(InsiBatch, batch_id)
    if batch is None:
        raise BatchNotFound
    items = select(InsiBatchItem).join(Patient, Patient.id == InsiBatchItem.patient_id)
    items = items.where(InsiBatchItem.batch_id == batch_id, visible(Patient))
    return batch, session.scalars(items.order_by(InsiBatchItem.rank)).all()


def retry(session: Session, batch_id: UUID, *, actor: Actor) -> InsiBatch:
    """Give a failed batch back to the worker, from where it stood; raises `BatchNotFailed`."""
    batch = session.get(InsiBatch, batch_id, with_for_update=True)
    if batch is None:
        raise BatchNotFound
    if batch.state != BatchState.FAILED:
        raise BatchNotFailed
    batch.state = (BatchState.SENT if batch.sent_at else BatchState.CREATED).value
    batch.due_at, batch.error, batch.failures = clock.now(), "", 0
    session.flush()
    _trace(session, "insi.batch_retried", batch, actor)
    return batch


def counts(session: Session, batch_id: UUID) -> dict[str, int]:
    """Return how many identities of a batch got each verdict; `""` those not applied yet."""
    verdict = func.coalesce(InsiBatchItem.verdict, "")
    grouped = select(verdict, func.count()).where(InsiBatchItem.batch_id == batch_id)
    return {str(name): number for name, number in session.execute(grouped.group_by(verdict))}


def _trace(session: Session, action: str, batch: InsiBatch, actor: Actor) -> None:
    detail = {"size": batch.size, "mode": batch.mode, "structure": batch.structure}
    record(session, action, actor=actor, target=("insi_batch", batch.id), detail=detail)
