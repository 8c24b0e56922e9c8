"""Nothing is filed under a record that a merge has absorbed: one rule, asked by every room."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import SYSTEM
from ris.core.crypto import Keyring, Sealer
from ris.core.settings import SiteSettings
from ris.dmp import opposition
from ris.identity.copies import service as copies
from ris.identity.copies.feature import CopyFeature
from ris.identity.copies.model import Informed
from ris.identity.copies.settings import CopySettings
from ris.identity.errors import PatientMerged, PatientNotFound
from ris.identity.model import IdentityDocument, Patient
from ris.identity.values import Sex, Traits
from ris.mss import consent
from ris.orders.service import place_order
from ris.orders.values import Procedure
from tests.reports import sample

TRAITS = Traits("PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "51215")
EXAM = sample.exam()
Filing = Callable[[Session, UUID], object]


def refusals(session: Session, patient_id: UUID) -> object:
    return consent.record(
        session, patient_id, professional=True, patient=True, version=0, actor=SYSTEM
    )


def opposed(session: Session, patient_id: UUID) -> None:
    opposition.check_subject(session, patient_id, None)


def order(session: Session, patient_id: UUID) -> object:
    asked = Procedure(EXAM.procedure, EXAM.modality, EXAM.region, EXAM.location, EXAM.ccam)
    return place_order(
        session, patient_id=patient_id, requester=sample.REQUESTER, recipients=(), reason="Toux",
        procedure=asked, scheduled_at=clock.now(), site=SiteSettings(), actor=SYSTEM,
    )  # fmt: skip


@pytest.fixture
def copy(session: Session, tmp_path: Path) -> Filing:
    sealer = Sealer(Keyring.generate(tmp_path / "keyring.json"))
    feature = CopyFeature(CopySettings(enabled=True), 60, sealer, ())

    def store(session: Session, patient_id: UUID) -> object:
        document = IdentityDocument(
            patient_id=patient_id, type="PA", trust="high", traits_digest="0" * 64
        )
        session.add(document)
        session.flush()
        return copies.store(
            session, feature, patient_id, b"\xff\xd8\xffpassport", declared="image/jpeg",
            document_id=document.id, informed=Informed.ORAL, actor=SYSTEM,
        )  # fmt: skip

    return store


def record(session: Session, ipp: str, into: Patient | None = None) -> Patient:
    made = Patient(ipp=ipp, ipp_oid="2.25.1", merged_into_id=into.id if into else None)
    made.traits = TRAITS
    session.add(made)
    session.flush()
    return made


@pytest.mark.parametrize("filing", [refusals, opposed, order])
def test_an_absorbed_record_takes_no_refusal_opposition_nor_order(
    session: Session, filing: Filing
) -> None:
    survivor = record(session, "1")
    absorbed = record(session, "2", into=survivor)
    with pytest.raises(PatientMerged) as refused:
        filing(session, absorbed.id)
    assert refused.value.extensions["survivor_id"] == str(survivor.id)
    with pytest.raises(PatientNotFound):
        filing(session, UUID(int=0))


def test_an_absorbed_record_takes_no_copy_of_a_document(session: Session, copy: Filing) -> None:
    absorbed = record(session, "2", into=record(session, "1"))
    with pytest.raises(PatientMerged):
        copy(session, absorbed.id)
