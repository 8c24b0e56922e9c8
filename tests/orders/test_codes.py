"""Codes are refused when the exam is ordered, with the rule that the signed report obeys."""

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import SYSTEM
from ris.core.settings import SiteSettings
from ris.identity.errors import PatientNotFound
from ris.identity.model import Patient
from ris.orders.codes import refused
from ris.orders.errors import CodesRefused
from ris.orders.model import ExamRecord
from ris.orders.service import place_order
from ris.orders.values import Procedure
from tests.reports import sample

EXAM = sample.exam()
ASKED = Procedure(EXAM.procedure, EXAM.modality, EXAM.region, EXAM.location, EXAM.ccam)


def placed(session: Session, patient_id: UUID, procedure: Procedure) -> ExamRecord:
    return place_order(
        session,
        patient_id=patient_id,
        requester=sample.REQUESTER,
        recipients=(),
        reason="Céphalées",
        procedure=procedure,
        scheduled_at=clock.now(),
        site=SiteSettings(),
        actor=SYSTEM,
    )


@pytest.fixture
def patient(session: Session) -> Patient:
    made = Patient(ipp="RIS-000042", ipp_oid=sample.PATIENT.ipp_oid)
    made.traits = sample.PATIENT.traits
    session.add(made)
    session.flush()
    return made


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("procedure", "ZBQK002"),
        ("modality", "SCANNER"),
        ("region", "12738006"),
        ("location", "TETE"),
        ("ccam", "24727-0"),
    ],
)
def test_a_code_of_the_wrong_shape_or_off_the_set_is_refused(
    session: Session, patient: Patient, field: str, code: str
) -> None:
    wrong = replace(getattr(ASKED, field) or EXAM.procedure, code=code)
    with pytest.raises(CodesRefused) as refusal:
        placed(session, patient.id, replace(ASKED, **{field: wrong}))
    assert refusal.value.status == 422
    assert [one["pointer"] for one in refusal.value.extensions["errors"]] == [f"/{field}/code"]


def test_what_a_report_can_carry_is_accepted(session: Session, patient: Patient) -> None:
    assert list(refused(ASKED)) == []
    assert placed(session, patient.id, ASKED).status == "SCHEDULED"


def test_an_order_for_an_unknown_patient_is_not_found(session: Session) -> None:
    with pytest.raises(PatientNotFound):
        placed(session, UUID(int=0), ASKED)
