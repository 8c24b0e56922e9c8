"""Outgoing HTTP: each way to fail, told apart; the server always verified."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ris.core import clock, http
from ris.core.crypto import Credential
from ris.core.errors import Lost, NotConfigured, RemoteError, Throttled, Transient
from ris.core.settings import HttpSettings
from ris.sandbox.faults import Fault
from ris.sandbox.pki import TestPki
from ris.sandbox.server import Cut, Running, serve

QUICK = HttpSettings(connect_timeout_s=0.5, total_timeout_s=0.5)


async def answer(request: Request) -> Response:
    """Answer as the path asks: /status/503, /drop, /half, /slow, /drip, /who."""
    _, kind, *rest = request.url.path.split("/")
    await request.body()
    if kind == "drop":
        return Cut()
    if kind == "half":
        return Cut(b"<answer>" * 100)
    if kind == "slow":
        await Fault("delay", seconds=1).wait_async()
    if kind == "who":
        return PlainTextResponse("".join(request.scope["extensions"]["tls"]["client_cert_chain"]))
    status = int(rest[0]) if rest else 200
    return Response("<fault/>", status, dict(request.query_params))


@pytest.fixture(scope="module")
def server(pki: TestPki) -> Iterator[Running]:
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    with serve(app, tls=pki.server(), client_ca=pki.trust, client_cert="optional") as running:
        yield running


@contextmanager
def listener(*replies: bytes) -> Iterator[int]:
    """A raw TCP server that answers one connection with *replies*, 0.2 s apart, then closes."""
    with socket.create_server(("127.0.0.1", 0)) as bound:

        def play() -> None:
            peer, _ = bound.accept()
            with peer, suppress(OSError):  # the client may give up first
                peer.recv(65536)
                for reply in replies:
                    peer.sendall(reply)
                    threading.Event().wait(0.2)

        thread = threading.Thread(target=play)
        thread.start()
        yield bound.getsockname()[1]
        thread.join(5)


def ask(
    url: str,
    trust: Path | None = None,
    method: str = "POST",
    credential: Credential | None = None,
    *,
    settings: HttpSettings = QUICK,
    keep_5xx: bool = False,
) -> httpx.Response:
    with http.client(trust=trust, credential=credential, settings=settings) as client:
        request = client.build_request(method, url, content=b"<question/>")
        return http.call(client, request, keep_5xx=keep_5xx)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 409, 422])
def test_an_answer_that_is_not_an_outage_comes_back_whole(
    server: Running, pki: TestPki, status: int
) -> None:
    response = ask(f"{server.url}/status/{status}", pki.trust)
    assert (response.status_code, response.text) == (status, "<fault/>")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_transient(server: Running, pki: TestPki, status: int) -> None:
    with pytest.raises(Transient) as raised:
        ask(f"{server.url}/status/{status}", pki.trust)
    assert raised.value.remote_code == f"HTTP_{status}"
    assert not isinstance(raised.value, Throttled)


def test_a_server_error_with_xml_comes_back_when_asked_for(server: Running, pki: TestPki) -> None:
    url = f"{server.url}/status/500?content-type="
    for kind in ("application/soap%2Bxml", "multipart/related;type=application/xop%2Bxml"):
        assert ask(url + kind, pki.trust, keep_5xx=True).text == "<fault/>"
    with pytest.raises(Transient):
        ask(url + "text/html", pki.trust, keep_5xx=True)
    with pytest.raises(Transient):
        ask(url + "text/xml", pki.trust)


@pytest.mark.parametrize(
    ("status", "hint", "wait"),
    [(503, "120", 120), (429, "5", 5), (429, None, None), (503, "99999999", 86_400),
     (429, "soon", None)],
)  # fmt: skip
def test_a_service_that_says_when_is_obeyed(
    server: Running, pki: TestPki, status: int, hint: str | None, wait: int | None
) -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    query = f"?retry-after={hint}" if hint else ""
    with clock.frozen(at), pytest.raises(Throttled) as raised:
        ask(f"{server.url}/status/{status}{query}", pki.trust)
    assert raised.value.retry_at == (at + timedelta(seconds=wait) if wait else None)


def test_a_retry_date_is_read_too(server: Running, pki: TestPki) -> None:
    with pytest.raises(Throttled) as raised:
        ask(f"{server.url}/status/503?retry-after=Sun, 22 Nov 2026 12:00:00 GMT", pki.trust)
    assert raised.value.retry_at == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_refused_connection_did_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(Transient) as raised:
        ask(f"http://127.0.0.1:{port}/")
    assert raised.value.remote_code == "CONNECT"


def test_an_unknown_name_did_nothing() -> None:
    with pytest.raises(Transient) as raised:
        ask("https://service.invalid/")
    assert raised.value.remote_code == "CONNECT"


@pytest.mark.parametrize("path", ["drop", "half"])
def test_a_connection_cut_after_the_request_left_is_lost(
    server: Running, pki: TestPki, path: str
) -> None:
    with pytest.raises(Lost) as raised:
        ask(f"{server.url}/{path}", pki.trust)
    assert raised.value.remote_code == "CUT"


def test_a_time_out_after_the_request_left_is_lost(server: Running, pki: TestPki) -> None:
    with pytest.raises(Lost) as raised:
        ask(f"{server.url}/slow", pki.trust)
    assert raised.value.remote_code == "TIMEOUT"


@pytest.mark.parametrize("path", ["drop", "half", "slow"])
def test_a_question_without_effect_is_never_lost(server: Running, pki: TestPki, path: str) -> None:
    with pytest.raises(Transient):
        ask(f"{server.url}/{path}", pki.trust, "GET")


DRIPS = {
    "body": [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *([b"x"] * 8)],
    "headers": [b"HTTP/1.1 200 OK\r\nX-Slow: ", *([b"x"] * 8)],
    "status line": [b"H", b"T", b"T", b"P", b"/", b"1", b".", b"1", b" "],
    "chunk size": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;",
        *([b"x"] * 8),
    ],
}


@pytest.mark.parametrize("where", DRIPS)
def test_an_answer_that_drips_for_ever_meets_the_total_time_out(where: str) -> None:
    with listener(*DRIPS[where]) as port:
        began = time.monotonic()
        with pytest.raises(Lost) as raised:
            ask(f"http://127.0.0.1:{port}/")
        took = time.monotonic() - began
    assert raised.value.remote_code == "TIMEOUT"
    assert took < 1.2


def test_a_connection_kept_open_gets_a_whole_delay_for_its_next_exchange(
    server: Running, pki: TestPki
) -> None:
    settings = HttpSettings(connect_timeout_s=5, total_timeout_s=5)
    with http.client(trust=pki.trust, settings=settings) as client:
        http.call(client, client.build_request("GET", f"{server.url}/status/200"))
        late = client.build_request("GET", f"{server.url}/slow", timeout=httpx.Timeout(0.3))
        with pytest.raises(Transient):
            http.call(client, late)
        assert http.call(client, client.build_request("GET", f"{server.url}/slow")).is_success


def test_an_answer_that_is_not_http_is_lost() -> None:
    with listener(b"220 smtp.example ESMTP\r\n") as port, pytest.raises(Lost):
        ask(f"http://127.0.0.1:{port}/")


def test_an_authority_that_is_not_ours_is_refused(
    server: Running, pki: TestPki, tmp_path: Path
) -> None:
    other = TestPki(tmp_path / "other")
    for trust in (other.trust, None):
        with pytest.raises(Transient) as raised:
            ask(f"{server.url}/", trust)
        assert raised.value.remote_code == "TLS"


def test_another_name_than_the_certificates_is_refused(pki: TestPki) -> None:
    nameless = pki.organisation("1234", "AUTH_CLI")
    with serve(answer_only, tls=nameless) as running, pytest.raises(Transient) as raised:
        ask(running.url, pki.trust)
    assert raised.value.remote_code == "TLS"


def test_an_expired_server_is_refused(pki: TestPki) -> None:
    with serve(answer_only, tls=pki.expired()) as expired, pytest.raises(Transient) as raised:
        ask(expired.url, pki.trust)
    assert raised.value.remote_code == "TLS"


def test_the_client_certificate_is_presented(server: Running, pki: TestPki) -> None:
    credential = pki.organisation("499700991013001", "AUTH_CLI")
    shown = ask(f"{server.url}/who", pki.trust, credential=credential).text
    assert shown.strip() in credential.certificate.read_text()
    assert "BEGIN CERTIFICATE" in shown
    assert ask(f"{server.url}/who", pki.trust).text == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_refused_client_certificate_did_nothing(pki: TestPki, version: ssl.TLSVersion) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.trust))
    tls.load_cert_chain(pki.server().certificate, pki.server().key)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.minimum_version = tls.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as bound:

        def refuse() -> None:
            peer, _ = bound.accept()
            with peer, pytest.raises(ssl.SSLError):
                tls.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(RemoteError) as raised:
            ask(f"https://localhost:{bound.getsockname()[1]}/", pki.trust, credential=pki.rogue())
        thread.join(5)
    # in TLS 1.3 the kernel may drop the alert with the unread request: then it can only be Lost
    assert isinstance(raised.value, Transient) or version is ssl.TLSVersion.TLSv1_3


def test_an_alert_of_tls_1_3_about_our_certificate_is_recognised() -> None:
    alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    error = httpx.ReadError("cut")
    error.__cause__ = alert
    transport = httpx.MockTransport(lambda _: raising(error))
    with httpx.Client(transport=transport) as client, pytest.raises(Transient) as raised:
        http.call(client, client.build_request("POST", "https://service.example/"))
    assert raised.value.remote_code == "TLS"


@pytest.mark.parametrize("url", ["ftp://service.example/", "/relative"])
def test_an_address_that_is_no_address_is_a_setting_to_correct(url: str) -> None:
    with pytest.raises(NotConfigured):
        ask(url)


def test_unreadable_files_are_a_setting_to_correct(pki: TestPki, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured):
        http.context(trust=tmp_path / "absent.pem")
    with pytest.raises(NotConfigured):
        http.context(trust=pki.trust, credential=Credential(pki.trust, tmp_path / "absent.key"))


def test_the_shells_proxy_is_not_followed(
    server: Running, pki: TestPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert ask(f"{server.url}/status/200", pki.trust).status_code == 200


def raising(error: Exception) -> httpx.Response:
    raise error


answer_only = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])


def test_an_answer_is_read_no_further_than_the_limit(server: Running, pki: TestPki) -> None:
    with http.client(trust=pki.trust, settings=QUICK) as client:
        request = client.build_request("POST", f"{server.url}/status/200")
        assert http.call(client, request, max_bytes=8).text == "<fault/>"
        request = client.build_request("POST", f"{server.url}/status/200")
        with pytest.raises(Lost) as raised:
            http.call(client, request, max_bytes=7)
    assert raised.value.remote_code == "TOO_LARGE"


def test_a_compressed_answer_is_measured_once_open() -> None:
    packed = gzip.compress(b"A" * 100_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    with listener(head.encode() + packed) as port, http.client(trust=None, settings=QUICK) as one:
        request = one.build_request("GET", f"http://127.0.0.1:{port}/")
        with pytest.raises(Transient) as raised:
            http.call(one, request, max_bytes=50_000)
    assert raised.value.remote_code == "TOO_LARGE"
    with listener(head.encode() + packed) as port, http.client(trust=None, settings=QUICK) as one:
        request = one.build_request("GET", f"http://127.0.0.1:{port}/")
        assert http.call(one, request).content == b"A" * 100_000
