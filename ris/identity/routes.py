"""The identity API: patients, search, documents shown, attributes, history. No rule here."""

from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from ris.auth.dependencies import require
from ris.auth.rights import Permission
from ris.core.text import ONE_LINE, SEVERAL_LINES
from ris.identity import journals, schemas, search, service, validation
from ris.identity.compartment import visible
from ris.identity.duplicates.twins import note_hidden_twins
from ris.identity.feature import IdentityFeature
from ris.identity.insi import routes as insi_routes
from ris.identity.model import Patient
from ris.identity.route_inputs import (
    Feature,
    InsReader,
    Reader,
    Version,
    Writer,
    answered,
    as_superuser,
    changed,
    etag,
    kept,
)
from ris.identity.values import Attribute
from ris.rem import satisfies
from ris.web.idempotency import Once
from ris.web.moments import Day
from ris.web.pages import BadCursor, Page, PageQuery, Paging, encode, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])
router.include_router(insi_routes.router)


@router.post(
    "/patients",
    status_code=201,
    response_model=schemas.PatientOut,
    summary="Créer un dossier patient",
)
@satisfies("RIS.INS.01", "RIS.INS.11", "RIS.INS.12")
def create_patient(
    body: schemas.PatientIn, session: Db, once: Once, feature: Feature, principal: Writer
) -> Response:
    """Crée un dossier au statut « identité provisoire » et lui attribue un IPP.

    Nom de naissance, premier prénom, date de naissance, sexe et lieu de naissance sont
    obligatoires. Chaque champ fautif a sa ligne dans `errors` (422 `TRAITS_REFUSED`) ; rien n'est
    corrigé ni écrit à moitié. Rechercher d'abord le patient (GET /v1/patients). Sur un site dont
    le référentiel d'identités est externe : 403 `RI_IS_EXTERNAL`, sauf création d'urgence
    (`degraded`).
    """

    def effect() -> schemas.PatientOut:
        patient = service.create(
            session,
            feature,
            body.typed(),
            body.contact(),
            degraded=body.degraded,
            practice=principal.compartment.practice,
            actor=principal.actor,
        )
        note_hidden_twins(session, patient, visible(feature, principal.compartment.patients))
        return kept(session, patient, feature, principal, once.key)

    return once(principal.account_id, effect, headers=etag)


@router.get("/patients", summary="Rechercher un patient")
@satisfies("RIS.INS.07", "RIS.INS.09", "RIS.INS.10")
def search_patients(
    *,
    request: Request,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Reader,
    paging: Paging,
    birth_date: Annotated[
        Day | None, Query(description="Date de naissance, AAAA-MM-JJ", examples=["1990-01-31"])
    ] = None,
    name: Annotated[
        str,
        Query(max_length=100, description="Premières lettres du nom de naissance ou utilisé"),
    ] = "",
    given: Annotated[
        str,
        Query(max_length=100, description="Premières lettres de n'importe quel prénom"),
    ] = "",
    ipp: Annotated[
        str, Query(max_length=32, pattern=ONE_LINE, description="IPP exact ; seul critère alors")
    ] = "",
) -> Page[schemas.PatientOut]:
    """Recherche par date de naissance, affinée par des premières lettres, ou par IPP.

    Accents, apostrophes, traits d'union et espaces ne comptent pas. Sans date ni IPP : 422
    `SEARCH_TOO_BROAD`. L'IPP d'un dossier absorbé donne le dossier qui l'a absorbé. La liste ne
    porte jamais d'INS : ouvrir le dossier.
    """
    wanted = search.Criteria(birth_date=birth_date, name=name, given=given, ipp=ipp)
    found = service.find(
        session,
        wanted,
        feature.settings,
        _slice(paging),
        within=visible(feature, principal.compartment.patients)(Patient),
        actor=principal.actor,
    )
    following = _place(found)
    link(request, response, following)
    return Page(items=_listed(found, feature), next=following)


@router.post("/patients/search", summary="Rechercher par matricule INS")
@satisfies("RIS.INS.08")
def search_patients_by_ins(
    body: schemas.SearchIn, session: Db, feature: Feature, principal: InsReader
) -> Page[schemas.PatientOut]:
    """Recherche par matricule INS complet, clé contrôlée d'abord (422 `INS_KEY_INVALID`).

    Le matricule voyage dans le corps, jamais dans une adresse. Un résultat au plus par autorité.
    """
    wanted = search.Criteria(matricule=body.matricule.strip().upper())
    within = visible(feature, principal.compartment.patients)(Patient)
    found = service.find(session, wanted, feature.settings, within=within, actor=principal.actor)
    return Page(items=_listed(found, feature))


@router.get("/patients/{patient_id}", summary="Lire un dossier patient")
@satisfies("RIS.INS.02", "RIS.INS.03", "RIS.INS.05")
def read_patient(
    patient_id: UUID, session: Db, feature: Feature, principal: Reader, response: Response
) -> schemas.PatientOut:
    """Donne le dossier ; l'INS seulement si l'identité est qualifiée et l'accès habilité.

    Chaque lecture est au journal ; celle de l'INS y a sa propre ligne. `ETag` porte la version à
    renvoyer dans `If-Match`.
    """
    right = Permission.INS_READ in principal.permissions
    patient = service.consult(session, patient_id, ins_right=right, actor=principal.actor)
    return answered(patient, feature, principal, response)


