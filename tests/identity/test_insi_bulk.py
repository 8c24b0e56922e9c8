"""Verification of many INS: what is due, sent, answered, applied; what if a worker dies."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from ris.auth.rights import Role
from ris.core import clock
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity.bulk.model import InsiBatch, InsiBatchItem
from ris.identity.bulk.run import BulkVerifications
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.rem.evidence import Evidence
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS, COLLECT, DEPOSIT, VERIFY, result
from tests.identity.conftest import PATIENT, STRUCTURE, Desk, Insi

Json = dict[str, Any]
PEOPLE = (
    PATIENT,
    {"birth_family": "ADRUN", "first_birth_given": "ZOE", "birth_date": "1975-12-31", "sex": "F",
     "birth_place": "63220"},
    {"birth_family": "ADRTROIS", "first_birth_given": "TOUSSAINT", "birth_date": "1960-01-01",
     "sex": "M", "birth_place": "2B020"},
)  # fmt: skip
ADRUN = "275126322074974"


def with_insi(feature: IdentityFeature, **options: Any) -> IdentityFeature:
    insi = feature.settings.insi.model_copy(update={"bulk_poll_s": 0, **options})
    return replace(feature, settings=feature.settings.model_copy(update={"insi": insi}))


@pytest.fixture
def site(feature: IdentityFeature, insi: Insi) -> Iterator[IdentityFeature]:
    """A site that has bulk verification, by the sandbox's contract."""
    yield with_insi(feature, bulk="provisional")
    insi.state.verifications.denied.clear()
    insi.state.verifications.polls = 0


def recovered(api: httpx.Client, traits: Json) -> str:
    patient = api.post("/patients", json=traits).json()
    found = api.post(f"/patients/{patient['id']}/insi-search", json={}).json()
    body = {"retrieval_id": found["retrieval_id"]}
    path = f"/patients/{patient['id']}"
    seen = {"If-Match": api.get(path).headers["etag"]}
    done = api.post(f"{path}/insi-acceptance", json=body, headers=seen).json()
    assert done["status"] == "récupérée"
    return str(patient["id"])


def aged(database: Database, months: int = 37) -> None:
    """Make every event of every identity *months* older."""
    with database.transaction() as session:
        for column in ("identity_history.at", "insi_batch_item.applied_at"):
            table, _, name = column.partition(".")
            older = f"update {table} set {name} = {name} - interval '{months} months'"
            session.execute(text(older))


def due(database: Database, api: httpx.Client) -> list[str]:
    patients = [recovered(api, traits) for traits in PEOPLE]
    aged(database)
    return patients


def begun(api: httpx.Client) -> Json:
    answer = api.post("/insi-batches")
    assert answer.status_code == 201, answer.text
    batch: Json = answer.json()
    return batch


def shown(api: httpx.Client, batch: Json) -> Json:
    found: Json = api.get(f"/insi-batches/{batch['id']}").json()
    return found


@pytest.mark.rem("RIS.INS.42", scenario="INS/va1.06.01")
@pytest.mark.rem("RIS.INS.43", scenario="INS/va1.08.01")
def test_a_batch_confirms_or_denies_by_the_rules_of_the_unit_verification(
    desk: Desk, database: Database, site: IdentityFeature, insi: Insi, evidence: Evidence
) -> None:
    api = desk(feature=site)
    patients = due(database, api)
    insi.state.verifications.denied.add(ADRUN)
    batch = begun(api)
    assert (batch["state"], batch["size"], batch["structure"]) == ("created", 3, STRUCTURE)
    assert BulkVerifications(database, site).run() == 3
    done = shown(api, batch)
    assert (done["state"], done["verdicts"]) == ("applied", {"OK": 2, "KO": 1})
    denied = next(one["patient_id"] for one in done["items"] if one["verdict"] == "KO")
    assert denied == patients[1]
    statuses = {one: api.get(f"/patients/{one}").json()["status"] for one in patients}
    assert [statuses[one] for one in patients] == ["récupérée", "provisoire", "récupérée"]
    listed = api.get("/identity-worklist").json()["items"]
    assert [one["id"] for one in listed] == [denied]
    call = api.get(f"/patients/{denied}/insi-calls").json()["items"][-1]
    assert (call["operation"], call["mode"], call["code"]) == ("bulk", "AUTO", "KO")
    with database.transaction() as session:
        wanted = AuditEvent.action == "insi.verified"
        lines = session.scalars(select(AuditEvent).where(wanted)).all()
        assert {line.detail["verdict"] for line in lines} == {"OK", "KO"}
        assert {line.detail["batch"] for line in lines} == {batch["id"]}
        assert all(line.actor_id for line in lines)
        kept = [one.ins_matricule for one in session.scalars(select(Patient))]
        assert ADRUN not in kept
        items = {one.digest: one.rank for one in session.scalars(select(InsiBatchItem))}
        assert len(items) == 3
        stored = session.scalars(text("select digest_sealed from insi_batch_item")).all()
        assert not [one for one in stored if any(told.encode() in one for told in items)]
    assert len(insi.state.verifications.lots[UUID(batch["id"])]) == 3
    evidence.add("01", "batch.json", done)


