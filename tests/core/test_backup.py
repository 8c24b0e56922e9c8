"""Backup and restore: the drill, and what a restore refuses."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ris.core import audit, backup
from ris.core.db import Database
from ris.core.errors import Conflict, NotConfigured


def test_a_database_comes_back_whole_with_its_journal_and_its_guard(
    database: Database, new_database: Callable[[], str], tmp_path: Path
) -> None:
    with database.transaction() as session:
        for number in range(3):
            audit.record(session, "test.done", detail={"n": number, "mot": "œuvre"})
        head = audit.head(session)
    file = tmp_path / "ris.dump"
    backup.dump(database.url, file)
    assert file.stat().st_mode & 0o777 == 0o600

    restored = Database(new_database())
    backup.restore(restored.url, file)
    with restored.transaction() as session:
        assert audit.head(session) == head
        assert list(audit.broken_links(session)) == []
    with pytest.raises(DBAPIError, match="append-only"), restored.transaction() as session:
        session.execute(text("delete from audit_event"))
    restored.close()


def test_a_database_that_holds_tables_is_never_restored_over(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "ris.dump"
    backup.dump(database.url, file)
    with pytest.raises(Conflict):
        backup.restore(database.url, file)


def test_a_damaged_backup_leaves_the_database_empty(
    database: Database, new_database: Callable[[], str], tmp_path: Path
) -> None:
    file = tmp_path / "ris.dump"
    backup.dump(database.url, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    target = new_database()
    with pytest.raises(NotConfigured):
        backup.restore(target, file)
    with psycopg.connect(target) as connection:
        tables = connection.execute("select 1 from pg_tables where schemaname = 'public'")
        assert tables.fetchall() == []
