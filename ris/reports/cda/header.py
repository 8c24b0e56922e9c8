"""The CDA header of the imaging report, the same at levels 1 and 3 (cda.md §3).

One function per part of the header, in document order; the body is elsewhere.
"""

from datetime import datetime
from typing import Final

from ris.auth.values import Professional, Structure
from ris.core.xml import Element
from ris.identity.rules import ins_to_output
from ris.identity.values import PatientIdentity, Sex
from ris.orders.values import Code, Exam
from ris.rem import satisfies
from ris.reports.cda import codes
from ris.reports.cda.vocabulary import (
    accession,
    address,
    coded,
    ii,
    interval,
    node,
    person_name,
    qualified,
    telecoms,
    when,
)
from ris.reports.content import DocumentIds, Level, ReportContent

UNKNOWN_PLACE: Final = "99999"


@satisfies("RIS.CRR.07", "RIS.DOC.04", "RIS.DOC.05")
def header(content: ReportContent, level: Level) -> list[Element | None]:
    """Return every child of `ClinicalDocument` but the body, for *level*."""
    ids = content.n1 if level is Level.N1 else content.n3
    return [
        *_conformance(level),
        *_identification(content, ids),
        node("recordTarget", _patient_role(content.patient)),
        _author(content),
        _transcriber(content),
        _custodian(content.custodian),
        *(_recipient(professional) for professional in content.addressees),
        _signer(content),
        _requester(content.requester),
        *(_order(exam) for exam in content.exams),
        *(_service(exam, content.author) for exam in content.exams),
        _replaced(ids),
        _encounter(content),
    ]


def structure(tag: str, value: Structure) -> Element:
    """Return an organisation with its practice setting (cda.md §3.4)."""
    setting = value.practice_setting
    return node(
        tag,
        ii("id", codes.STRUCTURE_ID, value.struct_idnat),
        node("name", value.name),
        *telecoms(value.phone),
        address(value.address),
        coded(
            "standardIndustryClassCode",
            Code(setting, codes.PRACTICE_SETTING, codes.SETTINGS.get(setting, setting)),
        ),
    )


def assigned(tag: str, value: Professional) -> Element:
    """Return a professional as `assignedEntity` or `assignedAuthor`."""
    home = value.structure
    return node(
        tag,
        ii("id", codes.PS_ID, value.ps_idnat),
        _profession(value),
        address(home.address) if home else None,
        *telecoms(value.phone or (home.phone if home else "")),
        node("assignedPerson", person_name(value.family, value.given, value.title)),
        structure("representedOrganization", home) if home else None,
    )


def _conformance(level: Level) -> list[Element]:
    # Level 1 carries exactly three template identifiers (cda.md §3.1).
    templates = (codes.N1_TEMPLATE,) if level is Level.N1 else codes.N3_TEMPLATES
    model = ii("templateId", codes.MODEL_TEMPLATE, codes.MODEL_VERSION)
    return [
        node("realmCode", code="FR"),
        ii("typeId", "2.16.840.1.113883.1.3", "POCD_HD000040"),
        *(ii("templateId", root) for root in (*codes.COMMON_TEMPLATES, *templates)),
        *([model] if level is Level.N3 else []),
    ]


def _identification(content: ReportContent, ids: DocumentIds) -> list[Element]:
    procedures = {exam.procedure.code: exam.procedure for exam in content.exams}
    normal = Code("N", codes.CONFIDENTIALITY, "Normal")
    return [
        ii("id", ids.unique_id),
        coded(
            "code",
            codes.REPORT_TYPE,
            *(coded("translation", procedure) for procedure in procedures.values()),
        ),
        node("title", content.title),
        when("effectiveTime", content.created_at),
        coded("confidentialityCode", normal),
        node("languageCode", code="fr-FR"),
        ii("setId", ids.set_id),
        node("versionNumber", value=str(ids.version)),
    ]


@satisfies("RIS.DOC.03", "RIS.INS.37")
def _patient_role(patient: PatientIdentity) -> Element:
    ins = ins_to_output(patient)
    return node(
        "patientRole",
        ii("id", ins.oid, ins.matricule) if ins else None,
        ii("id", patient.ipp_oid, patient.ipp),
        address(patient.address),
        *(telecoms(patient.phone) or [node("telecom", nullFlavor="UNK")]),
        _patient(patient, complete=ins is not None),
    )


