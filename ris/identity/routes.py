"""The identity API: patients, search, INSi, documents, attributes, history. No rule here."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.core.db import Database
from ris.identity import calls, retrieval, schemas, search, service, validation, verification
from ris.identity.feature import IdentityFeature
from ris.identity.insi_desk import Calling, CardCallIn, calling
from ris.identity.insi_values import Query as InsiQuery
from ris.identity.insi_values import Subject
from ris.identity.model import Patient
from ris.identity.values import Attribute
from ris.rem import satisfies
from ris.web.etag import IfMatch, read_version
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])


def _feature(request: Request) -> IdentityFeature:
    feature: IdentityFeature = request.app.state.identity
    return feature


def _version(if_match: IfMatch = None) -> int:
    """Return the version the caller read; raises PreconditionRequired."""
    return read_version(if_match)


Feature = Annotated[IdentityFeature, Depends(_feature)]
Version = Annotated[int, Depends(_version)]
Reader = Annotated[Principal, Depends(require(Permission.PATIENT_READ))]
Writer = Annotated[Principal, Depends(require(Permission.PATIENT_WRITE))]
InsReader = Annotated[Principal, Depends(require(Permission.INS_READ))]
InsiCaller = Annotated[Principal, Depends(require(Permission.INSI_CALL))]


@router.post("/patients", status_code=201)
@satisfies("RIS.INS.01", "RIS.INS.11", "RIS.INS.12")
def create_patient(
    body: schemas.PatientIn, session: Db, feature: Feature, principal: Writer, response: Response
) -> schemas.PatientOut:
    """Crée un dossier patient, au statut « identité provisoire »."""
    patient = service.create(session, feature, body.typed(), body.contact(), actor=principal.actor)
    return _shown(patient, feature, principal, response)


@router.get("/patients")
@satisfies("RIS.INS.07", "RIS.INS.09", "RIS.INS.10")
def search_patients(
    *,
    session: Db,
    feature: Feature,
    principal: Reader,
    birth_date: date | None = None,
    name: Annotated[str, Query(max_length=100)] = "",
    given: Annotated[str, Query(max_length=100)] = "",
    ipp: Annotated[str, Query(max_length=32)] = "",
) -> schemas.PatientList:
    """Recherche par date de naissance (et premières lettres), ou par IPP."""
    wanted = search.Criteria(birth_date=birth_date, name=name, given=given, ipp=ipp)
    return _listed(service.find(session, wanted, feature.settings, actor=principal.actor), feature)


@router.post("/patients/search")
@satisfies("RIS.INS.08")
def search_patients_by_ins(
    body: schemas.SearchIn, session: Db, feature: Feature, principal: InsReader
) -> schemas.PatientList:
    """Recherche par matricule INS complet, clé contrôlée ; jamais dans une adresse."""
    wanted = search.Criteria(matricule=body.matricule.strip().upper())
    return _listed(service.find(session, wanted, feature.settings, actor=principal.actor), feature)


@router.get("/patients/{patient_id}")
@satisfies("RIS.INS.02", "RIS.INS.03", "RIS.INS.05")
def read_patient(
    patient_id: UUID, session: Db, feature: Feature, principal: Reader, response: Response
) -> schemas.PatientOut:
    """Donne le dossier ; l'INS seulement si l'identité est qualifiée et l'accès habilité."""
    right = Permission.INS_READ in principal.permissions
    patient = service.consult(session, patient_id, ins_right=right, actor=principal.actor)
    return _shown(patient, feature, principal, response)


@router.patch("/patients/{patient_id}")
@satisfies("RIS.INS.29", "RIS.INS.31")
def edit_patient(
    patient_id: UUID,
    *,
    body: schemas.PatientEdit,
    session: Db,
    feature: Feature,
    principal: Writer,
    version: Version,
    response: Response,
) -> schemas.PatientOut:
    """Modifie des traits ou les coordonnées ; un trait verrouillé demande l'habilitation."""
    patient = service.edit(
        session,
        feature,
        patient_id,
        body.changed(),
        body.contact(),
        version=version,
        superuser=Permission.IDENTITY_SUPERUSER in principal.permissions,
        reason=body.reason,
        actor=principal.actor,
    )
    return _shown(patient, feature, principal, response)


@router.post("/patients/{patient_id}/insi-search", status_code=201)
@satisfies("RIS.INS.06", "RIS.INS.40", "RIS.INS.50")
def search_insi(
    patient_id: UUID,
    *,
    body: schemas.InsiSearchIn,
    request: Request,
    feature: Feature,
    principal: InsiCaller,
) -> schemas.RetrievalOut:
    """Interroge INSi et donne la comparaison à confirmer ; ne change pas l'identité."""
    database: Database = request.app.state.database
    with database.transaction() as session:
        subject = retrieval.prepare(session, patient_id)
        by = calling(session, feature, principal, body, body.card)
    asked = _asked(feature, by, subject, body.query())
    with database.transaction() as session:
        kept = retrieval.keep(
            session, feature, patient_id, subject, asked, caller=by.caller, actor=by.actor
        )
        shown = schemas.retrieval_shown(kept)
    if (failure := asked[-1].error) is not None:
        raise failure
    return shown


