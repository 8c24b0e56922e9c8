from collections.abc import Iterator

import pytest

from ris.core.db import Database
from ris.sandbox.dmp import DmpSandbox
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve
from tests.dmp.bench import HOMOLOGATION, INS, Bench


@pytest.fixture
def dmp(pki: TestPki) -> DmpSandbox:
    return DmpSandbox(pki.believes, patients=[INS], homologations=frozenset({HOMOLOGATION}))


@pytest.fixture
def dmp_url(pki: TestPki, dmp: DmpSandbox) -> Iterator[str]:
    with serve(dmp.app, tls=pki.server(), client_ca=pki.trust, client_cert="required") as running:
        yield running.url


@pytest.fixture
def bench(database: Database, pki: TestPki, dmp: DmpSandbox, dmp_url: str) -> Bench:
    return Bench(database, pki, dmp, dmp_url)
