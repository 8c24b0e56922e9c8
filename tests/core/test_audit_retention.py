"""What the journal forgets: only what is due, never its chain, never in silence."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from ris.core import audit, audit_retention, clock, ids
from ris.core.audit import Actor, AuditEvent
from ris.core.audit_retention import JournalSettings
from ris.core.db import Database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETTINGS = JournalSettings(connection_days=365, act_days=1_000)
ACTS = ("auth.login_success", "auth.role_grant", "report.signed", "auth.access_denied")


def tell(database: Database, *, days_ago: int, actions: tuple[str, ...] = ACTS) -> None:
    with (
        clock.frozen(NOW - timedelta(days=days_ago)),
        database.transaction() as session,
    ):
        for action in actions:
            actor = Actor(account_id=ids.new(), origin_ip="192.0.2.7", role="RADIOLOGIST")
            audit.record(session, action, actor=actor, patient_id=ids.new(), detail={"n": 1})


def journal(database: Database) -> list[AuditEvent]:
    with database.transaction() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.seq)))


def broken(database: Database) -> list[int]:
    with database.transaction() as session:
        return list(audit.broken_links(session))


def test_a_connection_is_forgotten_after_its_time_and_an_act_is_kept(database: Database) -> None:
    tell(database, days_ago=366)
    tell(database, days_ago=364)
    with clock.frozen(NOW):
        assert audit_retention.erase_due(database, SETTINGS) == 2
        assert audit_retention.erase_due(database, SETTINGS) == 0
    events = journal(database)
    emptied = [event for event in events if event.erased_at is not None]
    assert [(event.seq, event.action, event.outcome) for event in emptied] == [
        (1, "auth.login_success", "success"), (4, "auth.access_denied", "success"),
    ]  # fmt: skip
    for event in emptied:
        left = (event.actor_id, event.origin_ip, event.actor_role, event.patient_id, event.detail)
        assert left == (None, None, None, None, {})
    assert [event.origin_ip for event in events[1:3]] == ["192.0.2.7"] * 2
    assert events[-1].action == audit.ERASED
    assert events[-1].detail["ranges"] == [[1, 1], [4, 4]]
    assert broken(database) == []


def test_who_let_a_structure_act_is_kept_as_an_act(database: Database) -> None:
    certificates = [f"auth.certificate_{verb}" for verb in ("add", "replace", "retire")]
    tell(database, days_ago=366, actions=("auth.structure_declare", *certificates))
    with clock.frozen(NOW):
        assert audit_retention.erase_due(database, SETTINGS) == 0


def test_an_act_is_forgotten_in_its_turn_but_never_the_erasures(database: Database) -> None:
    tell(database, days_ago=1_001)
    with clock.frozen(NOW):
        assert audit_retention.erase_due(database, SETTINGS) == 4
    with clock.frozen(NOW + timedelta(days=2_000)):
        assert audit_retention.erase_due(database, SETTINGS) == 0
    assert broken(database) == []


def test_many_batches_leave_a_sound_chain(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_retention, "BATCH", 3)
    tell(database, days_ago=400, actions=("auth.login_failed",) * 8)
    with clock.frozen(NOW):
        assert audit_retention.erase_due(database, SETTINGS) == 8
    owned = [event.detail["ranges"] for event in journal(database) if event.action == audit.ERASED]
    assert owned == [[[1, 3]], [[4, 6]], [[7, 8]]]
    assert broken(database) == []


def test_the_exported_journal_still_verifies_with_its_erasures(database: Database) -> None:
    tell(database, days_ago=400)
    with clock.frozen(NOW):
        audit_retention.erase_due(database, SETTINGS)
    lines = [audit.exported(event) for event in journal(database)]
    assert list(audit.broken_lines(lines)) == []
    silent = [line.replace('"ranges":[[1,1],[4,4]]', '"ranges":[[1,1]]') for line in lines]
    assert list(audit.broken_lines(silent)) == [4, 5]


def test_an_erasure_that_the_journal_does_not_own_up_to_is_a_broken_link(
    database: Database,
) -> None:
    tell(database, days_ago=400)
    with database.transaction() as session:
        session.execute(
            text(
                "update audit_event set erased_at = now(), reason = null, actor_id = null,"
                " actor_role = null, origin_ip = null, patient_id = null, detail = '{}'"
                " where seq = 3"
            )
        )
    assert broken(database) == [3]


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_event set detail = '{}' where seq = 1",
        "update audit_event set erased_at = now() where seq = 1",
        "update audit_event set erased_at = now(), action = 'x', actor_id = null,"
        " actor_role = null, origin_ip = null, patient_id = null, detail = '{}' where seq = 1",
        "update audit_event set erased_at = '2200-01-01', actor_id = null,"
        " actor_role = null, origin_ip = null, patient_id = null, detail = '{}' where seq = 5",
        "delete from audit_event where seq = 1",
    ],
)
def test_the_database_refuses_any_change_that_is_no_erasure(
    database: Database, statement: str
) -> None:
    tell(database, days_ago=400)
    with database.transaction() as session:
        audit.record(session, "report.signed", patient_id=ids.new())
    with pytest.raises(DBAPIError, match="append-only"), database.transaction() as session:
        session.execute(text(statement))
    assert broken(database) == []


def test_numbers_are_gathered_in_runs() -> None:
    assert list(audit_retention.ranges([])) == []
    assert list(audit_retention.ranges([1, 2, 3, 7, 9, 10])) == [(1, 3), (7, 7), (9, 10)]
