"""HTTP of the situations an administrator gives, under `/v1/accounts/{id}`. No rule here."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from ris.auth.dependencies import Principal, desk_of, require
from ris.auth.manual import service
from ris.auth.manual.schemas import HeldSituation, SituationIn
from ris.auth.rights import Permission
from ris.core import clock
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, prefix="/accounts/{account_id}", tags=["auth"])
Administrator = Annotated[Principal, Depends(require(Permission.ACCOUNT_ADMIN, fresh=True))]
Looker = Annotated[Principal, Depends(require(Permission.ACCOUNT_ADMIN))]


@router.post("/situations", status_code=201)
@satisfies("RIS.AUTH.01")
def give_situation(
    account_id: UUID, request: Request, session: Db, principal: Administrator, body: SituationIn
) -> HeldSituation:
    """Donne à une personne une situation d'exercice datée que Pro Santé Connect ne liste pas."""
    longest = timedelta(days=desk_of(request).settings.manual_situation_max_days)
    wanted = body.wanted(clock.now())
    row = service.give(session, account_id, wanted, actor=principal.actor, longest=longest)
    return HeldSituation.of(row)


@router.get("/situations")
@satisfies()
def list_situations(account_id: UUID, session: Db, _principal: Looker) -> list[HeldSituation]:
    """Liste les situations d'exercice d'un compte, terminées comprises."""
    return [HeldSituation.of(one) for one in service.of_account(session, account_id)]


@router.delete("/situations/{situation_id}")
@satisfies()
def end_situation(
    account_id: UUID, situation_id: UUID, session: Db, principal: Administrator
) -> HeldSituation:
    """Met fin tout de suite à une situation donnée par l'administrateur."""
    return HeldSituation.of(service.end(session, account_id, situation_id, actor=principal.actor))