def test_only_what_is_due_is_verified_and_once(
    desk: Desk, database: Database, site: IdentityFeature
) -> None:
    api = desk(feature=site)
    first = due(database, api)
    recovered(api, {"birth_family": "NESSI", "first_birth_given": "MICHELANGELO",
                    "birth_date": "2010-08-07", "sex": "M", "birth_place": "63220"})  # fmt: skip
    batch = begun(api)
    assert sorted(one["patient_id"] for one in shown(api, batch)["items"]) == sorted(first)
    again = api.post("/insi-batches")
    assert (again.status_code, again.json()["code"]) == (409, "INSI_BATCH_OPEN")
    assert again.json()["batch_id"] == batch["id"]
    BulkVerifications(database, site).run()
    empty = api.post("/insi-batches")
    assert (empty.status_code, empty.json()["code"]) == (409, "INSI_BATCH_EMPTY")
    aged(database, months=35)
    assert api.post("/insi-batches").json()["code"] == "INSI_BATCH_EMPTY"
    aged(database, months=2)
    assert begun(api)["size"] == 4


def test_the_software_begins_a_batch_of_itself(
    desk: Desk, database: Database, site: IdentityFeature
) -> None:
    worker = BulkVerifications(database, site)
    assert not worker.begin_due()
    api = desk(feature=site)
    due(database, api)
    assert worker.begin_due()
    assert not worker.begin_due()
    worker.run()
    (batch,) = api.get("/insi-batches").json()
    assert (batch["state"], batch["account_id"], batch["mode"]) == ("applied", None, "AUTO")
    silent = BulkVerifications(database, with_insi(site, bulk_automatic=False))
    aged(database)
    assert not silent.begin_due()


def test_without_the_capability_it_says_so_and_nothing_leaves(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    answer = api.post("/insi-batches")
    assert (answer.status_code, answer.json()["code"]) == (503, "INSI_BULK_NOT_CONFIGURED")
    assert answer.json()["title"] == "Vérification INSi en masse non configurée"
    assert answer.json()["rem"] == ["RIS.INS.48"]
    assert BulkVerifications(database, feature).run() == 0


def test_a_desk_follows_batches_and_begins_none(desk: Desk, site: IdentityFeature) -> None:
    clerk = desk(Role.SECRETARY, feature=site)
    assert clerk.get("/insi-batches").status_code == 200
    assert clerk.post("/insi-batches").status_code == 403
    nowhere = clerk.get("/insi-batches/00000000-0000-7000-8000-000000000000")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "INSI_BATCH_NOT_FOUND")


def test_a_lot_under_way_is_asked_for_again(
    desk: Desk, database: Database, site: IdentityFeature, insi: Insi
) -> None:
    api = desk(feature=site)
    due(database, api)
    insi.state.verifications.polls = 3
    batch = begun(api)
    assert BulkVerifications(database, site).run() == 6
    assert shown(api, batch)["state"] == "applied"


