"""Delivery reports the operator writes (RFC 3464). Values in, bytes out."""

from dataclasses import dataclass
from email.utils import format_datetime, make_msgid
from typing import Final

from ris.core import clock

MTA: Final = "operateur.test.mssante.fr"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the message for one recipient."""

    recipient: str
    action: str
    status: str
    diagnostic: str

    @property
    def failed(self) -> bool:
        """Say whether it is bad news."""
        return self.action == "failed"


def report(outcome: Outcome, *, sender: str, envid: str, headers: bytes) -> bytes:
    """Return the report to *sender*; *headers* are those of the message reported on."""
    title = "Undelivered Mail Returned to Sender" if outcome.failed else "Delivery Report"
    boundary = f"report_{envid or 'none'}"
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{MTA}>",
        f"To: {sender}",
        f"Subject: {title}",
        f"Date: {format_datetime(clock.now())}",
        f"Message-ID: {make_msgid(domain=MTA)}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"{title}.",
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        f"Reporting-MTA: dns; {MTA}",
        *([f"Original-Envelope-Id: {envid}"] if envid else []),
        "",
        f"Final-Recipient: rfc822; {outcome.recipient}",
        f"Original-Recipient: rfc822;{outcome.recipient}",
        f"Action: {outcome.action}",
        f"Status: {outcome.status}",
        f"Diagnostic-Code: smtp; {outcome.diagnostic}",
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
    ]
    head = "\r\n".join(lines).encode()
    return b"\r\n".join((head, headers, f"--{boundary}--".encode(), b""))
