"""INSi in a sandbox over mutual TLS, and the identity API served over HTTP, for these tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

import ris.app  # noqa: F401 - every table of the product: a merge walks them all
from ris.auth.compartments.scope import OPEN
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Permission, Role, permissions_of
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings
from ris.auth.values import Professional
from ris.core import ids
from ris.core.audit import Actor
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.identity.bulk.routes import router as bulk_router
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.routes import router as foreign_router
from ris.identity.insi.client import CredentialFor, InsiClient
from ris.identity.insi.state_routes import router as insi_state_router
from ris.identity.insi.values import Caller
from ris.identity.journal_routes import router as journal_router
from ris.identity.paper.routes import router as scan_router
from ris.identity.record_routes import router as record_router
from ris.identity.review.routes import router as review_router
from ris.identity.routes import router
from ris.identity.settings import IdentitySettings, InsiSettings
from ris.sandbox import insi as sandbox
from ris.sandbox.faults import Faults
from ris.sandbox.pki import TestPki
from ris.sandbox.server import Running, serve
from ris.web import problems
from tests.applications import borrowed

STRUCTURE = "10B0000001"
CALLER = Caller(STRUCTURE)
PATIENT = {
    "birth_family": "PAT-TROIS",
    "first_birth_given": "DOMINIQUE",
    "birth_date": "1979-03-28",
    "sex": "F",
    "birth_place": "51215",
}


@dataclass
class Insi:
    """The sandbox and the client that reaches it."""

    state: sandbox.InsiSandbox
    faults: Faults
    server: Running
    client: InsiClient
    settings: InsiSettings


def insi_settings(url: str, **options: Any) -> InsiSettings:
    return InsiSettings(
        endpoint=url + sandbox.PATH,
        structure=STRUCTURE,
        idam=sandbox.IDAM,
        instance=UUID("5f1c6f2e-7b7e-4d0a-9a55-1c9d5a3f0001"),
        total_timeout_s=5,
        **options,
    )


@pytest.fixture(scope="session")
def insi_server(pki: TestPki) -> Iterator[tuple[Running, sandbox.InsiSandbox]]:
    app = sandbox.build(Faults())
    with serve(app, tls=pki.server(), client_ca=pki.trust, client_cert="required") as running:
        yield running, app.state.insi


ClientFor = Callable[..., InsiClient]


def manual(pki: TestPki) -> CredentialFor:
    return lambda idnat, _mode: pki.organisation(idnat, "AUTH_CLI", name="INSI-MANU")


@pytest.fixture
def client_for(pki: TestPki) -> Iterator[ClientFor]:
    """`client_for(settings, credential_for)`: a client that is closed after the test."""
    with ExitStack() as stack:

        def make(settings: InsiSettings, credential_for: CredentialFor | None = None) -> InsiClient:
            client = InsiClient(settings, credential_for or manual(pki), pki.trust)
            return stack.enter_context(closing(client))

        yield make


@pytest.fixture
def insi(insi_server: tuple[Running, sandbox.InsiSandbox], client_for: ClientFor) -> Insi:
    running, state = insi_server
    state.faults.clear()
    state.scripted.clear()
    state.peers.clear()
    state.requests.clear()
    settings = insi_settings(running.url)
    return Insi(state, state.faults, running, client_for(settings), settings)


@pytest.fixture
def feature(insi: Insi) -> IdentityFeature:
    settings = IdentitySettings(insi=insi.settings)
    return IdentityFeature(settings, "2.25.1", production=False, insi=insi.client)


def principal(
    role: Role,
    *,
    habilitated: bool,
    less: frozenset[Permission],
    professional: Professional | None = None,
) -> Principal:
    account = ids.new()
    rights = permissions_of(role, identity_habilitated=habilitated) - less
    return Principal(
        account_id=account,
        session_id=ids.new(),
        role=role,
        permissions=rights,
        situation_id=None,
        professional=professional,
        actor=Actor(account_id=account, ps_idnat="899700218896", role=role.value),
        acr="eidas1",
        auth_time=datetime.now(UTC),
        compartment=OPEN,
    )


Desk = Callable[..., httpx.Client]


@pytest.fixture
def desk(database: Database, feature: IdentityFeature, tmp_path: Path) -> Iterator[Desk]:
    """`desk(Role.SECRETARY)`: a client of the API, signed in with that role."""
    sealer = Sealer(Keyring.generate(tmp_path / "keyring"))
    auth = SignInDesk.build(AuthSettings(), database=database, sealer=sealer, environment="test")
    with ExitStack() as stack:

        def open_desk(
            role: Role = Role.IDENTITY_OFFICER,
            *,
            habilitated: bool = False,
            less: frozenset[Permission] = frozenset(),
            professional: Professional | None = None,
            feature: IdentityFeature = feature,
        ) -> httpx.Client:
            app = FastAPI()
            problems.install(app)
            for one in (
                router, insi_state_router, bulk_router, foreign_router, record_router,
                journal_router, review_router, scan_router,
            ):  # fmt: skip
                app.include_router(one, prefix="/v1")
            app.state.database, app.state.identity, app.state.auth = database, feature, auth
            who = principal(role, habilitated=habilitated, less=less, professional=professional)
            app.dependency_overrides[current_session] = lambda: who
            running = stack.enter_context(serve(stack.enter_context(borrowed("identity", app))))
            base = f"http://127.0.0.1:{running.port}/v1"
            return stack.enter_context(httpx.Client(base_url=base, trust_env=False))

        yield open_desk
