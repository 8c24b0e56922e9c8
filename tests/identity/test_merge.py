"""Merge and un-merge through the public API: nothing lost, one truth (ins.md R-MRG-01 to 03)."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ris.auth.rights import Role
from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.identity import service
from ris.identity.duplicates import merge
from ris.identity.errors import PatientMerged
from ris.identity.feature import Change, IdentityFeature
from ris.identity.foreign import service as foreign
from ris.identity.foreign.feed import InboundEvent, LocalId
from ris.identity.model import Patient
from ris.mss.model import MssRefusal
from tests.identity.conftest import Desk
from tests.identity.test_foreign import contract, message
from tests.identity.test_routes import as_read, create, edit, qualified, show, validated

Json = dict[str, Any]
ZOE = {"birth_family": "ADRUN", "first_birth_given": "ZOE", "birth_date": "1975-12-31",
       "birth_place": "63220"}  # fmt: skip


def merged(api: httpx.Client, survivor: Json, absorbed: Json, **fields: Any) -> httpx.Response:
    body = {
        "absorbed_id": absorbed["id"],
        "absorbed_version": show(api, absorbed)["version"],
        "reason": "même personne, vérifié au guichet",
        **fields,
    }
    headers = {"If-Match": f'"{show(api, survivor)["version"]}"'}
    return api.post(f"/patients/{survivor['id']}/merges", json=body, headers=headers)


def refusal(database: Database, patient: Json) -> None:
    with database.transaction() as session:
        session.add(
            MssRefusal(
                patient_id=UUID(patient["id"]),
                professional=True,
                patient=False,
                recorded_at=datetime.now(UTC),
            )
        )


def refusing(database: Database) -> list[str]:
    with database.transaction() as session:
        return [str(one) for one in session.scalars(select(MssRefusal.patient_id))]


def merging(session: Session, feature: IdentityFeature, survivor: Json, absorbed: Json) -> None:
    rows = [session.get_one(Patient, UUID(one["id"])) for one in (survivor, absorbed)]
    versions = (rows[0].version, rows[1].version)
    merge.merge(
        session, feature, rows[0].id, rows[1].id, versions=versions, reason="essai", actor=SYSTEM
    )


def directly(database: Database, feature: IdentityFeature, survivor: Json, absorbed: Json) -> None:
    with database.transaction() as session:
        merging(session, feature, survivor, absorbed)


def touch(database: Database, patient: Json) -> None:
    with database.transaction() as session:
        session.execute(text("set local lock_timeout = '100ms'"))
        service.still_open(session, UUID(patient["id"]))


def test_an_absorbed_record_climbs_no_more(desk: Desk, database: Database) -> None:
    api = desk()
    survivor, absorbed = create(api), create(api)
    path = f"/patients/{absorbed['id']}"
    found = api.post(f"{path}/insi-search", json={}).json()
    assert found["retrieval_id"]
    assert merged(api, survivor, absorbed).status_code == 201
    tag, answer = as_read(api, absorbed), {"retrieval_id": found["retrieval_id"]}
    passport = {"type": "PA", "validate_identity": True}
    refused = [
        api.post(f"{path}/insi-acceptance", json=answer, headers=tag),
        api.post(f"{path}/insi-search", json={}),
        api.post(f"{path}/documents", json=passport, headers=tag),
    ]
    assert [(one.status_code, one.json()["code"]) for one in refused] == [
        (409, "PATIENT_MERGED")
    ] * 3
    assert show(api, absorbed)["status"] == absorbed["status"]


def test_a_merge_keeps_the_survivor_and_moves_what_was_filed(
    desk: Desk, database: Database
) -> None:
    api = desk()
    survivor, absorbed = qualified(api), create(api, used_family="AUTRE")
    refusal(database, absorbed)
    answer = merged(api, survivor, absorbed)
    assert answer.status_code == 201, answer.text
    after = show(api, survivor)
    assert (after["status"], after["used_family"]) == ("qualifiée", "")
    assert after["ins"] is not None
    assert refusing(database) == [survivor["id"]]
    found = api.get("/patients", params={"ipp": absorbed["ipp"]}).json()["items"]
    assert [row["id"] for row in found] == [survivor["id"]]
    by_date = api.get("/patients", params={"birth_date": "1979-03-28"}).json()["items"]
    assert [row["id"] for row in by_date] == [survivor["id"]]
    refused = edit(api, absorbed, used_family="X")
    assert (refused.status_code, refused.json()["code"]) == (409, "PATIENT_MERGED")
    assert refused.json()["survivor_id"] == survivor["id"]


def test_an_undone_merge_gives_everything_back_at_provisional(
    desk: Desk, database: Database
) -> None:
    api = desk()
    survivor, absorbed = qualified(api), create(api)
    refusal(database, absorbed)
    done = merged(api, survivor, absorbed).json()
    path = f"/patient-merges/{done['id']}/undo"
    tag = as_read(api, survivor)
    assert api.post(path, json={"reason": "deux personnes"}).status_code == 428
    assert api.post(path, json={}, headers=tag).json()["code"] == "REASON_REQUIRED"
    undone = api.post(path, json={"reason": "deux personnes"}, headers=tag)
    assert undone.json()["undone_at"] is not None
    assert api.post(path, json={"reason": "x"}, headers=tag).json()["code"] == "MERGE_REFUSED"
    assert refusing(database) == [absorbed["id"]]
    for one in (survivor, absorbed):
        shown = show(api, one)
        assert (shown["status"], shown["ins"], shown["to_review"]) == ("provisoire", None, True)
    assert edit(api, absorbed, used_family="X").status_code == 200
    assert len(api.get(f"/patients/{absorbed['id']}/merges").json()) == 1
    history = api.get(f"/patients/{absorbed['id']}/history").json()["items"]
    events = [row["event"] for row in history]
    assert events == ["created", "absorbed", "separated", "complementary_trait_changed"]


@pytest.mark.parametrize(("said", "after"), [("DOUA", "DPOT"), ("HOMA", "HOMA")])
def test_an_undone_merge_takes_back_that_the_two_are_one_person(
    desk: Desk, said: str, after: str
) -> None:
    api = desk()
    survivor, absorbed = validated(api), create(api)
    pair = f"/patients/{survivor['id']}/duplicates/{absorbed['id']}"
    told = api.put(pair, json={"state": said}, headers={"If-Match": '"0"'})
    assert told.status_code == 200, told.text
    done = merged(api, survivor, absorbed).json()
    body, tag = {"reason": "deux personnes"}, as_read(api, survivor)
    assert api.post(f"/patient-merges/{done['id']}/undo", json=body, headers=tag).is_success
    listed = {state: api.get("/duplicates", params={"state": state}).json()["items"]
              for state in ("DPOT", "DOUA", "HOMA")}  # fmt: skip
    assert [state for state, rows in listed.items() if rows] == [after]
    history = api.get(f"{pair}/history").json()
    decided = [(row["state"], row["reason"]) for row in history]
    assert decided == [(said, "")] + [("DPOT", "deux personnes")] * (said == "DOUA")
    if said == "DOUA":
        (row,) = listed["DPOT"]
        assert (row["decided_at"], row["account_id"]) == (None, None)
        assert history[-1]["account_id"] is not None


def test_two_different_ins_are_two_persons(desk: Desk) -> None:
    api = desk()
    answer = merged(api, qualified(api), qualified(api, **ZOE))
    assert (answer.status_code, answer.json()["code"]) == (409, "MERGE_INS_CONFLICT")


def test_a_merge_wants_a_reason_a_right_a_version_and_the_better_survivor(desk: Desk) -> None:
    api = desk()
    good, poor = validated(api), create(api)
    assert merged(api, good, poor, reason=" ").json()["code"] == "REASON_REQUIRED"
    assert merged(api, poor, good).json()["code"] == "MERGE_REFUSED"
    assert merged(api, good, good).json()["code"] == "MERGE_REFUSED"
    assert merged(api, good, poor, absorbed_version=99).status_code == 412
    assert merged(desk(Role.SECRETARY), good, poor).status_code == 403
    assert merged(api, good, poor).status_code == 201
    again = merged(api, good, poor)
    assert (again.status_code, again.json()["code"]) == (409, "PATIENT_MERGED")


def test_what_a_patient_has_once_is_never_dropped_in_silence(
    desk: Desk, database: Database
) -> None:
    api = desk()
    survivor, absorbed = validated(api), create(api)
    refusal(database, survivor)
    refusal(database, absorbed)
    answer = merged(api, survivor, absorbed)
    assert (answer.status_code, answer.json()["code"]) == (409, "MERGE_DATA_CONFLICT")
    assert show(api, absorbed)["to_review"] is False
    assert len(refusing(database)) == 2


def test_a_crash_in_the_middle_of_a_merge_leaves_both_records_whole(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    survivor, absorbed = validated(api), create(api)
    refusal(database, absorbed)

    def dies(_session: object, change: Change) -> None:
        if str(change.patient_id) == survivor["id"]:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        directly(database, replace(feature, subscribers=[dies]), survivor, absorbed)
    assert refusing(database) == [absorbed["id"]]
    assert edit(api, absorbed, used_family="X").status_code == 200
    assert merged(api, survivor, absorbed).status_code == 201


def test_two_concurrent_edits_and_a_merge_make_one_truth(desk: Desk) -> None:
    api = desk()
    survivor, absorbed = validated(api), create(api)
    versions = [show(api, one)["version"] for one in (survivor, absorbed)]
    answers: list[int] = []

    def alter(name: str) -> None:
        headers = {"If-Match": f'"{versions[1]}"'}
        body = {"used_family": name}
        path = f"/patients/{absorbed['id']}"
        answers.append(api.patch(path, json=body, headers=headers).status_code)

    def absorb() -> None:
        body = {"absorbed_id": absorbed["id"], "absorbed_version": versions[1], "reason": "essai"}
        headers = {"If-Match": f'"{versions[0]}"'}
        path = f"/patients/{survivor['id']}/merges"
        answers.append(api.post(path, json=body, headers=headers).status_code)

    acts = [threading.Thread(target=alter, args=(name,)) for name in ("UN", "DEUX")]
    acts.append(threading.Thread(target=absorb))
    for act in acts:
        act.start()
    for act in acts:
        act.join()
    assert len([code for code in answers if code < 300]) == 1
    assert all(code in (409, 412) for code in answers if code >= 300)


def test_an_order_waits_for_the_merge_under_way_then_learns_of_it(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    survivor, absorbed = validated(api), create(api)
    version = show(api, absorbed)["version"]
    with database.transaction() as session:
        merging(session, feature, survivor, absorbed)
        with pytest.raises(OperationalError, match="lock"):
            touch(database, absorbed)
    stale = api.patch(
        f"/patients/{absorbed['id']}", json={"phone": "1"}, headers={"If-Match": f'"{version}"'}
    )
    assert stale.status_code == 412
    with pytest.raises(PatientMerged):
        touch(database, absorbed)


def test_a_feed_of_our_own_domain_merges_by_ipp_and_its_ins_lands_on_the_survivor(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    wrong, right = (LocalId(ipp, "2.25.1") for ipp in ("IPP0099", "IPP0001"))
    with database.transaction() as session:
        old = foreign.receive(session, feature, message(local_ids=(wrong,)), actor=SYSTEM)
    fusion = message(local_ids=(right,), event=InboundEvent.MERGE, absorbed=wrong)
    with database.transaction() as session:
        done = foreign.receive(session, feature, fusion, actor=SYSTEM)
    assert (done.action, done.alerts) == ("merged", ())
    survivor = show(api, {"id": str(done.patient_id)})
    assert (survivor["ipp"], survivor["status"]) == ("IPP0001", "qualifiée")
    assert survivor["ins"]["matricule"] == "279035121518989"
    with database.transaction() as session:
        absorbed = session.get_one(Patient, old.patient_id)
        assert (absorbed.merged_into_id, absorbed.ins_matricule) == (done.patient_id, None)
    late = message(local_ids=(wrong,), event=InboundEvent.UPDATE)
    with database.transaction() as session:
        assert foreign.receive(session, feature, late, actor=SYSTEM).patient_id == done.patient_id


def test_a_stranger_does_not_merge_our_records(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    first, second = create(api), create(api)
    ids = [LocalId(one["ipp"], "2.25.1") for one in (first, second)]
    fusion = message(local_ids=(ids[0],), event=InboundEvent.MERGE, absorbed=ids[1])
    with database.transaction() as session:
        done = foreign.receive(session, feature, fusion, actor=SYSTEM)
    assert [alert.value for alert in done.alerts] == ["FEED_MERGE_TO_DECIDE"]
    assert show(api, first)["to_review"] is True
    assert api.get(f"/patients/{second['id']}/merges").json() == []
