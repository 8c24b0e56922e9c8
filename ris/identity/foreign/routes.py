"""The API of identities from elsewhere: contracts, the worklist of verifications, held data."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from ris.identity.compartment import visible
from ris.identity.foreign import data as foreign_data
from ris.identity.foreign import trust
from ris.identity.foreign import worklist as foreign_worklist
from ris.identity.foreign.model import ForeignState, HeldState
from ris.identity.foreign.schemas import (
    ContractIn,
    ContractOut,
    ForeignCloseIn,
    ForeignOut,
    HeldDecisionIn,
    HeldOut,
)
from ris.identity.route_inputs import Feature, Reader, Superuser, Validator
from ris.rem import satisfies
from ris.web.idempotency import Once
from ris.web.pages import Page, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

ErrorCode = Annotated[str, StringConstraints(pattern="^[A-Z_]{1,64}$")]
router = APIRouter(route_class=TaggedRoute, tags=["identity"])


@router.get("/trust-contracts", summary="Contrats de confiance")
@satisfies("RIS.INS.39")
def list_contracts(session: Db, _principal: Reader) -> list[ContractOut]:
    """Donne les contrats de confiance, en vigueur et terminés."""
    return [ContractOut.model_validate(one) for one in trust.listed(session)]


@router.post(
    "/trust-contracts",
    status_code=201,
    response_model=ContractOut,
    summary="Enregistrer un contrat de confiance",
)
@satisfies("RIS.INS.39")
def sign_contract(body: ContractIn, session: Db, once: Once, principal: Superuser) -> Response:
    """Enregistre un contrat de confiance avec un domaine émetteur, un seul à la fois par émetteur.

    Il dit ce que valent les identités reçues de lui ; sans contrat, une INS reçue est d'abord
    vérifiée auprès d'INSi.
    """

    def effect() -> ContractOut:
        contract = trust.sign(
            session, sender=body.sender, scope=body.scope, label=body.label, actor=principal.actor
        )
        return ContractOut.model_validate(contract)

    return once(principal.account_id, effect)


@router.delete("/trust-contracts/{contract_id}", summary="Mettre fin à un contrat de confiance")
@satisfies()
def end_contract(contract_id: UUID, session: Db, principal: Superuser) -> ContractOut:
    """Met fin à un contrat de confiance ; il reste dans la liste."""
    return ContractOut.model_validate(trust.end(session, contract_id, actor=principal.actor))


@router.get("/foreign-identities", summary="INS reçues d'ailleurs")
@satisfies("RIS.INS.46", "RIS.INS.47")
def list_foreign(
    *,
    request: Request,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Reader,
    paging: Paging,
    state: Annotated[
        list[ForeignState] | None,
        Query(description="États voulus ; par défaut ceux qu'une personne doit regarder"),
    ] = None,
    error: Annotated[
        list[ErrorCode] | None, Query(description="Codes du motif voulus (`error`)")
    ] = None,
) -> Page[ForeignOut]:
    """Donne les INS reçues d'ailleurs à revoir (ou dans les états demandés), sans matricule."""
    seen = visible(feature, principal.compartment.patients)
    rows, following = foreign_worklist.listed(
        session, state, paging, errors=error or (), visible=seen, actor=principal.actor
    )
    link(request, response, following)
    return Page(items=[ForeignOut.model_validate(row) for row in rows], next=following)


@router.post(
    "/foreign-identities/{foreign_id}/retry",
    status_code=200,
    response_model=ForeignOut,
    summary="Revérifier une INS reçue",
)
@satisfies()
def retry_foreign(foreign_id: UUID, session: Db, once: Once, principal: Validator) -> Response:
    """Demande une nouvelle vérification INSi d'une INS reçue, KO ou sans réponse claire."""

    def effect() -> ForeignOut:
        row = foreign_worklist.retry(session, foreign_id, actor=principal.actor)
        return ForeignOut.model_validate(row)

    return once(principal.account_id, effect, status=200)


@router.post(
    "/foreign-identities/{foreign_id}/close",
    status_code=200,
    response_model=ForeignOut,
    summary="Clore une INS reçue",
)
@satisfies()
def close_foreign(
    foreign_id: UUID, body: ForeignCloseIn, session: Db, once: Once, principal: Validator
) -> Response:
    """Retire de la liste une INS reçue, une fois traitée par une personne.

    Les données retenues le restent : on en décide une par une.
    """

    def effect() -> ForeignOut:
        row = foreign_worklist.close(session, foreign_id, reason=body.reason, actor=principal.actor)
        return ForeignOut.model_validate(row)

    return once(principal.account_id, effect, status=200)


@router.get("/foreign-data", summary="Données de santé non classées")
@satisfies("RIS.INS.47")
def list_held(
    *,
    request: Request,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Reader,
    paging: Paging,
    state: Annotated[HeldState, Query(description="État voulu")] = HeldState.HELD,
) -> Page[HeldOut]:
    """Donne les données de santé non classées, en attente d'une identité vérifiée."""
    seen = visible(feature, principal.compartment.patients)
    rows, following = foreign_data.listed(session, state, paging, seen)
    link(request, response, following)
    return Page(items=[HeldOut.model_validate(row) for row in rows], next=following)


@router.post(
    "/foreign-data/{data_id}/decision",
    status_code=200,
    response_model=HeldOut,
    summary="Décider de données retenues",
)
@satisfies("RIS.INS.47")
def decide_held(
    data_id: UUID, body: HeldDecisionIn, session: Db, once: Once, principal: Validator
) -> Response:
    """Libère des données retenues pour leur classement, ou les refuse ; motif obligatoire."""

    def effect() -> HeldOut:
        release = body.decision == "release"
        row = foreign_data.decide(
            session, data_id, release=release, reason=body.reason, actor=principal.actor
        )
        return HeldOut.model_validate(row)

    return once(principal.account_id, effect, status=200)
