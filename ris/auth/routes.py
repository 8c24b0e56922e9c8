"""HTTP of sessions, accounts and directory, under `/v1`.

The addresses without a session (sign-in and logout) are in `sign_in_routes.py`, `ciba/routes.py`.
"""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from ris.auth import accounts, cookies, sessions, situations
from ris.auth.dependencies import (
    Principal,
    desk_of,
    leaving_session,
    own_session,
    require,
)
from ris.auth.directory.service import Directory
from ris.auth.local import life
from ris.auth.model import Account, RisSession
from ris.auth.rights import Permission
from ris.auth.schemas import (
    AccountOut,
    CorrespondentOut,
    Grant,
    LogoutOut,
    PscOut,
    PscState,
    SessionOut,
    SituationChoice,
    SituationOut,
)
from ris.auth.session_states import SessionState
from ris.auth.settings import AuthSettings
from ris.auth.workstations import idle_of, is_shared
from ris.core import audit, clock
from ris.core.errors import Invalid
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["auth"])

Own = Annotated[Principal, Depends(require(Permission.SESSION_OWN))]
Leaving = Annotated[Principal, Depends(leaving_session)]
Administrator = Annotated[Principal, Depends(require(Permission.ACCOUNT_ADMIN, fresh=True))]
Reader = Annotated[Principal, Depends(require(Permission.DIRECTORY_READ))]
_SOON: Final = timedelta(minutes=10)
_LOGOUT_S: Final = 600


@router.get("/session")
@satisfies()
def read_session(request: Request, session: Db, principal: Own) -> SessionOut:
    """Say who is signed in, with which rights and situations."""
    account = session.get_one(Account, principal.account_id)
    listed = situations.current(session, principal.account_id)
    usable = situations.usable(session, listed)
    settings = desk_of(request).settings
    row = session.get(RisSession, principal.session_id) if principal.session_id else None
    settings = desk_of(request).settings
    ends_at = row.created_at + life.longest(row.method, settings) if row else None
    return SessionOut(
        account_id=account.id,
        ps_idnat=account.ps_idnat,
        family=account.family,
        given=account.given,
        role=principal.role,
        permissions=sorted(principal.permissions),
        state=_state(principal),
        acr=principal.acr,
        auth_time=principal.auth_time,
        situations=[
            SituationOut.of(one, principal.situation_id, usable=one in usable) for one in listed
        ],
        auth_method=principal.actor.auth_method,
        emergency=principal.actor.auth_method == life.EMERGENCY,
        banner=life.banner(principal.actor.auth_method),
        csrf_token=cookies.csrf_token(_cookie(request)) if row else "",
        psc_state=PscState.EXPIRED if row and row.psc_ended_at else PscState.ACTIVE,
        workstation=row.workstation if row else None,
        shared=is_shared(settings.workstations, row.workstation) if row else False,
        idle_lock_s=_idle_s(settings, row) if row else None,
        ends_at=ends_at,
        ends_soon=ends_at is not None and ends_at - clock.now() <= _SOON,
    )


@router.post(
    "/session/situation",
    status_code=204,
    responses={404: {"description": "`SITUATION_UNKNOWN`: not a situation of this person."}},
)
@satisfies()
def choose_situation(
    request: Request, response: Response, session: Db, principal: Own, choice: SituationChoice
) -> None:
    """Choose the acting situation. The session cookie and the CSRF token are renewed."""
    row = session.get_one(RisSession, own_session(principal))
    token = sessions.choose(session, row, choice.situation_id)
    audit.record(
        session,
        "auth.situation_chosen",
        actor=principal.actor,
        target=("situation", choice.situation_id),
        detail={"former": str(principal.situation_id) if principal.situation_id else None},
    )
    settings = desk_of(request).settings
    secure, life = settings.cookie_secure, settings.absolute_s
    cookies.write(response, cookies.SESSION, token, secure=secure, max_age=life)


@router.post("/session/psc")
@satisfies()
def confirm_psc(request: Request, principal: Own) -> PscOut:
    """Ask Pro Santé Connect whether the person's session is still open there.

    The PSC tokens are renewed if needed. When it is over: 401 `psc_reauth_required`; the session
    here stays open for local work.
    """
    desk_of(request).link.confirm(own_session(principal), principal.actor)
    return PscOut(psc_state=PscState.ACTIVE)


@router.post("/session/logout", status_code=200)
@satisfies("RIS.PSC.01", "SC.SSI/IE.38")
def logout(
    request: Request, response: Response, principal: Leaving, everywhere: bool = True
) -> LogoutOut:
    """Close the session at once, even locked; the answer gives where to close PSC's.

    `everywhere=false` closes the session here only: no address is given. Not to be offered on a
    shared workstation (`shared` of the session): the next person would find PSC's session open.
    """
    desk = desk_of(request)
    secure, state = desk.settings.cookie_secure, cookies.fresh()
    url = desk.end(_cookie(request), principal.actor, state=state, everywhere=everywhere)
    cookies.clear(response, cookies.SESSION, secure=secure)
    if url:
        cookies.write(response, cookies.LOGOUT, state, secure=secure, max_age=_LOGOUT_S)
    return LogoutOut(psc_logout_url=url or None)


@router.post("/accounts", status_code=201)
@satisfies("RIS.ANN.02")
def grant_role(
    request: Request, session: Db, principal: Administrator, wanted: Grant
) -> AccountOut:
    """Give a role to a person, before his first sign-in or to change the one he has.

    The account is created when there is none, and named as in the directory; one that was asked
    for is opened.
    """
    directory: Directory = request.app.state.directory
    directory.learn(wanted.ps_idnat)
    account = accounts.grant(
        session,
        wanted.ps_idnat,
        wanted.role,
        identity_habilitated=wanted.identity_habilitated,
        convert=wanted.convert,
        actor=principal.actor,
    )
    return AccountOut.of(account)


@router.get("/directory")
@satisfies("RIS.ANN.05")
def search_directory(
    request: Request,
    principal: Reader,  # noqa: ARG001
    rpps: Annotated[str | None, Query(max_length=11)] = None,
    name: Annotated[str | None, Query(min_length=2, max_length=100)] = None,
    given: Annotated[str, Query(max_length=100)] = "",
) -> list[CorrespondentOut]:
    """Find a correspondent and his MSSanté addresses, by RPPS or by name."""
    directory: Directory = request.app.state.directory
    if rpps:
        found = directory.find(rpps)
    elif name:
        found = directory.search(name, given)
    else:
        raise Invalid("Indiquez un numéro RPPS ou un nom.", code="SEARCH_EMPTY")
    return [CorrespondentOut.of(entry) for entry in found]


def _cookie(request: Request) -> str:
    return cookies.read(request, cookies.SESSION, secure=desk_of(request).settings.cookie_secure)


def _state(principal: Principal) -> SessionState:
    waiting = principal.needs_situation
    return SessionState.NEEDS_SITUATION if waiting else SessionState.ACTIVE


def _idle_s(settings: AuthSettings, row: RisSession) -> int:
    idle = idle_of(settings.workstations, row.workstation, settings.idle_lock_s)
    return int(idle.total_seconds())


def _absolute(request: Request) -> timedelta:
    return timedelta(seconds=desk_of(request).settings.absolute_s)
