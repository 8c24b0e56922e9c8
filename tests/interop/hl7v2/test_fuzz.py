"""A seeded slice of the fuzzing; the long form is `make fuzz`."""

import os

import pytest
from sqlalchemy import func, select

from ris.identity.model import IdentityHistory, Patient
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.model import Hl7Message, Hl7State
from ris.interop.hl7v2.service import Inbox
from tests.interop.hl7v2.fuzz import mutations, run

MESSAGES = int(os.environ.get("RIS_FUZZ_MESSAGES", "300"))


def test_four_thousand_mutated_messages_are_read_or_refused_by_name() -> None:
    played = run(4_000, seed=20240514)
    assert sum(played.values()) == 4_000
    assert set(played) == {"AA", "AE", "AR", "unframed"}


@pytest.mark.timeout(120 + MESSAGES)
def test_mutated_messages_through_the_inbox_leave_nothing_half_written(inbox: Inbox) -> None:
    answered = 0
    for data in mutations(seed=77, count=MESSAGES):
        before = rows(inbox)
        answer = inbox.receive(data)
        if not answer:
            assert answer is None or rows(inbox) == before
            continue
        read = parser.parse(answer)
        assert "HL7_TRY_AGAIN" not in [error.text(5) for error in read.all("ERR")]
        if read.segment("MSA").text(1) != "AA":
            assert rows(inbox) == before
        answered += 1
    assert answered > MESSAGES / 2
    with inbox.database.transaction() as session:
        states = set(session.scalars(select(Hl7Message.state)))
        held = session.scalars(select(Patient.status).where(Patient.ins_matricule.is_not(None)))
        assert set(held) <= {"récupérée", "qualifiée"}
    assert states <= {Hl7State.APPLIED, Hl7State.REFUSED, Hl7State.RECEIVED}


def rows(inbox: Inbox) -> tuple[int, ...]:
    """How many patients and how many lines of history there are."""
    with inbox.database.transaction() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (Patient, IdentityHistory)
        )
