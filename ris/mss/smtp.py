"""One submission to an operator: STARTTLS, authentication, envelope, bytes. The only async room.

Knows the wire, not the deliveries. Every failure leaves as a `RemoteError` of `ris.core.errors`:
before the message has left it is `Transient`, afterwards `Lost` (mss.md §5.3-5.6).
"""

import asyncio
import base64
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from ris.core import clock
from ris.core.errors import Lost, Transient
from ris.mss.errors import OperatorAuthRefused, TlsRefused
from ris.mss.replies import Action, classify, enhanced_of, error_of, refused
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to submit, how long to wait (seconds), what size is safe when EHLO does not say."""

    host: str
    port: int
    connect_s: float = 15
    command_s: float = 30
    data_s: float = 300
    size_limit: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Login:
    """What proves the mailbox, on top of the client certificate of the TLS context."""

    mailbox: str
    sasl: Literal["external", "plain", "xoauth2", "none"]
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """The envelope and the frozen bytes."""

    sender: str
    recipient: str
    envid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The operator's positive answer, and the session it was given in (check A-03)."""

    code: int
    enhanced: str
    queue: str
    tls: str


def submit(endpoint: Endpoint, context: ssl.SSLContext, login: Login, parcel: Parcel) -> Receipt:
    """Hand *parcel* over and return the operator's answer. For a thread without an event loop."""
    return asyncio.run(_submit(endpoint, context, login, parcel))


@satisfies("RIS.MSS.01", "SC.MSS/CONF.05")
async def _submit(
    endpoint: Endpoint, context: ssl.SSLContext, login: Login, parcel: Parcel
) -> Receipt:
    client = aiosmtplib.SMTP(
        hostname=endpoint.host,
        port=endpoint.port,
        start_tls=False,
        local_hostname=parcel.sender.rpartition("@")[2],
        timeout=endpoint.connect_s,
    )
    wire: asyncio.BaseTransport | None = None
    try:
        await client.connect()
        wire = client.transport
        await _secure(client, context)
        client.timeout = endpoint.command_s
        await _authenticate(client, login)
        await _envelope(client, parcel, endpoint.size_limit)
        response = await _data(client, parcel.raw, endpoint.data_s)
        receipt = _receipt(client, response)
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=1)
        return receipt
    except aiosmtplib.SMTPResponseException as error:
        raise error_of(error.code, error.message, clock.now()) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Transient("L'opérateur MSSanté ne répond pas.") from error
    finally:
        await _hang_up(client, wire)


async def _hang_up(client: aiosmtplib.SMTP, wire: asyncio.BaseTransport | None) -> None:
    """Drop the connection now: a mere `close` would outlive the event loop of this call."""
    client.close()
    if isinstance(wire, asyncio.Transport):
        wire.abort()
        for _ in range(3):  # connection_lost, then the close of the socket
            await asyncio.sleep(0)


async def _secure(client: aiosmtplib.SMTP, context: ssl.SSLContext) -> None:
    """Raise TLS; no fallback to clear text, whatever the server says."""
    await client.ehlo()
    if not client.supports_extension("starttls"):
        raise TlsRefused("L'opérateur n'offre pas STARTTLS : rien n'a été envoyé.")
    try:
        await client.starttls(tls_context=context)
    except aiosmtplib.SMTPServerDisconnected as error:  # a refusal often shows as a mere cut
        raise TlsRefused(remote_code=_tls_cause(error)) from error
    except ssl.SSLError as error:
        raise TlsRefused(remote_code=error.reason) from error
    await client.ehlo()


def _tls_cause(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause.reason or "TLS"
        cause = cause.__cause__ or cause.__context__
    return "EOF"


@satisfies("SC.MSS/CONF.07", "SC.MSS/CONF.12")
async def _authenticate(client: aiosmtplib.SMTP, login: Login) -> None:
    """Prove the mailbox. A connection cut on the answer is a refusal (mss.md §5.5)."""
    if login.sasl == "none":
        return
    try:
        if login.sasl == "xoauth2":
            await client.auth_xoauth2(login.mailbox, login.secret)
        elif login.sasl == "plain":
            await client.auth_plain(login.mailbox, login.secret)
        else:
            await _external(client, login.mailbox)
    except aiosmtplib.SMTPServerDisconnected as error:
        raise OperatorAuthRefused(remote_code="EOF") from error


async def _external(client: aiosmtplib.SMTP, mailbox: str) -> None:
    """AUTH EXTERNAL (RFC 4422 appendix A): the certificate proves, the mailbox is asked for."""
    identity = base64.b64encode(mailbox.encode())
    response = await client.execute_command(b"AUTH", b"EXTERNAL", identity)
    if response.code != aiosmtplib.SMTPStatus.auth_successful:
        raise aiosmtplib.SMTPAuthenticationError(response.code, response.message)


async def _envelope(client: aiosmtplib.SMTP, parcel: Parcel, size_limit: int) -> None:
    announced = client.esmtp_extensions.get("size", "")
    limit = int(announced) if announced.isdigit() else size_limit
    if 0 < limit < len(parcel.raw):
        raise refused("TOO_LARGE")
    if client.supports_extension("dsn"):
        try:
            await _mail_and_rcpt(client, parcel, notify=True)
        except aiosmtplib.SMTPResponseException as error:
            action, _ = classify(error.code, enhanced_of(error.message))
            if action is not Action.RETRY_WITHOUT_DSN:
                raise
            await client.rset()
        else:
            return
    await _mail_and_rcpt(client, parcel, notify=False)


async def _mail_and_rcpt(client: aiosmtplib.SMTP, parcel: Parcel, *, notify: bool) -> None:
    size = [f"SIZE={len(parcel.raw)}"] if client.supports_extension("size") else []
    returns = ["RET=HDRS", f"ENVID={parcel.envid}"] if notify else []
    wanted = ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;{parcel.recipient}"]
    await client.mail(parcel.sender, options=[*size, *returns])
    await client.rcpt(parcel.recipient, options=wanted if notify else [])


async def _data(client: aiosmtplib.SMTP, raw: bytes, timeout: float) -> aiosmtplib.SMTPResponse:
    """Send the message. Once DATA is under way, a cut or a silence says nothing of the effect."""
    try:
        return await client.data(raw, timeout=timeout)
    except aiosmtplib.SMTPResponseException:
        raise
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Lost("La réponse de l'opérateur MSSanté s'est perdue.") from error


def _receipt(client: aiosmtplib.SMTP, response: aiosmtplib.SMTPResponse) -> Receipt:
    tls = client.get_transport_info("ssl_object")
    suite = tls.cipher() if isinstance(tls, ssl.SSLObject) else None
    session = f"{tls.version()} {suite[0]}" if suite else ""
    enhanced = enhanced_of(response.message)
    return Receipt(response.code, enhanced, response.message.splitlines()[0][:120], session)
