"""Outgoing HTTP: one verified client, one way to send, errors told apart by what the caller may do.

No service's path, header or vocabulary lives here. The environment's proxies are not followed
(`trust_env=False`): where a health network's calls go is a setting, not an accident of the shell.
"""

import ssl
import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import httpx

from ris.core import clock, http_deadline
from ris.core.crypto import Credential
from ris.core.errors import Lost, NotConfigured, RemoteError, Throttled, Transient
from ris.core.settings import HttpSettings

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1: no effect to lose
_BODY_LEFT: Final = "send_request_body.complete"
_DEADLINE: Final = "ris.deadline"
_ENCODED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
MAX_BYTES: Final = 100_000_000
TOO_LARGE: Final = "TOO_LARGE"


def context(*, trust: Path | None, credential: Credential | None = None) -> ssl.SSLContext:
    """Return a client TLS context: TLS 1.2 at least, server verified, never switched off.

    *trust* is a PEM bundle (None: the system's store); *credential* is presented when asked for.
    Raises `NotConfigured` when one of the files cannot be used.
    """
    try:
        tls = ssl.create_default_context(cafile=str(trust) if trust else None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if credential:
            credential.present(tls)
    except (OSError, ssl.SSLError) as error:
        raise NotConfigured("Certificat ou magasin de confiance illisible.") from error
    return tls


def client(
    *, trust: Path | None, credential: Credential | None = None, settings: HttpSettings
) -> httpx.Client:
    """Return a client that verifies the server and presents *credential* when there is one.

    Redirects are not followed. The caller closes it. See `context` for the arguments.
    """
    transport = http_deadline.Transport(context(trust=trust, credential=credential))
    return httpx.Client(transport=transport, timeout=timeouts(settings), trust_env=False)


def timeouts(settings: HttpSettings) -> httpx.Timeout:
    """Return the time-outs of a client."""
    total = settings.total_timeout_s
    return httpx.Timeout(total, connect=min(settings.connect_timeout_s, total))


def call(
    client: httpx.Client,
    request: httpx.Request,
    *,
    keep_5xx: bool = False,
    max_bytes: int = MAX_BYTES,
) -> httpx.Response:
    """Send *request* and return the whole answer when it is not an outage.

    Raises `Transient` when nothing can have been done (DNS, connection, TLS, 5xx), `Throttled` on
    429 and on 503 with `Retry-After`, `Lost` when the request left and no usable answer came. A
    safe method (RFC 9110 §9.2.1) is never `Lost`. *keep_5xx*: a 5xx that carries XML (a SOAP
    fault) is returned. An answer is read no further than *max_bytes*, once decompressed. The
    `remote_code` is `CONNECT`, `HANDSHAKE`, `TLS`, `TIMEOUT`, `CUT`, `TOO_LARGE` or
    `HTTP_<status>`.
    """
    progress = _Progress()
    request.extensions = {**request.extensions, "trace": progress}
    deadline = time.monotonic() + _total(request)
    try:
        with http_deadline.until(deadline):
            response = _receive(client, request, deadline, max_bytes)
    except httpx.UnsupportedProtocol as error:
        raise NotConfigured("Adresse de service invalide.") from error
    except httpx.RequestError as error:
        raise _failure(error, effect=progress.body_left and request.method not in _SAFE) from error
    if outage := _outage(response, keep_5xx=keep_5xx):
        raise outage
    return response


class _TooLarge(httpx.RequestError):
    """The answer is larger than the caller takes."""

    def __init__(self, *, request: httpx.Request) -> None:
        super().__init__("too large", request=request)


class _Progress:
    """Follows one exchange, to know whether the request left entirely (httpcore's trace)."""

    def __init__(self) -> None:
        self.body_left = False

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        self.body_left = self.body_left or event.endswith(_BODY_LEFT)


def _receive(
    client: httpx.Client, request: httpx.Request, deadline: float, max_bytes: int
) -> httpx.Response:
    """Read the answer, no further than *max_bytes* nor than *deadline*."""
    received = client.send(request, stream=True)
    try:
        chunks, size = [], 0
        for chunk in received.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > max_bytes:
                raise _TooLarge(request=request)
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout(_DEADLINE, request=request)
    finally:
        received.close()
    return httpx.Response(
        received.status_code,
        headers=[pair for pair in received.headers.multi_items() if pair[0] not in _ENCODED],
        content=b"".join(chunks),
        request=request,
        extensions=received.extensions,
    )


def _total(request: httpx.Request) -> float:
    read = request.extensions.get("timeout", {}).get("read")
    return float(read) if read is not None else HttpSettings().total_timeout_s


def _failure(error: httpx.RequestError, *, effect: bool) -> RemoteError:
    if _refused_by_tls(error):
        return Transient(remote_code="TLS")
    if isinstance(error, httpx.ConnectError) and _in_tls(error):
        return Transient(remote_code="HANDSHAKE")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Transient(remote_code="CONNECT")
    code = "TIMEOUT" if isinstance(error, httpx.TimeoutException) else "CUT"
    code = TOO_LARGE if isinstance(error, _TooLarge) else code
    return Lost(remote_code=code) if effect else Transient(remote_code=code)


def _refused_by_tls(error: BaseException | None) -> bool:
    """Say whether either side refused the other's certificate.

    In TLS 1.3 the server judges ours after we believe the handshake over, hence after the body.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
        if "ALERT" in reason and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA")):
            return True
        error = error.__cause__ or error.__context__
    return False


def _in_tls(error: BaseException | None) -> bool:
    """Say whether the connection died during the TLS handshake, nobody saying why."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _outage(response: httpx.Response, *, keep_5xx: bool) -> RemoteError | None:
    status = response.status_code
    code = f"HTTP_{status}"
    hint = response.headers.get("retry-after")
    if status == 429 or (status == 503 and hint):
        return Throttled(retry_at=_instant(hint), remote_code=code)
    if status < 500 or (keep_5xx and "xml" in response.headers.get("content-type", "")):
        return None
    return Transient(remote_code=code)


def _instant(hint: str | None) -> datetime | None:
    """Return the instant of a `Retry-After` (RFC 9110 §10.2.3): seconds, or an HTTP date."""
    if hint is None:
        return None
    if hint.strip().isdecimal():
        return clock.now() + timedelta(seconds=min(int(hint), 86_400))
    try:
        return parsedate_to_datetime(hint)
    except ValueError:
        return None
