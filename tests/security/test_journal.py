"""Who did what, to whom: the journal as a reviewer, a member of the staff and a patient get it."""

import json
from typing import Any

import httpx
import pytest

from ris.core import audit
from tests.security import job


@pytest.fixture
def patient(desk: httpx.Client, doctor: httpx.Client) -> str:
    """A patient made by the secretary and read by the radiologist."""
    made = str(job.patient(desk)["id"])
    assert doctor.get(f"/v1/patients/{made}").status_code == 200
    return made


def items(client: httpx.Client, path: str, **params: object) -> list[dict[str, Any]]:
    answer = client.get(path, params={k: str(v) for k, v in params.items()})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_patient_who_asks_is_told_who_opened_his_record(
    auditor: httpx.Client, patient: str
) -> None:
    told = items(auditor, f"/v1/audit/patients/{patient}/accesses")
    seen = [(one["action"], one["role"], one["outcome"]) for one in told]
    assert seen[-1] == ("patient.created", "SECRETARY", "success")
    assert ("patient.read", "RADIOLOGIST", "success") in seen
    reading = next(one for one in told if one["action"] == "patient.read")
    assert reading["person"]
    assert reading["structure"]
    (line,) = items(auditor, "/v1/audit/events", action="audit.accesses_read")
    assert (line["patient_id"], line["role"]) == (patient, "AUDITOR")


def test_the_reviewer_filters_and_pages_the_journal(auditor: httpx.Client, patient: str) -> None:
    whole = items(auditor, "/v1/audit/events", patient_id=patient)
    assert {one["patient_id"] for one in whole} == {patient}
    assert [one["seq"] for one in whole] == sorted((one["seq"] for one in whole), reverse=True)
    asked = {"patient_id": patient, "limit": 1, "action": "patient"}
    first = auditor.get("/v1/audit/events", params=asked)
    assert first.json()["items"] == [whole[0]]
    assert items(auditor, "/v1/audit/events", **{**asked, "after": first.json()["next"]}) == [
        whole[1]
    ]
    assert {one["action"] for one in items(auditor, "/v1/audit/events", action="patient")} == {
        "patient.created", "patient.read",
    }  # fmt: skip
    assert items(auditor, "/v1/audit/events", outcome="failure", patient_id=patient) == []
    assert items(auditor, "/v1/audit/events", until="2020-01-01T00:00:00Z") == []
    for cursor in ("abc", "W10", "WzEuNV0", "W251bGxd", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTld"):
        answer = auditor.get("/v1/audit/events", params={"after": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_CURSOR")


def test_a_member_of_the_staff_reads_his_own_acts_and_no_other(
    desk: httpx.Client, doctor: httpx.Client, patient: str
) -> None:
    own = items(doctor, "/v1/audit/mine")
    assert {one["role"] for one in own} == {"RADIOLOGIST"}
    assert "patient.read" in {one["action"] for one in own}
    assert "patient.created" in {one["action"] for one in items(desk, "/v1/audit/mine")}
    for path in ("events", "export", f"patients/{patient}/accesses"):
        refused = doctor.get(f"/v1/audit/{path}")
        assert (refused.status_code, refused.json()["code"]) == (403, "role_denied")


def test_the_export_verifies_without_the_database_and_is_itself_traced(
    auditor: httpx.Client, patient: str
) -> None:
    first = auditor.get("/v1/audit/export", params={"limit": 2})
    assert first.headers["content-type"].startswith("application/x-ndjson")
    lines, answer = first.text.splitlines(), first
    while following := answer.links.get("next"):
        answer = auditor.get(following["url"])
        lines += answer.text.splitlines()
    assert list(audit.broken_lines(lines)) == []
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    traced = [line for line in lines if json.loads(line)["action"] == "audit.exported"]
    assert json.loads(traced[0])["detail"] == {"start": 1, "count": 2}


def test_an_administrator_cannot_read_the_journal_nor_a_reviewer_a_patient(
    auditor: httpx.Client, administrator: httpx.Client, patient: str
) -> None:
    assert administrator.get("/v1/audit/events").status_code == 403
    for path in (f"/v1/patients/{patient}", "/v1/patients?birth_date=1979-03-05"):
        assert auditor.get(path).status_code == 403
