"""Every official and authored PAM message reaches the state its README expects (ins.md §13.7)."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from ris.core.db import Database
from ris.identity.foreign.feed import LocalId
from ris.identity.foreign.model import FeedIdentifier
from ris.identity.model import Patient
from ris.identity.values import Attribute, Status
from ris.interop.hl7v2.model import Hl7Message
from ris.interop.hl7v2.service import Inbox
from ris.rem.evidence import Evidence

ANS = "279035121518989"
AUTHORED = "1.2.3.4.5.6"


@dataclass(frozen=True)
class Expected:
    who: LocalId
    status: Status
    matricule: str | None = None
    attributes: tuple[Attribute, ...] = ()
    born: date | None = None
    raw: str | None = None
    place: str | None = None
    used: tuple[str, str] = ("", "")


GAM = LocalId("000003", "CHU-X")
EXPECTED = {
    "sgl_admission_A01.er7": Expected(GAM, Status.QUALIFIEE, ANS, born=date(1979, 3, 28)),
    "sgl_sortie_A03.er7": Expected(GAM, Status.QUALIFIEE, ANS),
    "pam_fr_A01_zfd_zfa.er7": Expected(GAM, Status.QUALIFIEE, ANS, place="63220"),
    "authored_A28_qualifiee.hl7": Expected(
        LocalId("IPP0001", AUTHORED), Status.QUALIFIEE, "284036938300135", used=("MARTIN", "CLAUDE")
    ),
    "authored_A28_validee_sans_INS.hl7": Expected(LocalId("IPP0002", AUTHORED), Status.VALIDEE),
    "authored_A31_recuperee.hl7": Expected(LocalId("IPP0003", AUTHORED), Status.RECUPEREE),
    "authored_A31_provisoire_douteuse_homonyme.hl7": Expected(
        LocalId("IPP0004", AUTHORED),
        Status.PROVISOIRE,
        attributes=(Attribute.DOUTEUSE, Attribute.HOMONYME),
        place="99999",
    ),
    "authored_A28_lunaire_corrigee.hl7": Expected(
        LocalId("IPP0005", AUTHORED),
        Status.QUALIFIEE,
        "150209935204562",
        born=date(1950, 12, 31),
        raw="1950-00-00",
    ),
    "authored_A47_retrait_INS.hl7": Expected(LocalId("IPP0001", AUTHORED), Status.PROVISOIRE),
    "authored_A40_fusion.hl7": Expected(
        LocalId("IPP0001", AUTHORED), Status.QUALIFIEE, "284036938300135"
    ),
}


def official(conformance: Path, name: str) -> bytes:
    return (conformance / "ins" / "hl7v2" / name).read_bytes()


def known_as(database: Database, who: LocalId) -> Patient:
    with database.transaction() as session:
        held = session.get_one(FeedIdentifier, (who.authority, who.value))
        return session.get_one(Patient, held.patient_id)


def ack_code(answer: bytes | None) -> str:
    assert answer is not None
    return answer.decode().split("\rMSA|")[1][:2]


def check(patient: Patient, expected: Expected) -> None:
    assert patient.status == expected.status
    assert patient.ins_matricule == expected.matricule
    assert set(patient.attributes) == set(expected.attributes)
    assert (patient.used_family, patient.used_given) == expected.used
    assert expected.born in (None, patient.birth_date)
    assert patient.birth_date_raw == expected.raw
    assert expected.place in (None, patient.birth_place)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_message_alone_gives_its_expected_identity(
    inbox: Inbox, conformance: Path, name: str
) -> None:
    answer = inbox.receive(official(conformance, name))
    assert ack_code(answer) == "AA"
    check(known_as(inbox.database, EXPECTED[name].who), EXPECTED[name])


def test_every_file_of_the_folder_is_covered(conformance: Path) -> None:
    assert {file.name for file in (conformance / "ins" / "hl7v2").iterdir()} == set(EXPECTED)


def test_the_zfd_of_the_third_sample_is_kept_as_codes(inbox: Inbox, conformance: Path) -> None:
    inbox.receive(official(conformance, "pam_fr_A01_zfd_zfa.er7"))
    with inbox.database.transaction() as session:
        zfd = session.scalars(select(Hl7Message)).one().outcome["zfd"]
    assert (zfd["corrected"], zfd["mode"], zfd["queried_on"]) == (False, "INSI", "2021-12-01")
    assert zfd["sms_consent"] == "Y"


def test_the_document_of_the_first_authored_message_is_kept(
    inbox: Inbox, conformance: Path
) -> None:
    inbox.receive(official(conformance, "authored_A28_qualifiee.hl7"))
    with inbox.database.transaction() as session:
        zfd = session.scalars(select(Hl7Message)).one().outcome["zfd"]
    assert (zfd["document"], zfd["expires_on"]) == ("CN", "2030-01-01")


@pytest.mark.rem("RIS.INS.55", scenario="INS/va1.67.01")
@pytest.mark.rem("RIS.INS.56", scenario="INS/va1.68.01")
def test_a_validated_identity_with_its_ins_is_stored_qualified(
    inbox: Inbox, conformance: Path, evidence: Evidence
) -> None:
    data = official(conformance, "authored_A28_qualifiee.hl7")
    answer = inbox.receive(data)
    patient = known_as(inbox.database, LocalId("IPP0001", AUTHORED))
    check(patient, EXPECTED["authored_A28_qualifiee.hl7"])
    evidence.add("01", "adt-a28.hl7", data)
    evidence.add("02", "ack.hl7", answer or b"")
    evidence.add("03", "identity.txt", f"{patient.status} {patient.ins_matricule}")


@pytest.mark.rem("RIS.INS.56", scenario="INS/va1.68.02")
@pytest.mark.parametrize(
    "name",
    [
        "authored_A31_recuperee.hl7",
        "authored_A28_validee_sans_INS.hl7",
        "authored_A31_provisoire_douteuse_homonyme.hl7",
    ],
)
def test_any_other_identity_is_stored_without_ins(
    inbox: Inbox, conformance: Path, evidence: Evidence, name: str
) -> None:
    data = official(conformance, name)
    inbox.receive(data)
    patient = known_as(inbox.database, EXPECTED[name].who)
    check(patient, EXPECTED[name])
    evidence.add("01", name, data)
    evidence.add("02", f"{name}-identity.txt", f"{patient.status}, aucun matricule")


@pytest.mark.rem("RIS.INS.56", scenario="INS/va1.68.03")
def test_the_withdrawal_of_an_ins_removes_it(
    inbox: Inbox, conformance: Path, evidence: Evidence
) -> None:
    inbox.receive(official(conformance, "authored_A28_qualifiee.hl7"))
    before = known_as(inbox.database, LocalId("IPP0001", AUTHORED))
    assert before.ins_matricule == "284036938300135"
    data = official(conformance, "authored_A47_retrait_INS.hl7")
    assert ack_code(inbox.receive(data)) == "AA"
    after = known_as(inbox.database, LocalId("IPP0001", AUTHORED))
    assert (after.id, after.status) == (before.id, Status.PROVISOIRE)
    assert (after.ins_matricule, after.ins_oid) == (None, None)
    evidence.add("01", "adt-a47.hl7", data)
    evidence.add("02", "identity.txt", f"avant : {before.status} ; après : {after.status}")


def test_the_merge_of_the_samples_retires_the_absorbed_ipp(inbox: Inbox, conformance: Path) -> None:
    other = official(conformance, "authored_A28_validee_sans_INS.hl7")
    inbox.receive(other.replace(b"IPP0002", b"IPP0099").replace(b"|M002|", b"|M099|"))
    absorbed = known_as(inbox.database, LocalId("IPP0099", AUTHORED))
    inbox.receive(official(conformance, "authored_A28_qualifiee.hl7"))
    assert ack_code(inbox.receive(official(conformance, "authored_A40_fusion.hl7"))) == "AA"
    survivor = known_as(inbox.database, LocalId("IPP0001", AUTHORED))
    assert known_as(inbox.database, LocalId("IPP0099", AUTHORED)).id == survivor.id
    assert absorbed.id != survivor.id
    check(survivor, Expected(LocalId("IPP0001", AUTHORED), Status.QUALIFIEE, "284036938300135",
                             used=("MARTIN", "CLAUDE")))  # fmt: skip
