"""Any order of signatures, faults, crashes and human acts (engineering.md §1.9, check 11)."""

import contextlib
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from ris.core.db import Database
from ris.diffusion.begin import begin
from ris.diffusion.decision import Facts
from ris.diffusion.errors import IllegalDeliveryMove
from ris.diffusion.staff import cancel, replay
from ris.diffusion.states import TERMINAL, State
from ris.diffusion.upkeep import reconsider_due, requeue_due
from tests.diffusion.bench import Bench

FAULTS = ("ok", "down", "busy", "refused", "no_dmp", "lost_before", "lost_after", "bug")
TABLES = (
    "delivery, delivery_attempt, endpoint_health, document_version, procrastinate_jobs, account"
)
ACTS = ("nothing", "sign", "crash", "replay", "cancel", "downgrade", "qualify", "tick")
pick = st.integers(0, 3)


class Deliveries(RuleBasedStateMachine):
    """One report, one channel, many versions."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        with self.database.transaction() as session:
            session.execute(text("set local session_replication_role = replica"))
            for table in TABLES.split(", "):
                session.execute(text(f"delete from {table}"))
        self.bench = Bench(self.database, Path(mkdtemp()))
        self.report_id = self.bench.report()
        self.ended: dict[object, str] = {}
        self.sign()

    def chosen(self, number: int) -> object | None:
        rows = self.bench.deliveries()
        return rows[-1 - number % len(rows)].id if rows else None

    def sign(self) -> None:
        self.bench.sign(self.report_id)

    @rule(
        act=st.sampled_from(ACTS),
        number=pick,
        faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3),
    )
    def step(self, act: str, number: int, faults: list[str]) -> None:
        """Something happens, then the worker tries one delivery again and again, meeting faults.

        One rule on purpose: hypothesis would otherwise leave most attempts out.
        """
        {
            "nothing": lambda: None,
            "sign": self.sign,
            "crash": lambda: self.crash(number),
            "replay": lambda: self.act(replay, number),
            "cancel": lambda: self.act(lambda session, _, *rest: cancel(session, *rest), number),
            "downgrade": lambda: self.change_identity(False),
            "qualify": lambda: self.change_identity(True),
            "tick": self.tick,
        }[act]()
        if delivery_id := self.chosen(number):
            self.bench.remote.script(*faults)
            for _ in faults:
                self.bench.due_now()
                self.bench.attempt(delivery_id)
            self.bench.remote.script()

    def crash(self, number: int) -> None:
        """A worker dies right after it began."""
        if delivery_id := self.chosen(number):
            with self.database.transaction() as session:
                begin(session, self.bench.diffusion, delivery_id, "dead")

    def change_identity(self, qualified: bool) -> None:
        self.bench.facts = Facts(qualified=qualified)

    def tick(self) -> None:
        with self.database.transaction() as session:
            requeue_due(session, self.bench.diffusion)
            reconsider_due(session, self.bench.diffusion)

    def act(self, what: object, number: int) -> None:
        if (delivery_id := self.chosen(number)) is None:
            return
        with contextlib.suppress(IllegalDeliveryMove), self.database.transaction() as session:
            what(session, self.bench.diffusion, delivery_id, self.bench.actor)  # type: ignore[operator]
            self.ended.pop(delivery_id, None)

    @invariant()
    def nothing_takes_effect_twice(self) -> None:
        assert self.bench.remote.duplicates == []

    @invariant()
    def only_a_person_moves_what_is_over(self) -> None:
        for row in self.bench.deliveries():
            if row.id in self.ended:
                assert row.state == self.ended[row.id]
            if row.state in TERMINAL:
                self.ended[row.id] = row.state

    @invariant()
    def at_most_one_attempt_runs_per_lane(self) -> None:
        assert [row.state for row in self.bench.deliveries()].count(State.RUNNING) <= 1

    def teardown(self) -> None:
        """Once the network is up, everything is over or says why it waits; versions in order."""
        self.bench.facts = Facts()
        self.bench.remote.script()
        for _ in range(6):
            self.bench.sql("update delivery set due_at = now()")
            self.bench.sql("update endpoint_health set open_until = now()")
            self.tick()
            for row in self.bench.deliveries():
                self.bench.attempt(row.id)
        for row in self.bench.deliveries():
            assert row.state in TERMINAL or row.reason == "BLOCKED_BY_EARLIER", row.state
        order = [str(row.document_id) for row in self.bench.deliveries()]
        seen = [order.index(line.split()[-1]) for line in self.bench.remote.effects]
        assert seen == sorted(seen)


@pytest.mark.timeout(300)
def test_no_order_of_events_loses_repeats_or_reorders_a_sending(database: Database) -> None:
    machine = type("Machine", (Deliveries,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
