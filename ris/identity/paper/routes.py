"""The datamatrix INS over HTTP: the text of a hand scanner, or a scanned page. No rule here."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from ris.identity import schemas, service
from ris.identity.compartment import visible
from ris.identity.errors import ScanTooLarge
from ris.identity.insi.schemas import ComparisonOut
from ris.identity.matricule import nature_of
from ris.identity.paper import scan
from ris.identity.paper.proposal import Match, Proposal, propose
from ris.identity.route_inputs import Feature, InsReader
from ris.identity.rules import ins_to_output
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])
_BINARY: Final = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in (scan.PNG, scan.JPEG, scan.PDF)
}
_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": _BINARY}}


class DatamatrixIn(schemas.Body):
    """Ce qu'une douchette a lu d'un datamatrix INS."""

    text: str = Field(
        max_length=1000,
        description="Texte lu, séparateurs GS (0x1D) compris ; `<GS>` écrit en clair est admis",
        examples=["IS010000000000000000000000S1…"],
    )


class FaultOut(BaseModel):
    """Un champ lu qui ne peut servir tel quel à créer un dossier."""

    pointer: str = Field(description="Champ")
    code: str = Field(description="Code stable")
    message: str = Field(description="Explication à afficher")


class ProposedTraits(BaseModel):
    """Les traits lus, mis en forme pour pré-remplir une création."""

    birth_family: str = Field(description="Nom de naissance")
    first_birth_given: str = Field(
        description="Premier mot de la liste : à étendre par l'utilisateur si le prénom est composé"
    )
    birth_given_names: str = Field(description="Liste des prénoms de naissance")
    birth_date: str = Field(description="Date de naissance, AAAA-MM-JJ")
    birth_date_raw: str | None = Field(description="Date lue, si elle a dû être interprétée")
    sex: str = Field(description="Sexe")
    birth_place: str = Field(description="Code INSEE du lieu de naissance, 99999 s'il manque")


class ClaimedIns(BaseModel):
    """L'INS lue, sans son matricule : elle n'a pas été vérifiée."""

    oid: str = Field(description="Autorité d'affectation")
    nature: str = Field(description="NIR ou NIA")


class MatchOut(BaseModel):
    """Un dossier que ce papier concerne peut-être, à comparer."""

    patient: schemas.PatientOut = Field(
        description="Le dossier ; son INS n'y est que si l'identité est qualifiée avec l'INS lue"
    )
    same_ins: bool = Field(description="Ce dossier porte l'INS lue : l'ouvrir")
    comparison: list[ComparisonOut] = Field(
        description="Trait par trait ; `insi` est ici la valeur lue sur le papier"
    )


class ProposalOut(BaseModel):
    """Ce que dit le papier. Une proposition : rien n'est enregistré, aucun statut ne change."""

    traits: ProposedTraits = Field(description="Ce que le papier dit de la personne")
    ins: ClaimedIns | None = Field(description="Null si le matricule lu est refusé (`alerts`)")
    alerts: list[str] = Field(
        description="INS_KEY_INVALID, INS_OID_UNKNOWN, INS_TEST_OID, FEED_DATE_INTERPRETED, "
        "FEED_TRAITS_NORMALISED"
    )
    errors: list[FaultOut] = Field(description="Champs à corriger avant une création")
    matches: list[MatchOut] = Field(description="Dossiers à comparer, celui de l'INS d'abord")


async def _content(request: Request, feature: Feature) -> bytes:
    """Return the body, read no further than the cap; raises `ScanTooLarge`."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > feature.settings.scan_max_bytes:
            raise ScanTooLarge
    return bytes(content)


@router.post("/datamatrix/parse", status_code=200, summary="Lire un datamatrix INS (douchette)")
@satisfies()
def parse_datamatrix(
    body: DatamatrixIn, session: Db, feature: Feature, principal: InsReader
) -> ProposalOut:
    """Lit le texte d'un datamatrix INS et propose les dossiers à comparer ; n'enregistre rien.

    Le papier n'est pas signé : il sert à chercher et à pré-remplir. Un statut ne monte que par
    INSi et par un titre présenté. Erreurs 422 : `DMX_HEADER`, `DMX_VERSION`, `DMX_FIELD`,
    `DMX_INCOMPLETE`.
    """
    seen = visible(feature, principal.compartment.patients)
    made = propose(session, feature, [body.text], visible=seen, actor=principal.actor)
    return _shown(session, feature, principal, made)


@router.post(
    "/datamatrix/scan",
    status_code=200,
    openapi_extra=_BODY,
    summary="Lire un datamatrix INS (page numérisée)",
    responses={
        413: {"description": "`SCAN_TOO_LARGE` or `SCAN_TOO_DETAILED`."},
        415: {"description": "`SCAN_TYPE_REFUSED`: neither PNG, JPEG nor PDF."},
    },
)
@satisfies()
def scan_datamatrix(
    content: Annotated[bytes, Depends(_content)],
    session: Db,
    feature: Feature,
    principal: InsReader,
) -> ProposalOut:
    """Cherche un datamatrix INS dans une page numérisée (PNG, JPEG, PDF) ; même réponse.

    Un PDF peut venir d'un numériseur ou d'un logiciel (le nôtre compris) : ses quatre premières
    pages sont lues. Le corps est le fichier lui-même, qui n'est pas conservé. Erreurs :
    413 `SCAN_TOO_LARGE` ou `SCAN_TOO_DETAILED`, 415 `SCAN_TYPE_REFUSED`, 422 `SCAN_UNREADABLE`,
    `DMX_NOT_FOUND`, `DMX_SEVERAL`.
    """
    seen, symbols = visible(feature, principal.compartment.patients), scan.symbols(content)
    made = propose(session, feature, symbols, visible=seen, actor=principal.actor)
    return _shown(session, feature, principal, made)


def _shown(session: Db, feature: Feature, principal: InsReader, made: Proposal) -> ProposalOut:
    claim, told = made.claim, made.claim.given.typed
    for match in made.matches:
        if match.same_ins and ins_to_output(match.patient.identity) is not None:
            service.note_ins_shown(session, match.patient, actor=principal.actor)
    ins = claim.ins
    return ProposalOut(
        traits=ProposedTraits(
            birth_family=told.birth_family,
            first_birth_given=told.first_birth_given,
            birth_given_names=told.birth_given_names,
            birth_date=told.birth_date,
            birth_date_raw=claim.given.birth_date_raw,
            sex=told.sex,
            birth_place=told.birth_place,
        ),
        ins=ClaimedIns(oid=ins.oid, nature=nature_of(ins)) if ins else None,
        alerts=list(claim.alerts),
        errors=[FaultOut(**fault.as_problem()) for fault in made.faults],
        matches=[_match(feature, match) for match in made.matches],
    )


def _match(feature: Feature, match: Match) -> MatchOut:
    shown = schemas.shown(match.patient, feature.settings.banner, ins_right=match.same_ins)
    compared = [ComparisonOut.model_validate(row, from_attributes=True) for row in match.compared]
    return MatchOut(patient=shown, same_ins=match.same_ins, comparison=compared)
