"""HTTP(S) listeners of the simulators: uvicorn in a thread, mutual TLS shown to the app.

No simulator's rule lives here. With mutual TLS the app reads the verified certificate in
`scope["extensions"]["tls"]["client_cert_chain"]` (PEM, names of the ASGI TLS extension).
"""

import asyncio
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ris.core.crypto import Credential
from ris.core.peer_certificate import PeerCertificate

ClientCert = Literal["none", "optional", "required"]
_CUT: Final = "ris.cut"
_START_S: Final = 10
_TURNS: Final = 3  # of the loop: abort, connection_lost of the socket, then of the TLS layer


async def hang_up() -> None:
    """Cut every connection of the running loop that is still open.

    A TLS client that keeps an idle connection never answers `close_notify`: without this its
    transport would outlive the loop.
    """
    # asyncio keeps no public list of them
    open_ones = getattr(asyncio.get_running_loop(), "_transports", {})
    for transport in list(open_ones.values()):
        transport.abort()
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class Running:
    """A listening server. `stop()` waits until it is down; also a context manager."""

    def __init__(self, server: uvicorn.Server, bound: socket.socket, *, secure: bool) -> None:
        self.port: int = bound.getsockname()[1]
        self.url = f"{'https' if secure else 'http'}://localhost:{self.port}"
        self._server = server
        self._socket = bound
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [bound]}, name=f"sandbox-{self.port}", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                bound.close()
                raise RuntimeError(f"the sandbox server on port {self.port} did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """Close every connection and wait for the thread to end."""
        self._server.should_exit = True
        if isinstance(self._server, _Server):
            self._server.wake()
        self._thread.join(_START_S)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()


def serve(
    app: ASGIApp,
    *,
    tls: Credential | None = None,
    client_ca: Path | None = None,
    client_cert: ClientCert = "none",
    crl: Path | None = None,
    port: int = 0,
) -> Running:
    """Serve *app* on 127.0.0.1 and return once it answers.

    *tls* makes it HTTPS. *client_cert* asks for a certificate issued under *client_ca*; a revoked
    one is refused at the handshake when *crl* (PEM) is given. *port* 0 picks a free one; the url
    says `localhost`, the name in the test certificates.
    """
    factory = None
    if tls:
        context = server_context(tls, client_ca=client_ca, client_cert=client_cert, crl=crl)

        def factory(_config: object, _default: object) -> ssl.SSLContext:
            return context

    config = uvicorn.Config(
        app,
        http=_Cuttable,
        ws="none",
        log_config=None,
        access_log=False,
        ssl_context_factory=factory,
        loop="asyncio",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=60,  # a slow machine must not lose a request to an idle connection
    )
    # asyncio sends at once (TCP_NODELAY) only on a socket that says it is TCP: 40 ms an answer else
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return Running(_Server(config), bound, secure=tls is not None)


def server_context(
    tls: Credential,
    *,
    client_ca: Path | None = None,
    client_cert: ClientCert = "none",
    crl: Path | None = None,
) -> ssl.SSLContext:
    """Return a strict server context (TLS ≥ 1.2, RFC 5280 strict), for HTTP, SMTP and IMAP.

    A listener that asks for certificates stays in TLS 1.2: in 1.3 it would judge them after the
    client's handshake and asyncio would drop the alert, so that a refusal looked like a lost call.
    """
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=str(client_ca) if client_ca else None
    )
    context.load_cert_chain(tls.certificate, tls.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_cert != "none":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if crl:
        context.load_verify_locations(crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    context.verify_mode = {
        "none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED,
    }[client_cert]  # fmt: skip
    return context


class Cut(Response):
    """A broken server's answer: the connection dies, after half of *content* if there is any."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the announced body, then cut."""
        if self.body:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            half = bytes(self.body[: len(self.body) // 2])
            await send({"type": "http.response.body", "body": half, "more_body": True})
        scope["extensions"][_CUT]()
        while (await receive())["type"] != "http.disconnect":
            pass


class _Server(uvicorn.Server):
    """uvicorn that leaves no connection behind it, and stops when told, not at its next tick."""

    def wake(self) -> None:
        """Make the loop look at `should_exit` now; from any thread."""
        with suppress(RuntimeError):  # already down, its loop closed
            self._loop.call_soon_threadsafe(self._told.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        ticking = asyncio.ensure_future(super().main_loop())
        told = asyncio.ensure_future(self._told.wait())
        await asyncio.wait((ticking, told), return_when=asyncio.FIRST_COMPLETED)
        for one in (ticking, told):
            one.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        await hang_up()


class _Cuttable(PeerCertificate):
    """A connection that a simulator can cut in the middle of an answer."""

    def extensions(self, transport: asyncio.Transport) -> dict[str, Any]:
        def cut() -> None:
            self.loop.call_soon_threadsafe(transport.close)

        return {**super().extensions(transport), _CUT: cut}
