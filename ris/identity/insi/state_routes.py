"""The API of INSi itself: is it there, what can it do here, when will it be asked again."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.core import breaker, clock
from ris.identity.feature import IdentityFeature
from ris.identity.insi import caller as insi_caller
from ris.identity.insi.circuit import INSI, INSI_CARD
from ris.identity.insi.desk import CardIn, CardToSignOut, to_sign
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])

InsiCaller = Annotated[Principal, Depends(require(Permission.INSI_CALL))]


class EndpointOut(BaseModel):
    """Une adresse d'INSi : `closed` en service, `open` appels suspendus jusqu'à `open_until`,
    `half_open` le prochain appel est un essai.
    """

    name: Literal["insi", "insi_cpx"] = Field(
        description="insi : par certificat logiciel ; insi_cpx : par carte CPx"
    )
    configured: bool = Field(description="Une adresse est réglée")
    state: breaker.State = Field(
        description="closed : en service ; open : appels suspendus ; half_open : un essai suivra"
    )
    failures: int = Field(description="Pannes de suite")
    opened_at: datetime | None = Field(description="Début de la suspension")
    open_until: datetime | None = Field(description="Aucun appel avant cet instant")


class InsiOut(BaseModel):
    """INSi vu d'ici. `verification` et `bulk` : `off` non configurée, `emulated` par la recherche
    sur traits, `provisional` par le contrat d'essai.
    """

    endpoints: list[EndpointOut] = Field(description="Les adresses d'INSi et leur état")
    verification: Literal["off", "emulated", "provisional"] = Field(
        description="Vérification unitaire : off, emulated ou provisional"
    )
    bulk: Literal["off", "emulated", "provisional"] = Field(
        description="Vérification en masse : off, emulated ou provisional"
    )
    reverify_after_months: int = Field(
        description="Une INS est à vérifier de nouveau après ce nombre de mois"
    )


class PracticeOut(BaseModel):
    """Un cabinet, et le professionnel à nommer comme `responsible` d'un appel."""

    model_config = ConfigDict(from_attributes=True)

    ps_idnat: str = Field(description="Identifiant national du titulaire (PS_IdNat)")
    family: str = Field(description="Nom d'exercice du titulaire")
    given: str = Field(description="Prénom d'exercice du titulaire")
    struct_idnat: str = Field(description="Identifiant du cabinet (Struct_IdNat)")
    name: str = Field(description="Nom du cabinet")


@router.get("/insi", summary="Disponibilité d'INSi")
@satisfies()
def read_insi(request: Request, session: Db, _principal: InsiCaller) -> InsiOut:
    """Dit si INSi répond, jusqu'à quand les appels sont suspendus, et ce qui est configuré."""
    feature: IdentityFeature = request.app.state.identity
    insi, now = feature.settings.insi, clock.now()
    configured = {INSI: bool(insi.endpoint), INSI_CARD: bool(insi.cpx_endpoint)}
    shown = [
        EndpointOut(
            name=name,
            configured=given,
            state=one.state,
            failures=one.failures,
            opened_at=one.opened_at,
            open_until=one.open_until,
        )
        for name, given in configured.items()
        for one in [breaker.endpoint(session, name, now)]
    ]
    return InsiOut(
        endpoints=shown,
        verification=insi.verification,
        bulk=insi.bulk,
        reverify_after_months=insi.reverify_after_months,
    )


@router.get("/insi/practices", summary="Cabinets qui peuvent appeler INSi")
@satisfies("RIS.AUTH.02")
def list_practices(session: Db, principal: InsiCaller) -> list[PracticeOut]:
    """Donne les cabinets au nom desquels un secrétariat peut appeler INSi, et leurs titulaires."""
    return [
        PracticeOut.model_validate(one)
        for one in insi_caller.practices(session)
        if principal.compartment.exams.sees(one.struct_idnat)
    ]


@router.post(
    "/insi/card-assertions",
    status_code=201,
    summary="Préparer la signature d'un appel par carte CPx",
)
@satisfies("RIS.INS.49")
def prepare_card_assertion(body: CardIn, request: Request, principal: InsiCaller) -> CardToSignOut:
    """Donne ce que la carte CPx de l'utilisateur doit signer pour appeler INSi en son nom.

    Le connecteur du poste fait signer `to_sign` par la carte, puis la signature accompagne les
    appels (`card` de la recherche ou de la vérification) tant qu'elle n'est pas périmée.
    """
    feature: IdentityFeature = request.app.state.identity
    return to_sign(feature, principal, body)
