"""The submission service: STARTTLS first, an authenticated mailbox, RFC 3461 parameters.

Only the SMTP dialogue; what a message must hold is `rules.py`, who may send `accounts.py`.
"""
# ruff: noqa: N802 - aiosmtpd finds commands and mechanisms by these names

import asyncio
import base64
import binascii
import ssl
from collections.abc import Iterable
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from ris.sandbox.faults import Fault, Faults
from ris.sandbox.mss.accounts import Directory, subject_of
from ris.sandbox.mss.reports import Outcome, report
from ris.sandbox.mss.rules import MessageRefused, check
from ris.sandbox.mss.store import INBOX, SENT, Store, Submitted

SIZE_LIMIT: Final = 26_214_400
_CHALLENGE: Final = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"mail"}').decode()


class Submission(SMTP):
    """aiosmtpd, taught RFC 3461 parameters, SASL EXTERNAL and XOAUTH2."""

    dsn: dict[str, str]

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Take RET and ENVID out, refuse before TLS, then let aiosmtpd go on."""
        self.dsn, rest = _take(arg, ("RET", "ENVID"))
        await super().smtp_MAIL(rest)

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Take NOTIFY and ORCPT out and remember NOTIFY."""
        options, rest = _take(arg, ("NOTIFY", "ORCPT"))
        before = len(self.envelope.rcpt_tos) if self.envelope else 0
        await super().smtp_RCPT(rest)
        if self.envelope and len(self.envelope.rcpt_tos) > before:
            self.envelope.rcpt_options.append(options.get("NOTIFY", ""))

    async def smtp_DATA(self, arg: str) -> None:
        """Let a `close_mid_message` fault cut the connection once the content begins."""
        fault = self.event_handler.faults.next("smtp.data.begin")
        if fault:
            await self.push("354 go ahead")
            await fault.wait_async()
            _cut(self)
            return
        await super().smtp_DATA(arg)


class Handler:
    """The operator's decisions at each step of the dialogue."""

    def __init__(
        self, directory: Directory, whitelist: Iterable[str], store: Store, faults: Faults
    ) -> None:
        self.directory = directory
        self.whitelist = frozenset(domain.lower() for domain in whitelist)
        self.store = store
        self.faults = faults

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        """Announce DSN once TLS is up."""
        session.host_name = hostname
        return [*lines[:-1], "250-DSN", lines[-1]] if session.ssl else lines

    async def auth_PLAIN(self, server: SMTP, args: list[str]) -> AuthResult:
        """PLAIN (RFC 4616): mailbox and password."""
        blob = await _initial(server, args)
        parts = blob.split("\x00")
        if len(parts) == 3 and self.directory.by_password(parts[1], parts[2]):
            return AuthResult(success=True, auth_data=parts[1])
        return AuthResult(success=False, handled=False)

    async def auth_EXTERNAL(self, server: SMTP, args: list[str]) -> AuthResult:
        """EXTERNAL: the certificate of the channel proves the mailbox asked for."""
        mailbox = await _initial(server, args)
        if self.directory.by_certificate(_peer(server), mailbox):
            return AuthResult(success=True, auth_data=mailbox)
        return AuthResult(success=False, handled=False)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        """XOAUTH2: a refused token gets the JSON challenge, then 535."""
        mailbox = self.directory.by_xoauth2(await _initial(server, args))
        if mailbox:
            return AuthResult(success=True, auth_data=mailbox)
        await server.challenge_auth(_CHALLENGE, encode_to_b64=False)
        return AuthResult(success=False, handled=False)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a sender that the authenticated identity owns."""
        answer = await self._suffer(server, "smtp.mail")
        if answer:
            return answer
        login = session.auth_data if session.authenticated else None
        if login is None and not _peer(server):
            return "530 5.7.0 Authentication required"
        owned = (
            str(login).lower() == address.lower()
            if login
            else self.directory.by_certificate(_peer(server), address)
        )
        if not owned:
            return "553 5.7.1 Sender address not owned by the authenticated identity"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a recipient of the trust space; an unknown mailbox bounces later."""
        answer = await self._suffer(server, "smtp.rcpt")
        if answer:
            return answer
        if address.rpartition("@")[2].lower() not in self.whitelist:
            return "550 5.7.1 Domain outside the MSSante trust space"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: Submission, session: Session, envelope: Envelope) -> str:
        """Check the message, deliver it, write the reports."""
        fault = self.faults.next("smtp.data")
        if fault and not fault.after:
            answer = await _apply(server, fault)
            if answer:
                return answer
        raw = envelope.original_content or b""
        try:
            check(raw, str(envelope.mail_from), envelope.rcpt_tos)
        except MessageRefused as error:
            return f"554 5.6.0 {error}"
        login = str(session.auth_data) if session.authenticated else None
        submitted = Submitted(
            str(envelope.mail_from),
            tuple(envelope.rcpt_tos),
            raw,
            subject_of(_peer(server)),
            login,
            server.dsn.get("ENVID", ""),
            tuple(envelope.rcpt_options),
        )
        self._deliver(submitted)
        if fault and fault.after:
            answer = await _apply(server, fault)
            if answer:
                return answer
        return f"250 2.0.0 Ok: queued as {len(self.store.submitted):06d}"

    def _deliver(self, submitted: Submitted) -> None:
        self.store.submitted.append(submitted)
        self.store.append(submitted.sender, SENT, submitted.raw)
        head = submitted.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        for recipient, notify in zip(submitted.recipients, submitted.notify, strict=True):
            outcome = Outcome(recipient, "failed", "5.1.1", "550 5.1.1 User unknown")
            if self.directory.knows(recipient):
                self.store.append(recipient, INBOX, submitted.raw)
                outcome = Outcome(recipient, "delivered", "2.0.0", "250 2.0.0 Delivered")
            wanted = notify.upper().split(",") if notify else ["FAILURE"]
            if ("FAILURE" if outcome.failed else "SUCCESS") in wanted:
                answer = report(
                    outcome, sender=submitted.sender, envid=submitted.envid, headers=head
                )
                self.store.append(submitted.sender, INBOX, answer)

    async def _suffer(self, server: SMTP, operation: str) -> str | None:
        fault = self.faults.next(operation)
        return await _apply(server, fault) if fault else None


async def _apply(server: SMTP, fault: Fault) -> str | None:
    """Suffer *fault*: return the reply to give, or None to go on normally."""
    await fault.wait_async()
    if fault.kind == "delay":
        return None
    if fault.kind == "smtp":
        return f"{fault.status} {fault.code} injected fault".replace("  ", " ")
    _cut(server)
    return "421 4.3.0 cut"


def _cut(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()


async def _initial(server: SMTP, args: list[str]) -> str:
    """Return the decoded initial response of an AUTH command, asking for it when absent."""
    if len(args) > 1:
        try:
            return base64.b64decode(args[1], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
    asked = await server.challenge_auth("")
    return asked.decode() if isinstance(asked, bytes) else ""


def _peer(server: SMTP) -> bytes | None:
    secure: Any = server.transport.get_extra_info("ssl_object") if server.transport else None
    return secure.getpeercert(binary_form=True) if isinstance(secure, ssl.SSLObject) else None


def _take(arg: str | None, names: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """Return the ESMTP parameters *names* found in *arg*, and *arg* without them."""
    found: dict[str, str] = {}
    words = []
    for word in (arg or "").split(" "):
        key, _, value = word.partition("=")
        if key.upper() in names:
            found[key.upper()] = value
        else:
            words.append(word)
    return found, " ".join(words)