@pytest.mark.parametrize("operation", [DEPOSIT, COLLECT])
def test_an_outage_postpones_by_the_delays_and_loses_nothing(
    desk: Desk, database: Database, site: IdentityFeature, insi: Insi, operation: str
) -> None:
    api = desk(feature=site)
    due(database, api)
    batch = begun(api)
    insi.faults.inject(operation, Fault("http", status=503, times=2))
    worker = BulkVerifications(database, site)
    for wait in (60, 300):
        worker.run()
        with database.transaction() as session:
            row = session.get_one(InsiBatch, UUID(batch["id"]))
            assert row.error == "INSI_UNAVAILABLE"
            ahead = row.due_at - clock.now()
            assert timedelta(seconds=wait - 30) < ahead <= timedelta(seconds=wait)
        due_now(database)
    worker.run()
    assert shown(api, batch)["verdicts"] == {"OK": 3}


def due_now(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("update insi_batch set due_at = now() - interval '1 second'"))


def test_a_lot_whose_receipt_was_lost_is_not_left_twice(
    desk: Desk, database: Database, site: IdentityFeature, insi: Insi
) -> None:
    """The deposit took effect and its answer was lost, as when the worker dies just then."""
    api = desk(feature=site)
    due(database, api)
    batch = begun(api)
    worker = BulkVerifications(database, site)
    insi.faults.inject(DEPOSIT, Fault("drop", after=True))
    worker.run()
    assert UUID(batch["id"]) in insi.state.verifications.lots
    due_now(database)
    worker.run()
    deposits = [one for one in insi.state.requests if b":deposer" in one]
    assert (len(deposits), shown(api, batch)["verdicts"]) == (1, {"OK": 3})


class WorkerKilled(BaseException):
    """The process ends here."""


def test_a_worker_killed_while_it_applies_is_followed_by_another(
    desk: Desk, database: Database, site: IdentityFeature
) -> None:
    api = desk(feature=site)
    due(database, api)
    batch = begun(api)
    met = []

    def killed(_session: object, change: object) -> None:
        met.append(change)
        if len(met) == 2:
            raise WorkerKilled

    dying = replace(site, subscribers=[killed])
    with pytest.raises(WorkerKilled):
        BulkVerifications(database, dying).run()
    half = shown(api, batch)
    assert (half["state"], half["verdicts"]) == ("answered", {"OK": 1})
    assert BulkVerifications(database, site).run() == 0  # leased: its worker may be alive
    due_now(database)
    BulkVerifications(database, site).run()
    assert (shown(api, batch)["state"], shown(api, batch)["verdicts"]) == ("applied", {"OK": 3})
    with database.transaction() as session:
        confirmed = "select count(*) from identity_history where event = 'insi_confirmed'"
        assert session.execute(text(confirmed)).scalar_one() == 3


def test_an_identity_edited_meanwhile_is_left_alone(
    desk: Desk, database: Database, site: IdentityFeature, insi: Insi
) -> None:
    api = desk(feature=site)
    patients = due(database, api)
    batch = begun(api)
    insi.state.verifications.denied.update({ADRUN})
    insi.state.verifications.polls = 99
    slow = with_insi(site, bulk_poll_s=3600)
    BulkVerifications(database, slow).run()
    version = api.get(f"/patients/{patients[1]}").headers["etag"]
    edited = api.patch(f"/patients/{patients[1]}", headers={"If-Match": version},
                       json={"birth_place": "63113", "reason": "erreur de saisie"})  # fmt: skip
    assert edited.json()["status"] == "provisoire", edited.text
    insi.state.verifications.polls = 0
    due_now(database)
    BulkVerifications(database, site).run()
    verdicts = {one["patient_id"]: one["verdict"] for one in shown(api, batch)["items"]}
    assert verdicts == {patients[0]: "OK", patients[1]: "UNCLEAR", patients[2]: "OK"}
    assert api.get("/identity-worklist").json()["items"] == []