@router.post("/patients/{patient_id}/insi-verification", status_code=201)
@satisfies("RIS.INS.42", "RIS.INS.43")
def verify_insi(
    patient_id: UUID,
    *,
    request: Request,
    feature: Feature,
    principal: InsiCaller,
    body: CardCallIn | None = None,
) -> schemas.VerificationOut:
    """Vérifie l'INS du dossier ; un KO retire le matricule et ramène à provisoire."""
    database: Database = request.app.state.database
    told = body or CardCallIn()
    with database.transaction() as session:
        ready = verification.prepare(session, feature, patient_id)
        by = calling(session, feature, principal, told, told.card)
    asked = _asked(feature, by, ready.subject, ready.plain)
    with database.transaction() as session:
        kept = verification.keep(
            session, feature, patient_id, ready.subject, asked, caller=by.caller, actor=by.actor
        )
        right = Permission.INS_READ in principal.permissions
        patient = schemas.shown(kept.patient, feature.settings.banner, ins_right=right)
        made = [schemas.call_shown(call) for call in kept.calls]
    if (failure := asked[-1].error) is not None:
        raise failure
    return schemas.VerificationOut(result=kept.verdict, calls=made, patient=patient)


@router.get("/identity-worklist")
@satisfies("RIS.INS.43")
def read_identity_worklist(session: Db, feature: Feature, principal: Reader) -> schemas.PatientList:
    """Donne les identités à revoir, après un échec de vérification."""
    rows = verification.worklist(session, actor=principal.actor)
    return _listed(search.Found(rows, more=False), feature)


@router.post("/patients/{patient_id}/insi-acceptance", status_code=201)
@satisfies("RIS.INS.13", "RIS.INS.23", "RIS.INS.25")
def decide_insi(
    patient_id: UUID,
    *,
    body: schemas.InsiDecisionIn,
    session: Db,
    feature: Feature,
    principal: InsiCaller,
    response: Response,
) -> schemas.PatientOut:
    """Accepte ou rejette l'identité renvoyée par INSi."""
    if body.decision == "reject":
        patient = retrieval.reject(
            session, patient_id, body.retrieval_id, reason=body.reason, actor=principal.actor
        )
    else:
        patient = retrieval.accept(
            session,
            feature,
            patient_id,
            body.retrieval_id,
            validation_right=Permission.IDENTITY_VALIDATE in principal.permissions,
            reason=body.reason,
            actor=principal.actor,
        )
    return _shown(patient, feature, principal, response)


@router.get("/patients/{patient_id}/insi-calls")
@satisfies("RIS.INS.04", "RIS.INS.40")
def list_insi_calls(
    patient_id: UUID, session: Db, principal: InsiCaller
) -> list[schemas.InsiCallOut]:
    """Donne le journal des appels INSi du dossier : qui, quand, comment, quel code retour."""
    made = calls.listed(session, patient_id, actor=principal.actor)
    return [schemas.call_shown(call) for call in made]


@router.post("/patients/{patient_id}/documents", status_code=201)
@satisfies("RIS.INS.18", "RIS.INS.20", "RIS.INS.24")
def record_document(
    patient_id: UUID,
    *,
    body: schemas.DocumentIn,
    session: Db,
    feature: Feature,
    principal: Writer,
    response: Response,
) -> schemas.DocumentOut:
    """Enregistre le type de la pièce présentée et, sur demande, valide l'identité."""
    document = validation.record_document(
        session,
        feature,
        patient_id,
        validation.Shown(body.type, body.expires_on, body.companion),
        validate=body.validate_identity,
        validation_right=Permission.IDENTITY_VALIDATE in principal.permissions,
        actor=principal.actor,
    )
    shown = _shown(service.get(session, patient_id), feature, principal, response)
    return schemas.document_shown(document, shown)


@router.get("/identity-documents", dependencies=[Depends(require(Permission.PATIENT_READ))])
@satisfies("RIS.INS.19")
def list_document_types(feature: Feature) -> list[schemas.DocumentTypeOut]:
    """Donne les titres d'identité acceptés par le site et leur niveau de confiance."""
    documents = feature.settings.documents
    return [schemas.DocumentTypeOut.model_validate(one, from_attributes=True) for one in documents]


@router.put("/patients/{patient_id}/attributes/{attribute}")
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
    """Pose un attribut ; « douteuse » et « fictive » ramènent l'identité à provisoire."""
    patient = validation.set_attribute(
        session,
        feature,
        patient_id,
        attribute,
        version=version,
        reason=body.reason,
        actor=principal.actor,
    )
    return _shown(patient, feature, principal, response)


@router.delete("/patients/{patient_id}/attributes/{attribute}")
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
    reason: Annotated[str, Query(max_length=500)] = "",
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
    return _shown(patient, feature, principal, response)


@router.get("/patients/{patient_id}/history")
@satisfies("RIS.INS.26")
def read_history(patient_id: UUID, session: Db, principal: Reader) -> list[schemas.HistoryOut]:
    """Donne l'historique des statuts : avant, après, quand, par qui, pourquoi."""
    return [
        schemas.history_shown(row)
        for row in service.history(session, patient_id, actor=principal.actor)
    ]


def _shown(
    patient: Patient, feature: IdentityFeature, principal: Principal, response: Response
) -> schemas.PatientOut:
    response.headers["ETag"] = f'"{patient.version}"'
    right = Permission.INS_READ in principal.permissions
    return schemas.shown(patient, feature.settings.banner, ins_right=right)


def _asked(
    feature: IdentityFeature, by: Calling, subject: Subject, plain: InsiQuery | None
) -> tuple[calls.Asked, ...]:
    """Call INSi outside any transaction, in the name of the caller's structure."""
    limit = feature.settings.insi.max_calls
    return calls.ask(feature.require_insi(), subject, plain, caller=by.caller, limit=limit)


def _listed(found: search.Found, feature: IdentityFeature) -> schemas.PatientList:
    """A list shows no INS: the record does, and journals it."""
    extra = feature.settings.banner
    items = [schemas.shown(patient, extra, ins_right=False) for patient in found.patients]
    return schemas.PatientList(items=items, more=found.more)