def _patient(patient: PatientIdentity, *, complete: bool) -> Element:
    traits = patient.traits
    names = [
        node("family", traits.birth_family, qualifier="BR"),
        node("given", " ".join(traits.birth_given_names) or traits.first_birth_given),
        node("given", traits.first_birth_given, qualifier="BR"),
        node("family", traits.used_family, qualifier="CL") if traits.used_family else None,
        node("given", traits.used_given, qualifier="CL") if traits.used_given else None,
    ]
    place = traits.birth_place or (UNKNOWN_PLACE if complete else "")
    county = node("place", node("addr", node("county", place)))
    gender = "UN" if traits.sex is Sex.UNKNOWN else traits.sex.value
    return node(
        "patient",
        node("name", *names),
        coded("administrativeGenderCode", Code(gender, codes.GENDER, codes.GENDERS[gender])),
        node("birthTime", value=f"{traits.birth_date:%Y%m%d}"),
        node("birthplace", county) if place else None,
    )


def _profession(value: Professional) -> Element:
    code = f"G15_{value.profession}" + (f"/{value.specialty}" if value.specialty else "")
    label = codes.PROFESSIONS.get(code, "Professionnel de santé")
    return coded("code", Code(code, codes.PROFESSION, label))


def _author(content: ReportContent) -> Element:
    author = assigned("assignedAuthor", content.author)
    return node("author", when("time", content.signed_at), author)


def _transcriber(content: ReportContent) -> Element | None:
    if content.transcriber is None:
        return None
    time = when("time", content.created_at)
    return node("dataEnterer", time, assigned("assignedEntity", content.transcriber))


def _custodian(value: Structure) -> Element:
    organisation = node(
        "representedCustodianOrganization",
        ii("id", codes.STRUCTURE_ID, value.struct_idnat),
        node("name", value.name),
        *telecoms(value.phone),
        address(value.address),
    )
    return node("custodian", node("assignedCustodian", organisation))


def _recipient(value: Professional) -> Element:
    name = person_name(value.family, value.given, value.title)
    recipient = node(
        "intendedRecipient",
        ii("id", codes.PS_ID, value.ps_idnat),
        address(value.structure.address) if value.structure else node("addr", nullFlavor="UNK"),
        *telecoms(value.phone, value.mss_address),
        node("informationRecipient", name),
        structure("receivedOrganization", value.structure) if value.structure else None,
    )
    return node("informationRecipient", recipient)


def _signer(content: ReportContent) -> Element:
    return node(
        "legalAuthenticator",
        when("time", content.signed_at),
        node("signatureCode", code="S"),
        assigned("assignedEntity", content.author),
    )


def _requester(value: Professional) -> Element:
    entity = node(
        "associatedEntity",
        ii("id", codes.PS_ID, value.ps_idnat),
        _profession(value),
        address(value.structure.address) if value.structure else node("addr", nullFlavor="UNK"),
        *telecoms(value.phone, value.mss_address),
        node("associatedPerson", person_name(value.family, value.given, value.title)),
        structure("scopingOrganization", value.structure) if value.structure else None,
        classCode="PROV",
    )
    return node("participant", node("time", nullFlavor="NA"), entity, typeCode="REF")


def _order(exam: Exam) -> Element:
    order = node(
        "order",
        ii("id", exam.order_oid, exam.order_number),
        accession(exam.accession_oid, exam.accession_number),
    )
    return node("inFulfillmentOf", order)


def _service(exam: Exam, author: Professional) -> Element:
    code = coded(
        "code",
        exam.procedure,
        coded("translation", exam.ccam) if exam.ccam else None,
        qualified(exam.modality, codes.MODALITY_QUALIFIER),
        qualified(exam.region, codes.REGION_QUALIFIER),
    )
    event = node(
        "serviceEvent",
        ii("id", exam.study_uid),
        code,
        interval("effectiveTime", exam.started_at, exam.ended_at),
        node("performer", assigned("assignedEntity", author), typeCode="PRF"),
        classCode="ACT",
    )
    return node("documentationOf", event)


def _replaced(ids: DocumentIds) -> Element | None:
    if ids.replaces is None:
        return None
    parent = node(
        "parentDocument",
        ii("id", ids.replaces),
        ii("setId", ids.set_id),
        node("versionNumber", value=str(ids.version - 1)),
    )
    return node("relatedDocument", parent, typeCode="RPLC")


def _encounter(content: ReportContent) -> Element:
    home = content.author.structure or content.custodian
    sector = Code(home.sector, codes.SECTOR, codes.SECTORS.get(home.sector, home.sector))
    facility = node(
        "healthCareFacility",
        ii("id", codes.STRUCTURE_ID, home.struct_idnat),
        coded("code", sector),
    )
    starts: list[datetime] = [exam.started_at for exam in content.exams]
    encounter = node(
        "encompassingEncounter",
        coded("code", codes.AMBULATORY),
        interval("effectiveTime", min(starts)),
        node("location", facility),
    )
    return node("componentOf", encounter)
