"""Signing and scheduling commit together or not at all (engineering.md §1.9, checks 1, 8-10)."""

from pathlib import Path

import pytest
from sqlalchemy import text

from ris.core.db import Database
from ris.diffusion import engine
from ris.diffusion.decision import Facts
from ris.diffusion.model import Delivery
from ris.diffusion.signing import announce, reconsider_held, sign, withdraw
from ris.reports.channels import ChannelName, Operation
from ris.reports.content import Visibility
from tests.diffusion.bench import Bench
from tests.reports import sample

ALL = tuple(ChannelName)


@pytest.fixture
def full(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path / "remote", names=ALL)


def states(bench: Bench) -> list[tuple[str, str, str]]:
    return [(row.channel, row.operation, row.state) for row in bench.deliveries()]


@pytest.mark.rem("RIS.DMP.01", scenario="DMP/va1.13.01")
@pytest.mark.rem("RIS.MSS.19")
@pytest.mark.rem("RIS.MSS.22")
def test_signing_schedules_the_dmp_the_patient_and_every_professional(full: Bench) -> None:
    document = full.sign(full.report())
    found = {(row.channel, row.recipient, row.state) for row in full.deliveries()}
    assert found == {
        ("dmp", "", "pending"),
        ("mss_patient", "patient", "pending"),
        ("mss_ps", sample.REQUESTER.ps_idnat, "pending"),
        ("mss_ps", sample.CORRESPONDENT.ps_idnat, "pending"),
    }
    assert all(row.external_id == f"id-{row.id}" for row in full.deliveries())
    assert all(row.document_id == document.version_id for row in full.deliveries())
    assert full.sql("select count(*) from procrastinate_jobs") == [(4,)]


def test_a_failure_after_the_last_enqueue_leaves_nothing(full: Bench) -> None:
    report_id = full.report()

    def sign_then_fail() -> None:
        with full.database.transaction() as session:
            sign(session, full.diffusion, report_id, sample.RADIOLOGIST, full.actor)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sign_then_fail()
    for table in ("document_version", "delivery", "procrastinate_jobs"):
        assert full.sql(f"select count(*) from {table}") == [(0,)]
    full.sign(report_id)
    assert full.sql("select count(*) from procrastinate_jobs") == [(4,)]


def test_two_enqueues_in_one_transaction_make_one_job_and_leave_it_usable(bench: Bench) -> None:
    bench.sign(bench.report())
    (row,) = bench.deliveries()
    with bench.database.transaction() as session:
        row = session.get_one(Delivery, row.id)
        engine.enqueue(session, row)
        engine.enqueue(session, row)
        assert session.execute(text("select count(*) from procrastinate_jobs")).scalar() == 1


def test_a_job_carries_the_delivery_id_and_nothing_else(bench: Bench) -> None:
    bench.sign(bench.report())
    (row,) = bench.deliveries()
    assert bench.sql("select args from procrastinate_jobs") == [({"delivery_id": str(row.id)},)]


@pytest.mark.rem("RIS.DMP.02")
def test_a_version_that_never_left_is_cancelled_and_the_next_is_a_first_sending(
    bench: Bench,
) -> None:
    report_id = bench.report()
    bench.sign(report_id)
    bench.remote.script("down")
    bench.attempt(bench.deliveries()[0].id)
    assert bench.deliveries()[0].state == "pending"
    bench.sign(report_id)
    assert states(bench) == [("dmp", "submit", "cancelled"), ("dmp", "submit", "pending")]
    assert bench.sql("select count(*) from procrastinate_jobs") == [(1,)]
    for row in bench.deliveries():
        bench.attempt(row.id)
    assert len(bench.remote.effects) == 1
    assert bench.deliveries()[1].state == "delivered"


@pytest.mark.rem("RIS.DMP.02")
@pytest.mark.rem("RIS.MSS.15")
def test_a_version_already_accepted_is_replaced(full: Bench) -> None:
    report_id = full.report()
    full.sign(report_id)
    first = full.deliveries()
    for row in first:
        full.attempt(row.id)
    full.sign(report_id)
    second = full.deliveries()[len(first) :]
    assert {row.operation for row in second} == {"replace"}
    assert {row.replaces_id for row in second} == {row.id for row in first}


