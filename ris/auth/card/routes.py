"""The address of the sign-in by card: on the main site behind a proxy, or on the card listener.

Both answers are the web sign-in's: the session cookie, then the wanted page. A cookie ignores
ports, so that the listener of the same host opens the main site's session.
"""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from ris.auth import cookies
from ris.auth.card import channel as card_channel
from ris.auth.card.channel import Channel
from ris.auth.card.desk import CardDesk
from ris.auth.dependencies import FULL, origin_of
from ris.auth.errors import CsrfRefused
from ris.auth.workstations import PATTERN
from ris.core.errors import NotConfigured
from ris.rem import satisfies
from ris.web.routing import TaggedRoute

ADDRESS: Final = "/auth/card/login"
router = APIRouter(route_class=TaggedRoute, tags=["auth"])
listener_router = APIRouter(route_class=TaggedRoute, tags=["auth"])

Next = Annotated[str, Query(alias="next", max_length=2000)]
Told = Annotated[str | None, Query(alias="workstation", pattern=PATTERN)]


@router.get(
    ADDRESS,
    status_code=303,
    response_class=RedirectResponse,
    responses={
        401: {"description": "`card_refused`, or no card was presented."},
        403: {"description": "`csrf_refused`, or the site does not let the person in."},
        409: {"description": FULL},
        503: {"description": "Cards are off, or cannot be verified now (`card_unverifiable`)."},
    },
)
@satisfies("LOC-AUTH-01")
def card_login(request: Request, wanted: Next = "/", workstation: Told = None) -> Response:
    """Open a session by CPS or CPE card, behind a reverse proxy that asked for the card.

    The proxy passes the certificate on in its header, with its secret; no other caller is believed.
    *next* is a path of this site to go on to; *workstation* is the name this site gives to the
    computer.
    """
    return _opened(request, Channel.PROXY, wanted, workstation)


@listener_router.get(ADDRESS, status_code=303)
@satisfies("LOC-AUTH-01")
def card_login_on_listener(
    request: Request, wanted: Next = "/", workstation: Told = None
) -> Response:
    """Open a session by the card of this very TLS connection, then go on to the main site."""
    return _opened(request, Channel.TLS, wanted, workstation)


def _opened(request: Request, channel: Channel, wanted: str, workstation: str | None) -> Response:
    desk: CardDesk | None = request.app.state.card
    if desk is None:
        raise NotConfigured("La connexion par carte n'est pas activée.")
    _refuse_embedded(request)
    settings = desk.desk.settings
    opened = desk.sign_in(
        card_channel.presented(request, channel, desk.settings),
        wanted,
        former=cookies.read(request, cookies.SESSION, secure=settings.cookie_secure),
        origin=replace(origin_of(request), workstation=workstation),
    )
    site = settings.origin if channel is Channel.TLS else ""
    response = RedirectResponse(f"{site}{opened.next_path}", 303)
    secure, life = settings.cookie_secure, settings.absolute_s
    cookies.write(response, cookies.SESSION, opened.token, secure=secure, max_age=life)
    return response


def _refuse_embedded(request: Request) -> None:
    """Refuse what no person clicked on: a browser presents a card by itself to any page's image.

    Fetch Metadata (W3C); a thick client sends none.
    """
    mode, site = request.headers.get("sec-fetch-mode"), request.headers.get("sec-fetch-site")
    if mode not in (None, "navigate") or site == "cross-site":
        raise CsrfRefused("Ouvrez la connexion par carte depuis le logiciel.")
