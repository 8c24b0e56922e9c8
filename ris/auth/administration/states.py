"""The life of an account: asked for, open, suspended, closed. Pure.

Closed is not the end: a person who comes back has his account again, since an RPPS has one only.
"""

from enum import StrEnum
from typing import Final

from ris.auth.model import AccountStatus

_S = AccountStatus


class Act(StrEnum):
    """An administrator's act on an account."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    REACTIVATE = "reactivate"
    CLOSE = "close"


_FROM: Final = {
    Act.ACTIVATE: frozenset({_S.PENDING}),
    Act.SUSPEND: frozenset({_S.ACTIVE}),
    Act.REACTIVATE: frozenset({_S.SUSPENDED, _S.CLOSED}),
    Act.CLOSE: frozenset({_S.PENDING, _S.ACTIVE, _S.SUSPENDED}),
}
_TO: Final = {
    Act.ACTIVATE: _S.ACTIVE,
    Act.SUSPEND: _S.SUSPENDED,
    Act.REACTIVATE: _S.ACTIVE,
    Act.CLOSE: _S.CLOSED,
}


def after(status: AccountStatus, act: Act, *, has_role: bool) -> AccountStatus | None:
    """Return the status that *act* leads to, None when it may not be done now.

    An account closed before it ever had a role comes back as a request.
    """
    if status not in _FROM[act]:
        return None
    if act is Act.REACTIVATE and not has_role:
        return _S.PENDING
    return _TO[act]
