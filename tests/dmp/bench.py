"""A DMP in memory behind mutual TLS, a channel that feeds it, reports to send. No fixture here."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text

from ris.auth.values import Authentication, Professional, Structure
from ris.core import ids
from ris.core.crypto import Credential
from ris.core.db import Database
from ris.diffusion.model import Delivery
from ris.dmp.channel import DmpChannel
from ris.dmp.settings import DmpSettings
from ris.identity.values import NIR_TEST
from ris.reports import content_codec
from ris.reports.cda.build import build_n1
from ris.reports.channels import (
    Accepted,
    ChannelName,
    Operation,
    SendOrder,
    SignedDocument,
    Ticket,
)
from ris.reports.content import DocumentIds, ReportContent
from ris.reports.model import DocumentVersion, Report
from ris.sandbox.dmp import DmpPatient, DmpSandbox
from ris.sandbox.pki import TestPki, Usage
from tests.reports import sample

HOMOLOGATION = "SYNTH-000000-000"
PDF = b"%PDF-1.4 fictif"
CABINET_A = Structure("499700991013001", "Cabinet Docteur A", sector="SA07")
CABINET_B = Structure("499700991021012", "Cabinet Docteur B", sector="SA07")
SCM = "300000000991018"
DOCTOR_A = Professional(
    "899700991013", "FICTIF-A", "Alix", specialty="SM44", title="DR", structure=CABINET_A
)
DOCTOR_B = Professional(
    "899700991021", "FICTIF-B", "Béatrice", specialty="SM44", title="DR", structure=CABINET_B
)
INS = DmpPatient(NIR_TEST, sample.MATRICULE)


def settings(url: str, **changes: object) -> DmpSettings:
    values: dict[str, object] = {
        "patients_url": f"{url}/patients",
        "repository_url": f"{url}/repository",
        "registry_url": f"{url}/registry",
        "homologation": HOMOLOGATION,
        "source_oid": "1.2.250.1.213.99999.1",
        "installation_id": "TEST-1",
        "http": {"connect_timeout_s": 2, "total_timeout_s": 5},
    }
    return DmpSettings.model_validate(values | changes)


def report(author: Professional = DOCTOR_A, version: int = 1, **changes: object) -> ReportContent:
    """Return a report of *author*; versions share a setId, and version 2 replaces version 1."""
    made = sample.content(
        author=author,
        custodian=author.structure,
        n1=DocumentIds(ids.new_oid(), "2.25.77", version, "2.25.76" if version > 1 else None),
        n3=DocumentIds(ids.new_oid(), "2.25.78", version, "2.25.79" if version > 1 else None),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Bench:
    """Prepares deliveries as the signature does, and performs attempts as the engine does."""

    def __init__(self, database: Database, pki: TestPki, sandbox: DmpSandbox, url: str) -> None:
        self.database = database
        self.pki = pki
        self.sandbox = sandbox
        self.url = url
        self.missing: set[str] = set()
        self.signed_in = Authentication(datetime(2026, 1, 5, 8, 48, tzinfo=UTC), "PSC_CODE")
        self.channel = self.new_channel()

    def new_channel(self, **changes: object) -> DmpChannel:
        return DmpChannel(
            self.database, settings(self.url, **changes), self.credential_for, self.pki.trust
        )

    def credential_for(self, struct_idnat: str, usage: Usage) -> Credential:
        if struct_idnat in self.missing:
            return Credential(self.pki.directory / "absent.pem", self.pki.directory / "absent.key")
        return self.pki.organisation(struct_idnat, usage)

    def signed(self, content: ReportContent) -> SignedDocument:
        cda = build_n1(content, PDF)
        version = ids.new()
        return SignedDocument(version, ids.new(), content.patient.id, content, cda, b"", PDF)

    def prepare(
        self,
        document: SignedDocument,
        operation: Operation = Operation.SUBMIT,
        replaces: UUID | None = None,
        **changes: object,
    ) -> Ticket:
        """Freeze one delivery of *document*; the rows it hangs on are written without their own."""
        order = SendOrder(
            ids.new(),
            ChannelName.DMP,
            operation,
            replaces=replaces,
            **changes,  # type: ignore[arg-type]
        )
        with self.database.transaction() as session:
            session.execute(text("set local session_replication_role = replica"))
            if session.get(DocumentVersion, document.version_id) is None:
                session.add(_version(document, self.signed_in))
                session.add(_report(document))
            session.add(_delivery(document, order))
            session.flush()
            external_id = self.channel.prepare(session, document, order)
        return Ticket(
            order.delivery_id, document.version_id, ChannelName.DMP, operation, 1, external_id
        )

    def submit(self, content: ReportContent, **changes: object) -> tuple[SignedDocument, Ticket]:
        """Prepare and deliver a first sending."""
        document = self.signed(content)
        ticket = self.prepare(document, **changes)  # type: ignore[arg-type]
        self.deliver(ticket)
        return document, ticket

    def deliver(self, ticket: Ticket, attempt: int = 1) -> Accepted:
        return self.channel.deliver(replace(ticket, attempt_no=attempt))


def _report(document: SignedDocument) -> Report:
    now = document.content.signed_at
    return Report(
        id=document.report_id,
        patient_id=document.patient_id,
        exam_id=ids.new(),
        author_account_id=ids.new(),
        title=document.content.title,
        created_at=now,
        updated_at=now,
    )


def _version(document: SignedDocument, signed_in: Authentication) -> DocumentVersion:
    content = document.content
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return DocumentVersion(
        id=document.version_id,
        report_id=document.report_id,
        number=content.n1.version,
        kind=content.kind,
        content=content_codec.to_json(content),
        n1=document.n1,
        n3=document.n3,
        pdf=document.pdf,
        n1_sha256=sha256(document.n1).digest(),
        n3_sha256=sha256(document.n3).digest(),
        pdf_sha256=sha256(document.pdf).digest(),
        n1_unique_id=content.n1.unique_id,
        n3_unique_id=content.n3.unique_id,
        signed_by=ids.new(),
        signed_at=now,
        authenticated_at=signed_in.at,
        auth_method=signed_in.method,
        created_at=now,
    )


def _delivery(document: SignedDocument, order: SendOrder) -> Delivery:
    return Delivery(
        id=order.delivery_id,
        document_id=document.version_id,
        report_id=document.report_id,
        patient_id=document.patient_id,
        channel=order.channel,
        operation=order.operation,
        idempotency_key=str(order.delivery_id),
        lane=str(document.report_id),
        expires_at=datetime(2099, 1, 1, tzinfo=UTC),
    )
