"""The MSSanté API: refusals recorded and obeyed, messages shown without a patient's address."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from ris.auth.compartments.scope import OPEN
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Role, permissions_of
from ris.core import ids
from ris.core.audit import Actor
from ris.identity.model import Patient
from ris.identity.values import Sex, Traits
from ris.mss.routes import MssDesk, router
from ris.rem.evidence import Evidence
from ris.reports.channels import ChannelName
from ris.sandbox.mss.operator import SandboxOperator
from ris.sandbox.server import serve
from ris.web import problems
from tests.mss.bench import Bench
from tests.mss.conftest import GP
from tests.mss.material import MATRICULE, signed


@dataclass
class Api:
    """A client of the API, a patient, and what the deliveries were told."""

    client: httpx.Client
    patient: UUID
    told: list[UUID] = field(default_factory=list)

    @property
    def refusals(self) -> str:
        return f"/patients/{self.patient}/mss-refusals"


@pytest.fixture
def api(bench: Bench) -> Iterator[Api]:
    """The routes, served over HTTP to a secretary."""
    patient = Patient(ipp="IPP101", ipp_oid="1.2.250.1.999.1")
    patient.traits = Traits(
        "PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "63220"
    )
    with bench.database.transaction() as session:
        session.add(patient)
    account = ids.new()
    who = Principal(
        account_id=account, session_id=ids.new(), role=Role.SECRETARY,
        permissions=permissions_of(Role.SECRETARY), situation_id=None, professional=None,
        actor=Actor(account_id=account, role="SECRETARY"), acr="eidas1",
        auth_time=datetime.now(UTC),
        compartment=OPEN,
    )  # fmt: skip
    told: list[UUID] = []
    app = FastAPI()
    problems.install(app)
    app.include_router(router, prefix="/v1")
    app.state.database = bench.database
    app.state.mss = MssDesk(bench.sealer, lambda _session, patient_id: told.append(patient_id))
    app.dependency_overrides[current_session] = lambda: who
    with serve(app) as running:
        base = f"http://127.0.0.1:{running.port}/v1"
        with httpx.Client(base_url=base, trust_env=False) as client:
            yield Api(client, patient.id, told)


@pytest.mark.rem("RIS.MSS.21", scenario="MSS/va1.20.01")
@pytest.mark.rem("RIS.MSS.25", scenario="MSS/va1.22.01")
def test_a_refusal_is_recorded_traced_and_told_to_the_deliveries(
    api: Api, bench: Bench, evidence: Evidence
) -> None:
    before = api.client.get(api.refusals)
    assert before.json() == {"professional": False, "patient": False, "version": 0}
    answer = api.client.put(
        api.refusals,
        json={"professional": False, "patient": True},
        headers={"If-Match": before.headers["ETag"]},
    )
    assert answer.status_code == 200
    assert answer.json() == {"professional": False, "patient": True, "version": 1}
    assert api.client.get(api.refusals).json() == answer.json()
    assert api.told == [api.patient]
    with bench.database.transaction() as session:
        event = session.execute(
            text("select action, detail from audit_event where patient_id = :id"),
            {"id": api.patient},
        ).one()
    assert event.action == "mss.refusals_changed"
    assert event.detail == {"professional": False, "patient": True}
    evidence.add("01", "refusal.json", answer.text)


@pytest.mark.rem("RIS.MSS.21", scenario="MSS/va1.20.01")
def test_a_change_made_meanwhile_is_not_overwritten(api: Api) -> None:
    body = {"professional": True, "patient": True}
    assert api.client.put(api.refusals, json=body).status_code == 428
    for status in (200, 412):
        answer = api.client.put(api.refusals, json=body, headers={"If-Match": '"0"'})
        assert answer.status_code == status


def test_an_unknown_patient_refuses_nothing(api: Api) -> None:
    answer = api.client.put(
        f"/patients/{UUID(int=5)}/mss-refusals",
        json={"professional": True, "patient": True},
        headers={"If-Match": '"0"'},
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "PATIENT_NOT_FOUND")


@pytest.mark.rem("RIS.MSS.18", scenario="MSS/va1.14.01")
def test_staff_see_that_the_message_was_received(
    api: Api, bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    ticket = bench.freeze(signed())
    bench.channel.deliver(ticket)
    bench.poll()
    seen = api.client.get(f"/deliveries/{ticket.delivery_id}/message")
    assert seen.status_code == 200
    shown = seen.json()
    assert shown["recipient"] == GP
    assert shown["delivery_receipt"] == "DELIVERED"
    assert shown["smtp_reply"] == "250 2.0.0"
    assert len(operator.messages) == 1
    evidence.add("01", "message-with-receipt.json", seen.text)


def test_a_patients_address_is_never_shown(api: Api, bench: Bench) -> None:
    ticket = bench.freeze(signed(), ChannelName.MSS_PATIENT)
    seen = api.client.get(f"/deliveries/{ticket.delivery_id}/message")
    assert seen.json()["recipient"] == "•••@patient.mssante.fr"
    assert MATRICULE not in seen.text


def test_a_delivery_without_a_mail_is_not_found(api: Api) -> None:
    answer = api.client.get(f"/deliveries/{UUID(int=5)}/message")
    assert (answer.status_code, answer.json()["code"]) == (404, "MESSAGE_NOT_FOUND")
