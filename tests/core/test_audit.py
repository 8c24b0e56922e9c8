"""The journal: what it pins, what it refuses, what it detects."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ris.auth import accounts
from ris.auth.model import Account
from ris.auth.rights import Role
from ris.core import audit, clock
from ris.core.db import Database
from ris.sandbox.psc_people import RADIOLOGIST_A


def test_the_hash_of_the_specification_is_ours() -> None:
    content = b'{"action":"t","seq":1}'
    assert len(audit.GENESIS + content) == 54
    assert (
        audit.chain(audit.GENESIS, content).hex()
        == "c57662e511fbd0686f4d92a5ca7f76a704149f7f96454e42f29476b85b4d56cf"
    )


def test_the_canonical_form_is_sorted_compact_json_with_utc_microseconds(session: Session) -> None:
    with clock.frozen(datetime(2026, 11, 22, 14, 30, tzinfo=clock.PARIS)):
        event = audit.record(session, "report.signed", detail={"b": 1, "a": "é"})
    canonical = audit.canonical(event)
    assert canonical.startswith(b'{"acr":null,"acting_struct_idnat":null,"action":"report.signed",')
    assert b'"at":"2026-11-22T13:30:00.000000Z"' in canonical
    assert '"detail":{"a":"é","b":1}'.encode() in canonical
    assert b"hash" not in canonical.replace(b"session_hash", b"")


def test_a_chain_of_events_is_sound_after_a_reload(session: Session) -> None:
    for number in range(5):
        audit.record(session, "test.done", target=("thing", number), detail={"n": number})
    session.expire_all()
    assert [event.seq for event in session.scalars(select(audit.AuditEvent))] == [1, 2, 3, 4, 5]
    assert list(audit.broken_links(session)) == []
    assert list(audit.broken_links(session, start=3)) == []


@pytest.mark.parametrize(
    ("sabotage", "broken"),
    [
        ("update audit_event set detail = '{\"n\": 9}' where seq = 3", [3]),
        ("update audit_event set outcome = 'failure' where seq = 5", [5]),
        ("update audit_event set hash = '\\x00' where seq = 2", [2, 3]),
        ("delete from audit_event where seq = 3", [4]),
        ("update audit_event set seq = 99 where seq = 2; update audit_event set seq = 2 "
         "where seq = 4; update audit_event set seq = 4 where seq = 99", [2, 3, 4, 5]),
    ],
)  # fmt: skip
def test_tampering_with_raw_sql_is_named_by_its_number(
    database: Database, sabotage: str, broken: list[int]
) -> None:
    with database.transaction() as session:
        for number in range(5):
            audit.record(session, "test.done", detail={"n": number})
    with database.transaction() as session:
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text(sabotage))
    with database.transaction() as session:
        assert list(audit.broken_links(session)) == broken


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_event set outcome = 'failure'",
        "delete from audit_event",
        "truncate audit_event",
    ],
)
def test_the_database_refuses_to_change_the_journal(database: Database, statement: str) -> None:
    with database.transaction() as session:
        audit.record(session, "test.done")
    with pytest.raises(DBAPIError, match="append-only"), database.transaction() as session:
        session.execute(text(statement))
    with database.transaction() as session:
        assert list(audit.broken_links(session)) == []
        assert session.scalar(select(func.count()).select_from(audit.AuditEvent)) == 1


def test_eight_threads_append_without_a_gap(database: Database) -> None:
    def append() -> None:
        for _ in range(10):
            with database.transaction() as session:
                audit.record(session, "test.done")

    threads = [threading.Thread(target=append) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.transaction() as session:
        numbers = list(session.scalars(select(audit.AuditEvent.seq).order_by(audit.AuditEvent.seq)))
        assert numbers == list(range(1, 81))
        assert list(audit.broken_links(session)) == []


def test_an_act_that_fails_leaves_neither_a_trace_nor_a_gap(database: Database) -> None:
    with database.transaction() as session:
        audit.record(session, "test.first")

    def failing_act() -> None:
        with database.transaction() as session:
            audit.record(session, "test.lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_act()
    with database.transaction() as session:
        audit.record(session, "test.second")
    with database.transaction() as session:
        events = session.scalars(select(audit.AuditEvent).order_by(audit.AuditEvent.seq)).all()
        assert [(event.seq, event.action) for event in events] == [
            (1, "test.first"), (2, "test.second"),
        ]  # fmt: skip
        assert list(audit.broken_links(session)) == []


def test_an_act_whose_trace_cannot_be_written_does_not_happen(database: Database) -> None:
    """A22: the journal refuses the line at the database itself; the role given goes with it."""
    refuse = "alter table audit_event add constraint full_disk check (action = '') not valid"
    with database.transaction() as session:
        session.execute(text(refuse))
    try:
        with pytest.raises(DBAPIError, match="full_disk"), database.transaction() as session:
            accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    finally:
        with database.transaction() as session:
            session.execute(text("alter table audit_event drop constraint full_disk"))
    with database.transaction() as session:
        assert session.scalars(select(Account)).all() == []
        granted = accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
        assert granted.role == Role.RADIOLOGIST


def test_an_exported_head_betrays_a_cut_tail(database: Database) -> None:
    with database.transaction() as session:
        assert audit.head(session) is None
        for _ in range(3):
            last = audit.record(session, "test.done")
        exported = audit.head(session)
    assert exported is not None
    assert (exported.seq, exported.hash) == (3, last.hash.hex())
    assert exported.line() == f"3 {last.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {last.hash.hex()}"
    with database.transaction() as session:
        assert audit.still_holds(session, exported)
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text("delete from audit_event where seq = 3"))
        assert list(audit.broken_links(session)) == []  # the chain alone does not see it
        assert not audit.still_holds(session, exported)


def test_an_exported_journal_is_verified_without_the_database(session: Session) -> None:
    events = [audit.record(session, "test.done", detail={"n": n}) for n in range(3)]
    lines = [audit.exported(event) for event in events]
    assert list(audit.broken_lines(lines)) == []
    forged = lines[1].replace('"n":1', '"n":7')
    assert forged != lines[1]
    assert list(audit.broken_lines([lines[0], forged, lines[2]])) == [2]
    assert list(audit.broken_lines([lines[0], lines[2]])) == [3]


def test_what_was_recorded_since_a_savepoint_goes_with_it(session: Session) -> None:
    with audit.together(session):
        audit.record(session, "test.before")
        undone = session.begin_nested()
        audit.record(session, "test.undone")
        with session.begin_nested():
            audit.record(session, "test.inside")
        undone.rollback()
        with session.begin_nested():
            audit.record(session, "test.kept")
        with audit.together(session):  # a block inside another adds nothing
            audit.record(session, "test.after")
    actions = session.scalars(select(audit.AuditEvent.action).order_by(audit.AuditEvent.seq))
    assert actions.all() == ["test.before", "test.kept", "test.after"]
    assert list(audit.broken_links(session)) == []


def test_what_is_recorded_together_is_one_chain_appended_at_the_end(session: Session) -> None:
    audit.record(session, "test.before")
    with audit.together(session):
        for number in range(3):
            audit.record(session, "test.done", detail={"n": number})
        assert session.scalar(select(func.count()).select_from(audit.AuditEvent)) == 1
    audit.record(session, "test.after")
    session.expire_all()
    events = session.scalars(select(audit.AuditEvent).order_by(audit.AuditEvent.seq)).all()
    assert [event.detail.get("n") for event in events] == [None, 0, 1, 2, None]
    assert list(audit.broken_links(session)) == []


def test_what_fails_in_the_block_appends_nothing(session: Session) -> None:
    def failing() -> None:
        with audit.together(session):
            audit.record(session, "test.done")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        failing()
    audit.record(session, "test.after")
    actions = select(audit.AuditEvent.action)
    assert session.scalars(actions).all() == ["test.after"]
