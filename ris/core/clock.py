"""The clock: the only place that asks the machine what time it is.

Rules never call it; edges do, and hand the instant to the rules.
"""

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

PARIS: Final = ZoneInfo("Europe/Paris")
_frozen: ContextVar[datetime | None] = ContextVar("frozen_clock", default=None)


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return _frozen.get() or datetime.now(UTC)


class frozen:  # noqa: N801 - reads as a verb: `with clock.frozen(at):`
    """Hold the clock at one aware instant inside a `with` block (tests, replays)."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def __enter__(self) -> datetime:
        self._token = _frozen.set(self._at)
        return self._at

    def __exit__(self, *_: object) -> None:
        _frozen.reset(self._token)
