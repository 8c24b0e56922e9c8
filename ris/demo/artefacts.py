"""Collecting what the demo produced into files: documents, archive, messages, journal.

Reads the API, the sandbox's captures and the journal; judges nothing.
"""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from sqlalchemy import select

from ris.core import audit
from ris.core.db import Database
from ris.demo.client import Browser, DemoFailure
from ris.sandbox.annuaire import REQUESTER_ADDRESS
from ris.sandbox.services import Sandbox

EXPECTED: Final = (
    "report-n1.xml", "report-n3.xml", "report.pdf", "IHE_XDM.zip", "dmp-iti41.mime",
    "mail-ps.eml", "mail-patient.eml", "audit.jsonl", "requirements.json", "requirements.md",
)  # fmt: skip


def collect(
    folder: Path, sandbox: Sandbox, database: Database, reader: Browser, report_id: str
) -> None:
    """Write every artefact but the requirement table; raises `DemoFailure` when one is missing."""
    version = f"/v1/reports/{report_id}/versions/1"
    for kind, name in (("n1", "report-n1.xml"), ("n3", "report-n3.xml"), ("pdf", "report.pdf")):
        (folder / name).write_bytes(reader.download(f"{version}/{kind}"))
    by_recipient = {one.recipients[0]: one.raw for one in sandbox.operator.messages}
    professional = by_recipient.pop(REQUESTER_ADDRESS, None)
    if professional is None or len(by_recipient) != 1:
        raise DemoFailure("Les deux messages attendus ne sont pas chez l'opérateur MSSanté.")
    (patient,) = by_recipient.values()
    (folder / "mail-ps.eml").write_bytes(professional)
    (folder / "mail-patient.eml").write_bytes(patient)
    (folder / "IHE_XDM.zip").write_bytes(attachment(professional, "application/zip"))
    fed = sandbox.dmp.submissions
    if len(fed) != 1:
        raise DemoFailure(f"Le DMP a reçu {len(fed)} soumission(s) au lieu d'une.")
    head = f"Content-Type: {fed[0].content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    (folder / "dmp-iti41.mime").write_bytes(head + fed[0].body)
    write_journal(folder / "audit.jsonl", database)


def write_journal(path: Path, database: Database) -> None:
    """Write the audit journal, one event a line with its hash; refuse a broken chain."""
    with database.transaction() as session:
        broken = next(audit.broken_links(session), None)
        if broken is not None:
            raise DemoFailure(f"Le journal est rompu à l'événement {broken}.")
        events = session.scalars(select(audit.AuditEvent).order_by(audit.AuditEvent.seq)).all()
        lines = [audit.exported(event) for event in events]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def parsed(raw: bytes) -> EmailMessage:
    """Return a mail as a message object."""
    message = message_from_bytes(raw, policy=policy.default)
    if not isinstance(message, EmailMessage):
        raise DemoFailure("Message illisible.")
    return message


def attachment(raw: bytes, media_type: str) -> bytes:
    """Return the bytes of the one attachment of *media_type*."""
    found = [
        part.get_payload(decode=True)
        for part in parsed(raw).iter_attachments()
        if part.get_content_type() == media_type
    ]
    if len(found) != 1 or not isinstance(found[0], bytes):
        raise DemoFailure(f"Pièce jointe {media_type} absente du message.")
    return found[0]
