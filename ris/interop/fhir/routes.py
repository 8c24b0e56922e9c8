"""The FHIR routes: Patient and the CapabilityStatement. Same services and rights as `/v1`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.core.errors import Stale
from ris.identity import service
from ris.identity.compartment import visible
from ris.identity.duplicates.twins import note_hidden_twins
from ris.identity.errors import PatientNotFound
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.identity.route_inputs import as_superuser
from ris.interop.fhir import capability, exchange, finding, openapi, reading_patient, showing
from ris.interop.fhir.errors import BadRequest, ClientId
from ris.interop.fhir.exchange import Body, Resource
from ris.interop.fhir.vocabulary import MEDIA_TYPE, Json
from ris.rem import satisfies
from ris.web.etag import IfMatch, read_version
from ris.web.idempotency import Once
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

Reader = Annotated[Principal, Depends(require(Permission.PATIENT_READ))]
Writer = Annotated[Principal, Depends(require(Permission.PATIENT_WRITE))]


class FhirResponse(Response):
    """A FHIR resource."""

    media_type = MEDIA_TYPE


router = APIRouter(
    route_class=TaggedRoute,
    tags=["fhir"],
    dependencies=[exchange.ACCEPTABLE],
    default_response_class=FhirResponse,
)


def _feature(request: Request) -> IdentityFeature:
    feature: IdentityFeature = request.app.state.identity
    return feature


Feature = Annotated[IdentityFeature, Depends(_feature)]


@router.get("/metadata", response_model=Resource)
@satisfies()
def read_fhir_capabilities(request: Request) -> Response:
    """Dit ce que ce serveur FHIR sait faire (CapabilityStatement, FHIR 4.0.1)."""
    base = showing.base(request).removesuffix("/Patient")
    version = showing.settings_of(request).fr_core
    made = capability.statement(router.routes, base=base, fr_core=version)
    return exchange.answer(made)


@router.get("/Patient", response_model=Resource, openapi_extra={"parameters": openapi.QUERY})
@satisfies("RIS.INS.07", "RIS.INS.09", "RIS.INS.10")
def search_fhir_patients(
    request: Request, session: Db, feature: Feature, principal: Reader
) -> Response:
    """Recherche des patients ; donne un Bundle searchset, sans INS, page par page.

    La date de naissance d'abord, ou l'IPP. Un paramètre inconnu est ignoré et signalé dans le
    Bundle ; avec `Prefer: handling=strict`, il est refusé.
    """
    given = request.query_params.multi_items()
    return finding.searched(request, session, feature, principal, given, address=True)


@router.post("/Patient/_search", response_model=Resource, openapi_extra=openapi.FORM)
@satisfies("RIS.INS.08")
def search_fhir_patients_by_form(
    request: Request, session: Db, feature: Feature, principal: Reader, body: Body
) -> Response:
    """Recherche des patients par formulaire : le seul chemin pour un matricule INS."""
    exchange.check_media(request, exchange.FORM)
    beside = request.query_params.multi_items()
    given = [*beside, *finding.pairs(body.decode(errors="replace"))]
    address = any(name == "identifier" for name, _ in beside)
    return finding.searched(request, session, feature, principal, given, address=address)


@router.get(
    "/Patient/{patient_id}",
    response_model=Resource,
    responses={304: {"description": "The version already read is the present one."}},
)
@satisfies("RIS.INS.03", "RIS.INS.17")
def read_fhir_patient(
    patient_id: str,
    request: Request,
    session: Db,
    principal: Reader,
    if_none_match: Annotated[str | None, Header(description='`W/"n"` déjà lu : 304')] = None,
) -> Response:
    """Donne un patient ; son INS si l'identité est qualifiée et si l'appelant peut la voir.

    Un dossier fusionné est inactif et désigne celui qui le remplace (`link`).
    """
    made = showing.consulted(request, session, principal, _id(patient_id))
    headers = exchange.tag(made)
    told = (if_none_match or "").removeprefix("W/")
    if told and told == headers["ETag"].removeprefix("W/"):
        return exchange.answer(None, 304, headers)
    return exchange.answer(made, headers=headers)


@router.post(
    "/Patient",
    status_code=201,
    response_model=Resource,
    openapi_extra=openapi.SENT,
    responses={
        200: {"description": "One record meets If-None-Exist: it is given, none is created."},
        412: {"description": "Several records meet If-None-Exist."},
    },
)
@satisfies("RIS.INS.11", "RIS.INS.12")
def create_fhir_patient(
    *,
    request: Request,
    session: Db,
    feature: Feature,
    principal: Writer,
    body: Body,
    once: Once,
    if_none_exist: Annotated[
        str | None, Header(description="Critères : si un dossier y répond, rien n'est créé")
    ] = None,
) -> Response:
    """Crée un dossier, à « identité provisoire » : ni statut, ni INS, ni IPP de l'appelant."""
    told = exchange.parsed(request, body)
    criteria = if_none_exist or ""
    if criteria and (held := finding.only_match(request, session, feature, principal, criteria)):
        return _written(request, showing.consulted(request, session, principal, held.id), 200)
    asked = reading_patient.read(told, reading_patient.blank(), production=feature.production)

    def effect() -> Resource:
        seen = principal.compartment
        made = service.create(
            session,
            feature,
            asked.typed(),
            asked.contact(),
            practice=seen.practice,
            actor=principal.actor,
        )
        note_hidden_twins(session, made, visible(feature, seen.patients))
        return Resource(showing.shown(request, session, made, ins_right=False))

    def headers(made: object) -> dict[str, str]:
        assert isinstance(made, Resource)  # noqa: S101 - what `effect` gives
        place = f"{showing.base(request)}/{made.root['id']}"
        return {**exchange.tag(made.root), "Location": place, "Content-Type": MEDIA_TYPE}

    answer = once(principal.account_id, effect, headers=headers)
    return _minimal(request, answer)


