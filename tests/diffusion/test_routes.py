"""The delivery routes, over real HTTP, signed in as a radiologist."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from ris.auth.compartments.scope import OPEN
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Role, permissions_of
from ris.auth.settings import AuthSettings
from ris.core import clock, ids
from ris.core.db import Database
from ris.diffusion import metrics
from ris.diffusion.decision import Facts
from ris.diffusion.routes import router
from ris.rem.evidence import Evidence
from ris.reports.channels import ChannelName
from ris.sandbox.server import serve
from ris.web import health, middleware, problems
from tests.diffusion.bench import Bench
from tests.reports import sample


@pytest.fixture
def full(database: Database, tmp_path: Path) -> Bench:
    made = Bench(database, tmp_path / "remote", names=tuple(ChannelName))
    made.account()
    return made


@pytest.fixture
def radiologist(full: Bench) -> Principal:
    assert full.actor.account_id is not None
    return Principal(
        account_id=full.actor.account_id,
        session_id=ids.new(),
        role=Role.RADIOLOGIST,
        permissions=permissions_of(Role.RADIOLOGIST),
        situation_id=full.actor.situation_id,
        professional=sample.RADIOLOGIST,
        actor=full.actor,
        acr="eidas1",
        auth_time=clock.now(),
        compartment=OPEN,
    )


@pytest.fixture
def app(full: Bench, radiologist: Principal) -> FastAPI:
    made = FastAPI()
    made.state.database = full.database
    made.state.diffusion = full.diffusion
    made.state.auth = SimpleNamespace(settings=AuthSettings())
    made.state.collectors = (metrics.collect,)
    made.include_router(router, prefix="/v1")
    made.include_router(health.router)
    made.dependency_overrides[current_session] = lambda: radiologist
    middleware.install(made)
    problems.install(made)
    return made


@pytest.fixture
def http(app: FastAPI) -> Iterator[httpx.Client]:
    with serve(app) as running, httpx.Client(base_url=f"{running.url}") as made:
        yield made


def sign(http: httpx.Client, report_id: UUID, **headers: str) -> httpx.Response:
    return http.post(f"/v1/reports/{report_id}/signature", headers={"If-Match": '"1"', **headers})


@pytest.mark.rem("RIS.DMP.01", scenario="DMP/va1.13.01")
@pytest.mark.rem("RIS.MSS.23", scenario="MSS/va1.29.01")
def test_a_signature_schedules_everything_and_its_progress_is_shown(
    http: httpx.Client, full: Bench, evidence: Evidence
) -> None:
    report_id = full.report()
    answer = sign(http, report_id)
    assert answer.status_code == 201
    signed = answer.json()
    assert (signed["version"], signed["report_id"]) == (1, str(report_id))
    assert len(signed["deliveries"]) == 4
    for row in full.deliveries():
        full.attempt(row.id)
    shown = http.get(f"/v1/reports/{report_id}/deliveries").json()["items"]
    assert {(one["state"], one["state_label"]) for one in shown} == {("delivered", "Envoyé")}
    assert all(one["attempts"][0]["outcome"] == "ok" for one in shown)
    assert {one["recipient_name"] for one in shown} == {"", "Stéphane TESTGENE", "Ève TESTPNEUMO"}
    assert "@" not in str(shown)
    evidence.add("01", "deliveries.json", {"signature": signed, "deliveries": shown})


def test_a_signature_needs_the_version_that_was_read(http: httpx.Client, full: Bench) -> None:
    answer = http.post(f"/v1/reports/{full.report()}/signature")
    assert (answer.status_code, answer.json()["code"]) == (428, "IF_MATCH_REQUIRED")
    assert full.deliveries() == []


def test_a_signature_sent_twice_under_one_key_signs_once(http: httpx.Client, full: Bench) -> None:
    report_id = full.report()
    headers = {"Idempotency-Key": "sign-1"}
    first, second = sign(http, report_id, **headers), sign(http, report_id, **headers)
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert len(full.deliveries()) == 4


def test_an_old_sign_in_may_not_sign(
    http: httpx.Client, app: FastAPI, full: Bench, radiologist: Principal
) -> None:
    old = replace(radiologist, auth_time=clock.now().replace(year=2020))
    app.dependency_overrides[current_session] = lambda: old
    assert sign(http, full.report()).status_code in (401, 403)
    assert full.deliveries() == []


def test_a_secretary_may_not_sign(
    http: httpx.Client, app: FastAPI, full: Bench, radiologist: Principal
) -> None:
    rights = permissions_of(Role.SECRETARY)
    secretary = replace(radiologist, role=Role.SECRETARY, permissions=rights)
    app.state.auth = SimpleNamespace(settings=AuthSettings(), database=full.database)
    app.dependency_overrides[current_session] = lambda: secretary
    assert sign(http, full.report()).status_code == 403
    assert full.deliveries() == []


@pytest.mark.rem("RIS.TBB.03", scenario="TBB/va1.05.01")
def test_failures_are_listed_and_replayed(
    http: httpx.Client, full: Bench, evidence: Evidence
) -> None:
    full.remotes[ChannelName.DMP].script("refused")
    sign(http, full.report())
    for row in full.deliveries():
        full.attempt(row.id)
    (failed,) = http.get("/v1/deliveries?state=failed&state=dead").json()["items"]
    assert (failed["channel"], failed["last_error_code"]) == ("dmp", "REMOTE_REFUSED")
    counted = http.get("/v1/dashboard").json()["periods"][0]["channels"]
    assert (counted["dmp"]["failures"], counted["mss_ps"]["failures"]) == (1, 0)
    evidence.add("02", "failures.json", {"failed": failed, "dashboard": counted})
    again = http.post(f"/v1/deliveries/{failed['id']}/replay")
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    refused = http.post(f"/v1/deliveries/{full.deliveries()[1].id}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "DELIVERY_STATE")


@pytest.mark.rem("RIS.INS.51", scenario="INS/va1.46.01")
def test_the_partners_who_received_the_ins_are_listed(
    http: httpx.Client, full: Bench, evidence: Evidence
) -> None:
    sign(http, full.report())
    for row in full.deliveries():
        full.attempt(row.id)
    full.facts = Facts(qualified=False)
    without = http.post(
        f"/v1/reports/{full.report()}/signature", headers={"If-Match": '"1"'}
    ).json()
    for row in without["deliveries"]:
        full.attempt(UUID(row["id"]))
    url = "/v1/deliveries?with_ins=true&state=delivered&state=acknowledged"
    told = http.get(url).json()["items"]
    assert {(one["channel"], one["recipient"]) for one in told} == {
        ("dmp", ""),
        ("mss_patient", "patient"),
        ("mss_ps", sample.REQUESTER.ps_idnat),
        ("mss_ps", sample.CORRESPONDENT.ps_idnat),
    }
    assert len(told) == 4
    assert all(one["finished_at"] for one in told)
    assert {one["ps_idnat"] for one in told} == {sample.RADIOLOGIST.ps_idnat}
    others = http.get("/v1/deliveries?with_ins=false&state=delivered").json()["items"]
    assert {one["channel"] for one in others} == {"mss_ps"}
    evidence.add("01", "partners.json", {"items": told})


def test_the_list_of_deliveries_is_paged(http: httpx.Client, full: Bench) -> None:
    for _ in range(2):
        sign(http, full.report())
    seen, url = [], "/v1/deliveries?limit=3"
    while url:
        answer = http.get(url)
        seen += [one["id"] for one in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url", "")
    assert seen == [str(row.id) for row in full.deliveries()]
    assert http.get("/v1/deliveries?after=WzEsMl0").json()["code"] == "BAD_CURSOR"


@pytest.mark.rem("RIS.MSS.20", scenario="MSS/va1.31.01")
def test_a_report_is_sent_by_hand_to_one_more_professional(
    http: httpx.Client, full: Bench, evidence: Evidence
) -> None:
    report_id = full.report()
    sign(http, report_id)
    answer = http.post(f"/v1/reports/{report_id}/deliveries", json={"rpps": sample.REQUESTER.rpps})
    assert (answer.status_code, answer.json()["generation"]) == (201, 1)
    assert len(full.deliveries()) == 5
    by_hand = answer.json()["id"]
    full.attempt(UUID(by_hand))
    sent = http.get(f"/v1/deliveries/{by_hand}").json()
    assert (sent["channel"], sent["operation"], sent["state"]) == ("mss_ps", "send", "delivered")
    evidence.add("01", "sent-by-hand.json", sent)


@pytest.mark.rem("RIS.MSS.25", scenario="MSS/va1.22.01")
def test_a_refusal_cannot_be_overridden_by_hand(http: httpx.Client, full: Bench) -> None:
    report_id = full.report()
    sign(http, report_id)
    full.facts = Facts(refuses_pro=True)
    answer = http.post(f"/v1/reports/{report_id}/deliveries", json={"rpps": sample.REQUESTER.rpps})
    assert (answer.status_code, answer.json()["code"]) == (409, "REFUSED_BY_PATIENT_PRO")
    assert len(full.deliveries()) == 4


def test_an_unknown_delivery_is_a_404(http: httpx.Client) -> None:
    assert http.get(f"/v1/deliveries/{ids.new()}").json()["code"] == "DELIVERY_NOT_FOUND"


@pytest.mark.rem("RIS.TBB.01", scenario="TBB/va1.03.01")
def test_the_dashboard_counts_by_channel_and_by_professional(
    http: httpx.Client, full: Bench, evidence: Evidence
) -> None:
    sign(http, full.report())
    full.remotes[ChannelName.MSS_PATIENT].script("refused")
    for row in full.deliveries():
        full.attempt(row.id)
    month = http.get("/v1/dashboard").json()["periods"][0]
    assert month["channels"]["dmp"] == {
        "total": 1, "sent": 1, "with_ins": 1, "without_ins": 0, "failures": 0, "waiting": 0,
    }  # fmt: skip
    assert month["channels"]["mss_patient"]["failures"] == 1
    assert month["files"] == {"dmp": 1, "mss_ps": 1, "mss_patient": 0}
    assert month["files_all_three"] == 0
    evidence.add("01", "dashboard.json", http.get("/v1/dashboard").json())
    other = http.get("/v1/dashboard?rpps=10000000000").json()["periods"][0]
    assert other["channels"]["dmp"]["total"] == 0
    mine = http.get(f"/v1/dashboard?rpps={sample.RADIOLOGIST.rpps}").json()["periods"][0]
    assert mine["channels"]["dmp"]["total"] == 1


def test_the_measures_show_what_waits(http: httpx.Client, full: Bench) -> None:
    full.facts = Facts(qualified=False)
    sign(http, full.report())
    text = http.get("/metrics").text
    assert 'ris_delivery_total{channel="mss_ps",outcome="pending"} 2\n' in text
    assert 'ris_delivery_held{channel="dmp",reason="BLOCKED_INS"} 1\n' in text
