"""The addresses of the web sign-in and of logout: those registered at Pro Santé Connect.

Outside `/v1`, without a session and without a permission. An installed application (RFC 8252) uses
them too: it opens the browser here, and fetches its session with the code it is sent.
"""

import hmac
import re
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from ris.auth import attempts, cookies
from ris.auth.dependencies import FULL, REAUTHENTICATE, desk_of, origin_of, refuse_foreign_page
from ris.auth.workstations import PATTERN
from ris.core.errors import Invalid
from ris.rem import satisfies
from ris.web.routing import TaggedRoute

router = APIRouter(route_class=TaggedRoute, tags=["auth"])

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_PAGE: Final = (
    '<!doctype html><html lang="fr"><meta charset="utf-8"><title>Déconnexion</title>'
    "<h1>Votre session est fermée</h1><p>{}</p>"
    '<p><a href="/auth/psc/login">Se reconnecter avec Pro Santé Connect</a></p></html>'
)
_AWAY: Final = "Pro Santé Connect cannot be reached (`psc_unavailable`), or the database."
_WRONG: Final = "`psc_protocol_error`: Pro Santé Connect answered wrongly."
_REFUSED: Final = (
    "`ENROL_UNKNOWN`, `account_pending`, `account_suspended`, `identity_conflict`, `role_denied` "
    "or `acr_too_low`: Pro Santé Connect knows the person, this site does not let him in."
)
_CLOSED: Final = "Vous êtes aussi déconnecté de Pro Santé Connect."
_UNSURE: Final = (
    "Sur un poste partagé, fermez aussi le navigateur : "
    "la déconnexion de Pro Santé Connect n'a pas pu être confirmée."
)


class NativeCode(BaseModel):
    """What an installed application received, and the verifier of the challenge it gave."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=128)
    verifier: str = Field(min_length=43, max_length=128, pattern=r"^[A-Za-z0-9._~-]+$")


@router.get(
    "/auth/psc/login",
    status_code=302,
    response_class=RedirectResponse,
    responses={502: {"description": _WRONG}, 503: {"description": _AWAY}},
)
@satisfies("RIS.PSC.01", "SC.PSC.01", "SC.PSC.08")
def psc_login(
    request: Request,
    *,
    next: str = "/",  # noqa: A002
    step_up: bool = False,
    native_port: Annotated[int | None, Query(ge=1024, le=65535)] = None,
    native_challenge: Annotated[str | None, Query(max_length=43)] = None,
    workstation: Annotated[str | None, Query(pattern=PATTERN)] = None,
) -> Response:
    """Send the browser to Pro Santé Connect. *next* is a path of this site to come back to.

    *workstation* is the name this site gives to the computer: some have their own delays.

    An installed application gives instead the port of 127.0.0.1 where it listens and the S256
    challenge of a secret of its own: the browser brings it a code, worth a session with the secret.
    """
    desk = desk_of(request)
    if native_port is None and native_challenge is None:
        url, binding = desk.begin(
            next,
            step_up=step_up,
            workstation=workstation,
            present=cookies.read(request, cookies.SESSION, secure=desk.settings.cookie_secure),
        )
    elif native_port is not None and _CHALLENGE.fullmatch(native_challenge or ""):
        wanted = attempts.loopback(native_port)
        url, binding = desk.begin(
            wanted, step_up=step_up, native_challenge=native_challenge, workstation=workstation
        )
    else:
        raise Invalid("native_port et native_challenge vont ensemble.", code="NATIVE_INVALID")
    response = RedirectResponse(url, 302)
    secure, life = desk.settings.cookie_secure, desk.settings.attempt_s
    cookies.write(response, cookies.BINDING, binding, secure=secure, max_age=life)
    return response


@router.get(
    "/auth/psc/callback",
    status_code=303,
    response_class=RedirectResponse,
    responses={
        400: {"description": "`oidc_state_invalid`: begin again; `oidc_error`: refused there."},
        401: {"description": REAUTHENTICATE},
        403: {"description": _REFUSED},
        409: {"description": FULL},
        502: {"description": _WRONG},
        503: {"description": _AWAY},
    },
)
@satisfies("RIS.PSC.01", "SC.PSC.01")
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
    if opened.native:
        response = RedirectResponse(f"{opened.next_path}?code={opened.token}", 303)
    else:
        response = RedirectResponse(opened.next_path, 303)
        life = desk.settings.absolute_s
        cookies.write(response, cookies.SESSION, opened.token, secure=secure, max_age=life)
    cookies.clear(response, cookies.BINDING, secure=secure)
    return response


@router.post(
    "/auth/native/session",
    status_code=204,
    responses={
        400: {"description": "`oidc_state_invalid`: unknown code, used, too old, or not for you."},
        401: {"description": REAUTHENTICATE},
        403: {"description": "`csrf_refused`: a page of another site asked."},
    },
)
@satisfies("RIS.PSC.01", "SC.PSC.01")
def native_session(request: Request, response: Response, told: NativeCode) -> None:
    """Give an installed application its session (cookie), for the code its browser brought it."""
    desk = desk_of(request)
    refuse_foreign_page(request, desk.settings)
    secure, life = desk.settings.cookie_secure, desk.settings.absolute_s
    former = cookies.read(request, cookies.SESSION, secure=secure)
    token = desk.deliver(told.code, told.verifier, origin_of(request), former=former)
    cookies.write(response, cookies.SESSION, token, secure=secure, max_age=life)


@router.get("/auth/psc/logged-out", response_class=HTMLResponse)
@satisfies("RIS.PSC.01", "SC.SSI/IE.38")
def psc_logged_out(request: Request, state: str = "") -> Response:
    """Welcome the browser back from Pro Santé Connect's logout; the session is long closed.

    Informs only: Pro Santé Connect may come back without *state*.
    """
    secure = desk_of(request).settings.cookie_secure
    sent = cookies.read(request, cookies.LOGOUT, secure=secure)
    sure = bool(sent) and hmac.compare_digest(sent.encode(), state.encode())
    response = HTMLResponse(_PAGE.format(_CLOSED if sure else _UNSURE))
    cookies.clear(response, cookies.LOGOUT, secure=secure)
    return response


@router.post(
    "/auth/psc/backchannel-logout",
    status_code=200,
    responses={
        400: {"description": "`invalid_request`: this is no logout message of Pro Santé Connect."},
        503: {"description": _AWAY},
    },
)
@satisfies("RIS.PSC.01")
def psc_backchannel_logout(
    request: Request, logout_token: Annotated[str, Form(max_length=8192)]
) -> None:
    """Close the sessions that Pro Santé Connect says are over (signed message, server to server).

    Only when its discovery document announces these messages.
    """
    desk_of(request).end_from_psc(logout_token, origin_of(request))
