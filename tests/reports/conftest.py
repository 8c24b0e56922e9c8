"""Fixtures of the reports: in the base, an exam of a qualified patient and its people."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ris.auth.model import Account
from ris.auth.rights import Role
from ris.core.audit import Actor
from ris.core.settings import SiteSettings
from ris.identity.model import Patient
from ris.identity.values import NIR_TEST, Status
from ris.orders import service as orders
from ris.orders.model import ExamRecord
from ris.orders.values import Procedure
from ris.reports.freeze import ContentInputs
from tests.reports.sample import MATRICULE, PATIENT, RADIOLOGIST, REQUESTER, SITE, exam


@dataclass(frozen=True)
class Bench:
    """What a test acts with."""

    actor: Actor
    account: Account
    exam: ExamRecord

    def inputs(self, **changes: Any) -> ContentInputs:
        values: dict[str, Any] = {
            "patient": PATIENT,
            "author": RADIOLOGIST,
            "custodian": SITE,
            "requester": REQUESTER,
            "exams": (exam(),),
        }
        return ContentInputs(**values | changes)


@pytest.fixture
def bench(session: Session) -> Bench:
    return make_bench(session)


def make_bench(session: Session) -> Bench:
    account = Account(ps_idnat=RADIOLOGIST.ps_idnat, role=Role.RADIOLOGIST)
    patient = Patient(
        id=PATIENT.id,
        ipp=PATIENT.ipp,
        ipp_oid=PATIENT.ipp_oid,
        birth_family="PAT-TROIS",
        birth_given_names="DOMINIQUE MARIE-LOUISE",
        first_birth_given="DOMINIQUE",
        birth_date=PATIENT.traits.birth_date,
        sex="F",
        birth_place="51215",
        status=Status.QUALIFIEE,
        ins_matricule=MATRICULE,
        ins_oid=NIR_TEST,
    )
    session.add_all([account, patient])
    session.flush()
    actor = Actor(account_id=account.id, role="RADIOLOGIST")
    asked = exam()
    record = orders.place_order(
        session,
        patient_id=patient.id,
        requester=REQUESTER,
        recipients=(),
        reason="Céphalées",
        procedure=Procedure(
            procedure=asked.procedure,
            modality=asked.modality,
            region=asked.region,
            location=asked.location,
            ccam=asked.ccam,
        ),
        scheduled_at=datetime(2026, 11, 22, 13, tzinfo=UTC),
        site=SiteSettings(),
        actor=actor,
    )
    return Bench(actor, account, record)
