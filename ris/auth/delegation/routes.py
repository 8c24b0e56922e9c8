"""HTTP of delegations, under `/v1/delegations`. No rule here."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from ris.auth.delegation import service
from ris.auth.delegation.schemas import DelegateOut, DelegationIn, DelegationOut
from ris.auth.dependencies import Principal, desk_of, require
from ris.auth.rights import Permission
from ris.core import clock
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, prefix="/delegations", tags=["delegations"])
Own = Annotated[Principal, Depends(require(Permission.SESSION_OWN))]
Giver = Annotated[Principal, Depends(require(Permission.DELEGATION_GRANT, fresh=True))]
Physician = Annotated[Principal, Depends(require(Permission.DELEGATION_GRANT))]


@router.post("", status_code=201)
@satisfies()
def give_delegation(
    request: Request, session: Db, principal: Giver, body: DelegationIn
) -> DelegationOut:
    """Délègue à une personne du site des envois faits en son nom, pour un de ses cabinets."""
    longest = timedelta(days=desk_of(request).settings.delegation_max_days)
    now = clock.now()
    row = service.give(session, body.wanted(now), actor=principal.actor, longest=longest)
    return DelegationOut.of(service.seen(session, row), now)


@router.get("")
@satisfies()
def list_delegations(session: Db, principal: Own) -> list[DelegationOut]:
    """Liste les délégations que l'appelant a données ou reçues, terminées comprises."""
    now = clock.now()
    found = service.of_account(session, principal.account_id)
    return [DelegationOut.of(one, now) for one in found]


@router.get("/delegates")
@satisfies()
def list_delegates(session: Db, _principal: Physician) -> list[DelegateOut]:
    """Liste les personnes du site à qui déléguer."""
    return [DelegateOut.of(account) for account in service.delegates(session)]


@router.delete("/{delegation_id}")
@satisfies()
def revoke_delegation(delegation_id: UUID, session: Db, principal: Physician) -> DelegationOut:
    """Retire une délégation donnée, avec effet immédiat."""
    row = service.revoke(session, delegation_id, actor=principal.actor)
    return DelegationOut.of(service.seen(session, row), clock.now())
