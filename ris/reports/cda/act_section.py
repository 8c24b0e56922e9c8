"""The section of one imaging act: technique, exposure, object catalogue (cda.md §4.4-4.9).

Identifiers of the narrative are `a<n>…` for the act number n, unique in the document.
"""

from decimal import Decimal
from typing import Final

from ris.core.xml import Element
from ris.identity.values import Sex
from ris.orders.values import Code, Dose, Exam, Series
from ris.reports.cda import codes
from ris.reports.cda.narrative import labelled, original_text, reference, text_block
from ris.reports.cda.parts import (
    Identifiers,
    component,
    entry,
    loinc_section,
    observation,
    section,
)
from ris.reports.cda.vocabulary import coded, coded_value, ii, node, person_name, typed, when
from ris.reports.content import ReportContent

ACT: Final = ("1.2.840.10008.9.3", "1.2.250.1.213.1.1.2.206")
TECHNIQUE: Final = ("1.2.840.10008.9.14", "1.2.250.1.213.1.1.3.153")
EXPOSURE: Final = ("1.2.840.10008.9.8", "1.2.250.1.213.1.1.2.215")
EXPOSED_PATIENT: Final = "1.2.250.1.213.1.1.3.165"
QUANTITY: Final = ("2.16.840.1.113883.10.20.6.2.14", "1.2.250.1.213.1.1.3.154")
CATALOGUE: Final = ("2.16.840.1.113883.10.20.6.1.1", "1.2.250.1.213.1.1.2.217")
STUDY: Final = ("1.2.840.10008.9.16", "1.2.250.1.213.1.1.3.155")
SERIES: Final = ("1.2.840.10008.9.17", "1.2.250.1.213.1.1.3.156")
INSTANCE: Final = ("1.2.840.10008.9.18", "1.2.250.1.213.1.1.3.157")


def act_section(content: ReportContent, number: int, ids: Identifiers) -> Element:
    """Return the Acte-imagerie section of exam *number* (from 0) of *content*."""
    exam = content.exams[number]
    key = f"a{number + 1}"
    technique = content.sections.technique.strip() if number == 0 else ""
    ionising = exam.modality.code in codes.IONISING
    return loinc_section(
        ACT,
        codes.ACT_SECTION,
        "Examen",
        ids,
        node("text", *_act_narrative(exam, technique, key)),
        entry(_technique(exam, key, ids)),
        component(_exposure(content, exam, key, ids)) if ionising else None,
        component(_catalogue(exam, key, ids)),
    )


def amount(dose: Dose) -> str:
    """Return a dose as French readers write it: decimal comma, unit after."""
    return _decimal(dose.value).replace(".", ",") + f" {dose.unit}"


def _decimal(value: float) -> str:
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _act_narrative(exam: Exam, technique: str, key: str) -> list[Element]:
    ccam = f" [CCAM {exam.ccam.code}]" if exam.ccam else ""
    device = [labelled("Appareil", exam.device, f"{key}-appareil")] if exam.device else []
    return [
        labelled("Acte", exam.procedure.label + ccam, key),
        labelled("Modalité", exam.modality.label, f"{key}-modalite"),
        labelled("Localisation", exam.location.label, f"{key}-localisation"),
        *device,
        *([text_block(technique, f"{key}-technique")] if technique else []),
    ]


def _templates(roots: tuple[str, ...]) -> list[Element]:
    return [ii("templateId", root) for root in roots]


def _technique(exam: Exam, key: str, ids: Identifiers) -> Element:
    ccam = coded("translation", exam.ccam) if exam.ccam else None
    return node(
        "procedure",
        *_templates(TECHNIQUE),
        ids.next(),
        coded("code", exam.procedure, original_text(key), ccam),
        node("text", reference(key)),
        when("effectiveTime", exam.started_at),
        coded("methodCode", exam.modality, original_text(f"{key}-modalite")),
        coded("targetSiteCode", exam.location, original_text(f"{key}-localisation")),
        classCode="PROC",
        moodCode="EVN",
    )


