"""A site that keeps copies: its key ring, its patients, its API served over HTTP."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from ris.app import ACTIVITIES
from ris.auth.compartments.scope import OPEN
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Role, permissions_of
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings
from ris.core import clock, ids
from ris.core.audit import Actor
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.identity.copies import service
from ris.identity.copies.feature import CopyFeature
from ris.identity.copies.model import Informed
from ris.identity.copies.routes import router
from ris.identity.copies.settings import CopySettings
from ris.identity.model import IdentityDocument, IdentityHistory, Patient
from ris.identity.states import Event
from ris.sandbox.server import serve
from ris.web import middleware, problems

ARRIVAL = datetime(2024, 2, 29, 9, 30, tzinfo=UTC)
SCAN = b"\xff\xd8\xff\xe0\x00\x10JFIF-FICTITIOUS-PASSPORT-" + bytes(range(256)) * 8
ACTOR = Actor(account_id=ids.new(), ps_idnat="899700218896", role="IDENTITY_OFFICER")


@dataclass
class Site:
    """A site and its key ring; `now_on` gives it other settings."""

    database: Database
    keyring: Path
    feature: CopyFeature

    def patient(self, ipp: str = "1", at: datetime = ARRIVAL) -> tuple[UUID, UUID]:
        """Create a patient who showed his passport then; return his id and the document's."""
        with self.database.transaction() as session:
            patient = Patient(
                ipp=ipp, ipp_oid="2.25.1", birth_family="PAT-TROIS", birth_given_names="DOMINIQUE",
                first_birth_given="DOMINIQUE", birth_date=date(1979, 3, 28), sex="F",
                birth_place="51215", created_at=at,
            )  # fmt: skip
            session.add(patient)
            session.flush()
            event = IdentityHistory(
                patient_id=patient.id, at=at, event=Event.CREATED, to_status="provisoire"
            )
            document = IdentityDocument(
                patient_id=patient.id, type="PA", trust="high", recorded_at=at,
                traits_digest=hashlib.sha256(b"").hexdigest(),
            )  # fmt: skip
            session.add_all([event, document])
            session.flush()
            return patient.id, document.id

    def keep(
        self, patient: tuple[UUID, UUID], content: bytes = SCAN, at: datetime = ARRIVAL
    ) -> UUID:
        """Store a copy of the document at this instant; return its id."""
        with clock.frozen(at), self.database.transaction() as session:
            kept = service.store(
                session, self.feature, patient[0], content, declared="image/jpeg",
                document_id=patient[1], informed=Informed.ORAL, actor=ACTOR,
            )  # fmt: skip
            return kept.copy.id

    def now_on(self, **settings: object) -> "Site":
        changed = CopySettings.model_validate({"enabled": True, **settings})
        return replace(self, feature=replace(self.feature, settings=changed))


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    path = tmp_path / "keyring.json"
    sealer = Sealer(Keyring.generate(path))
    database.seal_with(sealer)
    feature = CopyFeature(CopySettings(enabled=True), 60, sealer, ACTIVITIES)
    return Site(database, path, feature)


Door = Callable[..., httpx.Client]


@pytest.fixture
def door(site: Site) -> Iterator[Door]:
    """`door(Role.SECRETARY, signed_in=timedelta(hours=1))`: a client of the API in that role."""
    auth = SignInDesk.build(
        AuthSettings(), database=site.database, sealer=site.feature.sealer, environment="test"
    )
    with ExitStack() as stack:

        def opened(
            role: Role = Role.IDENTITY_OFFICER,
            *,
            signed_in: timedelta = timedelta(0),
            site: Site = site,
        ) -> httpx.Client:
            who = Principal(
                account_id=ids.new(), session_id=ids.new(), role=role,
                permissions=permissions_of(role), situation_id=None, professional=None,
                actor=replace(ACTOR, role=role.value), acr="eidas1",
                auth_time=clock.now() - signed_in,
                compartment=OPEN,
            )  # fmt: skip
            app = FastAPI()
            problems.install(app)
            middleware.install(app)
            app.include_router(router, prefix="/v1")
            app.state.database, app.state.auth = site.database, auth
            app.state.identity_copies = site.feature
            app.dependency_overrides[current_session] = lambda: who
            base = f"http://127.0.0.1:{stack.enter_context(serve(app)).port}/v1"
            return stack.enter_context(httpx.Client(base_url=base, trust_env=False))

        yield opened
