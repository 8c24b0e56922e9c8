"""Attempts, fencing, back-off, breaker, self-healing (engineering.md §1.9, checks 4-7)."""

import pytest
from sqlalchemy.exc import DBAPIError

from ris.diffusion.attempt import Begun, perform
from ris.diffusion.begin import begin
from ris.diffusion.errors import IllegalDeliveryMove
from ris.diffusion.model import Delivery
from ris.diffusion.settle import settle
from ris.diffusion.staff import attempts_of, cancel, on_receipt, replay
from ris.diffusion.upkeep import reconsider_due, requeue_due
from tests.diffusion.bench import Bench


@pytest.fixture
def signed(bench: Bench) -> Bench:
    bench.sign(bench.report())
    return bench


def only(bench: Bench) -> Delivery:
    (row,) = bench.deliveries()
    return row


def outcomes(bench: Bench) -> list[tuple[str, str | None]]:
    with bench.database.transaction() as session:
        return [(line.outcome, line.error_code) for line in attempts_of(session, only(bench).id)]


def opened(bench: Bench, worker: str) -> Begun:
    with bench.database.transaction() as session:
        begun = begin(session, bench.diffusion, only(bench).id, worker)
    assert isinstance(begun, Begun)
    return begun


def test_a_stale_worker_that_wakes_after_a_takeover_changes_nothing(signed: Bench) -> None:
    slow = opened(signed, "slow")
    owner = opened(signed, "owner")
    assert owner.suspect
    assert owner.ticket.attempt_no == 2
    channel = signed.diffusion.channels[owner.ticket.channel]
    with signed.database.transaction() as session:
        assert settle(session, signed.diffusion, owner, perform(channel, owner)).done
    before = only(signed).version
    late = perform(channel, slow)
    with signed.database.transaction() as session:
        assert not settle(session, signed.diffusion, slow, late).done
    assert (only(signed).state, only(signed).version) == ("delivered", before)
    assert outcomes(signed) == [("lost", "WORKER_LOST"), ("ok", None)]


@pytest.mark.rem("LOC-MSS-02")
def test_a_lost_answer_is_probed_and_never_sent_twice(signed: Bench) -> None:
    signed.remote.script("lost_after")
    signed.attempt(only(signed).id)
    assert only(signed).state == "unknown"
    signed.due_now()
    signed.attempt(only(signed).id)
    assert only(signed).state == "delivered"
    assert outcomes(signed) == [("unknown", "REMOTE_ANSWER_LOST"), ("ok", "PROBE_FOUND")]
    assert len(signed.remote.effects) == 1
    assert signed.remote.duplicates == []


def test_a_lost_request_is_sent_again_with_the_same_identifier(signed: Bench) -> None:
    signed.remote.script("lost_before")
    signed.attempt(only(signed).id)
    signed.due_now()
    signed.attempt(only(signed).id)
    assert only(signed).state == "delivered"
    assert [line.split()[0] for line in signed.remote.effects] == [only(signed).external_id]


@pytest.mark.rem("RIS.TBB.03")
def test_a_refusal_is_final_until_a_person_replays_it(signed: Bench) -> None:
    signed.remote.script("refused")
    signed.attempt(only(signed).id)
    assert (only(signed).state, only(signed).last_error_code) == ("failed", "REMOTE_REFUSED")
    signed.attempt(only(signed).id)
    assert signed.remote.calls == 1
    with signed.database.transaction() as session:
        replay(session, signed.diffusion, only(signed).id, signed.actor)
    signed.attempt(only(signed).id)
    assert only(signed).state == "delivered"
    assert only(signed).attempt_no == 2
    actions = [row[0] for row in signed.sql("select action from audit_event order by seq")]
    assert actions == [
        "report.signed",
        "delivery.failed",
        "delivery.replayed",
        "delivery.delivered",
    ]


def test_a_delivery_that_left_cannot_be_cancelled(signed: Bench) -> None:
    signed.attempt(only(signed).id)
    with pytest.raises(IllegalDeliveryMove), signed.database.transaction() as session:
        cancel(session, only(signed).id, signed.actor)


def test_a_cancelled_delivery_has_no_job_and_never_leaves(signed: Bench) -> None:
    with signed.database.transaction() as session:
        cancel(session, only(signed).id, signed.actor)
    signed.attempt(only(signed).id)
    assert signed.remote.calls == 0
    assert signed.sql("select count(*) from procrastinate_jobs") == [(0,)]


