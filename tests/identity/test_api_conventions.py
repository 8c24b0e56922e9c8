"""House conventions on the identity API: keys, pages, versions, faults told together."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from ris import app as root
from ris.core.db import Database
from ris.identity.model import IdentityHistory, IdentityKey, InsiCall, Patient
from ris.web.model import IdempotencyRecord
from tests.identity.conftest import PATIENT, Desk, Insi
from tests.identity.test_routes import (
    MATRICULE,
    accept,
    as_read,
    create,
    edit,
    insi_search,
    qualified,
    recovered,
    show,
    validate,
)

Json = dict[str, Any]
KEY = {"Idempotency-Key": "5f1c6f2e"}


def count(database: Database, table: type) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def replayed(answer: httpx.Response) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


def test_a_creation_sent_twice_makes_one_record(desk: Desk, database: Database) -> None:
    api = desk()
    first = api.post("/patients", json=PATIENT, headers=KEY)
    again = api.post("/patients", json=PATIENT, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"] == '"1"'
    assert count(database, Patient) == 1
    other = api.post("/patients", json={**PATIENT, "sex": "M"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_search_of_insi_sent_twice_calls_once(desk: Desk, database: Database, insi: Insi) -> None:
    api = desk()
    path = f"/patients/{create(api)['id']}/insi-search"
    first, again = (api.post(path, json={}, headers=KEY) for _ in range(2))
    assert first.json() == again.json()
    assert replayed(again)
    assert (len(insi.state.requests), count(database, InsiCall)) == (1, 1)


def test_an_answer_kept_under_a_key_never_holds_an_ins(desk: Desk, database: Database) -> None:
    api = desk()
    patient = create(api)
    found = insi_search(api, patient)
    path, body = f"/patients/{patient['id']}", {"retrieval_id": found["retrieval_id"]}
    tag = as_read(api, patient)
    taken = [
        api.post(f"{path}/insi-acceptance", json=body, headers={**KEY, **tag}) for _ in range(2)
    ]
    assert [one.status_code for one in taken] == [201, 201]
    shown = {"type": "PA", "validate_identity": True}
    headers = {"Idempotency-Key": "other", "If-Match": taken[0].headers["etag"]}
    done = [api.post(f"{path}/documents", json=shown, headers=headers) for _ in range(2)]
    assert [one.json()["patient"]["status"] for one in done] == ["qualifiée"] * 2
    assert [one.json()["patient"]["ins"] for one in done] == [None] * 2
    with database.transaction() as session:
        bodies = [one.body for one in session.scalars(select(IdempotencyRecord))]
    assert len(bodies) == 2
    assert MATRICULE.encode() not in b"".join(bodies)
    assert show(api, patient)["ins"]["matricule"] == MATRICULE


@pytest.mark.parametrize("act", ["documents", "insi-acceptance", "merges", "collisions"])
def test_an_act_on_a_record_wants_the_version_that_was_read(desk: Desk, act: str) -> None:
    api = desk()
    patient, other = create(api), create(api)
    body: dict[str, Json] = {
        "documents": {"type": "PA"},
        "insi-acceptance": {"retrieval_id": other["id"]},
        "merges": {"absorbed_id": other["id"], "absorbed_version": 1, "reason": "x"},
        "collisions": {"suspected_since": "2026-01-01", "reason": "x"},
    }
    path = f"/patients/{patient['id']}/{act}"
    without = api.post(path, json=body[act])
    assert (without.status_code, without.json()["code"]) == (428, "IF_MATCH_REQUIRED")
    edit(api, patient, used_given="DOM")
    stale = api.post(path, json=body[act], headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "STALE")


def test_a_document_is_not_validated_against_traits_edited_meanwhile(desk: Desk) -> None:
    api = desk()
    patient = create(api)
    seen = as_read(api, patient)
    edit(api, patient, birth_place="63220")
    body = {"type": "PA", "validate_identity": True}
    answer = api.post(f"/patients/{patient['id']}/documents", json=body, headers=seen)
    assert answer.status_code == 412
    assert show(api, patient)["status"] == "provisoire"


def pages(api: httpx.Client, path: str, **params: Any) -> list[Json]:
    found: list[Json] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = api.get(path, params={"limit": 2, **params, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        assert ("Link" in answer.headers) is (page["next"] is not None)
        if page["next"] is None:
            return found
        assert len(page["items"]) == 2
        cursor = {"after": page["next"]}


def test_every_list_is_read_page_by_page_without_loss_nor_repeat(desk: Desk) -> None:
    api = desk()
    born = PATIENT["birth_date"]
    made = [create(api, birth_family=f"PAT-{letter}")["id"] for letter in "DACBE"]
    assert [one["birth_family"] for one in pages(api, "/patients", birth_date=born)] == [
        f"PAT-{letter}" for letter in "ABCDE"
    ]
    patient = {"id": made[0]}
    for number in range(4):
        edit(api, patient, used_given=f"DOM{'ABCD'[number]}")
    events = [one["event"] for one in pages(api, f"/patients/{made[0]}/history")]
    assert events == ["created"] + ["complementary_trait_changed"] * 4
    assert pages(api, f"/patients/{made[0]}/insi-calls") == []
    insi_search(api, create(api))
    assert pages(api, "/identity-worklist") == []


@pytest.mark.parametrize(
    "path", ["/patients?birth_date=1979-03-28&", "/duplicates?", "/identity-worklist?"]
)
@pytest.mark.parametrize("after", ["x", "WzFd", "WyJhIiwiYiIsImMiXQ", "W10"])
def test_a_cursor_that_this_api_did_not_make_is_refused(desk: Desk, path: str, after: str) -> None:
    answer = desk().get(f"{path}after={after}")
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_CURSOR")


def test_every_fault_of_a_form_is_told_at_once_and_nothing_is_written(
    desk: Desk, database: Database
) -> None:
    bad = {
        "birth_family": "Élodie",
        "first_birth_given": "",
        "birth_date": "1979-13-28",
        "sex": "X",
        "birth_place": "5100",
        "used_family": "A" * 101,
        "phone": "0" * 31,
        "billing_number": "1" * 16,
        "address": {"lines": ["x" * 201], "city": "y" * 101},
    }
    answer = desk().post("/patients", json=bad)
    assert (answer.status_code, answer.json()["code"]) == (422, "TRAITS_REFUSED")
    told = {one["pointer"]: one["code"] for one in answer.json()["errors"]}
    assert told == {
        "/birth_family": "NAME_CHARACTERS",
        "/first_birth_given": "MISSING",
        "/birth_date": "DATE_MONTH",
        "/sex": "SEX_CODE",
        "/birth_place": "PLACE_CODE",
        "/used_family": "NAME_TOO_LONG",
        "/phone": "PHONE_TOO_LONG",
        "/billing_number": "BILLING_NUMBER_TOO_LONG",
        "/address/lines/0": "ADDRESS_LINE_TOO_LONG",
        "/address/city": "ADDRESS_CITY_TOO_LONG",
    }
    messages = [one["message"] for one in answer.json()["errors"]]
    assert messages[0].startswith("Nom de naissance : ")
    assert "Élodie" not in answer.text
    assert [count(database, one) for one in (Patient, IdentityHistory, IdentityKey)] == [0, 0, 0]


def test_an_edit_at_fault_writes_nothing_of_it(desk: Desk) -> None:
    api = desk()
    before = show(api, create(api, used_given="DOM"))
    answer = edit(api, before, used_given="LOU", phone="0" * 31, birth_date="1979-02-30")
    assert {one["code"] for one in answer.json()["errors"]} == {"PHONE_TOO_LONG", "DATE_UNREAL"}
    assert show(api, before) == before


def test_answers_to_acts_show_the_ins_only_once_qualified(desk: Desk) -> None:
    api = desk()
    patient = recovered(api)
    assert MATRICULE not in edit(api, patient, used_given="DOM").text
    assert MATRICULE in validate(api, patient).text
    again = qualified(api, **{
        "birth_family": "ADRUN", "first_birth_given": "ZOE", "birth_date": "1975-12-31",
        "birth_place": "63220",
    })  # fmt: skip
    found = {"retrieval_id": again["id"]}
    assert accept(api, again, found).json()["code"] == "INSI_RETRIEVAL_UNUSABLE"


def described(name: str, schemas: Json, seen: set[str]) -> list[str]:
    """Names of the fields of a schema, and of those it holds, that nothing describes."""
    if name in seen or name.startswith("Problem"):
        return []
    seen.add(name)
    fields = schemas[name].get("properties", {})
    own = {} if name.startswith("Page_") else fields
    bare = [f"{name}.{field}" for field, one in own.items() if not one.get("description")]
    inner = re.findall(r"#/components/schemas/(\w+)", str(fields))
    return bare + [field for one in inner for field in described(one, schemas, seen)]


def test_an_integrator_finds_each_identity_route_and_field_described_in_french() -> None:
    document = root.describe()
    schemas, seen, bare = document["components"]["schemas"], set[str](), []
    for path, of in document["paths"].items():
        for method, one in of.items():
            if "identity" not in one.get("tags", ()) or "copies" in path:
                continue
            assert one["description"].rstrip().endswith("."), path
            assert one["summary"] != one["operationId"].replace("_", " ").title(), (method, path)
            silent = [
                f"{path}?{p['name']}" for p in one.get("parameters", ())
                if p.get("in") == "query" and not p.get("description")
            ]  # fmt: skip
            bare += [name for name in silent if not name.endswith(("?limit", "?after"))]
            names = re.findall(r"#/components/schemas/(\w+)", str(one))
            bare += [field for name in names for field in described(name, schemas, seen)]
    assert bare == []
    assert {"PatientIn", "PatientOut", "RetrievalOut", "PairOut", "ProposalOut"} & seen
