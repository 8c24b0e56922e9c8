"""What the operator demands of a message at the end of DATA (mss.md §9, §10.3). Pure."""

import hashlib
import re
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from ris.sandbox.mss.accounts import PATIENT_DOMAIN
from ris.sandbox.mss.volume import Volume, VolumeRefused, read

_SUBJECT: Final = re.compile(r"XDM/1\.0/DDM\+\S[ -~]*")
_ONCE: Final = ("From", "To", "Subject", "Date", "Message-ID", "X-MSS-NIL")


class MessageRefused(Exception):
    """The message breaks a rule; the argument is the text after the reply code."""


def check(raw: bytes, sender: str, recipients: Sequence[str]) -> None:
    """Raise `MessageRefused` unless *raw* may leave from *sender* to *recipients*."""
    if b"\r\n\r\n" not in raw or re.search(rb"[^\r]\n", raw):
        raise MessageRefused("bare line feed")
    mail = message_from_bytes(raw, policy=policy.default)
    for name in _ONCE:
        if len(mail.get_all(name, [])) != 1:
            raise MessageRefused(f"{name} must appear once")
    _check_addresses(mail, sender, recipients)
    patients = [one for one in recipients if one.lower().endswith(f"@{PATIENT_DOMAIN}")]
    if mail["X-MSS-MES"] and not patients:
        raise MessageRefused("X-MSS-MES outside an exchange with a patient")
    archives = _attached(mail, "application/zip")
    if archives or str(mail["Subject"]).startswith("XDM/"):
        _check_document(mail, archives, patients)
    elif mail["X-MSS-INS"] or mail["X-MSS-CODECDA"]:
        raise MessageRefused("X-MSS-INS or X-MSS-CODECDA without a document")


def _check_addresses(mail: EmailMessage, sender: str, recipients: Sequence[str]) -> None:
    authors = [one.addr_spec.lower() for one in mail["From"].addresses]
    if authors != [sender.lower()]:
        raise MessageRefused("From differs from the envelope")
    if not mail["From"].addresses[0].display_name:
        raise MessageRefused("From without a label")
    named = {one.addr_spec.lower() for one in mail["To"].addresses}
    if named != {one.lower() for one in recipients}:
        raise MessageRefused("To differs from the envelope")


def _check_document(mail: EmailMessage, archives: list[bytes], patients: list[str]) -> None:
    if len(archives) != 1:
        raise MessageRefused("exactly one IHE_XDM.zip is expected")
    try:
        volume = read(archives[0])
    except VolumeRefused as error:
        raise MessageRefused(f"IHE_XDM.zip: {error}") from error
    subject = str(mail["Subject"])
    if not _SUBJECT.fullmatch(subject) or volume.family.upper() not in subject:
        raise MessageRefused("subject format")
    if mail["X-MSS-INS"] != ("O" if volume.matricule else "N"):
        raise MessageRefused("X-MSS-INS differs from the archive")
    if mail["X-MSS-CODECDA"] != ",".join(volume.type_codes):
        raise MessageRefused("X-MSS-CODECDA differs from the archive")
    for address in patients:
        if address.partition("@")[0] != volume.matricule:
            raise MessageRefused("patient address differs from the archive")
    _check_pdf(mail, volume)


def _check_pdf(mail: EmailMessage, volume: Volume) -> None:
    copies = _attached(mail, "application/pdf")
    if not copies or not all(data.startswith(b"%PDF-") for data in copies):
        raise MessageRefused("the PDF beside the archive is missing")
    if not volume.pdf_digests <= {hashlib.sha256(data).hexdigest() for data in copies}:
        raise MessageRefused("the PDF differs from the one in the CDA")


def _attached(mail: EmailMessage, content_type: str) -> list[bytes]:
    parts = [one for one in mail.walk() if one.get_content_type() == content_type]
    return [bytes(one.get_payload(decode=True) or b"") for one in parts]