@router.put(
    "/Patient/{patient_id}",
    response_model=Resource,
    openapi_extra=openapi.SENT,
    responses={405: {"description": "No record has this id: a PUT does not create."}},
)
@satisfies("RIS.INS.29", "RIS.INS.31")
def update_fhir_patient(
    patient_id: str,
    *,
    request: Request,
    session: Db,
    feature: Feature,
    principal: Writer,
    body: Body,
    if_match: IfMatch = None,
) -> Response:
    """Remplace les traits et les coordonnées d'un dossier, tel qu'il a été lu (If-Match).

    Un trait verrouillé demande l'habilitation, une connexion récente, et un motif : `reason.text`
    de l'en-tête X-Provenance. Ce que le serveur seul écrit peut revenir tel quel, et pas autrement.
    """
    told = exchange.parsed(request, body)
    reason = exchange.reason(request)
    version = read_version(if_match)
    patient = _existing(session, patient_id)
    if patient.version != version:
        raise Stale
    if told.get("id") != str(patient.id):
        raise BadRequest("L'identifiant du Patient n'est pas celui de l'adresse.", code="FHIR_ID")
    right = Permission.INS_READ in principal.permissions
    current = showing.shown(request, session, patient, ins_right=right)
    asked = reading_patient.read(told, current, production=feature.production, reason=reason)
    with as_superuser(request, principal) as superuser:
        service.edit(
            session,
            feature,
            patient.id,
            asked.changed(),
            asked.contact(),
            version=version,
            superuser=superuser,
            reason=asked.reason,
            actor=principal.actor,
        )
    return _written(request, showing.consulted(request, session, principal, patient.id), 200)


def _written(request: Request, made: Json, status: int) -> Response:
    headers = {**exchange.tag(made), "Content-Location": f"{showing.base(request)}/{made['id']}"}
    return _minimal(request, exchange.answer(made, status, headers))


def _minimal(request: Request, answer: Response) -> Response:
    """Return *answer* without its body for `Prefer: return=minimal`."""
    if exchange.preference(request, "return") != "minimal":
        return answer
    kept = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("content-type", "content-length")
    }
    return exchange.answer(None, answer.status_code, kept)


def _existing(session: Session, patient_id: str) -> Patient:
    try:
        return service.get(session, _id(patient_id))
    except PatientNotFound:
        raise ClientId("Créez le dossier par POST, le serveur lui donne son identifiant.") from None


def _id(told: str) -> UUID:
    try:
        return UUID(told)
    except ValueError:
        raise PatientNotFound from None
