"""Self-healing: whatever happens to the jobs, the `delivery` table alone can rebuild the queue.

Called periodically by `jobs`, in a transaction of its own.
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from ris.diffusion import engine
from ris.diffusion.begin import reconsider, stop
from ris.diffusion.model import Delivery
from ris.diffusion.schedule import database_now, release
from ris.diffusion.states import State
from ris.diffusion.wiring import Diffusion

_BATCH = 500


def requeue_due(session: Session, diffusion: Diffusion) -> int:
    """Enqueue every delivery that should move and has no job; return how many.

    Due ones, and those `running` for longer than any attempt can last: their worker is dead and
    so is its job.
    """
    now = database_now(session)
    limit = now - timedelta(seconds=diffusion.settings.running_limit_s)
    stuck = select(Delivery).where(
        or_(
            and_(Delivery.state.in_((State.PENDING, State.UNKNOWN)), Delivery.due_at <= now),
            and_(Delivery.state == State.RUNNING, Delivery.running_since <= limit),
        )
    )
    ordered = stuck.order_by(Delivery.created_at, Delivery.id).with_for_update(skip_locked=True)
    requeued = 0
    for row in session.scalars(ordered.limit(_BATCH)).all():
        if not engine.has_job(session, row.id) and not _waits(session, row):
            engine.enqueue(session, row)
            requeued += 1
    return requeued


def reconsider_due(session: Session, diffusion: Diffusion) -> int:
    """Decide again on the held deliveries whose hour has come; return how many left again.

    A hold of our own is lifted when the decision says so; a hold that the remote side asked for
    (no DMP, session gone) is tried again by a real attempt.
    """
    now = database_now(session)
    held = (
        select(Delivery)
        .where(Delivery.state == State.HELD, Delivery.due_at <= now)
        .order_by(Delivery.due_at)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    released = 0
    for row in session.scalars(held).all():
        decision = reconsider(session, diffusion, row)
        if decision.state is State.PENDING:
            release(session, row)
            released += 1
        else:
            stop(session, diffusion, row, decision)
    return released


def oldest_due(session: Session) -> datetime | None:
    """Return the instant of the oldest attempt that should have started, if any."""
    due = select(Delivery.due_at).where(
        Delivery.state.in_((State.PENDING, State.UNKNOWN)), Delivery.blocked_by.is_(None)
    )
    return session.scalar(due.order_by(Delivery.due_at).limit(1))


def _waits(session: Session, row: Delivery) -> bool:
    """Say whether its blocker is still under way: the blocker's end will enqueue it."""
    if row.blocked_by is None:
        return False
    blocker = session.get_one(Delivery, row.blocked_by)
    return blocker.state in (State.PENDING, State.HELD, State.RUNNING, State.UNKNOWN)
