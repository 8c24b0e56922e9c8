"""The main job through the public API, in short: what the breaker's tests start from."""

from pathlib import Path
from typing import Any

import httpx

from ris.core import clock
from ris.demo.story import CT, PROCEDURE, SECTIONS, TRAITS, stamped
from ris.sandbox.annuaire import REQUESTER_ADDRESS
from ris.sandbox.psc_people import REQUESTER

Json = dict[str, Any]


def got(answer: httpx.Response, status: int) -> Any:
    """Return the JSON of an answer that must have *status*."""
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def patient(desk: httpx.Client, **traits: object) -> Json:
    """A record at provisoire."""
    made: Json = got(desk.post("/v1/patients", json={**TRAITS, **traits}), 201)
    return made


def retrieval(desk: httpx.Client, record: Json) -> str:
    """Ask INSi; return what is to accept."""
    found: str = got(desk.post(f"/v1/patients/{record['id']}/insi-search", json={}), 201)[
        "retrieval_id"
    ]
    return found


def qualified(desk: httpx.Client, **traits: object) -> Json:
    """The demo's patient, or another whom INSi knows, qualifiée."""
    record = patient(desk, **traits)
    path = f"/v1/patients/{record['id']}"
    answer = {"retrieval_id": retrieval(desk, record)}
    found = got(desk.post(f"{path}/insi-acceptance", json=answer, headers=as_read(record)), 201)
    shown = {"type": "PA", "validate_identity": True}
    made = got(desk.post(f"{path}/documents", json=shown, headers=as_read(found)), 201)
    patient_now: Json = made["patient"]
    return patient_now


def as_read(record: Json) -> dict[str, str]:
    """The version of a record, as it was read."""
    return {"If-Match": f'"{record["version"]}"'}


def order_of(record: Json, **changes: object) -> Json:
    """The body of an order for *record*."""
    return {
        "patient_id": record["id"],
        "requester": {"rpps": REQUESTER.ps_idnat[1:], "mss_address": REQUESTER_ADDRESS},
        "reason": SECTIONS["indication"],
        "scheduled_at": clock.now().isoformat(),
        **PROCEDURE,
        **changes,
    }


def exam(desk: httpx.Client, record: Json) -> Json:
    """An exam ordered."""
    made: Json = got(desk.post("/v1/orders", json=order_of(record)), 201)
    return made


def examined(desk: httpx.Client, ordered: Json) -> Json:
    """The exam *ordered*, done, without images."""
    for event in ("start", "complete"):
        tag = {"If-Match": f'"{ordered["version"]}"'}
        path = f"/v1/exams/{ordered['id']}/events"
        ordered = got(desk.post(path, json={"event": event}, headers=tag), 200)
    return ordered


def images(ordered: Json, record: Json) -> list[bytes]:
    """A real study stamped with the identifiers of the exam."""
    return [stamped(path.read_bytes(), ordered, record["ipp"]) for path in sorted(CT.iterdir())]


def upload(desk: httpx.Client, ordered: Json, files: list[bytes]) -> httpx.Response:
    """Send files as the study of an exam."""
    parts = [("files", (Path(f"{n}.dcm").name, data)) for n, data in enumerate(files)]
    return desk.post(f"/v1/exams/{ordered['id']}/study", files=parts)


def draft(doctor: httpx.Client, ordered: Json, **changes: object) -> Json:
    """A report being written."""
    body = {"exam_id": ordered["id"], "title": "Scanner", "sections": SECTIONS, **changes}
    made: Json = got(doctor.post("/v1/reports", json=body), 201)
    return made


def ready(desk: httpx.Client, doctor: httpx.Client) -> Json:
    """A report that only lacks its signature."""
    record = qualified(desk)
    ordered = exam(desk, record)
    got(upload(desk, ordered, images(ordered, record)), 200)
    return draft(doctor, ordered)


def sign(doctor: httpx.Client, report: Json, **headers: str) -> httpx.Response:
    """Sign *report* as read."""
    path = f"/v1/reports/{report['id']}/signature"
    return doctor.post(path, headers={"If-Match": f'"{report["version"]}"', **headers})
