"""MLLP: frames over TCP or TLS, the listener and one exchange of a sender (workflow.md §5).

Bytes only; what a message means is the inbox's. One answer per message, in order.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from ris.core.errors import NotConfigured
from ris.interop.hl7v2.settings import Hl7Settings

START: Final = b"\x0b"
END: Final = b"\x1c\r"
_HEAD: Final = 4_096  # enough for the MSH of a frame that is too large to be read

Receive = Callable[[bytes, str, bool], Awaitable[bytes | None]]


def framed(message: bytes) -> bytes:
    """Return *message* between the MLLP marks."""
    return START + message + END


@dataclass
class Listener:
    """Serves MLLP: *receive* (`Intake.receive`) gives the answer to each message.

    An answer of None closes the connection, `b""` sends nothing. Over `max_connections`, a peer
    is turned away at once.
    """

    settings: Hl7Settings
    receive: Receive
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _busy: set[asyncio.Task[None]] = field(default_factory=set)
    _closing: bool = False

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Start listening and return the server; raises `NotConfigured` on bad TLS settings."""
        return await asyncio.start_server(
            self._serve, host, port, limit=self.settings.max_bytes, ssl=server_tls(self.settings)
        )

    async def drain(self, seconds: float) -> None:
        """Let the running exchanges end, at most *seconds*; idle connections are cut at once."""
        self._closing = True
        for task in self._open - self._busy:
            task.cancel()
        if self._open:
            _, late = await asyncio.wait(self._open, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server runs its callback in a task
        self._open.add(task)
        peer = (writer.get_extra_info("peername") or ("",))[0]
        log = structlog.get_logger().bind(origin=peer)
        try:
            if len(self._open) > self.settings.max_connections:
                log.warning("hl7.too_many_connections")
                return
            await self._converse(task, reader, writer, peer)
        except TimeoutError:
            log.info("hl7.peer_silent")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.info("hl7.peer_left", error=type(error).__name__)
        except asyncio.CancelledError:
            log.info("hl7.peer_dismissed")  # the listener is closing; the peer will come back
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), self.settings.frame_timeout_s)

    async def _converse(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: str,
    ) -> None:
        async for message, whole in frames(reader, self.settings):
            self._busy.add(task)
            try:
                answer = await self.receive(message, peer, whole)
                if answer:
                    writer.write(framed(answer))
                    await asyncio.wait_for(writer.drain(), self.settings.answer_timeout_s)
            finally:
                self._busy.discard(task)
            if answer is None or not whole or self._closing:
                return


async def frames(
    reader: asyncio.StreamReader, settings: Hl7Settings
) -> AsyncIterator[tuple[bytes, bool]]:
    """Yield each frame's content until the peer leaves; bytes before a start mark are dropped.

    A frame over the cap gives its head and False: the inbox refuses it, the connection ends.
    Raises `TimeoutError` when the peer is idle too long or slow inside a frame.
    """
    while True:
        try:
            await asyncio.wait_for(reader.readuntil(START), settings.idle_timeout_s)
        except asyncio.IncompleteReadError:
            return
        try:
            frame = await asyncio.wait_for(reader.readuntil(END), settings.frame_timeout_s)
        except asyncio.LimitOverrunError:
            yield await reader.readexactly(min(_HEAD, settings.max_bytes)), False
            return
        yield frame.removesuffix(END), True


def server_tls(settings: Hl7Settings) -> ssl.SSLContext | None:
    """Return the listener's TLS context, None when the settings ask for none."""
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_trust is not None:
            context.load_verify_locations(cafile=str(settings.client_trust))
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise NotConfigured("Certificat MLLP illisible : RIS_HL7__CERTIFICATE, __KEY.") from error
    return context
