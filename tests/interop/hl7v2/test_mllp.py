"""MLLP over real sockets: packets of any shape, slow and hostile peers, TLS."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ris.core.errors import NotConfigured
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.mllp import END, START, Listener, framed, server_tls
from ris.interop.hl7v2.service import Inbox
from ris.interop.hl7v2.settings import Hl7Settings
from ris.sandbox.pki import TestPki
from ris.sandbox.server import hang_up
from tests.interop.hl7v2.sample import message

Answer = Callable[[bytes, str, bool], bytes | None]


@contextmanager
def listening(settings: Hl7Settings, receive: Answer) -> Iterator[int]:
    """A listener on a free port, in its own thread and loop."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    port: list[int] = []
    over = asyncio.Event()

    async def answered(data: bytes, origin: str, whole: bool) -> bytes | None:
        return await asyncio.to_thread(receive, data, origin, whole)

    async def serve() -> None:
        listener = Listener(settings, answered)
        server = await listener.start("127.0.0.1", 0)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        await over.wait()
        server.close()
        await listener.drain(1)
        await hang_up()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        yield link


def frame(link: socket.socket) -> bytes:
    """The content of the next frame; empty when the peer has closed."""
    read = b""
    while not read.endswith(END):
        got = link.recv(1)
        if not got:
            return b""
        read += got
    return read.removeprefix(START).removesuffix(END)


def echo(data: bytes, _origin: str, _whole: bool) -> bytes | None:
    return b"ack:" + data


def quick(**options: float) -> Hl7Settings:
    return Hl7Settings(**{"idle_timeout_s": 5, "frame_timeout_s": 5, **options})  # type: ignore[arg-type]


def test_a_real_message_is_committed_before_its_answer_comes_back(inbox: Inbox) -> None:
    with listening(inbox.settings, inbox.receive) as port, connected(port) as link:
        for number in range(3):
            link.sendall(framed(message(control=f"N{number}", ipp=f"P{number}")))
            answer = parser.parse(frame(link))
            assert answer.segment("MSA").text(1) == "AA"
            assert answer.segment("MSA").text(2) == f"N{number}"


def test_two_frames_in_one_packet_get_two_answers_in_order() -> None:
    with listening(quick(), echo) as port, connected(port) as link:
        link.sendall(framed(b"one") + framed(b"two"))
        assert [frame(link), frame(link)] == [b"ack:one", b"ack:two"]


def test_one_frame_in_many_packets_is_one_message() -> None:
    data = framed(message())
    with listening(quick(), echo) as port, connected(port) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data[:300]:
            link.sendall(bytes([byte]))
        link.sendall(data[300:])
        assert frame(link) == b"ack:" + message()


def test_garbage_before_a_frame_is_dropped() -> None:
    with listening(quick(), echo) as port, connected(port) as link:
        link.sendall(b"\r\nnoise\x1c\r" + framed(b"one"))
        assert frame(link) == b"ack:one"


def test_a_frame_without_header_closes_the_connection(inbox: Inbox) -> None:
    with listening(inbox.settings, inbox.receive) as port, connected(port) as link:
        link.sendall(framed(b"hello"))
        assert frame(link) == b""


def test_a_frame_over_the_cap_is_rejected_for_now_and_the_connection_ends(inbox: Inbox) -> None:
    small = inbox.settings.model_copy(update={"max_bytes": 20_000})
    with listening(small, inbox.receive) as port, connected(port) as link:
        link.sendall(framed(message() + b"ZZZ|" + b"x" * 60_000))
        answer = parser.parse(frame(link))
        assert answer.segment("MSA").text(1) == "AR"
        assert answer.segment("ERR").text(5) == "HL7_TOO_BIG"
        assert is_over(link)


def is_over(link: socket.socket) -> bool:
    """The peer has closed; with our bytes unread, TCP says so by a reset."""
    try:
        return link.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", START + b"MSH|half"])
def test_a_silent_or_slow_peer_is_let_go(sent: bytes) -> None:
    settings = quick(idle_timeout_s=0.2, frame_timeout_s=0.2)
    with listening(settings, echo) as port, connected(port) as link:
        link.sendall(sent)
        assert frame(link) == b""


def test_a_peer_that_leaves_in_the_middle_of_a_frame_leaves_nothing(inbox: Inbox) -> None:
    heard: list[bytes] = []

    def receive(data: bytes, _origin: str, _whole: bool) -> bytes | None:
        heard.append(data)
        return b""

    with listening(quick(), receive) as port:
        with connected(port) as link:
            link.sendall(framed(message())[:-1])
        with connected(port) as link:
            link.sendall(framed(b"after"))
            link.sendall(framed(b"again"))
            while len(heard) < 2:
                threading.Event().wait(0.01)
    assert heard == [b"after", b"again"]


def test_peers_over_the_limit_are_turned_away() -> None:
    with listening(quick(max_connections=1), echo) as port, connected(port) as first:
        first.sendall(framed(b"one"))
        assert frame(first) == b"ack:one"
        with connected(port) as second:
            assert frame(second) == b""
        first.sendall(framed(b"two"))
        assert frame(first) == b"ack:two"


def test_over_tls_only_a_trusted_client_is_heard(pki: TestPki) -> None:
    server = pki.server()
    settings = quick().model_copy(
        update={"certificate": server.certificate, "key": server.key, "client_trust": pki.trust}
    )
    mine = pki.organisation("10B0000001", "AUTH_CLI")
    with listening(settings, echo) as port:
        context = ssl.create_default_context(cafile=str(pki.trust))
        assert over_tls(port, context) == b""
        context.load_cert_chain(mine.certificate, mine.key)
        assert over_tls(port, context) == b"ack:one"


def over_tls(port: int, context: ssl.SSLContext) -> bytes:
    """The answer to one message, empty when the listener refuses us."""
    try:
        with connected(port) as link, context.wrap_socket(link, server_hostname="localhost") as tls:
            tls.sendall(framed(b"one"))
            return frame(tls)
    except OSError:
        return b""


def test_a_certificate_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured):
        server_tls(Hl7Settings(certificate=tmp_path / "none.pem", key=tmp_path / "none.key"))
    assert server_tls(Hl7Settings()) is None
