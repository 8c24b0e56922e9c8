"""What a route asks of the caller: `require(Permission.X)` gives the `Principal` or refuses.

Only HTTP plumbing: the rules are in `rights.py` and `session_states.py`. The session is read in its
own short transaction, so that no request holds the lock of its session while it works.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from ris.auth import accounts, cookies, sessions, situations
from ris.auth.compartments import guard, members
from ris.auth.compartments.scope import Compartment, compartment_of
from ris.auth.errors import (
    CredentialsAmbiguous,
    CsrfRefused,
    RoleDenied,
    SessionCookieRequired,
    SituationRequired,
    StepUpRequired,
    TokenRefused,
)
from ris.auth.local import life
from ris.auth.model import Account
from ris.auth.psc import token_binding
from ris.auth.rights import LABELS, Permission, Role, permissions_of
from ris.auth.service import SignInDesk
from ris.auth.session_trace import proof
from ris.auth.settings import AuthSettings
from ris.auth.values import Professional
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.errors import Invalid

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
REAUTHENTICATE: Final = "`psc_step_up_required`: sign in anew, to lift a shared workstation's lock."
FULL: Final = "`session_limit`: the person has as many sessions open as this site allows."


@dataclass(frozen=True, slots=True)
class Principal:
    """The signed-in person, in the situation d'exercice chosen for this session.

    *professional* is None for staff without an exercise (a secretary) and before a situation is
    chosen; *actor* is ready for `audit.record`; *acr* and *auth_time* are those of the id_token.
    *session_id* is None for an API caller, who brings a PSC token at each request. *compartment*
    is what he sees of the site, found anew at each request.
    """

    account_id: UUID
    session_id: UUID | None
    role: Role
    permissions: frozenset[Permission]
    situation_id: UUID | None
    professional: Professional | None
    actor: Actor
    acr: str
    auth_time: datetime
    compartment: Compartment
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
    """Return the caller, whatever his rights: by his session cookie, or by his PSC token.

    Raises NotAuthenticated, SessionExpired, SessionLocked, or CsrfRefused on an unsafe method;
    with a token what `BearerDesk.recognise` raises; CredentialsAmbiguous with both.
    """
    desk = desk_of(request)
    token = cookies.read(request, cookies.SESSION, secure=desk.settings.cookie_secure)
    if "authorization" in request.headers:
        if token:
            raise CredentialsAmbiguous
        return _api_caller(request, desk)
    return _browser_user(request, desk, token)


def leaving_session(request: Request) -> Principal:
    """Return who wants to leave: as `current_session`, of a locked session too.

    Only for the browser; raises SessionCookieRequired for an API caller.
    """
    desk = desk_of(request)
    if "authorization" in request.headers:
        raise SessionCookieRequired
    token = cookies.read(request, cookies.SESSION, secure=desk.settings.cookie_secure)
    return _browser_user(request, desk, token, even_locked=True)


leaving_session.permission = Permission.SESSION_OWN  # type: ignore[attr-defined]


def own_session(principal: Principal) -> UUID:
    """Return the session of *principal*; raises SessionCookieRequired for an API caller."""
    if principal.session_id is None:
        raise SessionCookieRequired
    return principal.session_id


def require(permission: Permission, *, fresh: bool = False) -> Callable[..., Principal]:
    """Return the dependency that gives the `Principal` when it holds *permission*.

    *fresh* asks for a recent sign-in (`auth.step_up_max_age_s`), for signing (AUTH-41). It raises
    what `current_session` raises, SituationRequired, RoleDenied (traced), StepUpRequired, and what
    `inside` raises for the ids of the path.
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
            refuse_stale(request, principal)
        if permission not in guard.BEYOND:
            _keep_inside(request, principal, request.path_params)
        return principal

    dependency.permission = permission  # type: ignore[attr-defined]
    dependency.fresh = fresh  # type: ignore[attr-defined]
    return dependency


def inside(request: Request, principal: Principal, **told: UUID | None) -> None:
    """Refuse the ids of a body (*told*: `exam_id=…`) that name another practice's things.

    Those of a path are refused by `require`. Raises what `guard.enter` raises.
    """
    given = {name: str(value) for name, value in told.items() if value is not None}
    _keep_inside(request, principal, given, reading=False)


def _keep_inside(
    request: Request, principal: Principal, told: Mapping[str, str], *, reading: bool | None = None
) -> None:
    if principal.compartment.bounded and told:
        guard.enter(
            desk_of(request).database,
            request.app.state.compartments,
            principal,
            told,
            reading=request.method in _SAFE if reading is None else reading,
        )