@router.patch("/patients/{patient_id}", summary="Modifier un dossier patient")
@satisfies("RIS.INS.29", "RIS.INS.31")
def edit_patient(
    patient_id: UUID,
    *,
    request: Request,
    body: schemas.PatientEdit,
    session: Db,
    feature: Feature,
    principal: Writer,
    version: Version,
    response: Response,
) -> schemas.PatientOut:
    """Modifie des traits ou les coordonnées ; les champs absents restent en l'état.

    Un trait strict d'une identité récupérée ou qualifiée demande l'habilitation « corriger une
    identité verrouillée » (403 `IDENTITY_TRAITS_LOCKED`), une connexion récente (401
    `psc_step_up_required`) et un motif ; l'INS est alors retirée et
    le statut redescend. Référentiel externe : 403 `RI_IS_EXTERNAL` pour tout trait strict.
    """
    with as_superuser(request, principal) as superuser:
        patient = service.edit(
            session,
            feature,
            patient_id,
            body.changed(),
            body.contact(),
            version=version,
            superuser=superuser,
            reason=body.reason,
            actor=principal.actor,
        )
    return changed(session, patient, feature, principal, response)


@router.post(
    "/patients/{patient_id}/documents",
    status_code=201,
    response_model=schemas.DocumentOut,
    summary="Enregistrer le titre présenté",
)
@satisfies("RIS.INS.18", "RIS.INS.20", "RIS.INS.24")
def record_document(
    patient_id: UUID,
    *,
    body: schemas.DocumentIn,
    session: Db,
    once: Once,
    feature: Feature,
    principal: Writer,
    version: Version,
) -> Response:
    """Enregistre le type de la pièce présentée et, sur demande, valide l'identité.

    `If-Match` dit quels traits ont été comparés à la pièce. Seul un titre de haut niveau de
    confiance et en cours de validité valide, par une personne habilitée ; ni numéro ni image.
    """

    def effect() -> schemas.DocumentOut:
        document = validation.record_document(
            session,
            feature,
            patient_id,
            validation.Shown(body.type, body.expires_on, body.companion),
            version=version,
            validate=body.validate_identity,
            validation_right=Permission.IDENTITY_VALIDATE in principal.permissions,
            actor=principal.actor,
        )
        patient = service.get(session, patient_id)
        return schemas.document_shown(
            document, kept(session, patient, feature, principal, once.key)
        )

    return once(principal.account_id, effect, headers=etag)


@router.get(
    "/identity-documents",
    dependencies=[Depends(require(Permission.PATIENT_READ))],
    summary="Lister les titres d'identité du site",
)
@satisfies("RIS.INS.19")
def list_document_types(feature: Feature) -> list[schemas.DocumentTypeOut]:
    """Donne les titres d'identité acceptés par le site et leur niveau de confiance."""
    documents = feature.settings.documents
    return [schemas.DocumentTypeOut.model_validate(one, from_attributes=True) for one in documents]


@router.put("/patients/{patient_id}/attributes/{attribute}", summary="Poser un attribut")
@satisfies("RIS.INS.27")
def set_attribute(
    patient_id: UUID,
    *,
    attribute: Attribute,
    body: schemas.AttributeIn,
    session: Db,
    feature: Feature,
    principal: Writer,
    version: Version,
    response: Response,
) -> schemas.PatientOut:
    """Pose un attribut ; « douteuse » et « fictive » ramènent l'identité à provisoire, sans INS.

    « homonyme » avertit et ne change pas le statut ; « fictive » ne se combine avec aucun autre
    (409 `IDENTITY_ATTRIBUTE_CONFLICT`).
    """
    patient = validation.set_attribute(
        session,
        feature,
        patient_id,
        attribute,
        version=version,
        reason=body.reason,
        actor=principal.actor,
    )
    return changed(session, patient, feature, principal, response)


@router.delete("/patients/{patient_id}/attributes/{attribute}", summary="Retirer un attribut")
@satisfies()
def remove_attribute(
    patient_id: UUID,
    *,
    attribute: Attribute,
    session: Db,
    feature: Feature,
    principal: Writer,
    version: Version,
    response: Response,
    reason: Annotated[str, Query(max_length=500, pattern=SEVERAL_LINES, description="Motif")] = "",
) -> schemas.PatientOut:
    """Retire un attribut ; le statut ne remonte pas de lui-même."""
    patient = validation.remove_attribute(
        session,
        feature,
        patient_id,
        attribute,
        version=version,
        reason=reason,
        actor=principal.actor,
    )
    return changed(session, patient, feature, principal, response)


@router.get("/patients/{patient_id}/history", summary="Historique d'une identité")
@satisfies("RIS.INS.26")
def read_history(
    *,
    request: Request,
    response: Response,
    patient_id: UUID,
    session: Db,
    principal: Reader,
    paging: Paging,
) -> Page[schemas.HistoryOut]:
    """Donne l'historique des statuts, du plus ancien au plus récent : quoi, quand, qui, pourquoi.

    Les noms des champs modifiés y sont, jamais leurs valeurs.
    """
    window = journals.Window(patient_id=patient_id)
    rows, following = journals.changes(session, window, paging, actor=principal.actor)
    link(request, response, following)
    return Page(items=[schemas.history_shown(row) for row in rows], next=following)


def _listed(found: search.Found, feature: IdentityFeature) -> list[schemas.PatientOut]:
    """A list shows no INS: the record does, and journals it."""
    extra = feature.settings.banner
    return [schemas.shown(patient, extra, ins_right=False) for patient in found.patients]


def _slice(paging: PageQuery) -> search.Slice:
    """Return the part of the list that a page asks for; raises `BadCursor`."""
    match paging.after:
        case None:
            return search.Slice(paging.limit)
        case (str(family), str(given), str(last)):
            with suppress(ValueError):
                return search.Slice(paging.limit, (family, given, UUID(last)))
    raise BadCursor


def _place(found: search.Found) -> str | None:
    """Return the cursor of the page after *found*; None on the last one."""
    if not found.more:
        return None
    last = found.patients[-1]
    return encode((last.birth_family, last.first_birth_given, str(last.id)))
