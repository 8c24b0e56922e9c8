"""The database refuses by itself what no path may write."""

from datetime import date

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ris.identity.model import Patient
from ris.identity.values import Sex, Traits

TRAITS = Traits("PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "51215")
INS = {"ins_matricule": "279035121518989", "ins_oid": "1.2.250.1.213.1.4.10"}


def patient(ipp: str = "1", **values: object) -> Patient:
    row = Patient(ipp=ipp, ipp_oid="2.25.1", **values)
    row.traits = TRAITS
    return row


@pytest.mark.rem("RIS.INS.35")
@pytest.mark.parametrize("status", ["provisoire", "validée"])
def test_no_matricule_below_recuperee(session: Session, status: str) -> None:
    session.add(patient(status=status, **INS))
    with pytest.raises(IntegrityError, match="ins_by_status"):
        session.flush()


@pytest.mark.parametrize("status", ["récupérée", "qualifiée"])
def test_a_matricule_where_it_belongs_and_only_once(session: Session, status: str) -> None:
    session.add(patient(status=status, **INS))
    session.flush()
    session.add(patient("2", status=status, **INS))
    with pytest.raises(IntegrityError, match="uq_patient_ins"):
        session.flush()


def test_a_matricule_never_goes_without_its_authority(session: Session) -> None:
    session.add(patient(status="qualifiée", ins_matricule="279035121518989"))
    with pytest.raises(IntegrityError, match="ins_whole"):
        session.flush()


@pytest.mark.parametrize("attribute", ["douteuse", "fictive"])
def test_a_blocking_attribute_holds_the_identity_at_provisional(
    session: Session, attribute: str
) -> None:
    session.add(patient(status="validée", attributes=[attribute]))
    with pytest.raises(IntegrityError, match="blocking"):
        session.flush()


def test_an_unknown_status_is_refused(session: Session) -> None:
    session.add(patient(status="QUAL"))
    with pytest.raises(IntegrityError, match="ck_patient_status"):
        session.flush()
