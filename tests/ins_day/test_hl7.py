"""Line 40: identities of our own domain, received in HL7 v2 over MLLP (PAM France, ORU)."""

import pytest

from ris.auth.rights import Role
from ris.interop.hl7v2.message import Message
from ris.sandbox.insi_people import Person
from tests.ins_day.acts import holders, show
from tests.ins_day.conftest import Line
from tests.ins_day.practice import GAM, Desk, Json, Practice
from tests.interop.hl7v2.sample import message


@pytest.fixture(scope="module")
def repository(practice: Practice) -> str:
    """The identity repository of our domain, under contract; its domain."""
    body = {"sender": GAM, "label": "Gestion administrative des malades", "scope": "own_domain"}
    practice.desk(Role.IDENTITY_OFFICER).post("/v1/trust-contracts", body)
    return GAM


def told(
    practice: Practice,
    person: Person,
    ipp: str,
    *,
    event: str = "ADT^A28^ADT_A05",
    status: str = "VALI",
    ins: str | None = None,
    more: tuple[str, ...] = (),
) -> tuple[bytes, Message]:
    """Our repository speaks of *person* as *ipp*; return what it sent and the answer."""
    practice.count += 1
    number = f"{person.number}^^^ASIP-SANTE-INS-NIR&{person.oid}&ISO^INS" if ins is None else ins
    data = message(
        event,
        control=f"GAM{practice.count}",
        ipp=ipp,
        ins=number,
        names=f"{person.family}^{person.given.split()[0]}^{person.given}^^^^L",
        born=person.born.replace("-", ""),
        sex=person.sex,
        place=person.place,
        status=status,
        recorded=f"2024051408{practice.count // 60:02d}{practice.count % 60:02d}",
        zfd="ZFD|||N|N|INSI" if event.startswith("ADT^A28") else "",
        more=more,
    )
    return data, practice.send(data)


def record(practice: Practice, desk: Desk, ipp: str) -> Json:
    """The record of this IPP, opened."""
    (one,) = desk.get("/v1/patients", ipp=ipp)["items"]
    return show(desk, one)


def code(answer: Message) -> str:
    """MSA-1."""
    return answer.segment("MSA").text(1)


@pytest.mark.ins_day(40)
@pytest.mark.rem("RIS.INS.55", scenario="INS/va1.67.01")
@pytest.mark.rem("RIS.INS.56", scenario="INS/va1.68.01")
@pytest.mark.usefixtures("repository")
def test_67_01_68_01_a_validated_identity_with_its_ins_is_stored_qualified(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.stranger()
    data, answer = told(practice, person, "HL7-VALI")
    assert code(answer) == "AA"
    seen = record(practice, secretary, "HL7-VALI")
    assert seen["status"] == "qualifiée"
    assert seen["ins"] == {"matricule": person.number, "oid": person.oid, "nature": "NIR"}
    assert (seen["birth_family"], seen["birth_given_names"]) == (
        person.family, person.given.split(),
    )  # fmt: skip
    assert (seen["birth_date"], seen["sex"], seen["birth_place"]) == (
        person.born, person.sex, person.place,
    )  # fmt: skip
    line.saw("VALI : INS stockée, identité qualifiée")
    line.keep("vali.hl7", data)
    line.keep("vali.json", seen)


@pytest.mark.ins_day(40)
@pytest.mark.rem("RIS.INS.56", scenario="INS/va1.68.02")
@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("status", ["PROV", "VIDE", "", "DOUT", "FICT", "RECUP"])
def test_68_02_any_other_status_stores_the_traits_and_not_the_ins(
    practice: Practice, secretary: Desk, line: Line, status: str
) -> None:
    person, ipp = practice.stranger(), f"HL7-{status or 'RIEN'}"
    data, answer = told(practice, person, ipp, status=status)
    assert code(answer) == "AA"
    seen = record(practice, secretary, ipp)
    assert seen["status"] == {"RECUP": "récupérée"}.get(status, "provisoire")
    assert (seen["ins"], seen["birth_family"]) == (None, person.family)
    assert holders(secretary, person) == []
    assert person.number not in str(seen)
    line.saw(f"{status or 'PID-32 vide'} : traits stockés, INS non")
    line.keep("autre.hl7", data)
    line.keep("autre.json", seen)


@pytest.mark.ins_day(40)
@pytest.mark.rem("RIS.INS.56", scenario="INS/va1.68.03")
@pytest.mark.usefixtures("repository")
def test_68_03_a_deletion_message_removes_the_ins(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person, ipp = practice.stranger(), "HL7-RETRAIT"
    told(practice, person, ipp)
    before = record(practice, secretary, ipp)
    assert before["ins"]["matricule"] == person.number
    gone = f'""^^^ASIP-SANTE-INS-NIR&{person.oid}&ISO^INS'
    former = f"MRG|{person.number}^^^ASIP-SANTE-INS-NIR&{person.oid}&ISO^INS"
    data, answer = told(
        practice, person, ipp, event="ADT^A47^ADT_A30", ins=gone, more=(former,)
    )  # fmt: skip
    assert code(answer) == "AA"
    after = record(practice, secretary, ipp)
    assert (after["id"], after["ins"]) == (before["id"], None)
    assert after["status"] == "validée"
    assert holders(secretary, person) == []
    line.saw("A47 : INS retirée")
    line.keep("retrait.hl7", data)
    line.keep("retrait.json", {"avant": before, "après": after})


@pytest.mark.ins_day(40)
@pytest.mark.rem("RIS.INS.57", scenario="INS/va1.69.01")
@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("event", ["ORU^R01^ORU_R01", "ADT^A01^ADT_A01"])
def test_69_01_the_pid_of_a_result_or_of_an_admission_stores_the_ins(
    practice: Practice, secretary: Desk, line: Line, event: str
) -> None:
    person, ipp = practice.stranger(), f"HL7-{event[:3]}"
    data, answer = told(practice, person, ipp, event=event)
    assert code(answer) == "AA"
    seen = record(practice, secretary, ipp)
    assert seen["status"] == "qualifiée"
    assert seen["ins"] == {"matricule": person.number, "oid": person.oid, "nature": "NIR"}
    line.saw(f"PID de {event[:7]} : INS stockée")
    line.keep("recu.hl7", data)
    line.keep("recu.json", seen)
