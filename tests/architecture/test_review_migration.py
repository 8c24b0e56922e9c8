"""Migration 0015 on a base that lived: each identity to review tells why; odd instants are gone."""

from collections.abc import Callable

import psycopg
from alembic import command

from ris.core import schema

PATIENTS = {  # ipp: (to_review, attributes, what its history tells, oldest first)
    "quiet": (False, "[]", [("created", False)]),
    "denied": (True, "[]", [("created", False), ("insi_denied", True)]),
    "settled": (False, "[]", [("insi_denied", True), ("insi_accepted", False)]),
    "flagged-again": (True, "[]", [("insi_denied", True), ("insi_accepted", False)]),
    "parted": (True, "[]", [("insi_denied", True), ("insi_accepted", False), ("separated", True)]),
    "doubted": (False, '["douteuse"]', [("created", False)]),
    "suspected": (True, "[]", []),
    "emergency": (True, "[]", []),
    "feed": (True, "[]", []),
    "stranger": (True, "[]", []),
}
REASONS = {
    "quiet": [],
    "denied": ["verification_ko"],
    "settled": [],
    "flagged-again": ["earlier"],
    "parted": ["separated"],
    "doubted": ["doubtful"],
    "suspected": ["collision"],
    "emergency": ["degraded"],
    "feed": ["earlier"],
    "stranger": ["foreign_ko"],
}
INSTANTS = {
    "year-one": ("0001-01-01 00:00+00", None),
    "ahead": ("2999-01-01 00:00+00", None),
    "sound": ("2026-01-02 03:04+00", "2026-01-02 03:04:00+00"),
    "never": (None, None),
}


def lived(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("set session_replication_role = replica")
        for ipp, (to_review, attributes, events) in PATIENTS.items():
            connection.execute(
                "insert into patient (id, ipp, ipp_oid, birth_family, birth_given_names,"
                " first_birth_given, birth_date, sex, birth_place, used_family, used_given, status,"
                " attributes, address, phone, to_review, created_at, updated_at, version)"
                " values (gen_random_uuid(), %s, '2.25.1', 'A', 'A', 'A', '1980-01-01', 'F',"
                " '99999', '', '', 'provisoire', %s, '{}', '', %s, now(), '2026-03-01', 1)",
                [ipp, attributes, to_review],
            )
            for minute, (event, worklist) in enumerate(events):
                history(connection, ipp, event, worklist=worklist, minute=minute)
        history(connection, "emergency", "created", worklist=False, mode="degraded")
        connection.execute(
            "insert into identity_collision (id, patient_id, state, suspected_since, reason,"
            " declared_at, settled_reason, version) select gen_random_uuid(), id, 'COLP',"
            " '2026-01-01', '', '2026-02-01', '', 1 from patient where ipp = 'suspected'"
        )
        connection.execute(
            "insert into foreign_identity (id, patient_id, created_patient, sender, message_id,"
            " traits, ins_digest_sealed, state, attempt_no, received_at, due_at, error)"
            " select gen_random_uuid(), id, true, 'S', 'M', '{}', '', 'ko', 1, now(), now(), ''"
            " from patient where ipp = 'stranger'"
        )
        for value, (instant, _) in INSTANTS.items():
            connection.execute(
                "insert into feed_identifier (authority, value, patient_id, last_event_at)"
                " select 'S', %s, id, %s from patient where ipp = 'quiet'",
                [value, instant],
            )


def history(
    connection: psycopg.Connection, ipp: str, event: str, *, worklist: bool, minute: int = 0,
    mode: str = "",
) -> None:  # fmt: skip
    connection.execute(
        "insert into identity_history (id, patient_id, at, event, to_status, reason, evidence,"
        " changes, worklist, propagate) select gen_random_uuid(), id,"
        " '2026-02-01'::timestamptz + %s * interval '1 minute', %s, 'provisoire', '',"
        " jsonb_build_object('mode', %s::text), '{}', %s, false from patient where ipp = %s",
        [minute, event, mode, worklist, ipp],
    )


def test_a_base_that_lived_tells_why_each_identity_is_to_review(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    configuration = schema.configuration(url)
    command.upgrade(configuration, "0015-1")
    lived(url)
    command.upgrade(configuration, "0015")
    with psycopg.connect(url) as connection:
        connection.execute("set time zone 'UTC'")
        told = connection.execute(
            "select ipp, array(select jsonb_object_keys(review)) from patient"
        ).fetchall()
        assert dict(told) == REASONS
        (since,) = connection.execute(
            "select review ->> 'verification_ko' from patient where ipp = 'denied'"
        ).fetchone() or ("",)
        assert since.startswith("2026-02-01T00:01:00")
        fences = connection.execute("select value, last_event_at::text from feed_identifier")
        assert dict(fences.fetchall()) == {name: after for name, (_, after) in INSTANTS.items()}
    command.downgrade(configuration, "0015-1")
    with psycopg.connect(url) as connection:
        again = dict(connection.execute("select ipp, to_review from patient").fetchall())
    assert again == {ipp: to_review for ipp, (to_review, *_) in PATIENTS.items()}
