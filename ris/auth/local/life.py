"""What a local sign-in changes in the life of a session: its length, its rights, its banner.

Rules on the method of a session and the settings; no row is read here. Sessions by Pro Santé
Connect or by card are left as they are.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from ris.auth.local.model import Purpose
from ris.auth.rights import Permission

if TYPE_CHECKING:
    from ris.auth.settings import AuthSettings

EMERGENCY: Final = "LOCAL_EMERGENCY"
ADMINISTRATION: Final = "LOCAL_ADMIN"
METHODS: Final = {Purpose.EMERGENCY: EMERGENCY, Purpose.ADMINISTRATION: ADMINISTRATION}
_LOCAL: Final = frozenset(METHODS.values())
_NONE: Final[frozenset[Permission]] = frozenset()
_BANNERS: Final = {
    EMERGENCY: "Accès de secours sans Pro Santé Connect : chaque action est signalée dans les "
    "traces ; pas de DMP, d'INSi, d'envoi ni de signature. Session courte.",
    ADMINISTRATION: "Compte local d'administration : aucun accès aux données de santé.",
}


def longest(method: str, settings: "AuthSettings") -> timedelta:
    """Return how long a session opened by *method* may live."""
    general = settings.absolute_s
    return timedelta(seconds=min(general, settings.local.absolute_s) if _is(method) else general)


def over(
    method: InstrumentedAttribute[str],
    begun: InstrumentedAttribute[datetime],
    settings: "AuthSettings",
    now: datetime,
) -> ColumnElement[bool]:
    """Return the condition that a session, by its columns, has reached its end."""
    local = and_(method.in_(sorted(_LOCAL)), begun < now - longest(EMERGENCY, settings))
    return or_(begun < now - timedelta(seconds=settings.absolute_s), local)


def withheld(method: str, settings: "AuthSettings") -> frozenset[Permission]:
    """Return the rights that a session opened by *method* lacks, whatever the role."""
    return settings.local.emergency_withheld if method == EMERGENCY else _NONE


def banner(method: str | None) -> str:
    """Return the French sentence that every screen of the session shows, or nothing."""
    return _BANNERS.get(method or "", "")


def step_up(method: str | None) -> str:
    """Return where the person confirms who he is, by the means of the session."""
    return "/auth/local/login" if _is(method) else "/auth/psc/login?step_up=true"


def _is(method: str | None) -> bool:
    return method in _LOCAL
