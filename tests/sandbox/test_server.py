"""What a simulator leaves behind when it stops: nothing."""

import gc
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from starlette.applications import Starlette

from ris.core import http
from ris.core.http import HttpSettings
from ris.sandbox.mss.operator import SandboxOperator
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve


@contextmanager
def nothing_left() -> Iterator[None]:
    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in said if one.category is ResourceWarning] == []


def test_a_server_stopped_under_idle_and_unfinished_connections_leaves_no_transport(
    pki: TestPki,
) -> None:
    client: httpx.Client = http.client(trust=pki.trust, settings=HttpSettings())
    with nothing_left():
        running = serve(Starlette(), tls=pki.server())
        client.get(running.url)
        with socket.create_connection(("127.0.0.1", running.port)):
            running.stop()
        del running
    client.close()


def test_an_operator_stopped_under_open_connections_leaves_no_transport(pki: TestPki) -> None:
    with nothing_left():
        operator = SandboxOperator(pki, whitelist=(), mailboxes=()).start()
        with (
            socket.create_connection(("127.0.0.1", operator.smtp_port)) as smtp,
            socket.create_connection(("127.0.0.1", operator.imap_port)) as imap,
        ):
            assert smtp.recv(3) == b"220"
            assert imap.recv(4) == b"* OK"
            operator.stop()
        del operator