def test_the_next_version_waits_for_the_one_in_doubt_and_replaces_it(bench: Bench) -> None:
    report_id = bench.report()
    v1 = bench.sign(report_id)
    bench.remote.script("lost_after")
    (first,) = bench.deliveries()
    bench.attempt(first.id)
    assert bench.deliveries()[0].state == "unknown"
    v2 = bench.sign(report_id)
    second = bench.deliveries()[1]
    assert second.blocked_by == first.id
    bench.attempt(second.id)
    assert len(bench.remote.effects) == 1
    assert bench.deliveries()[1].reason == "BLOCKED_BY_EARLIER"
    bench.due_now()
    bench.attempt(first.id)
    assert bench.deliveries()[0].state == "delivered"
    bench.attempt(second.id)
    assert [line.split()[1:] for line in bench.remote.effects] == [
        ["submit", str(v1.version_id)],
        ["replace", str(v2.version_id)],
    ]


def test_the_next_version_goes_first_when_the_one_in_doubt_turns_out_to_be_absent(
    bench: Bench,
) -> None:
    report_id = bench.report()
    bench.sign(report_id)
    bench.remote.script("lost_before", "down")
    first = bench.deliveries()[0].id
    bench.attempt(first)
    v2 = bench.sign(report_id)
    bench.due_now()
    bench.attempt(first)
    assert states(bench)[0] == ("dmp", "submit", "cancelled")
    bench.attempt(bench.deliveries()[1].id)
    (effect,) = bench.remote.effects
    assert effect.split()[1:] == ["submit", str(v2.version_id)]


@pytest.mark.rem("RIS.INS.37")
@pytest.mark.rem("LOC-DMP-01")
def test_an_identity_downgraded_since_the_signature_holds_the_sending(bench: Bench) -> None:
    bench.sign(bench.report())
    (row,) = bench.deliveries()
    bench.facts = Facts(qualified=False)
    bench.attempt(row.id)
    assert (bench.deliveries()[0].state, bench.deliveries()[0].reason) == ("held", "BLOCKED_INS")
    assert bench.remote.calls == 0
    bench.facts = Facts()
    with bench.database.transaction() as session:
        assert reconsider_held(session, bench.diffusion, patient_id=row.patient_id) == 1
    bench.attempt(row.id)
    assert bench.deliveries()[0].state == "delivered"
    assert bench.deliveries()[0].with_ins


@pytest.mark.rem("RIS.CRR.03", scenario="CRI/va1.03.01")
def test_the_announcement_updates_the_dmp_and_releases_the_patients_message(full: Bench) -> None:
    report_id = full.report()
    full.facts = Facts(announcement_pending=True)
    full.sign(report_id)
    by_channel = {row.channel: row for row in full.deliveries()}
    assert by_channel["dmp"].visibility == [Visibility.HIDDEN_FROM_PATIENT]
    assert by_channel["mss_patient"].reason == "HELD_ANNOUNCEMENT"
    for row in full.deliveries():
        full.attempt(row.id)
    assert full.remotes[ChannelName.MSS_PATIENT].calls == 0
    full.facts = Facts()
    with full.database.transaction() as session:
        announce(session, full.diffusion, report_id)
    for row in full.deliveries():
        full.attempt(row.id)
    (update,) = [row for row in full.deliveries() if row.operation == Operation.REPLACE]
    assert (update.channel, update.state) == ("dmp", "delivered")
    assert update.replaces_id == by_channel["dmp"].id
    assert update.visibility == []
    assert len(full.remotes[ChannelName.MSS_PS].effects) == 2
    assert len(full.remotes[ChannelName.MSS_PATIENT].effects) == 1


@pytest.mark.rem("RIS.DMP.02")
@pytest.mark.rem("RIS.MSS.16")
def test_a_deleted_report_is_withdrawn_from_where_it_went(full: Bench) -> None:
    report_id = full.report()
    full.remotes[ChannelName.MSS_PATIENT].always("down")
    full.sign(report_id)
    for row in full.deliveries():
        full.attempt(row.id)
    with full.database.transaction() as session:
        written = withdraw(session, full.diffusion, report_id)
    assert sorted(row.operation for row in written) == [
        Operation.ANNOUNCE_DELETION,
        Operation.ANNOUNCE_DELETION,
        Operation.DELETE,
    ]
    patient = next(row for row in full.deliveries() if row.channel == "mss_patient")
    assert patient.state == "cancelled"


def test_a_visibility_stricter_than_the_frozen_one_holds_the_sending(bench: Bench) -> None:
    bench.sign(bench.report())
    bench.facts = Facts(visibility=frozenset({Visibility.HIDDEN_FROM_PROFESSIONALS}))
    bench.attempt(bench.deliveries()[0].id)
    assert bench.deliveries()[0].reason == "VISIBILITY_CHANGED"
    assert bench.remote.calls == 0
