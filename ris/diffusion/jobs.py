"""The worker: procrastinate's tasks, its periodic upkeep, how it starts and stops.

Thin: each task opens a transaction and calls a service. What an attempt does is in `begin`,
`attempt` and `settle`.
"""

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from procrastinate import (  # noqa: TID251 - the worker is the engine's
    App,
    BaseRetryStrategy,
    PsycopgConnector,
    RetryDecision,
)
from procrastinate.jobs import Job  # noqa: TID251 - the worker is the engine's

from ris.diffusion import engine, upkeep
from ris.diffusion.attempt import perform
from ris.diffusion.begin import begin
from ris.diffusion.errors import NotYet
from ris.diffusion.settle import settle
from ris.diffusion.wiring import Diffusion, Upkeep
from ris.rem import satisfies

_URGENT: Final = 10  # upkeep shares no lane with a delivery, so it may overtake a backlog
_DAY_S: Final = 86400
_KEEP_H: Final = 7 * 24


class FollowDelivery(BaseRetryStrategy):
    """The delivery chose the hour; anything else is our own failure: try again soon."""

    def __init__(self, own_failure_s: float) -> None:
        self._seconds = max(1, round(own_failure_s))

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Return when the job must run again."""
        if isinstance(exception, NotYet):
            return RetryDecision(retry_at=exception.at)
        return RetryDecision(retry_in={"seconds": self._seconds})


def worker_name() -> str:
    """Return who runs here: host and process, as stored with each attempt."""
    return f"{socket.gethostname()}:{os.getpid()}"


@satisfies("RIS.DMP.01", "RIS.MSS.23")
def attempt(diffusion: Diffusion, delivery_id: UUID) -> None:
    """Run one attempt: a transaction, the remote call outside any, a transaction.

    Raises `NotYet` when the delivery must be tried again later.
    """
    with diffusion.database.transaction() as session:
        begun = begin(session, diffusion, delivery_id, worker_name())
    if isinstance(begun, datetime):
        raise NotYet(begun)
    if begun is None:
        return
    with structlog.contextvars.bound_contextvars(delivery_id=str(delivery_id)):
        outcome = perform(diffusion.channels[begun.ticket.channel], begun)
        with diffusion.database.transaction() as session:
            settled = settle(session, diffusion, begun, outcome)
        structlog.get_logger().info(
            "delivery.attempt",
            channel=begun.ticket.channel,
            n=begun.ticket.attempt_no,
            outcome=outcome.result,
            code=outcome.code,
            settled=settled.done,
        )
    if settled.again_at is not None:
        raise NotYet(settled.again_at)


def build(diffusion: Diffusion) -> App:
    """Return the engine with every task and periodic job registered, not yet opened."""
    url = diffusion.database.url.replace("+psycopg", "", 1)
    settings = diffusion.settings
    app = App(connector=PsycopgConnector(conninfo=url, max_size=settings.concurrency + 3))

    @app.task(name=engine.ATTEMPT, queue=engine.QUEUE, retry=FollowDelivery(settings.own_failure_s))
    def attempt_task(delivery_id: str) -> None:
        attempt(diffusion, UUID(delivery_id))

    @app.periodic(cron=every(settings.rescue_s))
    @app.task(name="diffusion.rescue_stalled", queue=engine.QUEUE, priority=_URGENT)
    def rescue_task(timestamp: int) -> None:  # noqa: ARG001 - given by the engine
        with diffusion.database.transaction() as session:
            engine.rescue(session, settings.stalled_s)

    @app.periodic(cron=every(_DAY_S))
    @app.task(name="diffusion.prune_jobs", queue=engine.QUEUE, priority=_URGENT)
    async def prune_task(timestamp: int) -> None:  # noqa: ARG001 - given by the engine
        await app.job_manager.delete_old_jobs(nb_hours=_KEEP_H, include_failed=True)

    requeue = Upkeep("requeue_due", settings.requeue_s, lambda: _requeue(diffusion))
    for job in (requeue, *diffusion.upkeep):
        _periodic(app, job)
    return app


def _periodic(app: App, job: Upkeep) -> None:
    """Register *job*: one tick over all the workers, never two runs at once."""

    def run(timestamp: int) -> None:  # noqa: ARG001 - given by the engine
        job.run()

    key = f"upkeep:{job.name}"
    task = app.task(name=key, queue=engine.QUEUE, priority=_URGENT, lock=key, queueing_lock=key)(
        run
    )
    app.periodic(cron=every(job.every_s))(task)


def _requeue(diffusion: Diffusion) -> None:
    with diffusion.database.transaction() as session:
        upkeep.requeue_due(session, diffusion)
    with diffusion.database.transaction() as session:
        upkeep.reconsider_due(session, diffusion)


def run_worker(diffusion: Diffusion, *, concurrency: int | None = None, once: bool = False) -> None:
    """Run a worker until SIGTERM or SIGINT, which let the running attempts finish.

    *once*: stop when no job is due (tests, cron). Blocks; call it from the main thread.
    """
    asyncio.run(_run(diffusion, concurrency or diffusion.settings.concurrency, once=once))


async def _run(diffusion: Diffusion, concurrency: int, *, once: bool) -> None:
    settings = diffusion.settings
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(concurrency))
    app = build(diffusion)
    async with app.open_async():
        await app.run_worker_async(
            queues=[engine.QUEUE],
            name=worker_name(),
            concurrency=concurrency,
            wait=not once,
            fetch_job_polling_interval=settings.polling_s,
            update_heartbeat_interval=settings.heartbeat_s,
            stalled_worker_timeout=settings.stalled_s,
            shutdown_graceful_timeout=settings.shutdown_s,
            listen_notify=settings.listen_notify,
            delete_jobs="successful",
        )


def every(seconds: int) -> str:
    """Return the cron line (seconds last) that ticks every *seconds*, rounded to what cron can."""
    if seconds < 60:
        return f"* * * * * */{max(1, seconds)}"
    if seconds < 3600:
        return f"*/{seconds // 60} * * * *"
    if seconds < 86400:
        return f"7 */{seconds // 3600} * * *"
    return "7 3 * * *"
