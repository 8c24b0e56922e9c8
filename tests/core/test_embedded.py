"""The embedded PostgreSQL: who may use it, what survives a kill, what it never touches."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ris.core import embedded
from ris.core.errors import NotConfigured

SCRIPT = """
import os, pathlib, sys, time
import psycopg
from ris.core import embedded
with embedded.server(pathlib.Path(sys.argv[1]), durable=False) as url:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table if not exists visit (at timestamptz default now())")
        connection.execute("insert into visit default values")
    print(url, flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.readline()
"""


Spawn = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory under a private parent, whose server never outlives the test."""
    parent = Path(tempfile.mkdtemp(prefix="ris-test-"))
    yield parent / "data"
    for pid in parent.glob("**/postmaster.pid"):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            number = int(pid.read_text().split("\n")[0])
            if str(parent) in Path(f"/proc/{number}/cmdline").read_text():
                os.kill(number, signal.SIGQUIT)
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def spawn(data: Path) -> Iterator[Spawn]:
    """A maker of processes that use the server and wait; each in its own session, none left."""
    made: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT, str(data), "wait"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        made.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        return process

    yield start
    for process in made:
        process.kill()
        process.communicate()


def postmaster(data: Path) -> int:
    return int((data / "pg" / "postmaster.pid").read_text().split("\n")[0])


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def visits(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from visit").fetchone()
    assert row is not None
    return int(row[0])


def test_it_starts_keeps_its_data_and_stops_twice_in_a_row(data: Path) -> None:
    for expected in (1, 2):
        with embedded.server(data) as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table if not exists visit (at timestamptz default now())")
            connection.execute("insert into visit default values")
            assert visits(url) == expected
            pid = postmaster(data)
        assert not runs(pid)
        assert not (data / "pg" / "postmaster.pid").exists()


def test_it_opens_no_door_and_no_directory(data: Path) -> None:
    data.parent.chmod(0o700)
    with embedded.server(data, durable=False) as url, psycopg.connect(url) as connection:
        folder = Path(str(connection.info.get_parameters()["host"]))
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute("show server_encoding").fetchone() == ("UTF8",)
        modes = [path.stat().st_mode & 0o777 for path in (data.parent, data, data / "pg", folder)]
    assert modes == [0o700] * 4


@pytest.fixture
def ordinary() -> list[str]:
    """The command that turns a program into one of uid 65534, able to read this checkout."""
    if os.geteuid() != 0:
        return []
    plain = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reading = [*plain, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    for command in (plain, reading):  # the second where the interpreter lives under /root
        probe = [*command, sys.executable, "-c", "import ris, psycopg"]
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode == 0:
                return command
    pytest.skip("setpriv cannot make an ordinary user that reads this checkout")


def test_an_ordinary_user_runs_it_twice_too(ordinary: list[str]) -> None:
    parent = Path(tempfile.mkdtemp(prefix="ris-user-"))
    try:
        owner = 65534 if ordinary else os.geteuid()
        os.chown(parent, owner, -1)
        for _ in range(2):
            done = subprocess.run(
                [*ordinary, sys.executable, "-c", SCRIPT, str(parent / "data"), "once"],
                capture_output=True, text=True, timeout=60, check=False, cwd="/",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("postgresql://")
            assert (parent / "data" / "pg" / "PG_VERSION").stat().st_uid == owner
            assert not (parent / "data" / "pg" / "postmaster.pid").exists()
    finally:
        shutil.rmtree(parent)


def test_the_last_of_two_users_stops_the_server(data: Path, spawn: Spawn) -> None:
    first, second = spawn(), spawn()
    pid = postmaster(data)
    first.communicate("\n", timeout=30)
    assert first.returncode == 0
    assert runs(pid)
    second.communicate("\n", timeout=30)
    assert second.returncode == 0
    assert not runs(pid)


@pytest.mark.kill
def test_after_a_kill_of_the_user_the_next_one_takes_the_server_over_and_stops_it(
    data: Path, spawn: Spawn
) -> None:
    victim = spawn()
    pid = postmaster(data)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate(timeout=10)
    assert runs(pid)
    with embedded.server(data, durable=False) as url:
        assert postmaster(data) == pid
        assert visits(url) == 1
    assert not runs(pid)


@pytest.mark.kill
def test_after_a_kill_of_everything_a_bystander_with_the_recycled_pid_survives(
    data: Path, spawn: Spawn
) -> None:
    victim = spawn()
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate(timeout=10)
    os.kill(postmaster(data), signal.SIGKILL)
    bystander = subprocess.Popen(["sleep", "300"])
    try:
        file = data / "pg" / "postmaster.pid"
        rest = file.read_text().split("\n")[1:]
        file.write_text("\n".join((str(bystander.pid), *rest)))
        with embedded.server(data, durable=False) as url:
            assert visits(url) == 1
            assert postmaster(data) != bystander.pid
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.kill
def test_a_server_killed_under_its_user_is_started_again_by_the_next(data: Path) -> None:
    with embedded.server(data, durable=False) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table visit (at int)")
        os.kill(postmaster(data), signal.SIGKILL)
        time.sleep(0.2)
        with embedded.server(data, durable=False) as again:
            assert visits(again) == 0
    assert not (data / "pg" / "postmaster.pid").exists()


def test_two_checkouts_do_not_meet(data: Path) -> None:
    other = data.parent / "other"
    with (
        embedded.server(data, durable=False) as url,
        embedded.server(other, durable=False) as second,
    ):
        assert url != second
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table visit (at int)")
        with (
            psycopg.connect(second) as connection,
            pytest.raises(psycopg.errors.UndefinedTable),
        ):
            connection.execute("select 1 from visit")


def test_a_directory_that_is_not_a_database_is_refused_and_left_alone(data: Path) -> None:
    (data / "pg").mkdir(parents=True)
    (data / "pg" / "thesis.txt").write_text("precious")
    with pytest.raises(NotConfigured, match="n'est pas une base"), embedded.server(data):
        pass
    assert [path.name for path in (data / "pg").iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_account_is_refused(data: Path) -> None:
    data.mkdir()
    os.chown(data, 65534, 65534)
    with pytest.raises(NotConfigured, match="RIS_DATABASE_URL"), embedded.server(data):
        pass
    assert list(data.iterdir()) == []


def test_libpq_variables_of_the_shell_do_not_divert_the_server(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6666")
    monkeypatch.setenv("PGHOST", "database.example")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    with embedded.server(data, durable=False) as url, psycopg.connect(url) as connection:
        assert connection.execute("show port").fetchone() == ("5432",)


def test_a_missing_program_names_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotConfigured, match=r"embedded.*RIS_DATABASE_URL"):
        embedded.tool("pg_no_such_program")
