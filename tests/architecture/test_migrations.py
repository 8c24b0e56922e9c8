"""The database's history: forth and back, equal to the models, safe when started twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
from alembic import command

from ris.core import schema
from ris.diffusion.engine_schema import engine_schema


def described(url: str) -> list[tuple[object, ...]]:
    """Every column, constraint, index, trigger and function of our schema, in order."""
    queries = (
        "select table_name, column_name, data_type, is_nullable, column_default"
        " from information_schema.columns where table_schema = 'public'",
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'public'::regnamespace",
        "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'",
        "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal",
        "select proname from pg_proc where pronamespace = 'public'::regnamespace",
        "select sequencename from pg_sequences where schemaname = 'public'",
    )
    with psycopg.connect(url) as connection:
        return [row for query in queries for row in sorted(connection.execute(query), key=str)]


def test_up_down_up_leaves_the_same_schema_and_down_leaves_nothing(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    configuration = schema.configuration(url)
    command.upgrade(configuration, "head")
    first = described(url)
    command.downgrade(configuration, "base")
    left = {row[0] for row in described(url)}
    assert left <= {"alembic_version"}
    command.upgrade(configuration, "head")
    assert described(url) == first


def test_the_models_and_the_migrations_say_the_same(new_database: Callable[[], str]) -> None:
    url = new_database()
    command.upgrade(schema.configuration(url), "head")
    command.check(schema.configuration(url))


def test_two_upgrades_at_once_make_one_schema(new_database: Callable[[], str]) -> None:
    url = new_database()
    with ThreadPoolExecutor(1) as pool:
        # alembic's context is per process: the second one is another process, as on two machines
        other = pool.submit(_upgrade_elsewhere, url)
        schema.upgrade(url, engine=engine_schema())
        assert other.result() == 0
    assert schema.is_at_head(url, engine=engine_schema())


def _upgrade_elsewhere(url: str) -> int:
    import os
    import subprocess
    import sys

    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RIS_")},
        "RIS_DATABASE_URL": url,
        "RIS_ENVIRONMENT": "test",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "ris", "db", "upgrade"],
        env=environment,
        capture_output=True,
        check=False,
    )
    return ran.returncode
