"""An anchored head: what it betrays that the chain alone does not."""

from pathlib import Path

import pytest
from sqlalchemy import text

from ris.core import audit, audit_anchor
from ris.core.db import Database
from ris.core.errors import NotConfigured


def tell(database: Database, count: int) -> None:
    with database.transaction() as session:
        for number in range(count):
            audit.record(session, "test.done", detail={"n": number})


def test_each_new_head_is_one_more_line(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "heads"
    assert audit_anchor.anchor(database, file) is None
    assert not file.exists()
    tell(database, 2)
    first = audit_anchor.anchor(database, file)
    audit_anchor.anchor(database, file)
    tell(database, 1)
    second = audit_anchor.anchor(database, file)
    assert first is not None
    assert second is not None
    assert file.read_text().splitlines() == [first.line(), second.line()]
    assert list(audit_anchor.broken_anchors(database, file)) == []


def test_a_journal_rewritten_from_end_to_end_is_betrayed(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "heads"
    tell(database, 3)
    audit_anchor.anchor(database, file)
    with database.transaction() as session:
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text("delete from audit_event"))
    tell(database, 4)  # a new chain, sound in itself
    with database.transaction() as session:
        assert list(audit.broken_links(session)) == []
    assert list(audit_anchor.broken_anchors(database, file)) == [3]


def test_a_damaged_anchor_file_is_not_taken_for_a_good_one(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "heads"
    tell(database, 1)
    file.write_bytes(b"\xff\xfe garbage\n")
    assert list(audit_anchor.broken_anchors(database, file)) == [0]


def test_a_place_out_of_reach_is_said_clearly(database: Database, tmp_path: Path) -> None:
    tell(database, 1)
    with pytest.raises(NotConfigured, match="ancrage"):
        audit_anchor.anchor(database, tmp_path / "nowhere" / "heads")
