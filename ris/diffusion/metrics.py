"""Measures of the deliveries for `/metrics` (engineering.md §3.3). Counts only, no identifier."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ris.core import breaker, clock
from ris.diffusion.model import Delivery
from ris.diffusion.states import State
from ris.web.health import Sample

_WAITING = (State.PENDING, State.UNKNOWN, State.RUNNING)


def collect(session: Session) -> Iterator[Sample]:
    """Yield the state of the deliveries, the age of the oldest due one, holds and breakers."""
    total = "Envois par canal et par état."
    grouped = select(Delivery.channel, Delivery.state, func.count()).group_by(
        Delivery.channel, Delivery.state
    )
    for channel, state, number in session.execute(grouped):
        yield Sample("ris_delivery_total", number, {"channel": channel, "outcome": state}, total)
    age = func.extract("epoch", func.now() - func.min(Delivery.created_at))
    oldest = select(Delivery.channel, age).where(Delivery.state.in_(_WAITING))
    for channel, seconds in session.execute(oldest.group_by(Delivery.channel)):
        yield Sample("ris_delivery_oldest_pending_seconds", float(seconds), {"channel": channel})
    held = select(Delivery.channel, Delivery.reason, func.count()).where(
        Delivery.state == State.HELD
    )
    for channel, reason, number in session.execute(
        held.group_by(Delivery.channel, Delivery.reason)
    ):
        yield Sample("ris_delivery_held", number, {"channel": channel, "reason": reason or ""})
    for one in breaker.endpoints(session, clock.now()):
        yield Sample("ris_breaker_open", one.state == "open", {"endpoint": one.name})
