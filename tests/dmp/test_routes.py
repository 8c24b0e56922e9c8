"""The opposition over HTTP: who may, what comes back, who is told."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from ris.auth.compartments.scope import OPEN
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Role, permissions_of
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings
from ris.core import ids
from ris.core.audit import Actor, AuditEvent
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.dmp.routes import DmpDesk, router
from ris.identity.model import Patient
from ris.rem.evidence import Evidence
from ris.sandbox.server import serve
from ris.web import problems


class Site:
    """The DMP routes of a site, and what its deliveries were told."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.told: list[UUID] = []
        self.role = Role.RADIOLOGIST
        self.app = FastAPI()
        problems.install(self.app)
        self.app.include_router(router, prefix="/v1")
        sealer = Sealer(Keyring.generate(folder / "keyring"))
        self.app.state.database = database
        self.app.state.dmp = DmpDesk(lambda _session, patient: self.told.append(patient))
        self.app.state.auth = SignInDesk.build(
            AuthSettings(), database=database, sealer=sealer, environment="test"
        )
        self.app.dependency_overrides[current_session] = self.principal
        self.api = httpx.Client()

    def principal(self) -> Principal:
        return Principal(
            account_id=ids.new(),
            session_id=ids.new(),
            role=self.role,
            permissions=permissions_of(self.role),
            situation_id=None,
            professional=None,
            actor=Actor(role=self.role),
            acr="eidas1",
            auth_time=datetime.now(UTC),
            compartment=OPEN,
        )


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[Site]:
    made = Site(database, tmp_path)
    with (
        serve(made.app) as running,
        httpx.Client(base_url=f"{running.url}/v1", trust_env=False) as api,
    ):
        made.api = api
        yield made


@pytest.fixture
def patient(database: Database) -> UUID:
    with database.transaction() as session:
        row = Patient(
            ipp="RIS-1",
            ipp_oid="2.25.1",
            birth_family="FICTIVE",
            birth_given_names="ANNE",
            first_birth_given="ANNE",
            birth_date=date(1980, 1, 1),
            sex="F",
            birth_place="51215",
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.mark.rem("RIS.DMP.03", scenario="DMP/va1.12.01")
def test_a_radiologist_blocks_and_releases_the_feeding(
    site: Site, patient: UUID, database: Database, evidence: Evidence
) -> None:
    url = f"/patients/{patient}/dmp-opposition"
    made = site.api.post(url, json={"scope": "patient", "reason": "motif légitime"})
    assert made.status_code == 201
    assert [each["id"] for each in site.api.get(url).json()] == [made.json()["id"]]

    again = site.api.post(url, json={"scope": "patient", "reason": "motif légitime"})
    assert (again.status_code, again.json()["code"]) == (409, "OPPOSITION_EXISTS")

    lifted = site.api.delete(f"{url}/{made.json()['id']}")
    assert lifted.status_code == 200
    assert lifted.json()["lifted_at"]
    assert site.told == [patient, patient]
    with database.transaction() as session:
        actions = session.scalars(select(AuditEvent.action).order_by(AuditEvent.seq)).all()
    assert list(actions) == ["dmp.opposed", "dmp.opposition_lifted"]
    evidence.add("01", "opposition.json", {"made": made.json(), "lifted": lifted.json()})


def test_a_secretary_sees_an_opposition_and_does_not_record_it(site: Site, patient: UUID) -> None:
    site.role = Role.SECRETARY
    url = f"/patients/{patient}/dmp-opposition"
    assert site.api.get(url).json() == []
    assert site.api.post(url, json={"scope": "patient", "reason": "x"}).status_code == 403
    assert site.told == []


def test_an_unknown_opposition_is_not_lifted(site: Site, patient: UUID) -> None:
    answer = site.api.delete(f"/patients/{patient}/dmp-opposition/{ids.new()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "OPPOSITION_NOT_FOUND")
