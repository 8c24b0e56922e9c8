"""Identities from elsewhere, seen through the public API and the sandbox INSi (RIS.INS.38-47)."""

import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from ris.auth.rights import Role
from ris.core import clock
from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.identity.errors import InsTestOid, TraitsRefused
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import data as foreign_data
from ris.identity.foreign import queue as foreign_queue
from ris.identity.foreign.check import ForeignChecks
from ris.identity.foreign.feed import (
    Alert,
    Inbound,
    InboundEvent,
    LocalId,
    Received,
    ReceivedTraits,
)
from ris.identity.foreign.model import ForeignIdentity
from ris.identity.foreign.service import receive
from ris.identity.model import InsiCall, Patient
from ris.identity.values import NIR_TEST, Ins
from ris.rem.evidence import Evidence
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS
from tests.identity.conftest import Desk, Insi
from tests.identity.test_routes import as_read

MATRICULE = "279035121518989"
SENDER = "1.2.3.4.5.6"
Json = dict[str, Any]
TRAITS = ReceivedTraits(
    birth_family="PAT-TROIS",
    first_birth_given="DOMINIQUE",
    birth_given_names="DOMINIQUE MARIE-LOUISE",
    birth_date="1979-03-28",
    sex="F",
    birth_place="51215",
)


def message(**fields: Any) -> Inbound:
    known: dict[str, Any] = {
        "sender": SENDER,
        "event": InboundEvent.CREATE,
        "local_ids": (LocalId("IPP0001", SENDER),),
        "traits": TRAITS,
        "message_id": "M001",
        "ins": Ins(MATRICULE, NIR_TEST),
        "flags": frozenset({"VALI"}),
    }
    return Inbound(**{**known, **fields})


def received(database: Database, feature: IdentityFeature, **fields: Any) -> Received:
    with database.transaction() as session:
        return receive(session, feature, message(**fields), actor=SYSTEM)


def show(api: httpx.Client, done: Received) -> Json:
    answer = api.get(f"/patients/{done.patient_id}")
    assert answer.status_code == 200, answer.text
    shown: Json = answer.json()
    return shown


def contract(api: httpx.Client, scope: str) -> httpx.Response:
    body = {"sender": SENDER, "label": "GAM du site", "scope": scope}
    return api.post("/trust-contracts", json=body)


def worklist(api: httpx.Client, *states: str) -> list[Json]:
    rows: list[Json] = api.get("/foreign-identities", params={"state": states}).json()["items"]
    return rows


def held_matricules(database: Database) -> int:
    with database.transaction() as session:
        return (
            session.scalar(text("select count(*) from patient where ins_sealed is not null")) or 0
        )


@pytest.mark.rem("RIS.INS.38", scenario="INS/va1.13.01")
def test_a_foreign_ins_is_verified_then_stored_as_recuperee(
    desk: Desk, database: Database, feature: IdentityFeature, evidence: Evidence
) -> None:
    api = desk()
    done = received(database, feature)
    assert (done.action, done.may_file) == ("created", False)
    assert Alert.INS_TO_VERIFY in done.alerts
    before = show(api, done)
    assert (before["status"], before["ins"]) == ("provisoire", None)
    assert held_matricules(database) == 0
    with database.transaction() as session:
        row = session.scalars(select(ForeignIdentity)).one()
        assert MATRICULE not in str({**row.__dict__})
    assert ForeignChecks(database, feature).run() == 1
    after = show(api, done)
    assert after["status"] == "récupérée"
    with database.transaction() as session:
        patient = session.get_one(Patient, done.patient_id)
        assert (patient.ins_matricule, patient.ins_oid) == (MATRICULE, NIR_TEST)
        call = session.scalars(select(InsiCall)).one()
        assert (call.operation, call.mode, call.code) == ("verify", "AUTO", "00")
    assert worklist(api, "ok")[0]["patient_id"] == after["id"]
    evidence.add("01", "before.json", before)
    evidence.add(
        "02",
        "calls.json",
        {"calls": api.get(f"/patients/{done.patient_id}/insi-calls").json()},
    )
    evidence.add("03", "after.json", after)


