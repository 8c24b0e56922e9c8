"""What the MSSanté tests send: a fictitious patient, his radiologist, a signed document.

Builds values only; the CDA is a small one of our own, with the header that metadata need.
"""

import base64
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from ris.auth.values import Address, Professional, Structure
from ris.identity.values import NIR_TEST, Ins, PatientIdentity, Sex, Status, Traits
from ris.orders.values import Code, Exam
from ris.reports.channels import SignedDocument
from ris.reports.content import DocumentIds, ReportContent, Sections

MATRICULE: Final = "279035121518989"
STRUCTURE: Final = Structure(
    "1750000001",
    "Centre d'imagerie des Lilas",
    address=Address(("12 rue des Lilas",), "75010", "PARIS"),
    phone="0146000000",
)
RADIOLOGIST: Final = Professional(
    "810000000011", "BIDAULT", "Jeanne", specialty="SM44", title="DR", structure=STRUCTURE
)
REQUESTER: Final = Professional(
    "810000000022", "MARTIN", "Luc", mss_address="luc.martin@medecin.test.mssante.fr"
)
PDF: Final = b"%PDF-1.4\n%%EOF\n"
AT: Final = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)


def identity(status: Status = Status.QUALIFIEE) -> PatientIdentity:
    """The ANS test patient, with his test INS in base whatever *status*."""
    traits = Traits(
        "PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "63220"
    )
    ins = Ins(MATRICULE, NIR_TEST)
    return PatientIdentity(UUID(int=3), "IPP101", "1.2.250.1.999.1", traits, status, ins=ins)


def content(patient: PatientIdentity) -> ReportContent:
    """One validated report about *patient*."""
    exam = Exam(
        accession_number="ACC1", accession_oid="1.2.250.1.999.2", order_number="ORD1",
        order_oid="1.2.250.1.999.3", study_uid="1.2.250.1.999.4.1",
        procedure=Code("24802-1", "2.16.840.1.113883.6.1", "IRM du genou"),
        modality=Code("MR", "1.2.840.10008.2.16.4", "IRM"),
        region=Code("T-D9200", "1.2.250.1.213.2.4", "Genou"),
        location=Code("T-D9200", "1.2.250.1.213.2.4", "Genou"),
        started_at=AT,
    )  # fmt: skip
    ids = DocumentIds("2.25.100", "2.25.200", 1)
    return ReportContent(
        title="CR d'imagerie médicale", patient=patient, author=RADIOLOGIST, custodian=STRUCTURE,
        requester=REQUESTER, recipients=(), exams=(exam,), sections=Sections(results="Normal."),
        n1=ids, n3=replace(ids, unique_id="2.25.101"), created_at=AT, signed_at=AT,
    )  # fmt: skip


def signed(
    patient: PatientIdentity | None = None, *, ins: bool | None = None, version: int = 1
) -> SignedDocument:
    """A signed version; its CDA carries the INS when *ins*, by default when qualifiée."""
    patient = patient or identity()
    carried = patient.status is Status.QUALIFIEE if ins is None else ins
    return SignedDocument(
        UUID(int=1000 + version), UUID(int=7), patient.id, content(patient),
        cda(ins=carried, unique_id=f"2.25.{100 + version}"), b"<n3/>", PDF,
    )  # fmt: skip


def cda(*, ins: bool, unique_id: str = "2.25.100", pdf: bytes = PDF) -> bytes:
    """The bytes of a small CDA N1 about the test patient."""
    identifier = f'<id extension="{MATRICULE}" root="{NIR_TEST}"/>' if ins else ""
    doctor = """<id root="1.2.250.1.71.4.2.1" extension="810000000011"/>
      <code code="G15_10/SM44" codeSystem="1.2.250.1.213.1.1.4.5" displayName="Radiologue"/>
      <assignedPerson><name><given>Jeanne</given><family>BIDAULT</family></name></assignedPerson>
      <representedOrganization><id root="1.2.250.1.71.4.2.2" extension="1750000001"/>
      <name>Centre d'imagerie des Lilas</name><standardIndustryClassCode code="AMBULATOIRE"
      codeSystem="1.2.250.1.213.1.1.4.9" displayName="Ambulatoire"/></representedOrganization>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><realmCode code="FR"/>
  <templateId root="1.3.6.1.4.1.19376.1.2.20"/><id root="{unique_id}"/>
  <code code="18748-4" codeSystem="2.16.840.1.113883.6.1" displayName="CR d'imagerie médicale"/>
  <title>CR d'imagerie médicale</title><effectiveTime value="20260305103000+0100"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="Normal"/>
  <languageCode code="fr-FR"/><setId root="2.25.200"/><versionNumber value="1"/>
  <recordTarget><patientRole>{identifier}<id extension="IPP101" root="1.2.250.1.999.1"/>
    <patient><name><family qualifier="BR">PAT-TROIS</family><given qualifier="BR">DOMINIQUE</given>
    </name><administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>
    <birthTime value="19790328"/></patient></patientRole></recordTarget>
  <author><time value="20260305103000+0100"/><assignedAuthor>{doctor}</assignedAuthor></author>
  <legalAuthenticator><time value="20260305103000+0100"/><signatureCode code="S"/>
    <assignedEntity>{doctor}</assignedEntity></legalAuthenticator>
  <documentationOf><serviceEvent><code code="24802-1" codeSystem="2.16.840.1.113883.6.1"
    displayName="IRM du genou"/><effectiveTime><low value="20260305100000+0100"/>
    <high value="20260305102000+0100"/></effectiveTime>
    <performer typeCode="PRF"><assignedEntity>{doctor}</assignedEntity></performer>
  </serviceEvent></documentationOf>
  <componentOf><encompassingEncounter><effectiveTime><low value="20260305100000+0100"/>
    </effectiveTime><location><healthCareFacility><code code="SA07"
    codeSystem="1.2.250.1.71.4.2.4" displayName="Cabinet"/></healthCareFacility></location>
  </encompassingEncounter></componentOf>
  <component><nonXMLBody><text mediaType="application/pdf"
    representation="B64">{base64.b64encode(pdf).decode()}</text></nonXMLBody></component>
</ClinicalDocument>""".encode()
