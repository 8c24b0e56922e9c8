"""The HTTP face of the reports: ETags, refusals, stored bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from ris.auth.compartments.scope import OPEN
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Role, permissions_of
from ris.auth.settings import AuthSettings
from ris.core import clock, ids
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity.values import Status
from ris.rem.evidence import Evidence
from ris.reports import freeze, service
from ris.reports.routes import router
from ris.reports.settings import ReportSettings
from ris.sandbox.server import serve
from ris.web import problems
from tests.reports.conftest import Bench, make_bench
from tests.reports.sample import AT, PATIENT, RADIOLOGIST

SETTINGS = ReportSettings()
DRAFT = {"title": "Scanner", "sections": {"conclusion": "Normal."}}


@dataclass
class Room:
    """A client signed in as a radiologist, and the database behind it."""

    client: httpx.Client
    database: Database
    bench: Bench
    app: FastAPI

    def draft(self) -> dict[str, Any]:
        body = {**DRAFT, "exam_id": str(self.bench.exam.id)}
        answer = self.client.post("/reports", json=body)
        assert answer.status_code == 201
        self.etag = answer.headers["ETag"]
        return dict(answer.json())

    def act(self, method: str, path: str, body: Any = None, etag: str = "") -> Any:
        headers = {"If-Match": etag or self.etag}
        answer = self.client.request(method, path, json=body, headers=headers)
        self.etag = answer.headers.get("ETag", self.etag)
        return answer

    def sign(self, report_id: str, **changes: Any) -> None:
        with self.database.transaction() as session:
            report = service.get(session, report_id, lock=True)
            freeze.freeze(
                session, report, self.bench.inputs(**changes),
                signed_by=self.bench.account.id, authentication=None, at=AT, settings=SETTINGS,
            )  # fmt: skip
        self.etag = self.client.get(f"/reports/{report_id}").headers["ETag"]


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with database.transaction() as session:
        bench = make_bench(session)
    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    app.state.database = database
    app.state.settings = SimpleNamespace(reports=SETTINGS)
    app.state.auth = SimpleNamespace(settings=AuthSettings())
    app.dependency_overrides[current_session] = lambda: principal(bench)
    with (
        serve(app) as running,
        httpx.Client(base_url=running.url, trust_env=False) as client,
    ):
        yield Room(client, database, bench, app)


def principal(bench: Bench) -> Principal:
    return Principal(
        account_id=bench.account.id,
        session_id=ids.new(),
        role=Role.RADIOLOGIST,
        permissions=permissions_of(Role.RADIOLOGIST),
        situation_id=None,
        professional=RADIOLOGIST,
        actor=bench.actor,
        acr="eidas1",
        auth_time=clock.now(),
        compartment=OPEN,
    )


@pytest.mark.rem("RIS.CRR.04", scenario="CRI/va1.04.01")
def test_a_report_is_drafted_edited_and_made_provisional(room: Room, evidence: Evidence) -> None:
    report = room.draft()
    path = f"/reports/{report['id']}"
    edited = room.act("PATCH", path, {"sections": {"results": "Rien."}}).json()
    assert edited["sections"] == {**report["sections"], "results": "Rien."}
    provisional = room.act("POST", f"{path}/preliminary").json()
    assert provisional["status_label"] == "Provisoire"
    listed = room.client.get("/reports").json()
    assert [(one["id"], one["status"]) for one in listed] == [(report["id"], "PRELIMINARY")]
    evidence.add("01", "provisoire.json", {"report": provisional, "review": listed})
    assert room.act("POST", f"{path}/cancel").json()["status"] == "CANCELLED"


def test_an_unsigned_report_is_put_under_another_situation_and_the_former_is_traced(
    room: Room,
) -> None:
    report = room.draft()
    assert report["situation_id"] is None
    wanted = ids.new()
    acting = principal(room.bench)
    acting = replace(acting, actor=replace(acting.actor, situation_id=wanted))
    room.app.dependency_overrides[current_session] = lambda: acting
    moved = room.act("POST", f"/reports/{report['id']}/situation")
    assert (moved.status_code, moved.json()["situation_id"]) == (200, str(wanted))
    with room.database.transaction() as session:
        query = select(AuditEvent).where(AuditEvent.action == "report.situation_changed")
        line = session.scalars(query).one()
        assert (line.detail["former"], line.situation_id) == (None, wanted)
    room.sign(report["id"])
    refused = room.act("POST", f"/reports/{report['id']}/situation")
    assert refused.status_code == 409


def test_a_change_needs_the_etag_of_what_was_read(room: Room) -> None:
    report = room.draft()
    path, first = f"/reports/{report['id']}", room.etag
    assert room.client.patch(path, json={"title": "Autre"}).status_code == 428
    assert room.act("PATCH", path, {"title": "Autre"}).status_code == 200
    assert room.act("PATCH", path, {"title": "Encore"}, etag=first).status_code == 412


@pytest.mark.parametrize(
    "body", [{"title": ""}, {"sections": {"unknown": "x"}}, {"status": "VALIDATED"}]
)
def test_a_body_of_another_shape_is_refused(body: dict[str, Any], room: Room) -> None:
    report = room.draft()
    assert room.act("PATCH", f"/reports/{report['id']}", body).status_code == 422


@pytest.mark.rem("RIS.CRR.02", scenario="CRI/va1.02.01")
def test_the_announcement_is_asked_for_before_validation(room: Room, evidence: Evidence) -> None:
    path = f"/reports/{room.draft()['id']}"
    asked = room.act("POST", f"{path}/announcement", {"needed": True})
    assert asked.json()["announcement_needed"] is True
    withdrawn = room.act("POST", f"{path}/announcement", {"needed": False}).json()
    assert withdrawn["announcement_needed"] is False
    room.act("POST", f"{path}/announcement", {"needed": True})
    room.sign(path.removeprefix("/reports/"))
    assert room.act("POST", f"{path}/announcement", {"needed": False}).status_code == 409
    evidence.add("01", "announcement.json", asked.json())


@pytest.mark.rem("RIS.CRR.05", scenario="CRI/va1.05.01")
def test_the_review_shows_unvalidated_reports_of_the_period(room: Room, evidence: Evidence) -> None:
    report = room.draft()
    listed = room.client.get("/reports").json()
    assert [one["id"] for one in listed] == [report["id"]]
    evidence.add("01", "review.json", {"items": listed})
    later = (clock.now() + timedelta(days=1)).isoformat()
    assert room.client.get("/reports", params={"since": later, "until": later}).json() == []
    room.sign(report["id"])
    assert room.client.get("/reports").json() == []


@pytest.mark.parametrize(
    ("artefact", "start", "media"),
    [
        ("n1", b"<?xml", "text/xml"),
        ("n3", b"<?xml", "text/xml"),
        ("pdf", b"%PDF-1.4", "application/pdf"),
    ],
)
def test_the_stored_bytes_are_served(artefact: str, start: bytes, media: str, room: Room) -> None:
    report = room.draft()
    room.sign(report["id"])
    path = f"/reports/{report['id']}/versions"
    answer = room.client.get(f"{path}/1/{artefact}")
    assert answer.content.startswith(start)
    assert answer.headers["content-type"].startswith(media)
    assert room.client.get(f"{path}/2/{artefact}").status_code == 404


@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
@pytest.mark.parametrize("status", [Status.QUALIFIEE, Status.RECUPEREE])
def test_a_document_that_carries_an_ins_is_an_access_to_it(
    status: Status, room: Room, evidence: Evidence
) -> None:
    report = room.draft()
    room.sign(report["id"], patient=replace(PATIENT, status=status))
    for artefact in ("n1", "n3", "pdf"):
        room.client.get(f"/reports/{report['id']}/versions/1/{artefact}").raise_for_status()
    with room.database.transaction() as session:
        read = AuditEvent.action == "ins.read"
        lines = session.scalars(select(AuditEvent).where(read)).all()
        seen = [(line.actor_id, line.patient_id) for line in lines]
    carried = 3 if status is Status.QUALIFIEE else 0
    assert seen == [(room.bench.account.id, room.bench.exam.patient_id)] * carried
    evidence.add("01", "accesses.json", {"accesses": len(seen)})


@pytest.mark.rem("RIS.INS.05", scenario="INS/va1.50.01")
def test_a_document_that_carries_an_ins_asks_for_the_right_to_see_it(room: Room) -> None:
    carried = room.draft()
    room.sign(carried["id"])
    intern = replace(principal(room.bench), permissions=permissions_of(Role.INTERN))
    room.app.dependency_overrides[current_session] = lambda: intern
    for artefact in ("n1", "n3", "pdf"):
        refused = room.client.get(f"/reports/{carried['id']}/versions/1/{artefact}")
        assert (refused.status_code, refused.json()["code"]) == (403, "role_denied")
    assert room.client.get(f"/reports/{carried['id']}").status_code == 200


@pytest.mark.rem("LOC-CRR-01")
def test_a_signed_report_changes_only_by_a_new_version(room: Room) -> None:
    report = room.draft()
    room.sign(report["id"])
    path = f"/reports/{report['id']}"
    assert room.act("PATCH", path, {"title": "Autre"}).status_code == 409
    opened = room.act("POST", f"{path}/versions", {"kind": "CORRECTION"})
    assert (opened.status_code, opened.json()["status"]) == (201, "DRAFT")
    assert room.act("PATCH", path, {"title": "Autre"}).status_code == 200
    room.sign(report["id"])
    versions = room.client.get(path).json()["versions"]
    assert [(one["number"], one["status"]) for one in versions] == [
        (1, "REPLACED"),
        (2, "VALIDATED"),
    ]


def test_an_unknown_report_is_not_found(room: Room) -> None:
    assert room.client.get(f"/reports/{ids.new()}").status_code == 404