@pytest.mark.rem("RIS.INS.39", scenario="INS/va1.04.01")
def test_a_trust_contract_keeps_a_qualified_identity(
    desk: Desk, database: Database, feature: IdentityFeature, evidence: Evidence
) -> None:
    api = desk()
    assert contract(api, "no_direct_care").status_code == 201
    done = received(database, feature)
    kept = show(api, done)
    assert (kept["status"], kept["ins"]["matricule"]) == ("qualifiée", MATRICULE)
    history = api.get(f"/patients/{done.patient_id}/history").json()["items"]
    assert history[0]["evidence"]["contract"] == api.get("/trust-contracts").json()[0]["id"]
    other = received(
        database,
        feature,
        sender="9.9.9",
        local_ids=(LocalId("X", "9.9.9"),),
        traits=replace(TRAITS, birth_family="ADRUN", first_birth_given="ZOE",
                       birth_given_names="ZOE", birth_date="1975-12-31", birth_place="63220"),
        ins=Ins("275126322074974", "1.2.250.1.213.1.4.8"),
    )  # fmt: skip
    unkept = show(api, other)
    assert (unkept["status"], unkept["ins"]) == ("provisoire", None)
    evidence.add("01", "contracts.json", {"contracts": api.get("/trust-contracts").json()})
    evidence.add("02", "with-contract.json", kept)
    evidence.add("03", "without-contract.json", unkept)


def test_a_contract_is_signed_once_ended_once_and_by_a_super_user(desk: Desk) -> None:
    api = desk()
    assert contract(desk(Role.SECRETARY), "own_domain").status_code == 403
    signed = contract(api, "own_domain").json()
    twice = contract(api, "no_direct_care")
    assert (twice.status_code, twice.json()["code"]) == (409, "TRUST_CONTRACT_EXISTS")
    path = f"/trust-contracts/{signed['id']}"
    assert api.delete(path).json()["ended_at"] is not None
    assert api.delete(path).status_code == 404
    assert contract(api, "no_direct_care").status_code == 201
    assert len(api.get("/trust-contracts").json()) == 2


@pytest.mark.rem("RIS.INS.45", scenario="INS/va1.05.01")
def test_an_unknown_patient_whose_ins_is_wrong_is_created_without_it(
    desk: Desk, database: Database, feature: IdentityFeature, evidence: Evidence
) -> None:
    api = desk()
    done = received(database, feature, traits=replace(TRAITS, birth_family="INCONNUE"))
    ForeignChecks(database, feature).run()
    after = show(api, done)
    assert (after["status"], after["ins"], after["birth_family"]) == (
        "provisoire", None, "INCONNUE",
    )  # fmt: skip
    assert after["to_review"] is True
    assert held_matricules(database) == 0
    assert [row["state"] for row in worklist(api)] == ["ko"]
    assert MATRICULE not in str(worklist(api))
    evidence.add("01", "created.json", after)
    evidence.add("02", "worklist.json", {"items": worklist(api)})


@pytest.mark.rem("RIS.INS.44", scenario="INS/va1.07.01")
def test_a_known_patient_is_left_as_he_was_when_the_foreign_ins_is_wrong(
    desk: Desk, database: Database, feature: IdentityFeature, evidence: Evidence
) -> None:
    api = desk()
    body = {"birth_family": "INCONNUE", "first_birth_given": "DOMINIQUE", "sex": "F",
            "birth_date": "1979-03-28", "birth_place": "51215"}  # fmt: skip
    known = api.post("/patients", json=body).json()
    document = {"type": "CN", "validate_identity": True}
    path, tag = f"/patients/{known['id']}/documents", as_read(api, known)
    known = api.post(path, json=document, headers=tag).json()["patient"]
    done = received(
        database,
        feature,
        event=InboundEvent.UPDATE,
        local_ids=(LocalId(known["ipp"], "2.25.1"),),
        traits=replace(TRAITS, birth_family="INCONNUE", used_family="AUTRE"),
    )
    assert (str(done.patient_id), done.action) == (known["id"], "unchanged")
    ForeignChecks(database, feature).run()
    after = show(api, done)
    stable = {key: value for key, value in after.items() if key not in ("version", "updated_at")}
    assert stable == {key: known[key] for key in stable}
    evidence.add("01", "before.json", known)
    evidence.add("02", "after.json", after)
    evidence.add(
        "03",
        "calls.json",
        {"calls": api.get(f"/patients/{known['id']}/insi-calls").json()},
    )


