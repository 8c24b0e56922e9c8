"""The circuit breaker of each remote endpoint: pure rules, and its row, shared by every process.

It says whether a call may start and keeps the count; it makes no call and knows no service
(engineering.md §1.7, ins.md R-ERR-02). Instants are the caller's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from ris.core.db import Base

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Policy:
    """*failures* in a row open the breaker for *open_s*, doubled at each new one up to *max_s*."""

    failures: int = 5
    open_s: float = 60
    max_s: float = 900


class EndpointHealth(Base):
    """The circuit breaker of one remote endpoint, shared by all processes."""

    __tablename__ = "endpoint_health"

    endpoint: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[datetime | None]
    open_until: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint as staff see it. *half_open*: the next call is a trial."""

    name: str
    state: State
    failures: int
    opened_at: datetime | None
    open_until: datetime | None


def state_of(open_until: datetime | None, now: datetime) -> State:
    """Return the state of a breaker at *now*; pure."""
    if open_until is None:
        return "closed"
    return "open" if open_until > now else "half_open"


def open_for(failures: int, policy: Policy) -> timedelta | None:
    """Return how long the breaker opens after this many *failures* in a row, or None; pure."""
    beyond = failures - policy.failures
    if beyond < 0:
        return None
    return timedelta(seconds=min(policy.open_s * 2.0 ** min(beyond, 30), policy.max_s))


def admit(session: Session, endpoint: str, now: datetime, policy: Policy) -> datetime | None:
    """Return None when a call may start, else the instant to wait for.

    The first call after `open_until` is the trial; the others keep waiting for its result.
    """
    is_open = EndpointHealth.open_until.is_not(None)
    row = select(EndpointHealth).where(EndpointHealth.endpoint == endpoint, is_open)
    if session.scalar(row) is None:
        return None
    health = session.scalar(row.with_for_update().execution_options(populate_existing=True))
    if health is None or health.open_until is None:
        return None
    if state_of(health.open_until, now) == "open":
        return health.open_until
    health.open_until = now + timedelta(seconds=policy.open_s)
    session.flush()
    return None


def failed(
    session: Session, endpoint: str, started_at: datetime, now: datetime, policy: Policy
) -> bool:
    """Count a failure of a call begun at *started_at*; True while the breaker is open.

    Calls already in the air when it opened do not lengthen it.
    """
    session.execute(insert(EndpointHealth).values(endpoint=endpoint).on_conflict_do_nothing())
    health = session.get_one(EndpointHealth, endpoint, with_for_update=True, populate_existing=True)
    if health.opened_at is not None and started_at < health.opened_at:
        return True
    health.failures += 1
    if (duration := open_for(health.failures, policy)) is not None:
        health.opened_at = health.opened_at or now
        health.open_until = now + duration
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


def endpoints(session: Session, now: datetime) -> tuple[Endpoint, ...]:
    """Return every endpoint that ever failed, by name, as it stands at *now*."""
    rows = session.scalars(select(EndpointHealth).order_by(EndpointHealth.endpoint))
    return tuple(
        Endpoint(
            row.endpoint, state_of(row.open_until, now), row.failures, row.opened_at, row.open_until
        )
        for row in rows
    )


def endpoint(session: Session, name: str, now: datetime) -> Endpoint:
    """Return one endpoint; closed when it never failed."""
    known = {one.name: one for one in endpoints(session, now)}
    return known.get(name, Endpoint(name, "closed", 0, None, None))
