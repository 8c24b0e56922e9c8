"""Fictitious report contents for the tests of the reports. Values only."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from ris.auth.values import Address, Professional, Structure
from ris.identity.values import NIR_TEST, Ins, PatientIdentity, Sex, Status, Traits
from ris.orders.values import Code, Dose, Exam, Series
from ris.reports.cda.codes import CCAM, DCM, LOINC, SNOMED
from ris.reports.content import DocumentIds, ReportContent, Sections

MATRICULE = "279035121518989"
AT = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
SITE = Structure(
    struct_idnat="1750803447",
    name="Centre d'imagerie de la Fiction",
    sector="SA08",
    address=Address(("12 rue du Test",), "75010", "PARIS", "FRANCE"),
    phone="01 46 00 00 00",
)
RADIOLOGIST = Professional(
    "801234560801", "TESTRADIO", "Jacques", specialty="SM44", title="DR", structure=SITE
)
REQUESTER = Professional(
    "801234567897", "TESTGENE", "Stéphane", specialty="SM26", title="DR",
    mss_address="stephane.testgene@medecin.test.mssante.fr",
)  # fmt: skip
CORRESPONDENT = Professional(
    "801234567905", "TESTPNEUMO", "Ève", specialty="SM26", title="MME",
    mss_address="eve.testpneumo@medecin.test.mssante.fr",
)  # fmt: skip
PATIENT = PatientIdentity(
    id=UUID("01890000-0000-7000-8000-000000000001"),
    ipp="RIS-000042",
    ipp_oid="1.2.250.1.213.99999.1.1",
    traits=Traits(
        birth_family="PAT-TROIS",
        birth_given_names=("DOMINIQUE", "MARIE-LOUISE"),
        first_birth_given="DOMINIQUE",
        birth_date=date(1979, 3, 28),
        sex=Sex.FEMALE,
        birth_place="51215",
    ),
    status=Status.QUALIFIEE,
    ins=Ins(MATRICULE, NIR_TEST),
)
LOCATIONS = {
    "CT": Code("302548004", SNOMED, "tête entière"),
    "CR": Code("302551006", SNOMED, "thorax entier"),
}


def exam(modality: str = "CT", number: int = 1, **changes: Any) -> Exam:
    """Return exam *number*, of *modality*."""
    study = f"1.2.250.1.213.99999.4.20261122.{number}"
    doses = {"CT": (Dose(Code("113813", DCM, "PDL total"), 812.5, "mGy.cm"),)}
    made = Exam(
        accession_number=f"A26112200{number}",
        accession_oid="1.2.250.1.213.99999.1.3",
        order_number=f"DEM-2026-{number}",
        order_oid="1.2.250.1.213.99999.1.2",
        study_uid=study,
        procedure=Code("24727-0", LOINC, "Scanner de la tête avec injection"),
        modality=Code(modality, DCM, f"Modalité {modality}"),
        region=Code("774007", SNOMED, "tête et cou"),
        location=LOCATIONS.get(modality, LOCATIONS["CT"]),
        started_at=datetime(2026, 11, 22, 13, 30, tzinfo=UTC),
        ended_at=datetime(2026, 11, 22, 13, 50, tzinfo=UTC),
        ccam=Code("ACQH003", CCAM, "Scanner du crâne avec injection"),
        device="Fictif Imaging, Modèle 64, CT1",
        series=(Series(f"{study}.1", modality, "1.2.840.10008.5.1.4.1.1.2", f"{study}.1.1"),),
        doses=doses.get(modality, ()),
    )
    return replace(made, **changes)


def content(**changes: Any) -> ReportContent:
    """Return a complete report of a qualified patient, with *changes*."""
    made = ReportContent(
        title="Scanner cérébral avec injection",
        patient=PATIENT,
        author=RADIOLOGIST,
        custodian=SITE,
        requester=REQUESTER,
        recipients=(CORRESPONDENT,),
        exams=(exam(),),
        sections=Sections(
            indication="Céphalées inhabituelles depuis trois semaines.",
            history="Migraine connue.",
            technique="Acquisition hélicoïdale.\nInjection de 80 mL.",
            results="Pas de lésion focale ; ligne médiane en place.",
            conclusion="Scanner cérébral sans anomalie décelable.",
        ),
        n1=DocumentIds("2.25.1001", "2.25.1000", 1),
        n3=DocumentIds("2.25.2001", "2.25.2000", 1),
        created_at=AT,
        signed_at=AT,
    )
    return replace(made, **changes)


def second_version(**changes: Any) -> ReportContent:
    """Return the version 2 that replaces `content()`."""
    return content(
        n1=DocumentIds("2.25.1002", "2.25.1000", 2, "2.25.1001"),
        n3=DocumentIds("2.25.2002", "2.25.2000", 2, "2.25.2001"),
        **changes,
    )
