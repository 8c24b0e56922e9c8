"""The exact RFC 5322 bytes of one mail: headers, body, archive, PDF (mss.md §9).

Pure: everything is given, nothing is drawn at random, so two builds are byte-identical.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from ris.mss.naming import ARCHIVE
from ris.rem import satisfies

_WIRE: Final = policy.SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Sender:
    """The sending mailbox: wire *address*, *label* shown, *reply_to* or an empty string."""

    address: str
    label: str
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class Pdf:
    """The readable copy beside the archive: *name* per ECO.2.1.6, bytes of the CDA's own PDF."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """One message about one patient to one recipient (ECO.2.1.1).

    *message_id* and *thread* keep their angle brackets; *thread* is the chain of the messages
    answered or replaced, oldest first. *codes* are the CDA codes in archive order, *qualified*
    says that the archive carries a qualified INS. *close_exchange* is `X-MSS-MES: FIN`.
    """

    message_id: str
    date: datetime
    sender: Sender
    recipient: str
    subject: str
    text: str
    nil: str
    archive: bytes | None = None
    pdfs: tuple[Pdf, ...] = ()
    codes: tuple[str, ...] = ()
    qualified: bool = False
    thread: tuple[str, ...] = ()
    read_receipt: bool = False
    delivery_receipt: bool = False
    close_exchange: bool = False
    automatic: bool = True


@satisfies("RIS.MSS.08", "RIS.MSS.10", "RIS.MSS.14")
def build(mail: Mail) -> bytes:
    """Return the bytes of *mail*, CRLF, 7 bit. Raises ValueError on CR or LF in a header value."""
    message = EmailMessage(policy=_WIRE)
    for name, value in _headers(mail):
        message[name] = value
    message.set_content(mail.text, charset="utf-8", cte="quoted-printable")
    if mail.archive is not None:
        _attach(message, "zip", ARCHIVE, mail.archive)
    for pdf in mail.pdfs:
        _attach(message, "pdf", pdf.name, pdf.data)
    if message.is_multipart():
        digest = hashlib.sha256(mail.message_id.encode()).hexdigest()
        message.set_boundary(f"=_ris_{digest[:32]}")
    return message.as_bytes()


def message_id(unique: str, sender_address: str) -> str:
    """Return the Message-ID built on *unique* in the sender's domain (RFC 5322 §3.6.4)."""
    return f"<{unique}@{sender_address.rpartition('@')[2]}>"


@satisfies("RIS.MSS.13")
def professional_label(title: str, given: str, family: str, entity: str) -> str:
    """Return the label of a nominative mailbox; *given* and *family* are mandatory."""
    if not (given and family):
        raise ValueError("given and family names are mandatory in the sender label (RIS.MSS.13)")
    name = " ".join(part for part in (title.capitalize(), given, family.upper()) if part)
    return f"{name} - {entity}" if entity else name


def _attach(message: EmailMessage, subtype: str, name: str, data: bytes) -> None:
    message.add_attachment(
        data, maintype="application", subtype=subtype, filename=name, params={"name": name}
    )


def _headers(mail: Mail) -> list[tuple[str, str | Address]]:
    sender = mail.sender
    headers: list[tuple[str, str | Address]] = [
        ("From", Address(display_name=sender.label, addr_spec=sender.address)),
        ("To", Address(addr_spec=mail.recipient)),
        ("Subject", mail.subject),
        ("Date", format_datetime(mail.date)),
        ("Message-ID", mail.message_id),
    ]
    if sender.reply_to:
        headers.append(("Reply-To", Address(addr_spec=sender.reply_to)))
    headers += _thread(mail.thread) + _receipts(mail) + _mss(mail)
    return headers


@satisfies("RIS.MSS.09")
def _thread(chain: tuple[str, ...]) -> list[tuple[str, str | Address]]:
    unique = tuple(dict.fromkeys(chain))
    return [("In-Reply-To", unique[-1]), ("References", " ".join(unique))] if unique else []


def _receipts(mail: Mail) -> list[tuple[str, str | Address]]:
    wanted = (
        ("Disposition-Notification-To", mail.read_receipt),
        ("Return-Receipt-To", mail.delivery_receipt),
    )
    return [(name, mail.sender.address) for name, asked in wanted if asked]


@satisfies("SC.MSS/CONF.14", "SC.MSS/CONF.15", "SC.MSS/CONF.16")
def _mss(mail: Mail) -> list[tuple[str, str | Address]]:
    headers: list[tuple[str, str | Address]] = [("X-MSS-NIL", mail.nil)]
    if mail.archive is not None:
        headers.append(("X-MSS-INS", "O" if mail.qualified else "N"))
        headers.append(("X-MSS-CODECDA", ",".join(mail.codes)))
    if mail.close_exchange:
        headers.append(("X-MSS-MES", "FIN"))
    if mail.automatic:
        headers.append(("Auto-Submitted", "auto-generated"))
    return headers