def test_attempts_are_spaced_and_the_count_survives(signed: Bench) -> None:
    signed.remote.script("down", "down")
    signed.attempt(only(signed).id)
    first = only(signed)
    assert first.state == "pending"
    assert first.due_at > first.created_at
    signed.sql("update delivery set due_at = now() + interval '1 hour' returning id")
    signed.attempt(first.id)
    assert only(signed).attempt_no == 1
    signed.due_now()
    signed.attempt(first.id)
    assert (only(signed).attempt_no, only(signed).tries) == (2, 2)


def test_transient_errors_beyond_the_give_up_time_end_as_dead(signed: Bench) -> None:
    signed.remote.script("down", "down")
    signed.attempt(only(signed).id)
    signed.later(61)
    signed.attempt(only(signed).id)
    assert only(signed).state == "dead"


def test_a_bug_is_probed_retried_thrice_then_dead(signed: Bench) -> None:
    signed.remote.always("bug")
    for _ in range(4):
        signed.attempt(only(signed).id)
        signed.due_now()
    assert (only(signed).state, only(signed).last_error_code) == ("dead", "DEFECT")
    assert signed.remote.calls == 3


@pytest.mark.rem("RIS.DMP.01")
def test_no_dmp_waits_is_tried_again_daily_and_fails_after_thirty_days(signed: Bench) -> None:
    signed.remote.always("no_dmp")
    signed.attempt(only(signed).id)
    assert (only(signed).state, only(signed).reason) == ("held", "NO_DMP")
    for _ in range(2):
        with signed.database.transaction() as session:
            assert reconsider_due(session, signed.diffusion) == 0
        signed.later(24 * 60 + 1)
        with signed.database.transaction() as session:
            assert reconsider_due(session, signed.diffusion) == 1
        signed.attempt(only(signed).id)
        assert only(signed).state == "held"
    signed.later(31 * 24 * 60)
    with signed.database.transaction() as session:
        reconsider_due(session, signed.diffusion)
    signed.attempt(only(signed).id)
    assert (only(signed).state, only(signed).reason) == ("failed", "NO_DMP")


def test_half_an_hour_of_outage_kills_no_delivery_and_drains_when_it_ends(bench: Bench) -> None:
    reports = [bench.report() for _ in range(12)]
    for report_id in reports:
        bench.sign(report_id)
    bench.remote.always("down")
    for _ in range(30):
        for row in bench.deliveries():
            bench.attempt(row.id)
        bench.later(3)
    assert {row.state for row in bench.deliveries()} == {"pending"}
    assert bench.sql("select open_until is not null, opened_at is not null from endpoint_health")
    assert bench.remote.calls < 12 * 30 / 3
    bench.remote.always(None)
    bench.later(1)
    for row in bench.deliveries():
        bench.attempt(row.id)
    for row in bench.deliveries():
        bench.attempt(row.id)
    assert {row.state for row in bench.deliveries()} == {"delivered"}
    assert len(bench.remote.effects) == 12


def test_the_delivery_table_alone_rebuilds_the_queue(bench: Bench) -> None:
    for _ in range(3):
        bench.sign(bench.report())
    bench.sql("delete from procrastinate_jobs")
    with bench.database.transaction() as session:
        assert requeue_due(session, bench.diffusion) == 3
    with bench.database.transaction() as session:
        assert requeue_due(session, bench.diffusion) == 0
    for row in bench.deliveries():
        bench.attempt(row.id)
    assert len(bench.remote.effects) == 3


@pytest.mark.rem("RIS.MSS.18", scenario="MSS/va1.14.01")
def test_a_receipt_acknowledges_and_a_bounce_is_shown(signed: Bench) -> None:
    with signed.database.transaction() as session:
        assert not on_receipt(session, only(signed).id, ok=True)
    signed.attempt(only(signed).id)
    with signed.database.transaction() as session:
        assert on_receipt(session, only(signed).id, ok=True)
        assert on_receipt(session, only(signed).id, ok=True)
    assert only(signed).state == "acknowledged"
    with signed.database.transaction() as session:
        assert on_receipt(session, only(signed).id, ok=False, code="UNKNOWN_MAILBOX")
    assert (only(signed).state, only(signed).reason) == ("bounced", "UNKNOWN_MAILBOX")


def test_an_attempt_once_written_is_never_changed(signed: Bench) -> None:
    signed.attempt(only(signed).id)
    for statement in ("update delivery_attempt set worker = 'x'", "delete from delivery_attempt"):
        with pytest.raises(DBAPIError):
            signed.sql(statement)
