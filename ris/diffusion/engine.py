"""The only door to procrastinate for whoever schedules: put, find, move and drop jobs.

Everything happens on the caller's connection, in the caller's transaction. Running jobs is in
`jobs`. A job carries one delivery id and nothing else: the worker logs its arguments.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from procrastinate import App, SyncPsycopgConnector  # noqa: TID251 - this is the door
from procrastinate.exceptions import AlreadyEnqueued  # noqa: TID251 - this is the door
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ris.diffusion.model import Delivery

QUEUE: Final = "diffusion"
ATTEMPT: Final = "diffusion.attempt"
_deferrer: Final = App(connector=SyncPsycopgConnector())  # never opened: it borrows connections


def job_key(delivery_id: UUID) -> str:
    """Return the queueing lock of a delivery: at most one waiting job bears it."""
    return f"delivery:{delivery_id}"


def enqueue(session: Session, delivery: Delivery) -> None:
    """Put the next attempt of *delivery* in the caller's transaction; one waiting job is enough.

    The order of `suppress` and the savepoint matters: the savepoint must see the error, or the
    caller's transaction is lost (engineering.md §1.5). The connection is asked for inside, because
    SQLAlchemy emits the SAVEPOINT only then.
    """
    session.flush()
    with suppress(AlreadyEnqueued), session.begin_nested():
        raw = session.connection().connection.driver_connection
        _deferrer.configure_task(
            ATTEMPT,
            queue=QUEUE,
            lock=delivery.lane,
            queueing_lock=job_key(delivery.id),
            schedule_at=delivery.due_at,
            priority=0,
            connection=raw,
        ).defer(delivery_id=str(delivery.id))


def drop(session: Session, delivery_ids: Iterable[UUID]) -> None:
    """Remove the waiting jobs of deliveries that were cancelled, lest they hold their lane."""
    session.execute(
        text("delete from procrastinate_jobs where status = 'todo' and queueing_lock = any(:keys)"),
        {"keys": [job_key(delivery_id) for delivery_id in delivery_ids]},
    )


def has_job(session: Session, delivery_id: UUID) -> bool:
    """Say whether a job waits or runs for this delivery."""
    found = session.execute(
        text(
            "select 1 from procrastinate_jobs where queueing_lock = :key"
            " and status in ('todo', 'doing') limit 1"
        ),
        {"key": job_key(delivery_id)},
    )
    return found.first() is not None


def rescue(session: Session, stalled_s: float) -> int:
    """Give the jobs of workers silent for *stalled_s* seconds to the living; return how many.

    Rows are locked, so two rescues never touch one job: a second one would find it waiting and
    drop it. A job whose delivery already has a waiting one is dropped. Fencing follows in `begin`.
    """
    stalled = session.scalars(
        text(
            "select job.id from procrastinate_jobs job"
            " left join procrastinate_workers worker on worker.id = job.worker_id"
            " where job.status = 'doing' and job.queue_name = :queue and (worker.id is null"
            " or worker.last_heartbeat < now() - make_interval(secs => :seconds))"
            " order by job.id for update of job skip locked"
        ),
        {"queue": QUEUE, "seconds": stalled_s},
    ).all()
    retry = text("select procrastinate_retry_job_v2(:id, now(), null, null, null)")
    for job_id in stalled:
        try:
            with session.begin_nested():
                session.execute(retry, {"id": job_id})
        except IntegrityError:  # another waiting job took its place
            session.execute(text("delete from procrastinate_jobs where id = :id"), {"id": job_id})
    return len(stalled)


def reschedule(session: Session, when: Iterable[tuple[UUID, datetime]]) -> None:
    """Move waiting jobs to new instants."""
    rows = [{"key": job_key(delivery_id), "at": at} for delivery_id, at in when]
    if rows:
        session.execute(
            text(
                "update procrastinate_jobs set scheduled_at = :at"
                " where status = 'todo' and queueing_lock = :key"
            ),
            rows,
        )
