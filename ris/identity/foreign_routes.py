"""The API of identities from elsewhere: contracts, the worklist of verifications, held data."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.identity import foreign_data, foreign_worklist, trust
from ris.identity.foreign_model import ForeignState, HeldState
from ris.identity.foreign_schemas import (
    ContractIn,
    ContractOut,
    ForeignCloseIn,
    ForeignOut,
    HeldDecisionIn,
    HeldOut,
)
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])

Reader = Annotated[Principal, Depends(require(Permission.PATIENT_READ))]
Validator = Annotated[Principal, Depends(require(Permission.IDENTITY_VALIDATE))]
Superuser = Annotated[Principal, Depends(require(Permission.IDENTITY_SUPERUSER))]


@router.get("/trust-contracts")
@satisfies("RIS.INS.39")
def list_contracts(session: Db, _principal: Reader) -> list[ContractOut]:
    """Donne les contrats de confiance, en vigueur et terminés."""
    return [ContractOut.model_validate(one) for one in trust.listed(session)]


@router.post("/trust-contracts", status_code=201)
@satisfies("RIS.INS.39")
def sign_contract(body: ContractIn, session: Db, principal: Superuser) -> ContractOut:
    """Enregistre un contrat de confiance avec un domaine émetteur."""
    contract = trust.sign(
        session, sender=body.sender, scope=body.scope, label=body.label, actor=principal.actor
    )
    return ContractOut.model_validate(contract)


@router.delete("/trust-contracts/{contract_id}")
@satisfies()
def end_contract(contract_id: UUID, session: Db, principal: Superuser) -> ContractOut:
    """Met fin à un contrat de confiance ; il reste dans la liste."""
    return ContractOut.model_validate(trust.end(session, contract_id, actor=principal.actor))


@router.get("/foreign-identities")
@satisfies("RIS.INS.46", "RIS.INS.47")
def list_foreign(
    session: Db,
    principal: Reader,
    state: Annotated[list[ForeignState] | None, Query()] = None,
) -> list[ForeignOut]:
    """Donne les INS reçues d'ailleurs à revoir (ou dans les états demandés), sans matricule."""
    rows = foreign_worklist.listed(session, state, actor=principal.actor)
    return [ForeignOut.model_validate(row) for row in rows]


@router.post("/foreign-identities/{foreign_id}/retry")
@satisfies()
def retry_foreign(foreign_id: UUID, session: Db, principal: Validator) -> ForeignOut:
    """Demande une nouvelle vérification INSi d'une INS reçue, KO ou sans réponse claire."""
    row = foreign_worklist.retry(session, foreign_id, actor=principal.actor)
    return ForeignOut.model_validate(row)


@router.post("/foreign-identities/{foreign_id}/close")
@satisfies()
def close_foreign(
    foreign_id: UUID, body: ForeignCloseIn, session: Db, principal: Validator
) -> ForeignOut:
    """Retire de la liste une INS reçue, une fois traitée par une personne."""
    row = foreign_worklist.close(session, foreign_id, reason=body.reason, actor=principal.actor)
    return ForeignOut.model_validate(row)


@router.get("/foreign-data")
@satisfies("RIS.INS.47")
def list_held(session: Db, _principal: Reader, state: HeldState = HeldState.HELD) -> list[HeldOut]:
    """Donne les données de santé non classées, en attente d'une identité vérifiée."""
    return [HeldOut.model_validate(row) for row in foreign_data.listed(session, state)]


@router.post("/foreign-data/{data_id}/decision")
@satisfies("RIS.INS.47")
def decide_held(data_id: UUID, body: HeldDecisionIn, session: Db, principal: Validator) -> HeldOut:
    """Libère des données retenues pour leur classement, ou les refuse."""
    release = body.decision == "release"
    row = foreign_data.decide(
        session, data_id, release=release, reason=body.reason, actor=principal.actor
    )
    return HeldOut.model_validate(row)
