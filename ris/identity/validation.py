"""What supports or undermines an identity: documents shown, attributes set and removed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.errors import Invalid
from ris.identity import change
from ris.identity.errors import (
    AttributeConflict,
    DocumentExpired,
    DocumentRefused,
    TransitionRefused,
    ValidationRight,
)
from ris.identity.feature import IdentityFeature
from ris.identity.model import IdentityDocument, Patient
from ris.identity.rules import document_refusal, traits_digest, with_attribute
from ris.identity.service import current
from ris.identity.settings import DocumentType
from ris.identity.states import BLOCKING, Event
from ris.identity.values import Attribute, Status
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Shown:
    """A document as shown at the desk: codes of the site's list, never a number."""

    type: str
    expires_on: date | None = None
    companion: str | None = None


@satisfies("RIS.INS.18", "RIS.INS.20", "RIS.INS.24")
def record_document(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    shown: Shown,
    *,
    version: int | None = None,
    validate: bool,
    validation_right: bool,
    actor: Actor,
) -> IdentityDocument:
    """Keep the type of the document shown and, when asked, validate the identity with it.

    *version* is that of the traits which were compared to the document. Raises `DocumentRefused`
    (off the list, or not of high trust for this patient), `DocumentExpired`, `ValidationRight`,
    `TransitionRefused`, `RiIsExternal`, `Stale`.
    """
    feature.require_repository()
    patient = current(session, patient_id, version)
    kind = _listed(feature, shown)
    if validate and not validation_right:
        raise ValidationRight
    problem = _problem(kind, patient, shown)
    if validate and problem:
        raise problem
    document = IdentityDocument(
        patient_id=patient.id,
        type=kind.code,
        trust=kind.trust,
        companion=shown.companion,
        expires_on=shown.expires_on,
        validated=validate or (not problem and _automatic(feature, patient)),
        traits_digest=traits_digest(patient.traits),
        account_id=actor.account_id,
        ps_idnat=actor.ps_idnat,
    )
    if document.validated:
        _climb(session, feature, patient, document, actor)
    session.add(document)
    session.flush()
    detail = {"document": kind.code, "validated": document.validated, "status": patient.status}
    _journal(session, "identity.document_recorded", patient, actor, detail)
    return document


@satisfies("RIS.INS.27")
def set_attribute(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    attribute: Attribute,
    *,
    version: int,
    reason: str,
    actor: Actor,
) -> Patient:
    """Set *attribute*; douteuse and fictive bring the identity down to provisoire.

    A doubt may be told even where the repository is another system: it holds back every output.

    Raises `AttributeConflict`, `Stale`.
    """
    if attribute is not Attribute.DOUTEUSE:
        feature.require_repository()
    patient = current(session, patient_id, version)
    patient.attributes = sorted(with_attribute(patient.identity.attributes, attribute))
    event = Event.ATTRIBUTE_SET
    _note(session, feature, patient, attribute, event=event, reason=reason, actor=actor)
    detail = {"attribute": attribute.value, "status": patient.status}
    _journal(session, "identity.attribute_set", patient, actor, detail)
    return patient


def remove_attribute(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    attribute: Attribute,
    *,
    version: int,
    reason: str,
    actor: Actor,
) -> Patient:
    """Remove *attribute*; the status stays where it is, the climb starts again (rem.md §9.1)."""
    feature.require_repository()
    patient = current(session, patient_id, version)
    if attribute not in patient.identity.attributes:
        raise AttributeConflict("Cet attribut n'est pas posé.")
    patient.attributes = sorted(patient.identity.attributes - {attribute})
    event = Event.ATTRIBUTE_REMOVED
    _note(session, feature, patient, attribute, event=event, reason=reason, actor=actor)
    _journal(session, "identity.attribute_removed", patient, actor, {"attribute": attribute.value})
    return patient


def mark_homonym(
    session: Session, feature: IdentityFeature, patient: Patient, *, reason: str, actor: Actor
) -> None:
    """Set the attribute homonyme where it may be: not twice, never beside fictive."""
    held = patient.identity.attributes
    if Attribute.HOMONYME in held or Attribute.FICTIVE in held:
        return
    patient.attributes = sorted(held | {Attribute.HOMONYME})
    homonym, event = Attribute.HOMONYME, Event.ATTRIBUTE_SET
    _note(session, feature, patient, homonym, event=event, reason=reason, actor=actor)


def checked_traits(session: Session, patient: Patient) -> bool:
    """Say whether a validated document saw the traits of today (ruling 2, ins.md R-STA-03)."""
    return (
        session.scalar(
            select(IdentityDocument.id)
            .where(IdentityDocument.patient_id == patient.id)
            .where(IdentityDocument.validated)
            .where(IdentityDocument.traits_digest == traits_digest(patient.traits))
            .limit(1)
        )
        is not None
    )


def _listed(feature: IdentityFeature, shown: Shown) -> DocumentType:
    kind = feature.settings.document(shown.type)
    known = shown.companion is None or feature.settings.document(shown.companion)
    if kind is None or not known:
        raise DocumentRefused("Ce type de titre n'est pas dans la liste du site.")
    return kind


def _problem(kind: DocumentType, patient: Patient, shown: Shown) -> Invalid | None:
    """Return why the document shown may not validate the identity of *patient*, if it may not."""
    today = _today()
    if why := document_refusal(kind, patient.birth_date, today, companion=shown.companion):
        return DocumentRefused(why)
    if shown.expires_on is not None and shown.expires_on < today:
        return DocumentExpired(f"Ce titre est expiré depuis le {shown.expires_on:%d/%m/%Y}.")
    return None


def _automatic(feature: IdentityFeature, patient: Patient) -> bool:
    climbing = patient.status in (Status.PROVISOIRE, Status.RECUPEREE)
    blocked = BLOCKING & patient.identity.attributes
    return feature.settings.automatic_validation and climbing and not blocked


def _climb(
    session: Session,
    feature: IdentityFeature,
    patient: Patient,
    document: IdentityDocument,
    actor: Actor,
) -> None:
    """Take the step, except for a validée identity whose traits changed: checked anew, it stays."""
    if patient.status == Status.VALIDEE and not checked_traits(session, patient):
        return
    if patient.status == Status.VALIDEE:
        raise TransitionRefused("L'identité est déjà validée.")
    evidence = {"document": document.type}
    change.apply(
        session, feature, patient, Event.DOCUMENT_VALIDATED, actor=actor, evidence=evidence
    )


def _note(
    session: Session,
    feature: IdentityFeature,
    patient: Patient,
    attribute: Attribute,
    *,
    event: Event,
    reason: str,
    actor: Actor,
) -> None:
    """Write the step of *attribute*; an homonyme has no effect on the status (ruling 10)."""
    patient.updated_at = clock.now()
    step = event if attribute in BLOCKING else Event.COMPLEMENTARY_TRAIT_CHANGED
    evidence = {"attribute": attribute.value, "act": event.value}
    change.apply(session, feature, patient, step, actor=actor, reason=reason, evidence=evidence)


def _today() -> date:
    return clock.now().astimezone(clock.PARIS).date()


def _journal(
    session: Session, action: str, patient: Patient, actor: Actor, detail: Mapping[str, object]
) -> None:
    target = ("patient", patient.id)
    record(session, action, actor=actor, target=target, patient_id=patient.id, detail=detail)
