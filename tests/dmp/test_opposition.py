"""Opposition to DMP feeding: recorded, covering, lifted, shown."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ris.core.audit import Actor
from ris.dmp import opposition
from ris.dmp.errors import OppositionExists, OppositionIncomplete, OppositionNotFound
from ris.dmp.model import Scope

ACTOR = Actor(role="SYSTEM")


@pytest.fixture
def work(session: Session) -> Session:
    """A session where patients and reports need not exist."""
    session.execute(text("set local session_replication_role = replica"))
    return session


def record(work: Session, patient: UUID, report: UUID | None = None, reason: str = "expertise"):  # type: ignore[no-untyped-def]
    scope = Scope.REPORT if report else Scope.PATIENT
    return opposition.record(
        work, patient, scope=scope, report_id=report, reason=reason, actor=ACTOR
    )


@pytest.mark.rem("RIS.DMP.03", scenario="DMP/va1.12.01")
def test_a_report_can_be_kept_out_of_the_dmp(work: Session) -> None:
    patient, expertise, other = uuid4(), uuid4(), uuid4()
    record(work, patient, expertise)
    assert opposition.is_opposed(work, patient, expertise)
    assert not opposition.is_opposed(work, patient, other)
    assert not opposition.is_opposed(work, uuid4(), expertise)


@pytest.mark.rem("RIS.DMP.03", scenario="DMP/va1.12.01")
def test_an_opposition_of_the_patient_covers_every_report_until_lifted(work: Session) -> None:
    patient = uuid4()
    row = record(work, patient)
    assert opposition.is_opposed(work, patient, uuid4())
    opposition.lift(work, patient, row.id, actor=ACTOR)
    assert not opposition.is_opposed(work, patient, uuid4())
    assert [each.lifted_at is not None for each in opposition.listed(work, patient)] == [True]


def test_an_opposition_says_why_and_of_what(work: Session) -> None:
    for wrong in (
        {"scope": Scope.PATIENT, "report_id": None, "reason": "  "},
        {"scope": Scope.REPORT, "report_id": None, "reason": "x"},
        {"scope": Scope.PATIENT, "report_id": uuid4(), "reason": "x"},
    ):
        with pytest.raises(OppositionIncomplete):
            opposition.record(work, uuid4(), actor=ACTOR, **wrong)  # type: ignore[arg-type]


def test_the_same_opposition_is_recorded_once(work: Session) -> None:
    patient, report = uuid4(), uuid4()
    record(work, patient, report)
    with pytest.raises(OppositionExists):
        record(work, patient, report)
    record(work, patient)


def test_an_opposition_is_lifted_once_and_by_its_patient(work: Session) -> None:
    patient = uuid4()
    row = record(work, patient)
    with pytest.raises(OppositionNotFound):
        opposition.lift(work, uuid4(), row.id, actor=ACTOR)
    opposition.lift(work, patient, row.id, actor=ACTOR)
    with pytest.raises(OppositionNotFound):
        opposition.lift(work, patient, row.id, actor=ACTOR)