def _exposure(content: ReportContent, exam: Exam, key: str, ids: Identifiers) -> Element:
    male = content.patient.traits.sex is Sex.MALE
    pregnancy = codes.NOT_PREGNANT if male else codes.PREGNANCY_UNKNOWN
    author = content.author
    authorised = f"{author.title} {author.given} {author.family}".strip()
    doses = [
        labelled(dose.quantity.label, amount(dose), f"{key}-dose{rank}")
        for rank, dose in enumerate(exam.doses, start=1)
    ]
    text = node(
        "text",
        labelled("Irradiation autorisée par", authorised, f"{key}-exposition"),
        labelled(codes.PREGNANCY_LABEL, pregnancy.label, f"{key}-grossesse"),
        *(doses or [text_block("Indicateurs de dose non transmis par l'appareil.")]),
    )
    status = coded_value(pregnancy, original_text(f"{key}-grossesse"))
    return loinc_section(
        EXPOSURE,
        codes.EXPOSURE_SECTION,
        "Exposition aux rayonnements",
        ids,
        text,
        entry(_authorisation(content, key)),
        entry(observation(codes.PREGNANCY_STATUS, ids, status)),
        *(
            entry(_dose(exam, dose, key, rank, ids))
            for rank, dose in enumerate(exam.doses, start=1)
        ),
    )


def _authorisation(content: ReportContent, key: str) -> Element:
    author = content.author
    role = node(
        "participantRole",
        ii("id", codes.PS_ID, author.ps_idnat),
        coded("code", codes.IRRADIATION_AUTHORISED),
        node("playingEntity", person_name(author.family, author.given, "")),
    )
    return node(
        "procedure",
        ii("templateId", EXPOSED_PATIENT),
        coded("code", codes.EXPOSURE, original_text(f"{key}-exposition")),
        node("participant", role, typeCode="RESP"),
        classCode="PROC",
        moodCode="EVN",
    )


def _dose(exam: Exam, dose: Dose, key: str, rank: int, ids: Identifiers) -> Element:
    return node(
        "observation",
        *_templates(QUANTITY),
        ids.next(),
        coded("code", dose.quantity),
        node("text", reference(f"{key}-dose{rank}")),
        node("statusCode", code="completed"),
        when("effectiveTime", exam.started_at),
        typed("value", "PQ", value=_decimal(dose.value), unit=dose.unit),
        coded("targetSiteCode", exam.location, original_text(f"{key}-localisation")),
        classCode="OBS",
        moodCode="EVN",
    )


def _catalogue(exam: Exam, key: str, ids: Identifiers) -> Element:
    shown = next((one for one in exam.series if one.modality in codes.MODALITIES), None)
    code = Code(codes.CATALOGUE_SECTION, codes.DCM, "Catalogue d'objets DICOM")
    paragraphs = [labelled("Étude", exam.study_uid, f"{key}-etude")]
    if shown:
        paragraphs.append(labelled("Série", shown.uid, f"{key}-serie"))
        paragraphs.append(labelled("Type d'image", shown.sop_class_uid, f"{key}-image"))
    return section(
        CATALOGUE,
        code,
        code.label,
        ids,
        node("text", *paragraphs),
        entry(_study(exam, shown, key)) if shown else None,
    )


def _study(exam: Exam, series: Series, key: str) -> Element:
    return node(
        "act",
        *_templates(STUDY),
        ii("id", exam.study_uid),
        coded("code", codes.STUDY),
        when("effectiveTime", exam.started_at),
        node("entryRelationship", _series(exam, series, key), typeCode="COMP"),
        classCode="ACT",
        moodCode="EVN",
    )


def _series(exam: Exam, series: Series, key: str) -> Element:
    modality = Code(series.modality, codes.DCM, series.modality)
    qualifier = node(
        "qualifier",
        coded("name", codes.MODALITY_QUALIFIER),
        coded("value", modality, original_text(f"{key}-modalite")),
    )
    started_at = series.started_at or exam.started_at
    sop_class = Code(series.sop_class_uid, codes.DCM_UID, series.sop_class_uid)
    instance = node(
        "observation",
        *_templates(INSTANCE),
        ii("id", series.sop_instance_uid),
        coded("code", sop_class, original_text(f"{key}-image")),
        when("effectiveTime", started_at),
        classCode="DGIMG",
        moodCode="EVN",
    )
    return node(
        "act",
        *_templates(SERIES),
        ii("id", series.uid),
        coded("code", codes.SERIES, qualifier),
        when("effectiveTime", started_at),
        node("entryRelationship", instance, typeCode="COMP"),
        classCode="ACT",
        moodCode="EVN",
    )
