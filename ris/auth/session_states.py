"""The machine of a session (auth.md §6): its state at an instant, and what a sign-in makes of it.

Pure: instants, delays and the present come as arguments. A state follows from instants alone, so
that a locked or ended session cannot come back by itself. No row and no cookie here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

DELIVERY: Final = timedelta(seconds=60)  # life of an installed application's one-time code


class SessionState(StrEnum):
    """Where a session stands. Only CLOSED never changes again."""

    NEEDS_SITUATION = "NEEDS_SITUATION"
    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    CLOSED = "CLOSED"


class CloseReason(StrEnum):
    """Why a session ended."""

    LOGOUT = "logout"
    EXPIRED = "expired"
    LOCKED_TOO_LONG = "locked_too_long"
    RENEWED = "renewed"
    OTHER_PERSON = "other_person"
    SAME_WORKSTATION = "same_workstation"
    LIMIT = "limit"
    ELSEWHERE = "elsewhere"
    REVOKED = "revoked"
    PSC_LOGOUT = "psc_logout"


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a session stays open without use, stays locked, and lives in all."""

    idle: timedelta
    locked: timedelta
    absolute: timedelta


@dataclass(frozen=True, slots=True)
class Life:
    """What is written of one session. *undelivered*: its application has not fetched it yet."""

    created_at: datetime
    last_seen_at: datetime
    locked_at: datetime | None = None
    closed_at: datetime | None = None
    needs_situation: bool = False
    psc_ended: bool = False
    undelivered: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A state; *locked_since* when LOCKED, *reason* when time alone has CLOSED it.

    *psc_expired* is a flag: local work goes on, what needs Pro Santé Connect asks for a sign-in.
    """

    state: SessionState
    psc_expired: bool = False
    locked_since: datetime | None = None
    reason: CloseReason | None = None


class OnSignIn(StrEnum):
    """What a sign-in does to the session its browser had."""

    NOTHING = "nothing"
    UNLOCK = "unlock"
    CLOSE_RENEWED = "close_renewed"
    CLOSE_OTHER_PERSON = "close_other_person"


def standing(life: Life, delays: Delays, now: datetime) -> Standing:
    """Return where a session stands at *now*."""
    if life.closed_at is not None:
        return Standing(SessionState.CLOSED, life.psc_ended)
    if now - life.created_at > (DELIVERY if life.undelivered else delays.absolute):
        return Standing(SessionState.CLOSED, life.psc_ended, reason=CloseReason.EXPIRED)
    since = life.locked_at
    if since is None and now - life.last_seen_at > delays.idle:
        since = life.last_seen_at + delays.idle
    if since is not None and now - since > delays.locked:
        return Standing(SessionState.CLOSED, life.psc_ended, reason=CloseReason.LOCKED_TOO_LONG)
    if since is not None:
        return Standing(SessionState.LOCKED, life.psc_ended, locked_since=since)
    waiting = life.needs_situation
    open_state = SessionState.NEEDS_SITUATION if waiting else SessionState.ACTIVE
    return Standing(open_state, life.psc_ended)


def on_sign_in(former: SessionState, *, same_person: bool) -> OnSignIn:
    """Return what becomes of the browser's *former* session when somebody signs in there.

    The person who left it locked finds it again; anybody else never does.
    """
    if former is SessionState.CLOSED:
        return OnSignIn.NOTHING
    if not same_person:
        return OnSignIn.CLOSE_OTHER_PERSON
    return OnSignIn.UNLOCK if former is SessionState.LOCKED else OnSignIn.CLOSE_RENEWED


def proves_presence(auth_time: datetime, locked_since: datetime, *, leeway: timedelta) -> bool:
    """Say whether a person authenticated after the lock, within *leeway* of clock difference.

    Asked where a workstation is shared: the Pro Santé Connect cookie of who left would otherwise
    open the lock for whoever sits down.
    """
    return auth_time >= locked_since - leeway
