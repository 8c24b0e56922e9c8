"""Real worker processes, really killed (engineering.md §1.9, checks 2, 3, 12)."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ris.diffusion import engine
from ris.diffusion.staff import attempts_of
from tests.diffusion.bench import Bench

ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(bench: Bench) -> Iterator[Start]:
    """Starts workers on the bench; those still alive are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(concurrency: int = 4, mode: str = "stay") -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.diffusion.worker", bench.database.url]
        worker = subprocess.Popen(
            [*command, str(bench.folder), str(concurrency), mode],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    yield run
    for worker in started:
        if worker.poll() is None:
            worker.kill()
        worker.communicate(timeout=10)


def wait(for_what: Callable[[], bool], seconds: float = 30) -> float:
    begun = time.monotonic()
    while not for_what():
        assert time.monotonic() - begun < seconds, "waited too long"
        time.sleep(0.1)
    return time.monotonic() - begun


def all_delivered(bench: Bench) -> bool:
    return bench.sql("select count(*) from delivery where state <> 'delivered'") == [(0,)]


@pytest.mark.kill
@pytest.mark.parametrize("fault", ["hang_after", "hang_before"])
def test_a_worker_killed_in_the_remote_call_is_replaced_and_nothing_is_sent_twice(
    bench: Bench, start: Start, fault: str
) -> None:
    bench.remote.script(fault)
    bench.sign(bench.report())
    victim = start()
    wait(lambda: bench.remote.calls == 1 and (fault == "hang_before" or bool(bench.remote.effects)))
    start()
    victim.send_signal(signal.SIGKILL)
    wait(lambda: all_delivered(bench))
    (row,) = bench.deliveries()
    with bench.database.transaction() as session:
        lines = attempts_of(session, row.id)
    assert [line.outcome for line in lines] == ["lost", "ok"]
    assert lines[0].worker != lines[1].worker
    assert len(bench.remote.effects) == 1
    assert bench.remote.duplicates == []


@pytest.mark.kill
def test_several_workers_share_the_load_and_each_sending_happens_once(
    bench: Bench, start: Start
) -> None:
    bench.remote.always("slow:0.05")
    for _ in range(3):
        start()
    wait(lambda: bench.sql("select count(*) from procrastinate_workers") == [(3,)], 60)
    for _ in range(60):
        bench.sign(bench.report())
    wait(lambda: all_delivered(bench), 60)
    assert len(bench.remote.effects) == 60
    assert bench.remote.duplicates == []
    workers = bench.sql("select count(distinct worker) from delivery_attempt")
    assert workers[0][0] >= 2


@pytest.mark.kill
def test_sigterm_under_load_finishes_what_runs_and_loses_nothing(
    bench: Bench, start: Start
) -> None:
    bench.remote.always("slow:0.3")
    for _ in range(20):
        bench.sign(bench.report())
    first = start()
    wait(lambda: len(bench.remote.effects) >= 3)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=20) == 0
    assert bench.sql("select count(*) from delivery where state = 'running'") == [(0,)]
    assert len(bench.remote.effects) < 20
    start()
    wait(lambda: all_delivered(bench), 60)
    assert len(bench.remote.effects) == 20
    assert bench.sql("select count(*) from delivery_attempt where outcome <> 'ok'") == [(0,)]


@pytest.mark.kill
def test_a_periodic_job_ticks_once_over_three_workers(bench: Bench, start: Start) -> None:
    for _ in range(3):
        start(concurrency=2)
    ticks = bench.folder / "ticks" / "calls"
    wait(ticks.exists)
    before, begun = len(ticks.read_text().split()), time.time()
    time.sleep(4)
    after, elapsed = len(ticks.read_text().split()), time.time() - begun
    assert 1 <= after - before <= elapsed + 1


def test_once_drains_and_exits(bench: Bench, start: Start) -> None:
    bench.sign(bench.report())
    assert start(mode="once").wait(timeout=30) == 0
    assert all_delivered(bench)


def test_two_rescues_at_once_leave_the_job_of_a_dead_worker_waiting(bench: Bench) -> None:
    bench.sign(bench.report())
    bench.sql("update procrastinate_jobs set status = 'doing' returning id")
    with bench.database.transaction() as one, bench.database.transaction() as other:
        assert (engine.rescue(one, 30), engine.rescue(other, 30)) == (1, 0)
    with bench.database.transaction() as late:
        assert engine.rescue(late, 30) == 0
    assert bench.sql("select status::text from procrastinate_jobs") == [("todo",)]


def test_a_rescued_job_gives_way_to_the_one_that_took_its_place(bench: Bench) -> None:
    bench.sign(bench.report())
    bench.sql("update procrastinate_jobs set status = 'doing' returning id")
    (row,) = bench.deliveries()
    with bench.database.transaction() as session:
        engine.enqueue(session, session.merge(row, load=False))
    with bench.database.transaction() as session:
        assert engine.rescue(session, 30) == 1
    assert bench.sql("select status::text from procrastinate_jobs") == [("todo",)]
