"""Several messages in one transaction: the same effects and answers as one by one."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from ris.core import audit
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity.model import IdentityHistory, IdentityKey, Patient
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.group import Arrival, Group
from ris.interop.hl7v2.intake import Intake
from ris.interop.hl7v2.model import Hl7Message
from ris.interop.hl7v2.service import Inbox
from tests.interop.hl7v2.sample import INS, merge, message

LETTERS = "ABCDEFGH"


def people(count: int, **options: Any) -> list[Arrival]:
    return [
        Arrival(
            message(control=f"G{n}", ipp=f"P{n}", names=f"TESTRIS-{LETTERS[n]}^ANNE^ANNE^^^^L",
                    **options)
        )
        for n in range(count)
    ]  # fmt: skip


def codes(answers: Sequence[bytes | None]) -> list[str]:
    return [parser.parse(one or b"").segment("MSA").text(1) for one in answers]


def count(database: Database, table: Any) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def states(database: Database) -> list[tuple[str, str]]:
    with database.transaction() as session:
        rows = session.execute(
            select(Hl7Message.control_id, Hl7Message.state).order_by(Hl7Message.seq)
        )
        return [(control, state) for control, state in rows]


def is_chained(database: Database) -> bool:
    with database.transaction() as session:
        return not list(audit.broken_links(session))


def test_a_group_is_applied_journaled_and_answered_as_one_by_one_would(inbox: Inbox) -> None:
    answers = Group(inbox).receive(people(4))
    assert codes(answers) == ["AA"] * 4
    assert [parser.parse(one or b"").segment("MSA").text(2) for one in answers] == [
        "G0", "G1", "G2", "G3"
    ]  # fmt: skip
    assert count(inbox.database, Patient) == count(inbox.database, IdentityHistory) == 4
    assert count(inbox.database, IdentityKey) == 4 * 3
    with inbox.database.transaction() as session:
        told = select(func.count()).where(AuditEvent.action == "identity.received")
        assert session.scalar(told) == 4
    assert is_chained(inbox.database)
    assert [inbox.receive(one.data) for one in people(4)] == answers


def test_a_group_makes_the_outgoing_messages_of_each_of_its_patients(inbox: Inbox) -> None:
    partners = replace(inbox, feature=replace(inbox.feature, partners=("PACS",)))
    assert codes(Group(partners).receive(people(2))) == ["AA", "AA"]


@pytest.mark.parametrize(
    ("odd", "answer"),
    [
        (message(control="BAD", sex="X", ipp="P9"), "AE"),
        (message(control="BAD", place="LYON", ipp="P9"), "AE"),
        (message("MDM^T02^X", control="BAD"), "AR"),
        (message(control="BAD", ipp="9" * 40), "AE"),
        (message(control="G0", ipp="P0", names="TESTRIS-Z^ANNE^ANNE^^^^L"), "AR"),
    ],
)
def test_one_bad_message_is_refused_alone(inbox: Inbox, odd: bytes, answer: str) -> None:
    answers = Group(inbox).receive([*people(2), Arrival(odd)])
    assert codes(answers) == ["AA", "AA", answer]
    assert count(inbox.database, Patient) == 2
    assert is_chained(inbox.database)


def test_what_has_no_header_closes_its_connection_only(inbox: Inbox) -> None:
    answers = Group(inbox).receive([Arrival(b"GET /"), *people(2)])
    assert answers[0] is None
    assert codes(answers[1:]) == ["AA", "AA"]


def test_the_same_message_twice_in_a_group_is_applied_once(inbox: Inbox) -> None:
    one = Arrival(message())
    answers = Group(inbox).receive([one, one])
    assert answers[0] == answers[1]
    assert count(inbox.database, Patient) == count(inbox.database, Hl7Message) == 1


def test_two_news_of_one_patient_in_a_group_keep_their_order(inbox: Inbox) -> None:
    first, then = (
        Arrival(message("ADT^A31^ADT_A05", control=f"O{n}", names=f"TESTRIS-{n}^ANNE^ANNE^^^^L"))
        for n in "AB"
    )
    assert codes(Group(inbox).receive([first, then])) == ["AA", "AA"]
    with inbox.database.transaction() as session:
        assert session.scalars(select(Patient.birth_family)).all() == ["TESTRIS-B"]


def test_a_merge_and_a_first_ins_pass_in_a_group_with_others(inbox: Inbox) -> None:
    group = Group(inbox)
    group.receive(people(3))
    news = message("ADT^A31^ADT_A05", control="N", ipp="P0", ins=INS, status="VALI",
                   names="TESTRIS-A^ANNE^ANNE^^^^L", recorded="20240601000000")  # fmt: skip
    answers = group.receive([Arrival(news), Arrival(merge(control="M"))])
    assert codes(answers) == ["AA", "AA"]
    with inbox.database.transaction() as session:
        merged = session.scalar(select(Patient).where(Patient.merged_into_id.is_not(None)))
        assert merged is not None
        assert session.scalar(select(func.count()).where(Patient.ins_oid.is_not(None))) == 1


def test_modes_may_be_mixed_and_what_was_stored_is_applied_in_order(inbox: Inbox) -> None:
    direct, stored = people(1), people(4, accept="AL")[1:]
    assert codes(Group(inbox).receive([*direct, *stored])) == ["AA", "CA", "CA", "CA"]
    more = Arrival(message("ADT^A31^ADT_A05", control="L", ipp="P1", accept="AL",
                           names="TESTRIS-LAST^ANNE^ANNE^^^^L"))  # fmt: skip
    assert codes(Group(inbox).receive([more])) == ["CA"]
    assert Group(inbox).apply_waiting() == 4
    assert {state for _, state in states(inbox.database)} == {"applied"}
    with inbox.database.transaction() as session:
        names = session.scalars(select(Patient.birth_family).where(Patient.ipp == "P1"))
        assert names.all() == ["TESTRIS-LAST"]
    assert is_chained(inbox.database)


def test_a_stored_message_that_is_refused_does_not_hold_the_others(inbox: Inbox) -> None:
    bad = Arrival(message(control="BAD", sex="X", ipp="P9", accept="AL"))
    Group(inbox).receive([bad, *people(2, accept="AL")])
    assert Group(inbox).apply_waiting() == 3
    assert dict(states(inbox.database)) == {"BAD": "refused", "G0": "applied", "G1": "applied"}


def test_concurrent_groups_about_the_same_patients_lose_nothing(inbox: Inbox) -> None:
    """Each names the same identifiers in another order: locks are taken in one order."""

    def news(label: str, order: Sequence[int]) -> list[Arrival]:
        names = f"TESTRIS-{label}^ANNE^ANNE^^^^L"
        return [Arrival(message(control=f"{label}{n}", ipp=f"P{n}", names=names)) for n in order]

    answers: list[str] = []
    threads = [
        threading.Thread(
            target=lambda group: answers.extend(codes(Group(inbox).receive(group))), args=(group,)
        )
        for group in (news("A", range(6)), news("B", range(5, -1, -1)), news("C", range(6)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["AA"] * 18
    assert count(inbox.database, Patient) == 6
    assert is_chained(inbox.database)


def test_the_intake_gathers_what_waits_and_gives_each_its_own_answer() -> None:
    sizes: list[int] = []

    def take(arrivals: Sequence[Arrival]) -> list[bytes | None]:
        sizes.append(len(arrivals))
        threading.Event().wait(0.05)
        return [b"ack:" + one.data for one in arrivals]

    async def eight() -> list[bytes | None]:
        intake = Intake(take, turns=1, patience_s=0.001)
        told = await asyncio.gather(*(intake.receive(b"%d" % n, "", True) for n in range(8)))
        assert intake.hurried(60)
        assert not intake.hurried(0)
        return told

    assert asyncio.run(eight()) == [b"ack:%d" % n for n in range(8)]
    assert sum(sizes) == 8
    assert len(sizes) < 4


def test_the_intake_leaves_nobody_without_a_word_when_taking_fails() -> None:
    def take(arrivals: Sequence[Arrival]) -> list[bytes | None]:
        raise OSError("no thread")

    async def two() -> list[Any]:
        intake = Intake(take, turns=1, patience_s=0)
        both = (intake.receive(b"a", "", True), intake.receive(b"b", "", True))
        return list(await asyncio.gather(*both, return_exceptions=True))

    assert [type(one) for one in asyncio.run(two())] == [OSError, OSError]
