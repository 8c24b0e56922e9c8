"""Freezing a version: the artefacts of what was signed, stored for good in `document_version`.

Called inside the signing transaction (`ris.diffusion.signing`); knows nothing of deliveries.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth.values import Authentication, Professional, Structure
from ris.core import ids
from ris.core.audit import Actor
from ris.identity.rules import ins_to_output
from ris.identity.values import PatientIdentity
from ris.orders.values import Exam
from ris.rem import satisfies
from ris.reports import content_codec, service
from ris.reports.artefacts import make
from ris.reports.channels import SignedDocument
from ris.reports.content import DocumentIds, ReportContent, VersionKind
from ris.reports.errors import NotWritable, ReportNotFound
from ris.reports.lifecycle import Event, State, after
from ris.reports.model import DocumentVersion, Report
from ris.reports.settings import ReportSettings


@dataclass(frozen=True, slots=True)
class ContentInputs:
    """What the report does not hold itself and the signer's edge hands in."""

    patient: PatientIdentity
    author: Professional
    custodian: Structure
    requester: Professional
    exams: tuple[Exam, ...]
    recipients: tuple[Professional, ...] = ()
    transcriber: Professional | None = None


@satisfies("RIS.CRR.01", "LOC-CRR-01")
def freeze(
    session: Session,
    report: Report,
    inputs: ContentInputs,
    *,
    signed_by: UUID,
    authentication: Authentication | None,
    at: datetime,
    settings: ReportSettings,
) -> DocumentVersion:
    """Validate *report* at *at*: build, hash and store version N+1; version N becomes REPLACED.

    *report* must be locked by the caller, *signed_by* is the signer's account, *authentication*
    the sign-in he acts in. Raises `IllegalTransition`, `ContentRefused` (all problems of the
    content), `DocumentInvalid`.
    """
    status = after(State(report.status), Event.VALIDATE)
    previous = service.current_version(session, report)
    content = ReportContent(
        title=report.title,
        patient=inputs.patient,
        author=inputs.author,
        custodian=inputs.custodian,
        requester=inputs.requester,
        recipients=inputs.recipients,
        exams=inputs.exams,
        sections=service.sections_of(report),
        n1=_ids(report.n1_set_id, previous, previous.n1_unique_id if previous else None),
        n3=_ids(report.n3_set_id, previous, previous.n3_unique_id if previous else None),
        created_at=at,
        signed_at=at,
        kind=VersionKind(report.draft_kind),
        visibility=service.visibility_of(report),
        transcriber=inputs.transcriber,
    )
    version = _store(session, report, content, previous, signed_by=signed_by, settings=settings)
    if authentication is not None:
        version.authenticated_at = authentication.at
        version.auth_method = authentication.method
    report.status = status
    report.author_account_id = signed_by
    report.to_validate = False
    session.flush()
    return version


def freeze_identity(
    session: Session,
    report: Report,
    patient: PatientIdentity,
    *,
    at: datetime,
    settings: ReportSettings,
) -> DocumentVersion:
    """Store version N+1 of kind IDENTITY: version N with another *patient* identity (ruling 17).

    Same clinical content, author, time of signature and sign-in of the signer. A correction being
    written goes on. Raises `NotWritable` when nothing is signed or the signed version is deleted.
    """
    previous = service.current_version(session, report)
    if previous is None or previous.status != State.VALIDATED:
        raise NotWritable("Aucune version signée en vigueur.")
    before = content_codec.from_json(previous.content)
    content = replace(
        before,
        patient=patient,
        kind=VersionKind.IDENTITY,
        n1=_ids(report.n1_set_id, previous, previous.n1_unique_id),
        n3=_ids(report.n3_set_id, previous, previous.n3_unique_id),
        created_at=at,
        visibility=service.visibility_of(report),
    )
    version = _store(
        session, report, content, previous, signed_by=previous.signed_by, settings=settings
    )
    version.authenticated_at = previous.authenticated_at
    version.auth_method = previous.auth_method
    session.flush()
    return version


def withdraw(session: Session, report: Report, *, actor: Actor) -> DocumentVersion:
    """Delete the signed version in force and its report, which must be VALIDATED; return it.

    The sign-in of *actor* is kept when he is the signer: the deletion leaves in the signer's name.
    """
    report.status = after(State(report.status), Event.DELETE)
    version = service.current_version(session, report)
    if version is None:
        raise ReportNotFound("Aucune version signée.")
    version.status = after(State(version.status), Event.DELETE)
    if actor.account_id == version.signed_by:
        report.withdrawn_authenticated_at = actor.auth_time
        report.withdrawn_auth_method = actor.auth_method
    session.flush()
    return version


def signed_document(session: Session, version_id: UUID) -> SignedDocument:
    """Return the frozen artefacts of one version; raises `ReportNotFound`."""
    version = session.get(DocumentVersion, version_id)
    if version is None:
        raise ReportNotFound("Cette version n'existe pas.")
    content = content_codec.from_json(version.content)
    return SignedDocument(
        version_id=version.id,
        report_id=version.report_id,
        patient_id=content.patient.id,
        content=content,
        n1=version.n1,
        n3=version.n3,
        pdf=version.pdf,
    )


def _as_it_may_leave(content: ReportContent) -> ReportContent:
    """Return *content* without an INS that may not leave: frozen, it would outlive its status."""
    patient = content.patient
    return replace(content, patient=replace(patient, ins=ins_to_output(patient)))


def _ids(set_id: str, previous: DocumentVersion | None, replaces: str | None) -> DocumentIds:
    number = previous.number + 1 if previous else 1
    return DocumentIds(ids.new_oid(), set_id, number, replaces)


def _store(
    session: Session,
    report: Report,
    content: ReportContent,
    previous: DocumentVersion | None,
    *,
    signed_by: UUID,
    settings: ReportSettings,
) -> DocumentVersion:
    content = _as_it_may_leave(content)
    made = make(content, settings)
    version = DocumentVersion(
        id=ids.new(),
        report_id=report.id,
        number=content.n1.version,
        kind=content.kind,
        content=content_codec.to_json(content),
        n1=made.n1,
        n3=made.n3,
        pdf=made.pdf,
        n1_sha256=sha256(made.n1).digest(),
        n3_sha256=sha256(made.n3).digest(),
        pdf_sha256=sha256(made.pdf).digest(),
        n1_unique_id=content.n1.unique_id,
        n3_unique_id=content.n3.unique_id,
        signed_by=signed_by,
        signed_at=content.signed_at,
        created_at=content.created_at,
        replaces_id=previous.id if previous else None,
    )
    if previous:
        previous.status = after(State(previous.status), Event.REPLACE)
    session.add(version)
    report.current_version = version.number
    report.updated_at = content.created_at
    return version
