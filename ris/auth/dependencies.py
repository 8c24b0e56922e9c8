"""What a route asks of the caller: `require(Permission.X)` gives the `Principal` or refuses.

Only HTTP plumbing: the rules are in `rights.py` and `sessions.py`. The session is read in its own
short transaction, so that no request holds the lock of its session while it works.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request

from ris.auth import accounts, cookies, sessions, situations
from ris.auth.errors import CsrfRefused, RoleDenied, SituationRequired, StepUpRequired
from ris.auth.rights import LABELS, Permission, Role, permissions_of
from ris.auth.service import SignInDesk, proof
from ris.auth.settings import AuthSettings
from ris.auth.values import Professional
from ris.core import audit, clock
from ris.core.audit import Actor

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Principal:
    """The signed-in person, in the situation d'exercice chosen for this session.

    *professional* is None for staff without an exercise (a secretary) and before a situation is
    chosen; *actor* is ready for `audit.record`; *acr* and *auth_time* are those of the id_token.
    """

    account_id: UUID
    session_id: UUID
    role: Role
    permissions: frozenset[Permission]
    situation_id: UUID | None
    professional: Professional | None
    actor: Actor
    acr: str
    auth_time: datetime
    needs_situation: bool = False


def origin_of(request: Request) -> Actor:
    """Return where a request comes from, nobody being known yet."""
    client = request.client
    return Actor(
        origin_ip=client.host if client else None,
        origin_port=client.port if client else None,
        request_id=getattr(request.state, "request_id", None),
    )


def desk_of(request: Request) -> SignInDesk:
    """Return the sign-in desk of the application (`app.state.auth`)."""
    desk: SignInDesk = request.app.state.auth
    return desk


def current_session(request: Request) -> Principal:
    """Return the caller, whatever his rights.

    Raises NotAuthenticated, SessionExpired, SessionLocked, or CsrfRefused on an unsafe method.
    """
    desk = desk_of(request)
    token = cookies.read(request, cookies.SESSION, secure=desk.settings.cookie_secure)
    with desk.database.transaction() as session:
        live = sessions.resume(session, token, desk.settings)
        principal = _principal(live, origin_of(request), desk.settings)
    if request.method not in _SAFE:
        _refuse_forged(request, token, desk.settings)
    return principal


def require(permission: Permission, *, fresh: bool = False) -> Callable[..., Principal]:
    """Return the dependency that gives the `Principal` when it holds *permission*.

    *fresh* asks for a recent sign-in (`auth.step_up_max_age_s`), for signing (AUTH-41). It raises
    what `current_session` raises, SituationRequired, RoleDenied (traced), StepUpRequired.
    """

    def dependency(
        request: Request, principal: Annotated[Principal, Depends(current_session)]
    ) -> Principal:
        if principal.needs_situation and permission is not Permission.SESSION_OWN:
            raise SituationRequired
        if permission not in principal.permissions:
            _trace_denial(request, principal, permission)
            raise RoleDenied(f"Il vous manque le droit « {LABELS[permission]} ».")
        if fresh:
            _refuse_stale(principal, desk_of(request).settings)
        return principal

    dependency.permission = permission  # type: ignore[attr-defined]
    return dependency


def _principal(live: sessions.Live, origin: Actor, settings: AuthSettings) -> Principal:
    row, account, situation = live.row, live.account, live.situation
    author = situations.professional(account, situation) if situation else None
    actor = proof(accounts.actor_of(account, origin), row)
    if author is not None and author.structure is not None:
        actor = replace(actor, acting_struct_idnat=author.structure.struct_idnat)
    role = Role(account.role)
    return Principal(
        account_id=account.id,
        session_id=row.id,
        role=role,
        permissions=permissions_of(
            role,
            identity_habilitated=account.identity_habilitated,
            withheld=settings.withheld,
        ),
        situation_id=row.situation_id,
        professional=author,
        actor=actor,
        acr=row.acr,
        auth_time=row.auth_time,
        needs_situation=row.needs_situation,
    )


def _refuse_forged(request: Request, token: str, settings: AuthSettings) -> None:
    """Refuse an unsafe request that did not come from our own pages (Origin, CSRF token)."""
    told = request.headers.get("origin")
    own = settings.origin or _site(str(request.url))
    if told is not None and told != own:
        raise CsrfRefused("Origine inattendue.")
    sent = request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(sent.encode(), cookies.csrf_token(token).encode()):
        raise CsrfRefused("Jeton anti-rejeu absent : rechargez la page.")


def _refuse_stale(principal: Principal, settings: AuthSettings) -> None:
    age = clock.now() - principal.auth_time
    if age > timedelta(seconds=settings.step_up_max_age_s):
        raise StepUpRequired(login="/auth/psc/login?step_up=true")


def _trace_denial(request: Request, principal: Principal, permission: Permission) -> None:
    """Trace in its own transaction: the refused request's one is rolled back."""
    with desk_of(request).database.transaction() as session:
        audit.record(
            session,
            "auth.access_denied",
            actor=principal.actor,
            outcome="failure",
            reason=permission,
        )


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
