"""A long-lived client follows its certificate on disk."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from ris.core import http, lasting
from ris.core.crypto import Credential
from ris.core.errors import NotConfigured
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.server import Running
from tests.core import test_http

UNITS = "499700991013001", "499700991021012"
server = test_http.server


@pytest.fixture
def own(pki: TestPki, tmp_path: Path) -> Credential:
    """The files of the site's own certificate."""
    made = Credential(tmp_path / "own.pem", tmp_path / "own.key")
    put(pki.organisation(UNITS[0], "AUTH_CLI"), made)
    return made


@pytest.fixture
def client(pki: TestPki, own: Credential) -> Iterator[httpx.Client]:
    with closing(lasting.client(trust=pki.trust, credential=own, settings=HttpSettings())) as made:
        yield made


def put(source: Credential, at: Credential) -> None:
    shutil.copy(source.certificate, at.certificate)
    shutil.copy(source.key, at.key)


def shown(client: httpx.Client, server: Running) -> str:
    return http.call(client, client.build_request("POST", f"{server.url}/who")).text.strip()


def test_files_replaced_serve_the_next_request_and_half_a_pair_changes_nothing(
    client: httpx.Client, server: Running, own: Credential, pki: TestPki
) -> None:
    former, newer = (pki.organisation(unit, "AUTH_CLI") for unit in UNITS)
    assert shown(client, server) in former.certificate.read_text()
    shutil.copy(newer.certificate, own.certificate)
    assert shown(client, server) in former.certificate.read_text()
    shutil.copy(newer.key, own.key)
    assert shown(client, server) in newer.certificate.read_text()
    own.key.unlink()
    assert shown(client, server) in newer.certificate.read_text()


def test_files_that_cannot_be_used_are_refused_at_once(tmp_path: Path, pki: TestPki) -> None:
    absent = Credential(tmp_path / "a.pem", tmp_path / "a.key")
    with pytest.raises(NotConfigured):
        lasting.client(trust=pki.trust, credential=absent, settings=HttpSettings())