@pytest.mark.rem("RIS.INS.46", scenario="INS/va1.11.01")
def test_an_ins_already_held_is_not_verified_again_any_other_is(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi, evidence: Evidence
) -> None:
    api = desk()
    received(database, feature)
    ForeignChecks(database, feature).run()
    asked = len(insi.state.requests)
    again = received(database, feature, message_id="M002", event=InboundEvent.UPDATE)
    assert (again.may_file, again.foreign_id, again.action) == (True, None, "unchanged")
    assert ForeignChecks(database, feature).run() == 0
    assert len(insi.state.requests) == asked == 1
    other = received(database, feature, sender="9.9.9", local_ids=(LocalId("Z", "9.9.9"),))
    assert (other.patient_id, other.may_file) == (again.patient_id, True)
    evidence.add(
        "01",
        "calls.json",
        {"calls": api.get(f"/patients/{again.patient_id}/insi-calls").json()},
    )


def test_the_same_message_twice_asks_once(database: Database, feature: IdentityFeature) -> None:
    first = received(database, feature)
    second = received(database, feature, event=InboundEvent.UPDATE)
    assert (first.foreign_id, first.patient_id) == (second.foreign_id, second.patient_id)
    assert ForeignChecks(database, feature).run() == 1


@pytest.mark.rem("RIS.INS.47", scenario="INS/va1.12.01")
def test_health_data_are_not_filed_when_the_ins_is_wrong(
    desk: Desk, database: Database, feature: IdentityFeature, evidence: Evidence
) -> None:
    api = desk()
    done = received(database, feature, traits=replace(TRAITS, birth_family="INCONNUE"))
    assert done.foreign_id is not None
    with database.transaction() as session:
        foreign_data.hold(session, done.foreign_id, kind="ORU", reference="M001")
    ForeignChecks(database, feature).run()
    with database.transaction() as session:
        assert foreign_data.released(session) == ()
    held = api.get("/foreign-data").json()["items"]
    assert [(row["kind"], row["reference"], row["state"]) for row in held] == [
        ("ORU", "M001", "held")
    ]
    path = f"/foreign-data/{held[0]['id']}/decision"
    refused = api.post(path, json={"decision": "refuse", "reason": "erreur de patient"})
    assert refused.json()["state"] == "refused"
    again = api.post(path, json={"decision": "release", "reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "FOREIGN_DATA_DECIDED")
    evidence.add("01", "alerts.json", {"alerts": [alert.value for alert in done.alerts]})
    evidence.add("02", "held.json", {"items": held})
    evidence.add("03", "worklist.json", {"items": worklist(api)})


def test_health_data_are_released_once_the_ins_is_confirmed(
    database: Database, feature: IdentityFeature
) -> None:
    done = received(database, feature)
    assert done.foreign_id is not None
    with database.transaction() as session:
        foreign_data.hold(session, done.foreign_id, kind="ORU", reference="M001")
    ForeignChecks(database, feature).run()
    with database.transaction() as session:
        late = foreign_data.hold(session, done.foreign_id, kind="ORU", reference="M002")
        assert late.state == "released"
        ready = foreign_data.released(session)
        assert [row.reference for row in ready] == ["M001", "M002"]
        foreign_data.filed(session, ready[0].id)
    with database.transaction() as session:
        assert [row.reference for row in foreign_data.released(session)] == ["M002"]


def test_insi_being_down_decides_nothing_and_is_tried_again(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    api = desk()
    done = received(database, feature)
    insi.faults.inject(BY_TRAITS, Fault(kind="soap", code="insi_102"))
    ForeignChecks(database, feature).run()
    waiting = worklist(api, "pending")[0]
    assert (waiting["attempt_no"], waiting["error"]) == (1, "INSI_UNAVAILABLE")
    assert ForeignChecks(database, feature).run() == 0
    with database.transaction() as session:
        session.execute(text("update foreign_identity set due_at = now()"))
    ForeignChecks(database, feature).run()
    assert show(api, done)["status"] == "récupérée"


def test_a_refused_call_waits_for_a_person_who_asks_again(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    api = desk()
    received(database, feature)
    insi.faults.inject(BY_TRAITS, Fault(kind="soap", code="desir_550"))
    ForeignChecks(database, feature).run()
    row = worklist(api)[0]
    assert (row["state"], row["error"]) == ("unclear", "INSI_FAULT")
    path = f"/foreign-identities/{row['id']}"
    assert api.post(f"{path}/retry").json()["state"] == "pending"
    assert api.post(f"{path}/retry").status_code == 409
    ForeignChecks(database, feature).run()
    assert worklist(api) == []
    assert worklist(api, "ok")[0]["id"] == row["id"]


def test_a_person_closes_what_she_has_settled(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    received(database, feature, traits=replace(TRAITS, birth_family="INCONNUE"))
    ForeignChecks(database, feature).run()
    path = f"/foreign-identities/{worklist(api)[0]['id']}/close"
    assert desk(Role.INTERN).post(path, json={"reason": "vu"}).status_code == 403
    assert api.post(path, json={"reason": "vu"}).json()["state"] == "closed"
    assert worklist(api) == []


def test_a_worker_that_wakes_up_late_changes_nothing(
    database: Database, feature: IdentityFeature
) -> None:
    received(database, feature)
    with database.transaction() as session:
        early = foreign_queue.claim(session, clock.now())
    with database.transaction() as session:
        session.execute(text("update foreign_identity set due_at = now()"))
    ForeignChecks(database, feature).run()
    assert early is not None
    with database.transaction() as session:
        assert foreign_queue.still_ours(session, early) is None


def test_traits_that_break_the_entry_rules_leave_nothing_behind(
    database: Database, feature: IdentityFeature
) -> None:
    with pytest.raises(TraitsRefused):
        received(database, feature, traits=replace(TRAITS, birth_date=None))
    with database.transaction() as session:
        assert session.scalars(select(Patient)).all() == []


def test_a_test_ins_is_refused_in_production(database: Database, feature: IdentityFeature) -> None:
    production = replace(feature, production=True)
    with pytest.raises(InsTestOid):
        received(database, production)
    with database.transaction() as session:
        assert session.scalars(select(Patient)).all() == []


def test_older_news_do_not_overwrite(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    now = clock.now()
    received(database, feature, occurred_at=now)
    old = now.replace(year=now.year - 1)
    stale = received(
        database, feature, occurred_at=old, traits=replace(TRAITS, birth_family="AVANT")
    )
    assert (stale.action, stale.alerts) == ("unchanged", (Alert.OUTDATED,))
    assert show(api, stale)["birth_family"] == "PAT-TROIS"


def test_our_own_repository_is_believed_and_may_take_back_what_it_said(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    ids = (LocalId("IPP0001", "2.25.1"),)
    first = received(database, feature, local_ids=ids)
    assert show(api, first)["status"] == "qualifiée"
    assert show(api, first)["ipp"] == "IPP0001"
    same = received(database, feature, local_ids=ids, event=InboundEvent.UPDATE)
    assert same.action == "unchanged"
    back = received(
        database, feature, local_ids=ids, event=InboundEvent.UPDATE, ins=None,
        flags=frozenset({"PROV"}),
    )  # fmt: skip
    assert (back.patient_id, back.action) == (first.patient_id, "updated")
    assert (show(api, back)["status"], show(api, back)["ins"]) == ("provisoire", None)
    doubtful = received(
        database, feature, local_ids=ids, ins=None, flags=frozenset({"PROV", "DOUT", "HOMA"})
    )
    assert show(api, doubtful)["attributes"] == ["douteuse", "homonyme"]


def test_an_ins_that_another_record_bears_is_not_given_twice(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    received(database, feature)
    other = received(database, feature, local_ids=(LocalId("IPP0002", SENDER),))
    assert Alert.INS_ELSEWHERE in other.alerts
    shown = show(api, other)
    assert (shown["status"], shown["ins"], shown["to_review"]) == ("validée", None, True)
    assert held_matricules(database) == 1


def test_a_lunar_date_from_a_feed_is_made_whole_and_kept_as_written(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    lunar = replace(TRAITS, birth_date="1950-00-00", birth_family="Hévéder")
    done = received(database, feature, traits=lunar, ins=None, flags=frozenset())
    shown = show(api, done)
    assert (shown["birth_date"], shown["birth_family"]) == ("1950-12-31", "HEVEDER")
    assert {Alert.DATE_INTERPRETED, Alert.TRAITS_NORMALISED} <= set(done.alerts)
    with database.transaction() as session:
        assert session.get_one(Patient, done.patient_id).birth_date_raw == "1950-00-00"
    body = {"birth_date": "1950-12-30"}
    headers = {"If-Match": f'"{shown["version"]}"'}
    api.patch(f"/patients/{done.patient_id}", json=body, headers=headers)
    with database.transaction() as session:
        assert session.get_one(Patient, done.patient_id).birth_date_raw is None


def test_two_messages_at_once_about_one_identifier_make_one_record(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    contract(desk(), "own_domain")
    done: list[Received] = []
    acts = [
        threading.Thread(target=lambda: done.append(received(database, feature))) for _ in range(4)
    ]
    for act in acts:
        act.start()
    for act in acts:
        act.join()
    assert len({one.patient_id for one in done}) == 1
    assert sorted(one.action for one in done) == ["created", *["unchanged"] * 3]
