"""From a signed document to the mail about it: subject, body, archive, headers.

Pure: identifiers and instants are given. The bytes themselves are laid out by `message.py`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

import ris
from ris.core.clock import PARIS
from ris.identity.rules import may_carry_ins
from ris.mss import bodies, message, naming, xdm
from ris.mss.bodies import Facts, Purpose
from ris.mss.message import Mail, Pdf, Sender
from ris.mss.settings import MailboxKind, MailboxSettings, MssSettings
from ris.rem import satisfies
from ris.reports.channels import ChannelName, SignedDocument
from ris.reports.content import ReportContent
from ris.reports.xds import DocumentEntry, SubmissionSet, dtm
from ris.reports.xds_source import document_entry

EDITOR: Final = "Segur RIS Core"


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is decided of one sending before it is written.

    *unique* makes the Message-ID and the ENVID, *submission_oid* names the SubmissionSet; *thread*
    is the chain of Message-IDs replaced, *previous* the local date of the last one.
    """

    channel: ChannelName
    purpose: Purpose
    recipient: str
    unique: UUID
    submission_oid: str
    at: datetime
    thread: tuple[str, ...] = ()
    previous: date | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """The mail, and what the row keeps in clear of it."""

    message_id: str
    raw: bytes
    archive: bytes
    codes: tuple[str, ...]
    qualified: bool


@satisfies("RIS.MSS.15", "RIS.MSS.19", "RIS.MSS.22")
def compose(
    document: SignedDocument, shipment: Shipment, mailbox: MailboxSettings, settings: MssSettings
) -> Composed:
    """Return the mail that carries *document* (CDA in IHE_XDM.zip, PDF/A-1 beside it)."""
    content = document.content
    cda = document.cda(settings.level)
    entry = document_entry(
        cda, visibility=content.visibility, source_id=settings.source_oid, pad_service_time=True
    )
    archive = xdm.build(
        [(entry, cda)], _submission_set(entry, shipment, settings), _emitter(content)
    )
    replacing = shipment.purpose is Purpose.REPLACE
    traits = content.patient.traits
    mail = Mail(
        message_id=message.message_id(str(shipment.unique), mailbox.address),
        date=shipment.at,
        sender=sender_of(content, mailbox),
        recipient=shipment.recipient,
        subject=naming.subject(
            [entry.type_code.label], traits.birth_family, traits.first_birth_given,
            traits.birth_date, replaces=replacing,
        ),
        text=_text(content, shipment, mailbox),
        nil=settings.nil,
        archive=archive,
        pdfs=(Pdf(pdf_name(content, entry), document.pdf),),
        codes=(entry.type_code.code,),
        qualified=may_carry_ins(content.patient),
        thread=shipment.thread,
        read_receipt=settings.read_receipt,
        delivery_receipt=settings.delivery_receipt,
        close_exchange=_is_patient(shipment) and not settings.allow_patient_reply,
    )  # fmt: skip
    return Composed(mail.message_id, message.build(mail), archive, mail.codes, mail.qualified)


@satisfies("RIS.MSS.13", "RIS.MSS.17")
def sender_of(content: ReportContent, mailbox: MailboxSettings) -> Sender:
    """Return who the mail says it is from, and the configured return address."""
    if mailbox.kind is not MailboxKind.PERSONAL:
        return Sender(mailbox.address, mailbox.label or mailbox.address, mailbox.reply_to)
    signer = content.author
    label = message.professional_label(
        signer.title, signer.given, signer.family, content.custodian.name
    )
    return Sender(mailbox.address, label, mailbox.reply_to)


def pdf_name(content: ReportContent, entry: DocumentEntry) -> str:
    """Return the regulated name of the PDF of *content*: local date of the act first."""
    traits = content.patient.traits
    return naming.pdf_name(
        content.exams[0].started_at.astimezone(PARIS).date(),
        entry.type_code.label,
        traits.birth_family,
        traits.first_birth_given,
    )


def _submission_set(
    entry: DocumentEntry, shipment: Shipment, settings: MssSettings
) -> SubmissionSet:
    return SubmissionSet(
        unique_id=shipment.submission_oid,
        source_id=settings.source_oid,
        patient_id=entry.patient_id,
        submission_time=dtm(shipment.at),
        author=entry.authors[0],
        title=entry.title,
    )


def _emitter(content: ReportContent) -> xdm.Emitter:
    return xdm.Emitter(content.custodian, EDITOR, ris.__version__, EDITOR)


def _text(content: ReportContent, shipment: Shipment, mailbox: MailboxSettings) -> str:
    traits, exam, signer = content.patient.traits, content.exams[0], content.author
    given = traits.used_given or traits.first_birth_given
    facts = Facts(
        patient=f"{given} {traits.used_family or traits.birth_family}",
        exam=exam.procedure.label,
        exam_date=exam.started_at.astimezone(PARIS).date(),
        radiologist=f"{signer.title.capitalize()} {signer.given} {signer.family}".strip(),
        centre=content.custodian.name,
        phone=content.custodian.phone,
        previous=shipment.previous,
    )
    write = bodies.for_patient if _is_patient(shipment) else bodies.for_professional
    text = write(facts, shipment.purpose)
    if mailbox.kind is MailboxKind.APPLICATION:
        text += f"\n{bodies.application_notice(mailbox.reply_to)}"
    return text


def _is_patient(shipment: Shipment) -> bool:
    return shipment.channel is ChannelName.MSS_PATIENT