def _api_caller(request: Request, desk: SignInDesk) -> Principal:
    """Return the bearer of a PSC token. No browser adds the token by itself: no CSRF to fear."""
    scheme, _, token = request.headers["authorization"].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("token_scheme")
    caller = desk.bearer.recognise(
        token.strip(),
        certificate=token_binding.presented(request),
        situation_id=_wanted_situation(request),
        origin=origin_of(request),
    )
    account, situation = caller.account, caller.situation
    author = situations.professional(account, situation) if situation else None
    actor = _acting(caller.actor, author)
    with desk.database.transaction() as session:
        seen = _compartment(session, account, actor, desk.settings)
    return Principal(
        account_id=account.id,
        session_id=None,
        role=accounts.role_of(account),
        permissions=_rights_of(account, desk.settings),
        situation_id=situation.id if situation else None,
        professional=author,
        actor=actor,
        acr=caller.bearer.acr,
        auth_time=caller.bearer.auth_time,
        compartment=seen,
        needs_situation=caller.needs_situation,
    )


def _wanted_situation(request: Request) -> UUID | None:
    told = request.headers.get("x-situation")
    try:
        return UUID(told) if told is not None else None
    except ValueError as error:
        raise Invalid("X-Situation : identifiant UUID attendu.", code="UUID_INVALID") from error


def _rights_of(account: Account, settings: AuthSettings) -> frozenset[Permission]:
    return permissions_of(
        accounts.role_of(account),
        identity_habilitated=account.identity_habilitated,
        withheld=settings.withheld,
    )


def _acting(actor: Actor, author: Professional | None) -> Actor:
    if author is None or author.structure is None:
        return actor
    return replace(actor, acting_struct_idnat=author.structure.struct_idnat)


def _compartment(
    session: Session, account: Account, actor: Actor, settings: AuthSettings
) -> Compartment:
    served = members.served(session, account.id, clock.now())
    return compartment_of(
        settings.compartments, accounts.role_of(account), actor.acting_struct_idnat, served
    )


def _principal(
    session: Session, live: sessions.Live, origin: Actor, settings: AuthSettings
) -> Principal:
    row, account, situation = live.row, live.account, live.situation
    author = situations.professional(account, situation) if situation else None
    actor = _acting(proof(accounts.actor_of(account, origin), row), author)
    return Principal(
        account_id=account.id,
        session_id=row.id,
        role=accounts.role_of(account),
        permissions=_rights_of(account, settings) - life.withheld(row.method, settings),
        situation_id=row.situation_id,
        professional=author,
        actor=actor,
        acr=row.acr,
        auth_time=row.auth_time,
        compartment=_compartment(session, account, actor, settings),
        needs_situation=row.needs_situation,
    )


def _refuse_forged(request: Request, token: str, settings: AuthSettings) -> None:
    """Refuse an unsafe request that did not come from our own pages (Origin, CSRF token)."""
    refuse_foreign_page(request, settings)
    sent = request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(sent.encode(), cookies.csrf_token(token).encode()):
        raise CsrfRefused("Jeton de la session absent ou périmé : rechargez la page.")


def refuse_foreign_page(request: Request, settings: AuthSettings) -> None:
    """Refuse a request that a page of another site made; a thick client sends no Origin."""
    told = request.headers.get("origin")
    own = settings.origin or _site(str(request.url))
    if told is not None and told != own:
        raise CsrfRefused("Origine inattendue.")


def refuse_stale(request: Request, principal: Principal) -> None:
    """Raise StepUpRequired when the person's own authentication is too old (AUTH-41)."""
    if not is_fresh(request, principal):
        raise StepUpRequired(login=life.step_up(principal.actor.auth_method))


def is_fresh(request: Request, principal: Principal) -> bool:
    """Say whether the person authenticated lately enough for a sensitive act."""
    most = timedelta(seconds=desk_of(request).settings.step_up_max_age_s)
    return clock.now() - principal.auth_time <= most


def _browser_user(
    request: Request, desk: SignInDesk, token: str, *, even_locked: bool = False
) -> Principal:
    with desk.database.transaction() as session:
        live = sessions.resume(session, token, desk.settings)
        principal = _principal(session, live, origin_of(request), desk.settings)
    sessions.refuse_unusable(live.standing, even_locked=even_locked)
    if request.method not in _SAFE:
        _refuse_forged(request, token, desk.settings)
    return principal


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
