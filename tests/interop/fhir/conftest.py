"""The identity API and its FHIR façade over HTTP, on the worker's database."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from ris.auth.dependencies import current_session
from ris.auth.rights import Permission, Role
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.routes import router as foreign_router
from ris.identity.record_routes import router as record_router
from ris.identity.routes import router as identity_router
from ris.interop.fhir import outcome
from ris.interop.fhir.routes import router
from ris.interop.fhir.settings import FhirSettings
from ris.sandbox.server import serve
from ris.web import problems
from tests.applications import borrowed
from tests.identity.conftest import client_for, feature, insi, insi_server, principal
from tests.interop.fhir.sample import Door, Open

DEFAULT = FhirSettings()

__all__ = ["client_for", "feature", "insi", "insi_server"]


@pytest.fixture
def door(database: Database, feature: IdentityFeature, tmp_path: Path) -> Iterator[Open]:
    """`door(Role.SECRETARY)`: both APIs for someone signed in with that role."""
    sealer = Sealer(Keyring.generate(tmp_path / "keyring"))
    auth = SignInDesk.build(AuthSettings(), database=database, sealer=sealer, environment="test")
    with ExitStack() as stack:

        def enter(
            role: Role = Role.IDENTITY_OFFICER,
            *,
            less: frozenset[Permission] = frozenset(),
            feature: IdentityFeature = feature,
            settings: FhirSettings = DEFAULT,
        ) -> Door:
            app = FastAPI()
            problems.install(app)
            outcome.install(app)
            for one in (identity_router, foreign_router, record_router):
                app.include_router(one, prefix="/v1")
            app.include_router(router, prefix="/fhir")
            app.state.database, app.state.identity, app.state.auth = database, feature, auth
            app.state.fhir = settings
            who = principal(role, habilitated=False, less=less)
            app.dependency_overrides[current_session] = lambda: who
            base = stack.enter_context(serve(stack.enter_context(borrowed("fhir", app)))).url
            json, fhir = (
                stack.enter_context(httpx.Client(base_url=base + path, trust_env=False))
                for path in ("/v1", "/fhir")
            )
            return Door(json, fhir)

        yield enter
