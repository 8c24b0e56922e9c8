"""What came back: delivery reports (RFC 3464), read receipts (RFC 8098), errors, human replies.

Pure classification of one mail; lenient, because real senders are (mss.md §13). Fetching is
`inbox.py`; a receipt never does more than change the state of a message we really sent.
"""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from enum import StrEnum
from typing import Final

from ris.mss.address import PATIENT_DOMAIN
from ris.rem import satisfies


class ReceiptKind(StrEnum):
    """What kind of mail came back."""

    DSN = "DSN"
    MDN = "MDN"
    INTEGRATION_ERROR = "INTEGRATION_ERROR"
    REPLY = "REPLY"
    OTHER = "OTHER"


class ReceiptState(StrEnum):
    """What it says of our message."""

    DELIVERED = "DELIVERED"
    DELAYED = "DELAYED"
    BOUNCED = "BOUNCED"
    READ = "READ"
    READ_UNKNOWN = "READ_UNKNOWN"
    PROCESSED = "PROCESSED"
    PROCESSED_KO = "PROCESSED_KO"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One classified mail.

    *envid* is our ENVID, *references* the Message-IDs it names, surest first. *cause* explains a
    bounce (`UNKNOWN_MAILBOX`, `MES_CLOSED`…), *code* an integration error (900-906).
    """

    kind: ReceiptKind
    state: ReceiptState | None = None
    envid: str = ""
    references: tuple[str, ...] = ()
    cause: str = ""
    code: int | None = None


_AS_IS: Final = policy.default.clone(refold_source="none")
_ID: Final = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_ACTIONS: Final = {
    "delivered": ReceiptState.DELIVERED,
    "relayed": ReceiptState.DELIVERED,
    "expanded": ReceiptState.DELIVERED,
    "delayed": ReceiptState.DELAYED,
    "failed": ReceiptState.BOUNCED,
}
_DISPOSITIONS: Final = {
    "displayed": ReceiptState.READ,
    "processed": ReceiptState.PROCESSED,
    "dispatched": ReceiptState.DELIVERED,
    "deleted": ReceiptState.READ_UNKNOWN,
}
_MES_CAUSES: Final = {
    "5.1.1": "MES_NOT_FOUND",
    "5.1.3": "MES_INVALID_ADDRESS",
    "5.2.1": "MES_CLOSED",
    "5.2.3": "MES_TOO_LARGE",
    "5.3.4": "MES_TOO_LARGE",
}
_CAUSES: Final = {
    "5.1.1": "UNKNOWN_MAILBOX",
    "5.1.2": "OUT_OF_TRUST_SPACE",
    "5.2.1": "MAILBOX_CLOSED",
    "5.2.2": "MAILBOX_FULL",
    "5.3.4": "TOO_LARGE",
}
_KO: Final = re.compile(
    r"^\s*\[\s*(?:KO\s+Int[ée]gration\s+syst[èe]me|Erreur\s+d.int[ée]gration)\s*!?\s*\]"
    r"\s*(?:\[\s*(\d{3})\s*\])?",
    re.IGNORECASE,
)
_KO_DISPOSITION: Final = re.compile(r"processed\s*/\s*error\s*:?\s*(\d+)?", re.IGNORECASE)


@satisfies("RIS.MSS.18")
def classify(raw: bytes) -> Receipt:
    """Return what the mail *raw* says; kind OTHER when it is none of our business."""
    mail = message_from_bytes(raw, policy=policy.default)
    report = str(mail.get_param("report-type") or "").lower()
    references = _references(mail)
    if mail.get_content_type() == "multipart/report" and report == "delivery-status":
        return _dsn(_part(mail, "message/delivery-status"), references)
    if mail.get_content_type() == "multipart/report" and report == "disposition-notification":
        return _mdn(_part(mail, "message/disposition-notification"), references)
    subject = _KO.match(str(mail["Subject"] or ""))
    if subject:
        code = int(subject.group(1)) if subject.group(1) else None
        state = ReceiptState.PROCESSED_KO if references else None
        return Receipt(ReceiptKind.INTEGRATION_ERROR, state, references=references, code=code)
    if mail["In-Reply-To"]:
        return Receipt(ReceiptKind.REPLY, references=references)
    return Receipt(ReceiptKind.OTHER)


def _dsn(text: str, references: tuple[str, ...]) -> Receipt:
    state = _ACTIONS.get(_field(text, "Action").lower())
    envid = _field(text, "Original-Envelope-Id")
    if not (envid or references):
        return Receipt(ReceiptKind.DSN)
    cause = ""
    if state is ReceiptState.BOUNCED:
        cause = _cause(_field(text, "Status"), text)
    return Receipt(ReceiptKind.DSN, state, envid, references, cause)


def _mdn(text: str, references: tuple[str, ...]) -> Receipt:
    original = _ID.findall(_field(text, "Original-Message-ID"))
    named = tuple(dict.fromkeys([*original, *references]))
    if not named:
        return Receipt(ReceiptKind.MDN)
    disposition = _field(text, "Disposition").rpartition(";")[2].strip()
    failed = _KO_DISPOSITION.match(disposition)
    if failed:
        code = int(failed.group(1)) if failed.group(1) else None
        return Receipt(ReceiptKind.MDN, ReceiptState.PROCESSED_KO, references=named, code=code)
    word = disposition.partition("/")[0].strip().lower()
    return Receipt(ReceiptKind.MDN, _DISPOSITIONS.get(word), references=named)


def _cause(status: str, text: str) -> str:
    recipient = _field(text, "Original-Recipient") or _field(text, "Final-Recipient")
    if recipient.lower().endswith(f"@{PATIENT_DOMAIN}"):
        return _MES_CAUSES.get(status, "MES_OTHER")
    return _CAUSES.get(status, "OTHER")


def _references(mail: EmailMessage) -> tuple[str, ...]:
    """Return the Message-IDs a mail names: returned headers first, then its own threading."""
    returned = [
        identifier
        for part in mail.walk()
        if part.get_content_type() in ("text/rfc822-headers", "message/rfc822")
        for identifier in _ID.findall(_field(_text(part), "Message-ID"))
    ]
    threaded = [
        identifier
        for name in ("In-Reply-To", "References")
        for identifier in _ID.findall(str(mail[name] or ""))
    ]
    return tuple(dict.fromkeys([*returned, *threaded]))


def _part(mail: EmailMessage, content_type: str) -> str:
    return next(
        (_text(part) for part in mail.walk() if part.get_content_type() == content_type), ""
    )


def _text(part: Message) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        return "\n".join(
            one.as_string(policy=_AS_IS) for one in payload if isinstance(one, Message)
        )
    return payload if isinstance(payload, str) else ""


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:[ \t]*(.*)$", text, re.IGNORECASE | re.MULTILINE)
    value = found.group(1).strip() if found else ""
    return value.partition(";")[2].strip() if value.lower().startswith("rfc822;") else value
