"""HTTP of the decoupled sign-in (CIBA): for thick clients and kiosks, outside `/v1`.

No session and no permission yet: what protects are the limits, the two digits shown on both sides
and the cookie that binds a request to its caller.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ris.auth import cookies
from ris.auth.ciba.desk import CibaDesk, Outcome
from ris.auth.ciba.states import Channel, CibaState
from ris.auth.ciba.wire import LONGEST_S
from ris.auth.dependencies import FULL, REAUTHENTICATE, desk_of, origin_of, refuse_foreign_page
from ris.auth.workstations import WorkstationName
from ris.rem import satisfies
from ris.web.routing import TaggedRoute

router = APIRouter(route_class=TaggedRoute, tags=["auth"])


class CibaAsk(BaseModel):
    """Who wants to sign in, and with which means."""

    model_config = ConfigDict(extra="forbid")

    ps_idnat: str = Field(
        min_length=2, max_length=64, description="Numéro RPPS (11 chiffres) ou PS_IdNat."
    )
    channel: Channel = Field(
        default=Channel.MOBILE, description="MOBILE : e-CPS ; CARD : carte CPx."
    )
    workstation: WorkstationName | None = Field(
        default=None, description="Nom que le site donne à ce poste."
    )


class CibaOut(BaseModel):
    """Where the request stands. Ask again no sooner than after *interval_s* seconds."""

    id: UUID
    state: CibaState
    binding_message: str = Field(
        description="Deux chiffres à afficher : la personne vérifie les mêmes sur son téléphone."
    )
    interval_s: int
    expires_at: datetime

    @classmethod
    def of(cls, outcome: Outcome) -> "CibaOut":
        """Return the shape of an outcome; never the session's secret."""
        return cls.model_validate(outcome, from_attributes=True)


def _desk(request: Request) -> CibaDesk:
    desk = desk_of(request)
    refuse_foreign_page(request, desk.settings)
    return CibaDesk(desk)


Desk = Annotated[CibaDesk, Depends(_desk)]


@router.post(
    "/auth/psc/ciba",
    status_code=201,
    responses={
        403: {"description": "`csrf_refused`, or the site does not let the person in."},
        404: {"description": "`psc_user_unknown`: nobody signs in under this number."},
        409: {"description": "`ciba_pending`: a request of this person waits already."},
        429: {"description": "`too_many_attempts`: `Retry-After` says when to come back."},
        502: {"description": "`psc_protocol_error`: Pro Santé Connect answered wrongly."},
        503: {"description": "CIBA is off, or Pro Santé Connect cannot be reached."},
    },
)
@satisfies("SC.PSC.01", "RIS.PSC.01")
def start_ciba(request: Request, response: Response, desk: Desk, wanted: CibaAsk) -> CibaOut:
    """Ask a person's phone or card to sign him in here.

    The answer's cookie binds the request to this caller: keep it to follow the request. Limits:
    429 `too_many_attempts` with `Retry-After`; 409 `ciba_pending` while a request waits.
    """
    origin = replace(origin_of(request), workstation=wanted.workstation)
    outcome, secret = desk.start(wanted.ps_idnat, wanted.channel, origin)
    secure = desk_of(request).settings.cookie_secure
    cookies.write(response, cookies.CIBA, secret, secure=secure, max_age=LONGEST_S)
    return CibaOut.of(outcome)


@router.post(
    "/auth/psc/ciba/{request_id}",
    responses={
        401: {"description": REAUTHENTICATE},
        403: {"description": "`csrf_refused`, or the site does not let the person in."},
        409: {"description": FULL},
        502: {"description": "`psc_protocol_error`: Pro Santé Connect answered wrongly."},
        503: {"description": "CIBA is off, or Pro Santé Connect cannot be reached."},
    },
)
@satisfies("SC.PSC.01", "RIS.PSC.01")
def follow_ciba(request: Request, response: Response, desk: Desk, request_id: UUID) -> CibaOut:
    """Follow a request of one's own. With `SESSION_OPEN` comes the session cookie, once.

    `DENIED`: the person refused; `EXPIRED`: nobody answered in time; `FAILED`: begin again.
    """
    secure = desk_of(request).settings.cookie_secure
    outcome = desk.follow(
        request_id,
        cookies.read(request, cookies.CIBA, secure=secure),
        former=cookies.read(request, cookies.SESSION, secure=secure),
        origin=origin_of(request),
    )
    if outcome.token is not None:
        life = desk_of(request).settings.absolute_s
        cookies.write(response, cookies.SESSION, outcome.token, secure=secure, max_age=life)
        cookies.clear(response, cookies.CIBA, secure=secure)
    return CibaOut.of(outcome)
