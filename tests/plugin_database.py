"""The pytest side of PostgreSQL: one server per session, one template, one clone per worker.

The embedded server under `var/test`, or the stock one of `RIS_TEST_DATABASE_URL`. Several sessions
may share it: names carry the run, and a run holds a lock file that the sweep of left-overs tries.
"""

import fcntl
import hashlib
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session

from ris.core import embedded, schema
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.diffusion.engine_schema import engine_schema

DATA: Final = Path(__file__).parents[1] / "var" / "test"
CHECKOUT: Final = hashlib.sha256(f"{socket.gethostname()}:{DATA}".encode()).hexdigest()[:6]
MARK: Final = f"ristest_{CHECKOUT}_"
RUN: Final = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12]
SEALER: Final = Sealer(Keyring("k1", {"k1": bytes(range(32))}))
WORKER: Final = os.environ.get("PYTEST_XDIST_WORKER", "solo")


def fill_template(url: str) -> None:
    """Give the database of *url* the whole schema, by its migrations."""
    schema.upgrade(url, engine=engine_schema())


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """URL of a PostgreSQL where databases may be created: the tests' own, or the stock one."""
    if stock := os.environ.get("RIS_TEST_DATABASE_URL"):
        yield stock
        return
    with embedded.server(DATA, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def new_database(server_url: str) -> Iterator[Callable[[], str]]:
    """A maker of fresh, empty databases; gives their URL and drops them with the session."""
    made: list[str] = []
    with running() as run, psycopg.connect(server_url, autocommit=True) as admin:

        def make() -> str:
            made.append(f"{MARK}{run}_{WORKER}_{len(made)}_extra")
            create(admin, made[-1])
            return at(server_url, made[-1])

        yield make
        for name in made:
            drop(admin, name)


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """URL of this worker's clone of the template."""
    with cloned(server_url, WORKER) as mine:
        yield mine


@pytest.fixture(scope="module")
def apart(server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a clone of the template that the tests of one module share, and do not empty."""
    module = hashlib.sha256(request.module.__name__.encode()).hexdigest()[:6]
    with cloned(server_url, f"{WORKER}_{module}") as mine:
        yield mine


@contextmanager
def cloned(server_url: str, name: str) -> Iterator[str]:
    """URL of a clone of the template, which is made by whoever comes first."""
    with running() as run, psycopg.connect(server_url, autocommit=True) as admin:
        template, mine = f"{MARK}{run}", f"{MARK}{run}_{name}"
        with locked(DATA / "template.lock"):
            sweep(admin)
            if template not in databases(admin):
                create(admin, f"{template}_wip")
                fill_template(at(server_url, f"{template}_wip"))
                rename = sql.SQL("alter database {} rename to {}")
                admin.execute(
                    rename.format(sql.Identifier(f"{template}_wip"), sql.Identifier(template))
                )
            create(admin, mine, template)
        yield at(server_url, mine)
        drop(admin, mine)


@pytest.fixture(scope="session")
def worker_database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=20)
    yield database
    database.close()


@pytest.fixture(scope="session")
def seeded(database_url: str) -> frozenset[str]:
    """The tables that migrations fill: kept between tests."""
    with psycopg.connect(database_url) as connection:
        return frozenset(filled(connection))


@pytest.fixture
def database(worker_database: Database, seeded: frozenset[str]) -> Iterator[Database]:
    """This worker's database, real commits allowed; emptied after the test."""
    with emptied(worker_database, seeded) as lent:
        yield lent


@contextmanager
def emptied(worker_database: Database, seeded: frozenset[str]) -> Iterator[Database]:
    """Lend the worker's database, and empty it afterwards (a test, or a module of them)."""
    worker_database.seal_with(SEALER)  # a test that composed the product gave it another
    yield worker_database
    with psycopg.connect(worker_database.url) as connection:
        connection.execute("set lock_timeout = '10s'")
        connection.execute("set session_replication_role = replica")  # no trigger, no foreign key
        for table in filled(connection):
            if table not in seeded:
                connection.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))


@pytest.fixture
def session(worker_database: Database) -> Iterator[Session]:
    """A session inside a transaction that is rolled back; a `commit` in it is a savepoint."""
    worker_database.seal_with(SEALER)
    with worker_database.engine.connect() as connection:
        transaction = connection.begin()
        with Session(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
        transaction.rollback()


def filled(connection: "psycopg.Connection[tuple[str, ...]]") -> list[str]:
    """The tables that hold a row."""
    tables = connection.execute(
        "select tablename from pg_tables where schemaname = 'public'"
        " and tablename not in ('alembic_version', 'engine_schema') order by 1"
    ).fetchall()
    one = sql.SQL("select {} where exists (select 1 from {})")
    parts = [one.format(sql.Literal(name), sql.Identifier(name)) for (name,) in tables]
    return [name for (name,) in connection.execute(sql.SQL(" union all ").join(parts))]


@contextmanager
def running() -> Iterator[str]:
    """Hold this run's lock file, so that nobody sweeps its databases."""
    runs = DATA / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with (runs / RUN).open("w") as mine:
        fcntl.flock(mine, fcntl.LOCK_SH)
        yield RUN


def sweep(admin: "psycopg.Connection[tuple[str, ...]]") -> None:
    """Drop the databases of runs that are over, killed ones included."""
    for name in databases(admin):
        run = name.removeprefix(MARK).split("_")[0]
        if name.startswith(MARK) and run != RUN and over(run):
            drop(admin, name)
            (DATA / "runs" / run).unlink(missing_ok=True)


def over(run: str) -> bool:
    file = DATA / "runs" / run
    if not file.exists():
        return True
    with file.open("w") as lock:
        return tried(lock)


def tried(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def databases(admin: "psycopg.Connection[tuple[str, ...]]") -> list[str]:
    return [name for (name,) in admin.execute("select datname from pg_database")]


def create(admin: psycopg.Connection, name: str, template: str = "template0") -> None:
    statement = sql.SQL("create database {} template {}")
    admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def at(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
