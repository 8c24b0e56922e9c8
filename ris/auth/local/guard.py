"""The guard of local sign-in: each try is counted before it is judged, so that a race wins none.

Counted by the login typed, known here or not, and by origin (an IPv6 /64 is one): what exists is
told to nobody. The
counters are rows: they survive a restart and are the same for every process.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth.brake import origin_of
from ris.auth.local import policy
from ris.auth.local.model import LocalGuard
from ris.auth.local.settings import LocalSettings
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Taken:
    """A try that may be judged; *locks* says that its failure leaves the login locked."""

    locks: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that is not even judged, until *retry_at*; *first* of its kind, it is traced."""

    reason: str
    retry_at: datetime
    first: bool = True


@satisfies("SC.SSI/IE.36")
def take(
    session: Session, login: str, address: str, settings: LocalSettings, now: datetime
) -> Taken | Refused:
    """Count one try of *login* from *address*; the caller commits whatever the outcome."""
    window = timedelta(seconds=settings.window_s)
    origin = _row(session, _key("address", origin_of(address)), now)
    if now - origin.since > window:
        origin.tries, origin.since = 0, now
    origin.tries += 1
    if origin.tries > settings.per_origin:
        first = origin.tries == settings.per_origin + 1
        return Refused("address", origin.since + window, first)
    row = _row(session, _key("login", login), now)
    if row.locked_until is not None and now < row.locked_until:
        return Refused("locked", row.locked_until)
    row.tries += 1
    waits = policy.delay(row.tries, settings)
    row.locked_until = now + waits if waits else None
    return Taken(locks=waits is not None)


def clear(session: Session, login: str) -> None:
    """Forget the failures of a login: both factors were right, or an operator says so."""
    session.execute(delete(LocalGuard).where(LocalGuard.key == _key("login", login)))


def _row(session: Session, key: bytes, now: datetime) -> LocalGuard:
    """Return a counter, made when absent, locked until the commit: in one statement."""
    fresh = insert(LocalGuard).values(key=key, tries=0, since=now, last_at=now)
    taken = fresh.on_conflict_do_update(index_elements=["key"], set_={"last_at": now})
    return session.scalars(
        taken.returning(LocalGuard), execution_options={"populate_existing": True}
    ).one()


def _key(kind: str, value: str) -> bytes:
    return hashlib.sha256(f"ris.local.{kind}|{value}".encode()).digest()
