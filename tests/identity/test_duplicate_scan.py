"""The nightly search for duplicates, its worklist and history, and collisions (ins.md §6)."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest

from ris.auth.rights import Role
from ris.core import clock
from ris.core.db import Database
from ris.identity.duplicates.scan import DuplicateScan
from ris.identity.feature import IdentityFeature, Sent
from tests.identity.conftest import Desk
from tests.identity.test_api_conventions import pages
from tests.identity.test_merge import merged
from tests.identity.test_routes import (
    accept,
    as_read,
    attribute,
    create,
    insi_search,
    qualified,
    recovered,
    show,
)

Json = dict[str, Any]
NEVER = {"If-Match": '"0"'}


def pairs(api: httpx.Client, state: str = "DPOT") -> list[Json]:
    rows: list[Json] = api.get("/duplicates", params={"state": state}).json()["items"]
    return rows


def ids(pair: Json) -> set[str]:
    return {one["id"] for one in pair["records"]}


def test_the_scan_finds_each_pair_once_most_alike_first(desk: Desk, database: Database) -> None:
    api = desk()
    one, twin = create(api), create(api)
    swapped = create(api, birth_family="DOMINIQUE", first_birth_given="PAT-TROIS")
    near = create(api, birth_family="PAT-TROIZ")
    create(api, birth_family="AUTRE", first_birth_given="LUC", sex="M", birth_place="69383")
    create(api, birth_date="1979-03-29")
    scan = DuplicateScan(database)
    assert scan.run() == 5
    assert scan.run() == 0
    listed = pages(api, "/duplicates")
    assert ids(listed[0]) == {one["id"], twin["id"]}
    assert [pair["score"] for pair in listed] == sorted((p["score"] for p in listed), reverse=True)
    reasons = {reason for pair in listed for reason in pair["reasons"]}
    assert {"same_birth_family", "names_swapped", "similar_birth_family"} <= reasons
    assert {i for pair in listed for i in ids(pair)} == {
        x["id"] for x in (one, twin, swapped, near)
    }
    assert listed[0]["decided_at"] is None


def test_a_decided_pair_leaves_the_worklist_and_keeps_its_history(
    desk: Desk, database: Database
) -> None:
    api = desk()
    one, twin, other = create(api), create(api), create(api, birth_family="PAT-TROIZ")
    DuplicateScan(database).run()
    assert len(pairs(api)) == 3
    tag = {"If-Match": '"1"'}
    path = f"/patients/{one['id']}/duplicates/{other['id']}"
    said = api.put(path, json={"state": "HOMA", "reason": "deux sœurs"}, headers=tag)
    assert (said.status_code, said.json()["state"]) == (200, "HOMA")
    assert len(pairs(api)) == 2
    assert [ids(pair) for pair in pairs(api, "HOMA")] == [{one["id"], other["id"]}]
    history = api.get(f"{path}/history").json()
    assert [(row["state"], row["reason"]) for row in history] == [
        ("DPOT", ""),
        ("HOMA", "deux sœurs"),
    ]
    assert [row["account_id"] is None for row in history] == [True, False]
    assert merged(api, one, twin).status_code == 201
    assert pairs(api) == []
    assert DuplicateScan(database).run() == 0


def test_an_ins_that_two_records_claim_puts_the_pair_on_the_worklist(
    desk: Desk, database: Database
) -> None:
    api = desk()
    holder, other = create(api), create(api)
    found = insi_search(api, other)
    qualified_holder = recovered(api)
    refused = accept(api, other, found)
    assert (refused.status_code, refused.json()["code"]) == (409, "INS_ALREADY_ATTACHED")
    assert refused.json()["ipp"] == qualified_holder["ipp"]
    (pair,) = pairs(api)
    assert ids(pair) == {other["id"], qualified_holder["id"]}
    assert (pair["score"], pair["reasons"]) == (100, ["same_ins"])
    assert show(api, holder)["status"] == show(api, other)["status"] == "provisoire"


def test_an_ins_claimed_twice_overrules_two_homonyms(desk: Desk) -> None:
    api = desk()
    other = create(api)
    found = insi_search(api, other)
    holder = recovered(api)
    path = f"/patients/{other['id']}/duplicates/{holder['id']}"
    assert api.put(path, json={"state": "HOMA"}, headers=NEVER).status_code == 200
    assert accept(api, other, found).status_code == 409
    assert [row["state"] for row in api.get(f"{path}/history").json()] == ["HOMA", "DPOT"]


def test_homonym_is_not_set_twice_nor_beside_fictitious(desk: Desk) -> None:
    api = desk()
    one, fake = create(api), create(api)
    assert attribute(api, one, "homonyme").status_code == 200
    assert attribute(api, fake, "fictive").status_code == 200
    path = f"/patients/{one['id']}/duplicates/{fake['id']}"
    assert api.put(path, json={"state": "HOMA"}, headers=NEVER).status_code == 200
    assert [show(api, x)["attributes"] for x in (one, fake)] == [["homonyme"], ["fictive"]]


def test_who_may_not_validate_may_not_decide(desk: Desk) -> None:
    api, clerk = desk(), desk(Role.SECRETARY)
    one, other = create(api), create(api)
    path = f"/patients/{one['id']}"
    body = {"suspected_since": "2026-03-02", "reason": "deux sangs"}
    refused = [
        clerk.put(f"{path}/duplicates/{other['id']}", json={"state": "HOMA"}, headers=NEVER),
        clerk.post(f"{path}/collisions", json=body, headers=as_read(api, one)),
    ]
    assert [one.status_code for one in refused] == [403, 403]


def declared(api: httpx.Client, patient: Json) -> httpx.Response:
    body = {"suspected_since": "2026-03-02", "reason": "deux groupes sanguins"}
    path = f"/patients/{patient['id']}/collisions"
    return api.post(path, json=body, headers=as_read(api, patient))


@pytest.fixture
def sending(feature: IdentityFeature) -> IdentityFeature:
    """A site that has sent a report in the meantime."""
    gone = Sent(clock.now(), UUID(int=7), UUID(int=8), "dmp", "delivered", with_ins=True)
    asked: list[date] = []

    def since(_session: object, _patient: UUID, day: date, _scope: object) -> list[Sent]:
        asked.append(day)
        return [gone] if day <= date(2026, 3, 2) else []

    return replace(feature, sent_since=since)


def test_a_proven_collision_stops_the_identity_and_lists_what_left(
    desk: Desk, sending: IdentityFeature
) -> None:
    api = desk(feature=sending)
    patient = qualified(api)
    made = declared(api, patient)
    assert (made.status_code, made.json()["state"]) == (201, "COLP")
    after = show(api, patient)
    assert (after["status"], after["to_review"]) == ("qualifiée", True)
    assert declared(api, patient).json()["code"] == "COLLISION_EXISTS"
    path = f"/collisions/{made.json()['id']}"
    assert [one["id"] for one in api.get("/collisions").json()["items"]] == [made.json()["id"]]
    body = {"state": "COLV", "reason": "confirmé par les deux patients"}
    assert api.put(path, json=body).status_code == 428
    assert api.put(path, json=body, headers=NEVER).status_code == 412
    settled = api.put(path, json=body, headers={"If-Match": made.headers["etag"]})
    assert settled.status_code == 200, settled.text
    assert [one["channel"] for one in settled.json()["sent"]] == ["dmp"]
    after = show(api, patient)
    assert (after["status"], after["attributes"], after["ins"]) == (
        "provisoire",
        ["douteuse"],
        None,
    )
    again = api.put(path, json=body, headers={"If-Match": settled.headers["etag"]})
    assert (again.status_code, again.json()["code"]) == (409, "COLLISION_SETTLED")
    assert api.get("/collisions").json()["items"] == []
    assert api.get(path).json()["settled_reason"] == body["reason"]


@pytest.mark.parametrize("suspected", ["survivor", "absorbed"])
def test_a_record_that_may_hold_two_persons_is_not_merged_before_it_is_settled(
    desk: Desk, suspected: str
) -> None:
    api = desk()
    pair = {"survivor": qualified(api), "absorbed": create(api)}
    made = declared(api, pair[suspected])
    refused = merged(api, pair["survivor"], pair["absorbed"])
    assert (refused.status_code, refused.json()["code"]) == (409, "MERGE_REFUSED")
    body = {"state": "NONE", "reason": "une seule personne"}
    path, tag = f"/collisions/{made.json()['id']}", {"If-Match": made.headers["etag"]}
    assert api.put(path, json=body, headers=tag).is_success
    assert merged(api, pair["survivor"], pair["absorbed"]).status_code == 201


def test_a_suspicion_set_aside_changes_nothing(desk: Desk) -> None:
    api = desk()
    patient = qualified(api)
    made = declared(api, patient)
    body = {"state": "NONE", "reason": "erreur de saisie du groupe"}
    path = f"/collisions/{made.json()['id']}"
    assert api.put(path, json=body, headers={"If-Match": made.headers["etag"]}).status_code == 200
    after = show(api, patient)
    assert (after["status"], after["attributes"], after["to_review"]) == ("qualifiée", [], False)
    assert declared(api, patient).status_code == 201
    unknown = api.get(f"/collisions/{UUID(int=3)}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "COLLISION_NOT_FOUND")
