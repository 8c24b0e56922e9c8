"""The machine of a decoupled sign-in (auth.md §3.6). Pure: no clock, no database, no HTTP."""

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """The means the person answers with: the e-CPS on a phone, or the card."""

    MOBILE = "MOBILE"
    CARD = "CARD"


class CibaState(StrEnum):
    """Where a request stands; the last four never change again."""

    CREATED = "CREATED"
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    SESSION_OPEN = "SESSION_OPEN"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


_NEXT: Final[dict[CibaState, frozenset[CibaState]]] = {
    CibaState.CREATED: frozenset({CibaState.PENDING, CibaState.FAILED, CibaState.EXPIRED}),
    CibaState.PENDING: frozenset(
        {CibaState.APPROVED, CibaState.DENIED, CibaState.EXPIRED, CibaState.FAILED}
    ),
    CibaState.APPROVED: frozenset({CibaState.SESSION_OPEN, CibaState.FAILED}),
}
LIVE: Final = frozenset({CibaState.CREATED, CibaState.PENDING})


def may_become(state: CibaState, wanted: CibaState) -> bool:
    """Say whether *state* may turn into *wanted*; a terminal state turns into nothing."""
    return wanted in _NEXT.get(state, frozenset())


def is_terminal(state: CibaState) -> bool:
    """Say whether *state* never changes again."""
    return state not in _NEXT


def of_refusal(error: str) -> CibaState:
    """Return what PSC's *error* at the token endpoint makes of a pending request."""
    return {"access_denied": CibaState.DENIED, "expired_token": CibaState.EXPIRED}.get(
        error, CibaState.FAILED
    )
