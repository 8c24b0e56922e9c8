"""Where the deliveries get documents and facts: the reports, the identity, the patient's choices.

The adapters behind the ports of `wiring`. They read the rooms below; they decide nothing
(`decision`) and send nothing.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth.directory import service as directory
from ris.auth.values import Authentication, Professional
from ris.core import clock
from ris.core.errors import NotFound, Stale
from ris.diffusion.decision import Facts
from ris.diffusion.recipients import Resolve
from ris.dmp import opposition
from ris.identity.rules import ins_to_output
from ris.identity.service import identity_of
from ris.identity.states import BLOCKING
from ris.identity.values import PatientIdentity
from ris.mss import consent
from ris.orders import service as orders
from ris.reports import freeze, service
from ris.reports.channels import SignedDocument
from ris.reports.content import Visibility
from ris.reports.errors import AuthorWithoutStructure, NotWritable
from ris.reports.freeze import ContentInputs
from ris.reports.lifecycle import State
from ris.reports.model import DocumentVersion, Report
from ris.reports.settings import ReportSettings

MAJORITY_YEARS = 18


class ReportDocuments:
    """The reports as `Diffusion.documents`; *resolve* completes the recipients' addresses."""

    def __init__(self, settings: ReportSettings, resolve: Resolve) -> None:
        self._settings = settings
        self._resolve = resolve

    def freeze(
        self,
        session: Session,
        report_id: UUID,
        signer: Professional,
        *,
        signed_by: UUID,
        authentication: Authentication | None,
        at: datetime,
        read_version: int | None = None,
    ) -> SignedDocument:
        """Gather what the report does not hold, then freeze its next version.

        Raises `AuthorWithoutStructure`, `Stale` when the report is no longer at *read_version*,
        `ExamNotCompleted` before the exam took place, and whatever `ris.reports.freeze.freeze`
        raises.
        """
        if signer.structure is None:
            raise AuthorWithoutStructure
        report = service.get(session, report_id, lock=True)
        if read_version not in (None, report.version):
            raise Stale("Relisez le compte rendu avant de le signer.")
        exam = orders.exam_record(session, report.exam_id)
        orders.require_closed(exam)
        order = orders.order_of(session, exam)
        copies = orders.recipients_of(order)
        inputs = ContentInputs(
            patient=identity_of(session, report.patient_id),
            author=signer,
            custodian=signer.structure,
            requester=self._resolve(session, orders.requester_of(order)),
            exams=(orders.exam_value(session, exam),),
            recipients=tuple(self._resolve(session, one) for one in copies),
        )
        version = freeze.freeze(
            session,
            report,
            inputs,
            signed_by=signed_by,
            authentication=authentication,
            at=at,
            settings=self._settings,
        )
        return freeze.signed_document(session, version.id)

    def renew(self, session: Session, report_id: UUID) -> SignedDocument:
        """Freeze version N+1 with the identity and the visibility of now (rulings 17, 35)."""
        report = service.get(session, report_id, lock=True)
        identity = identity_of(session, report.patient_id)
        version = freeze.freeze_identity(
            session, report, identity, at=clock.now(), settings=self._settings
        )
        return freeze.signed_document(session, version.id)

    def load(self, session: Session, document_id: UUID) -> SignedDocument:
        """Return a signed version with the very bytes stored."""
        return freeze.signed_document(session, document_id)

    def current(self, session: Session, report_id: UUID) -> SignedDocument:
        """Return the signed version in force. Raises `ReportNotFound`, `NotWritable`."""
        version = service.current_version(session, service.get(session, report_id))
        if version is None or version.status != State.VALIDATED:
            raise NotWritable("Aucune version signée en vigueur.")
        return freeze.signed_document(session, version.id)

    def correspondent(self, session: Session, document: SignedDocument, rpps: str) -> Professional:
        """Return who has *rpps* in the document, else in the directory. Raises NotFound."""
        content = document.content
        people = (content.requester, *content.recipients)
        named = next((person for person in people if person.rpps == rpps), None)
        if named is not None:
            return self._resolve(session, named)
        entry = directory.stored(session, rpps)
        if entry is None:
            raise NotFound("Ce professionnel n'est pas dans l'annuaire.")
        return self._resolve(session, entry.professional)


class CurrentFacts:
    """The facts of the sending decision as they are now (`Diffusion.facts`)."""

    def __init__(self, *, send_without_qualified_ins: bool) -> None:
        self._without_ins = send_without_qualified_ins

    def __call__(self, session: Session, document_id: UUID) -> Facts:
        """Return the facts of the signed version *document_id*."""
        version = session.get_one(DocumentVersion, document_id)
        report = session.get_one(Report, version.report_id)
        identity = identity_of(session, report.patient_id)
        written = freeze.signed_document(session, document_id).content.patient
        refusals = consent.refusals(session, report.patient_id)
        return Facts(
            validated=version.status == State.VALIDATED,
            qualified=carries_its_ins(written, identity),
            doubtful=bool(BLOCKING & identity.attributes),
            announcement_pending=service.awaits_announcement(report),
            dmp_opposed=opposition.is_opposed(session, report.patient_id, report.id),
            refuses_pro=refusals.professional,
            refuses_patient=refusals.patient,
            represented=is_minor(identity.traits.birth_date, clock.now().date()),
            visibility=frozenset(Visibility(code) for code in report.visibility),
            send_without_qualified_ins=self._without_ins,
        )


def carries_its_ins(written: PatientIdentity, now: PatientIdentity) -> bool:
    """Say whether the document carries the INS that the identity may carry today."""
    ins = ins_to_output(now)
    return ins is not None and ins == ins_to_output(written)


def is_minor(born: date, today: date) -> bool:
    """Say whether someone born on *born* is under 18 on *today*."""
    birthday = (today.month, today.day) >= (born.month, born.day)
    return today.year - born.year - (not birthday) < MAJORITY_YEARS
