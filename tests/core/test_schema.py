"""The schema's one entry point: both histories, once, together, hidden from each other."""

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ris.core import schema

ENGINE = schema.EngineSchema(
    full="create table procrastinate_jobs (id int, label text default '100%')",
    migrations={"01.00.00_01_a.sql": "select 1", "02.00.00_01_pre_b.sql": "select 1"},
)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of one migration beside the product's own environment."""
    own = Path(__file__).parents[2] / "migrations"
    for name in ("env.py", "script.py.mako"):
        (tmp_path / name).write_text((own / name).read_text())
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0001_probe.py").write_text(
        'from alembic import op\nrevision = "0001"\ndown_revision = None\n'
        'def upgrade():\n    op.execute("create table probe (id int)")\n'
        'def downgrade():\n    op.execute("drop table probe")\n'
    )
    monkeypatch.setattr(schema, "_scripts", lambda: tmp_path)
    return tmp_path


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'public'")
        return {name for (name,) in rows}


def test_an_upgrade_brings_both_schemas_to_head_and_the_second_changes_nothing(
    new_database: Callable[[], str], scripts: Path
) -> None:
    url = new_database()
    assert not schema.is_at_head(url, engine=ENGINE)
    schema.upgrade(url, engine=ENGINE)
    found = tables(url)
    assert found == {"alembic_version", "probe", "procrastinate_jobs", "engine_schema"}
    schema.upgrade(url, engine=ENGINE)
    assert tables(url) == found
    assert schema.is_at_head(url, engine=ENGINE)


def test_a_newer_engine_applies_only_its_later_migrations_in_order(
    new_database: Callable[[], str], scripts: Path
) -> None:
    url = new_database()
    schema.upgrade(url, engine=ENGINE)
    newer = schema.EngineSchema(
        full="this is not run",
        migrations=dict(ENGINE.migrations)
        | {"03.00.00_50_post.sql": "insert into procrastinate_jobs values (2)",
           "03.00.00_01_pre.sql": "insert into procrastinate_jobs values (1)"},
    )  # fmt: skip
    assert not schema.is_at_head(url, engine=newer)
    schema.upgrade(url, engine=newer)
    schema.upgrade(url, engine=newer)
    with psycopg.connect(url) as connection:
        rows = connection.execute("select * from procrastinate_jobs").fetchall()
    assert rows == [(1, "100%"), (2, "100%")]
    assert schema.is_at_head(url, engine=newer)


def test_three_machines_may_upgrade_at_once(new_database: Callable[[], str], scripts: Path) -> None:
    url = new_database()
    failures: list[Exception] = []

    def upgrade() -> None:
        try:
            schema.upgrade(url, engine=ENGINE)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert schema.is_at_head(url, engine=ENGINE)
