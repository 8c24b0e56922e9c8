"""The brake on what anonymous callers write in the journal: a budget, then a count.

Each refusal of a sign-in is one line under the journal's lock. An origin that is refused more
often than its budget is still answered the same, but its refusals are only counted, and told in one
line when the window ends. In this process only; the memory is bounded by the budgets.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from ris.core import clock

_KINDS: Final = 50
_ORIGINS: Final = 1000
_OTHER: Final = "other"


class BrakeSettings(BaseModel):
    """In *window_s* seconds, lines an origin may write (*per_origin*), and all of them together.

    An origin is an IPv4 address or an IPv6 /64. People behind one address share its budget: only
    the detail of their refusals is lost, never their number nor an answer.
    """

    model_config = ConfigDict(frozen=True)

    window_s: int = Field(default=60, gt=0)
    per_origin: int = Field(default=30, ge=0)
    in_all: int = Field(default=300, ge=0, le=10_000)


@dataclass(frozen=True, slots=True)
class Summary:
    """The refusals of one window that have no line of their own.

    *origins* stops counting at a thousand; *origin* is the address when there is only one.
    """

    since: datetime
    until: datetime
    count: int
    origins: int
    origin: str | None
    kinds: Mapping[str, int]


@dataclass
class _Window:
    began: datetime
    written: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    origins: set[str] = field(default_factory=set)


class Brake:
    """Says which refusal may have its line; *tell* receives what was only counted."""

    def __init__(self, settings: BrakeSettings, tell: Callable[[Summary], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._lock = threading.Lock()
        self._window = _Window(clock.now())
        self._timer: threading.Timer | None = None

    def admits(self, action: str, reason: str, address: str | None) -> bool:
        """Say whether this refusal may be written; it is counted otherwise."""
        origin = origin_of(address)
        with self._lock:
            over = self._turned(clock.now())
            window, allowed = self._window, self._settings
            admitted = (
                window.written[origin] < allowed.per_origin
                and window.written.total() < allowed.in_all
            )
            if admitted:
                window.written[origin] += 1
            else:
                self._hold(f"{action}:{reason}", origin)
        if over is not None:
            self._tell(over)
        return admitted

    def flush(self) -> None:
        """Tell now what was counted, and begin another window."""
        with self._lock:
            over = self._ended(clock.now())
        if over is not None:
            self._tell(over)

    def _turned(self, now: datetime) -> Summary | None:
        length = timedelta(seconds=self._settings.window_s)
        return self._ended(now) if now - self._window.began >= length else None

    def _ended(self, now: datetime) -> Summary | None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        former, self._window = self._window, _Window(now)
        if not former.held:
            return None
        alone = next(iter(former.origins)) if len(former.origins) == 1 else None
        return Summary(
            since=former.began,
            until=now,
            count=former.held.total(),
            origins=len(former.origins),
            origin=alone or None,
            kinds=dict(former.held),
        )

    def _hold(self, kind: str, origin: str) -> None:
        window = self._window
        known = kind in window.held or len(window.held) < _KINDS
        window.held[kind if known else _OTHER] += 1
        if len(window.origins) < _ORIGINS:
            window.origins.add(origin)
        if self._timer is None:
            self._timer = threading.Timer(self._settings.window_s, self.flush)
            self._timer.daemon = True
            self._timer.start()


def origin_of(address: str | None) -> str:
    """Return who is counted together: an IPv4 address, the /64 of an IPv6 one."""
    try:
        read = ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(read, IPv6Address):
        return str(read)
    if read.ipv4_mapped is not None:
        return str(read.ipv4_mapped)
    return f"{IPv6Address(int(read) >> 64 << 64)}/64"
