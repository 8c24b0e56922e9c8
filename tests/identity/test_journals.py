"""The journals of identity over the API: by period, account and patient, to who has the right."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ris.auth.rights import Permission, Role
from ris.core import clock
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity import disclosures
from ris.identity.model import InsiCall
from ris.rem.evidence import Evidence
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS, result
from ris.sandbox.insi_people import Person
from tests.identity.conftest import Desk, Insi
from tests.identity.test_api_conventions import pages
from tests.identity.test_routes import (
    MATRICULE,
    accept,
    as_read,
    attribute,
    create,
    edit,
    insi_search,
    qualified,
    recovered,
    show,
    validate,
    verify,
)

Json = dict[str, Any]
JOURNALS = ("/ins-accesses", "/insi-calls", "/identity-changes", "/ins-disclosures")


def rows(api: httpx.Client, path: str, **asked: Any) -> list[Json]:
    answer = api.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
@pytest.mark.rem("RIS.INS.04", scenario="INS/va1.49.01")
def test_the_journals_say_who_when_and_whose_by_period_account_and_patient(
    desk: Desk, evidence: Evidence
) -> None:
    api, second, auditor = desk(), desk(Role.RADIOLOGIST), desk(Role.AUDITOR)
    patient, other = qualified(api), create(api, birth_family="PAT-QUATRE")
    between = clock.now()
    show(second, patient)
    insi_search(second, other)
    accesses = rows(auditor, "/ins-accesses")
    assert {one["patient_id"] for one in accesses} == {patient["id"]}
    (late,) = rows(auditor, "/ins-accesses", since=between.isoformat())
    assert (late["role"], late["ps_idnat"]) == ("RADIOLOGIST", "899700218896")
    assert rows(auditor, "/ins-accesses", account_id=late["account_id"]) == [late]
    assert late not in rows(auditor, "/ins-accesses", until=between.isoformat())
    assert rows(auditor, "/ins-accesses", patient_id=other["id"]) == []
    by_second = rows(auditor, "/insi-calls", account_id=late["account_id"])
    assert {one["patient_id"] for one in by_second} == {other["id"]}
    assert all(one["at"] and one["mode"] and one["operation"] for one in by_second)
    assert MATRICULE not in str(accesses + by_second)
    evidence.add("01", "accesses.json", {"accesses": accesses})
    evidence.add("02", "calls.json", {"calls": rows(auditor, "/insi-calls")})


def documented(api: httpx.Client, patient: Json) -> httpx.Response:
    return validate(api, patient, "PC", validate_identity=False)


def unmarked(api: httpx.Client, patient: Json) -> httpx.Response:
    attribute(api, patient, "homonyme")
    path = f"/patients/{patient['id']}/attributes/homonyme"
    return api.request("DELETE", path, headers=as_read(api, patient))


@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
@pytest.mark.parametrize(
    "act",
    [
        lambda api, patient: edit(api, patient, used_given="CAM"),
        lambda api, patient: attribute(api, patient, "homonyme"),
        unmarked, documented, verify,
    ],
    ids=["edit", "attribute", "attribute-removed", "document", "verification"],
)  # fmt: skip
@pytest.mark.parametrize("right", [True, False], ids=["seen", "not-seen"])
def test_an_act_whose_answer_shows_the_ins_is_an_access_to_it(
    desk: Desk, act: Callable[[httpx.Client, Json], httpx.Response], *, right: bool
) -> None:
    api, auditor = desk(less=frozenset(() if right else {Permission.INS_READ})), desk(Role.AUDITOR)
    patient = qualified(desk())
    before = rows(auditor, "/ins-accesses")
    answers: list[str] = []
    api.event_hooks = {"response": [lambda answer: answers.append(answer.read().decode())]}
    assert act(api, patient).is_success
    shown = [MATRICULE in one for one in answers]
    assert shown[-1] is right
    assert len(rows(auditor, "/ins-accesses")) - len(before) == sum(shown)


@pytest.mark.rem("RIS.INS.17", scenario="INS/va1.27.01")
def test_every_change_of_an_identity_is_found_page_by_page(desk: Desk, evidence: Evidence) -> None:
    api, auditor = desk(), desk(Role.AUDITOR)
    one, two = qualified(api), create(api, birth_family="PAT-QUATRE")
    changes = pages(auditor, "/identity-changes")
    assert [(row["patient_id"], row["event"]) for row in changes] == [
        (one["id"], "created"),
        (one["id"], "insi_accepted"),
        (one["id"], "document_validated"),
        (two["id"], "created"),
    ]
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    assert rows(auditor, "/identity-changes", since=tomorrow) == []
    evidence.add("01", "changes.json", {"changes": changes})


@pytest.mark.rem("RIS.INS.51", scenario="INS/va1.46.01")
def test_the_partners_that_received_an_ins_are_listed_for_the_site_and_for_a_patient(
    desk: Desk, database: Database, evidence: Evidence
) -> None:
    from uuid import UUID

    api, auditor = desk(), desk(Role.AUDITOR)
    one, two = qualified(api), create(api, birth_family="PAT-QUATRE")
    with database.transaction() as session:
        for patient, partner in ((one, "PACS"), (one, "DMP"), (two, "PACS")):
            disclosures.note(
                session, UUID(patient["id"]), sender="2.25.1", partner=partner, channel="hl7_pam",
                reference="m1",
            )  # fmt: skip
    assert len(pages(auditor, "/ins-disclosures")) == 3
    assert {row["patient_id"] for row in rows(auditor, "/ins-disclosures", partner="PACS")} == {
        one["id"],
        two["id"],
    }
    mine = rows(api, f"/patients/{one['id']}/ins-disclosures")
    assert [row["partner"] for row in mine] == ["PACS", "DMP"]
    evidence.add("01", "partners.json", {"partners": mine})


@pytest.mark.rem("RIS.INS.41", scenario="INS/va1.35.01")
def test_all_that_insi_returned_is_read_once_the_identity_is_qualified(
    desk: Desk, evidence: Evidence
) -> None:
    api = desk()
    patient = recovered(api)
    (call,) = rows(api, f"/patients/{patient['id']}/insi-calls")
    path = f"/insi-calls/{call['id']}"
    hidden = api.get(path)
    assert MATRICULE not in hidden.text
    assert (hidden.json()["ins_returned"], hidden.json()["ins"]) == (True, None)
    validate(api, patient)
    full = api.get(path).json()
    assert (full["code"], full["ins"]["matricule"]) == ("00", MATRICULE)
    assert full["traits"]["birth_family"] == "PAT-TROIS"
    assert full["decision"] == "accepted"
    blind = desk(less=frozenset({Permission.INS_READ}))
    assert blind.get(path).json()["ins"] is None
    deaf = desk(less=frozenset({Permission.INSI_CALL}))
    assert deaf.get(path).status_code == 403
    unknown = api.get(f"/insi-calls/{patient['id']}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "INSI_CALL_NOT_FOUND")
    evidence.add("01", "answer.json", full)


@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
def test_an_ins_read_in_an_answer_of_insi_is_an_access_to_it(
    desk: Desk, evidence: Evidence
) -> None:
    api, auditor = desk(), desk(Role.AUDITOR)
    patient = recovered(api)
    (call,) = rows(api, f"/patients/{patient['id']}/insi-calls")
    path = f"/insi-calls/{call['id']}"
    assert api.get(path).json()["ins"] is None
    assert rows(auditor, "/ins-accesses") == []
    validate(api, patient)
    before = rows(auditor, "/ins-accesses")
    assert desk(less=frozenset({Permission.INS_READ})).get(path).json()["ins"] is None
    assert rows(auditor, "/ins-accesses") == before
    reader = desk(Role.RADIOLOGIST)
    assert reader.get(path).json()["ins"]["matricule"] == MATRICULE
    (line,) = rows(auditor, "/ins-accesses")[len(before) :]
    assert (line["role"], line["patient_id"]) == ("RADIOLOGIST", patient["id"])
    evidence.add("01", "access.json", line)


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
@pytest.mark.parametrize(
    ("code", "lost", "status"), [("00", {"oid": ""}, 502), ("07", {}, 502), ("02", {}, 201)]
)
def test_an_answer_of_insi_that_could_not_be_read_shows_no_number(
    desk: Desk, insi: Insi, database: Database, *, code: str, lost: Json, status: int
) -> None:
    api = desk()
    patient = create(api)
    person = Person("PAT-TROIS", "DOMINIQUE", "F", "1979-03-28", "63220", MATRICULE)
    insi.state.scripted.append(result(code, replace(person, **lost)))
    assert api.post(f"/patients/{patient['id']}/insi-search", json={}).status_code == status
    with database.transaction() as session:
        call = session.scalars(select(InsiCall).order_by(InsiCall.at)).all()[0]
        assert MATRICULE[:13] in str(call.answer), "all that came back is kept"
        path = f"/insi-calls/{call.id}"
    assert MATRICULE[:13] not in api.get(path).text


@pytest.mark.rem("RIS.INS.40", scenario="INS/va1.38.02")
def test_a_call_made_twice_under_one_key_is_written_twice(
    desk: Desk, insi: Insi, evidence: Evidence
) -> None:
    api = desk()
    patient = create(api)
    before = len(insi.faults.suffered)
    insi.faults.inject(BY_TRAITS, Fault(kind="delay", times=2, seconds=3))
    path, key = f"/patients/{patient['id']}/insi-search", {"Idempotency-Key": "impatient"}
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(api.post, path, json={}, headers=key)]
        while (
            len(insi.faults.suffered) == before
        ):  # the first is waiting for INSi: the user tries again
            time.sleep(0.02)
        sent.append(pool.submit(api.post, path, json={}, headers=key))
        answers = [one.result() for one in sent]
    assert {one.status_code for one in answers} <= {201, 409}
    made = rows(api, f"/patients/{patient['id']}/insi-calls")
    assert len(made) == len(insi.state.requests) == 2
    evidence.add("02", "twins.json", {"calls": made})


def test_reading_a_journal_is_on_the_journal_and_wants_its_right(desk: Desk) -> None:
    api, auditor = desk(), desk(Role.AUDITOR)
    for path in JOURNALS:
        assert api.get(path).status_code == 403
        assert rows(auditor, path) == []
        refused = auditor.get(path, params={"since": "2026-01-01T00:00:00"})
        assert refused.status_code == 422, "an instant without its zone"
        nobody = auditor.get(path, params={"patient_id": "00000000-0000-7000-8000-000000000000"})
        assert (nobody.status_code, nobody.json()["code"]) == (404, "PATIENT_NOT_FOUND")
        assert auditor.get(path, params={"after": "WzFd"}).status_code in (200, 422)
        assert auditor.get(path, params={"after": "WyJhIl0"}).json()["code"] == "BAD_CURSOR"


def test_a_rejected_answer_says_so_with_its_reason(desk: Desk) -> None:
    api = desk()
    patient = create(api)
    found = insi_search(api, patient)
    accept(api, patient, found)
    (call,) = rows(api, f"/patients/{patient['id']}/insi-calls")
    assert api.get(f"/insi-calls/{call['id']}").json()["decided_at"] is not None


def test_reading_what_stands_beside_a_record_leaves_a_line(desk: Desk, database: Database) -> None:
    api = desk()
    patient = create(api)
    for path in ("merges", "duplicates", "propagation"):
        assert api.get(f"/patients/{patient['id']}/{path}").status_code == 200
    assert api.get("/collisions").status_code == 200
    with database.transaction() as session:
        read = AuditEvent.action.endswith("_read")
        lines = session.scalars(select(AuditEvent).where(read).order_by(AuditEvent.seq)).all()
        told = [(line.action, line.patient_id) for line in lines]
    assert [action for action, _ in told] == [
        "patient.merges_read", "patient.duplicates_read", "patient.propagation_read",
        "collision.worklist_read",
    ]  # fmt: skip
    assert {str(one) for _, one in told[:3]} == {patient["id"]}
