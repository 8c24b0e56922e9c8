"""The circuit breaker of each remote endpoint, in the database so that every worker shares it.

It says whether an attempt may start; it never touches a delivery (engineering.md §1.7).
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.diffusion.model import EndpointHealth
from ris.diffusion.settings import DiffusionSettings
from ris.reports.channels import ChannelName

ENDPOINTS: Final = {
    ChannelName.DMP: "dmp",
    ChannelName.MSS_PS: "mss",
    ChannelName.MSS_PATIENT: "mss",
}


def admit(
    session: Session, endpoint: str, now: datetime, settings: DiffusionSettings
) -> datetime | None:
    """Return None when an attempt may start, else the instant to wait for.

    The first attempt after `open_until` is the trial; the others keep waiting for its result.
    """
    is_open = EndpointHealth.open_until.is_not(None)
    row = select(EndpointHealth).where(EndpointHealth.endpoint == endpoint, is_open)
    if session.scalar(row) is None:
        return None
    health = session.scalar(row.with_for_update().execution_options(populate_existing=True))
    if health is None or health.open_until is None:
        return None
    if health.open_until > now:
        return health.open_until
    health.open_until = now + timedelta(seconds=settings.breaker_open_s)
    session.flush()
    return None


def failed(
    session: Session,
    endpoint: str,
    started_at: datetime,
    now: datetime,
    settings: DiffusionSettings,
) -> bool:
    """Count a transport failure of an attempt begun at *started_at*; True while it is open.

    Attempts already in the air when the breaker opened do not lengthen it.
    """
    session.execute(insert(EndpointHealth).values(endpoint=endpoint).on_conflict_do_nothing())
    health = session.get_one(EndpointHealth, endpoint, with_for_update=True, populate_existing=True)
    if health.opened_at is not None and started_at < health.opened_at:
        return True
    health.failures += 1
    beyond = health.failures - settings.breaker_failures
    if beyond >= 0:
        seconds = min(settings.breaker_open_s * 2.0 ** min(beyond, 30), settings.breaker_max_s)
        health.opened_at = health.opened_at or now
        health.open_until = now + timedelta(seconds=seconds)
    session.flush()
    return health.open_until is not None


def succeeded(session: Session, endpoint: str) -> datetime | None:
    """Note that the endpoint answered; return since when the breaker was open, if it was."""
    row = select(EndpointHealth).where(
        EndpointHealth.endpoint == endpoint, EndpointHealth.failures > 0
    )
    if session.scalar(row) is None:
        return None
    health = session.scalar(row.with_for_update().execution_options(populate_existing=True))
    if health is None:
        return None
    opened_at = health.opened_at
    health.failures, health.opened_at, health.open_until = 0, None, None
    session.flush()
    return opened_at


def open_endpoints(session: Session) -> dict[str, bool]:
    """Return every known endpoint and whether its breaker is open now (metrics)."""
    rows = session.execute(select(EndpointHealth.endpoint, EndpointHealth.open_until > func.now()))
    return {endpoint: bool(is_open) for endpoint, is_open in rows}
