"""HTTP of sign-in, sessions, accounts, certificates and directory.

`public_router` holds the two addresses registered at Pro Santé Connect, outside `/v1` and without
a session; `router` goes under `/v1`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from ris.auth import accounts, cookies, sessions, situations
from ris.auth.dependencies import Principal, desk_of, origin_of, require
from ris.auth.directory import Directory
from ris.auth.model import Account, RisSession
from ris.auth.rights import Permission
from ris.auth.schemas import (
    AccountOut,
    CertificateOut,
    CorrespondentOut,
    Grant,
    LogoutOut,
    SessionOut,
    SituationChoice,
    SituationOut,
)
from ris.core import audit
from ris.core.errors import Invalid
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

public_router = APIRouter(route_class=TaggedRoute, tags=["auth"])
router = APIRouter(route_class=TaggedRoute, tags=["auth"])

Own = Annotated[Principal, Depends(require(Permission.SESSION_OWN))]
Administrator = Annotated[Principal, Depends(require(Permission.ACCOUNT_ADMIN, fresh=True))]
Reader = Annotated[Principal, Depends(require(Permission.DIRECTORY_READ))]
Technician = Annotated[Principal, Depends(require(Permission.CONFIG_ADMIN))]


@public_router.get("/auth/psc/login", status_code=302)
@satisfies("RIS.PSC.01")
def psc_login(request: Request, next: str = "/", step_up: bool = False) -> Response:  # noqa: A002
    """Send the browser to Pro Santé Connect. *next* is a path of this site to come back to."""
    desk = desk_of(request)
    url, binding = desk.begin(next, step_up=step_up)
    response = RedirectResponse(url, 302)
    secure, life = desk.settings.cookie_secure, desk.settings.attempt_s
    cookies.write(response, cookies.BINDING, binding, secure=secure, max_age=life)
    return response


@public_router.get("/auth/psc/callback", status_code=303)
@satisfies("RIS.PSC.01")
def psc_callback(request: Request) -> Response:
    """Receive the browser from Pro Santé Connect, open the session, go on to the wanted page."""
    desk = desk_of(request)
    secure = desk.settings.cookie_secure
    opened = desk.finish(
        dict(request.query_params),
        binding=cookies.read(request, cookies.BINDING, secure=secure),
        former=cookies.read(request, cookies.SESSION, secure=secure),
        origin=origin_of(request),
    )
    response = RedirectResponse(opened.next_path, 303)
    life = desk.settings.absolute_s
    cookies.write(response, cookies.SESSION, opened.token, secure=secure, max_age=life)
    cookies.clear(response, cookies.BINDING, secure=secure)
    return response


@router.get("/session")
@satisfies()
def read_session(request: Request, session: Db, principal: Own) -> SessionOut:
    """Say who is signed in, with which rights and situations."""
    secure = desk_of(request).settings.cookie_secure
    token = cookies.read(request, cookies.SESSION, secure=secure)
    account = session.get_one(Account, principal.account_id)
    listed = situations.current(session, principal.account_id)
    return SessionOut(
        account_id=account.id,
        ps_idnat=account.ps_idnat,
        family=account.family,
        given=account.given,
        role=principal.role,
        permissions=sorted(principal.permissions),
        state="NEEDS_SITUATION" if principal.needs_situation else "ACTIVE",
        acr=principal.acr,
        auth_time=principal.auth_time,
        situations=[SituationOut.of(row, principal.situation_id) for row in listed],
        csrf_token=cookies.csrf_token(token),
    )


@router.post("/session/situation", status_code=204)
@satisfies()
def choose_situation(
    request: Request, response: Response, session: Db, principal: Own, choice: SituationChoice
) -> None:
    """Choose the acting situation. The session cookie and the CSRF token are renewed."""
    row = session.get_one(RisSession, principal.session_id)
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


@router.post("/session/logout", status_code=200)
@satisfies("RIS.PSC.01")
def logout(request: Request, response: Response, principal: Own) -> LogoutOut:
    """Close the session at once; the answer gives where to close Pro Santé Connect's."""
    desk = desk_of(request)
    secure = desk.settings.cookie_secure
    url = desk.end(cookies.read(request, cookies.SESSION, secure=secure), principal.actor)
    cookies.clear(response, cookies.SESSION, secure=secure)
    return LogoutOut(psc_logout_url=url)


@router.post("/accounts", status_code=201)
@satisfies("RIS.ANN.02")
def grant_role(
    request: Request, session: Db, principal: Administrator, wanted: Grant
) -> AccountOut:
    """Give a role to a person, named as in the directory, before his first sign-in."""
    directory: Directory = request.app.state.directory
    directory.learn(wanted.ps_idnat)
    account = accounts.grant(
        session,
        wanted.ps_idnat,
        wanted.role,
        identity_habilitated=wanted.identity_habilitated,
        actor=principal.actor,
    )
    return AccountOut.of(account)


@router.get("/certificates")
@satisfies("RIS.AUTH.01")
def list_certificates(request: Request, principal: Technician) -> list[CertificateOut]:  # noqa: ARG001
    """List the certificates of every practice served, with what is wrong with each."""
    held = desk_of(request).certificates.inventory()
    return [CertificateOut.model_validate(one, from_attributes=True) for one in held]


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