def test_a_refusal_waits_for_a_person_who_begins_it_again(
    desk: Desk, database: Database, site: IdentityFeature, insi: Insi
) -> None:
    api = desk(feature=site)
    due(database, api)
    batch = begun(api)
    insi.faults.inject(DEPOSIT, Fault("soap", code="desir_560"))
    worker = BulkVerifications(database, site)
    worker.run()
    assert (shown(api, batch)["state"], shown(api, batch)["error"]) == ("failed", "INSI_FAULT")
    assert worker.run() == 0
    assert api.post(f"/insi-batches/{batch['id']}/retry").status_code == 200
    worker.run()
    assert shown(api, batch)["state"] == "applied"
    done = api.post(f"/insi-batches/{batch['id']}/retry")
    assert (done.status_code, done.json()["code"]) == (409, "INSI_BATCH_NOT_FAILED")


def test_a_lot_that_insi_forgot_is_left_again_by_a_person(
    desk: Desk, database: Database, site: IdentityFeature, insi: Insi
) -> None:
    api = desk(feature=site)
    due(database, api)
    batch = begun(api)
    insi.state.verifications.polls = 99
    slow = BulkVerifications(database, with_insi(site, bulk_poll_s=3600))
    slow.run()
    insi.state.verifications.lots.clear()
    insi.state.verifications.polls = 0
    due_now(database)
    worker = BulkVerifications(database, site)
    worker.run()
    assert shown(api, batch)["state"] == "failed"
    api.post(f"/insi-batches/{batch['id']}/retry")
    worker.run()
    assert shown(api, batch)["verdicts"] == {"OK": 3}


def test_without_the_bulk_service_each_identity_is_asked_in_turn(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    site = with_insi(feature, bulk="emulated")
    api = desk(feature=site)
    patients = due(database, api)
    batch = begun(api)
    insi.faults.inject(BY_TRAITS, Fault("http", status=503))
    insi.state.scripted.clear()
    worker = BulkVerifications(database, site)
    worker.run()
    assert shown(api, batch)["verdicts"] == {}
    due_now(database)
    insi.state.scripted.extend([result("07")])
    worker.run()
    done = shown(api, batch)
    assert (done["state"], done["verdicts"]) == ("applied", {"OK": 2, "UNCLEAR": 1})
    calls = api.get(f"/patients/{patients[0]}/insi-calls").json()["items"]
    assert [(one["operation"], one["mode"]) for one in calls[1:]] == [("verify", "AUTO")] * 2


@pytest.mark.parametrize(("verdict", "status"), [("OK", "récupérée"), ("KO", "provisoire")])
def test_a_unit_verification_by_the_contract_of_the_sandbox(
    desk: Desk, site: IdentityFeature, insi: Insi, verdict: str, status: str
) -> None:
    api = desk(feature=with_insi(site, verification="provisional"))
    patient = recovered(api, PEOPLE[1])
    if verdict == "KO":
        insi.state.verifications.denied.add(ADRUN)
    answer = api.post(f"/patients/{patient}/insi-verification").json()
    assert (answer["result"], answer["patient"]["status"]) == (verdict, status)
    assert answer["calls"][-1]["operation"] == "verify"
    assert b"VERIFICATION" in insi.state.requests[-1]


def test_a_unit_verification_that_fails_changes_nothing(
    desk: Desk, site: IdentityFeature, insi: Insi
) -> None:
    api = desk(feature=with_insi(site, verification="provisional"))
    patient = recovered(api, PEOPLE[1])
    insi.faults.inject(VERIFY, Fault("http", status=503))
    answer = api.post(f"/patients/{patient}/insi-verification")
    assert (answer.status_code, answer.json()["code"]) == (503, "INSI_UNAVAILABLE")
    assert api.get(f"/patients/{patient}").json()["status"] == "récupérée"


def test_a_site_without_unit_verification_says_so(
    desk: Desk, feature: IdentityFeature, insi: Insi
) -> None:
    api = desk(feature=with_insi(feature, verification="off"))
    patient = recovered(api, PEOPLE[1])
    before = len(insi.state.requests)
    answer = api.post(f"/patients/{patient}/insi-verification")
    assert (answer.status_code, answer.json()["code"]) == (503, "INSI_VERIFICATION_NOT_CONFIGURED")
    assert (answer.json()["rem"], len(insi.state.requests)) == (["RIS.INS.48"], before)
