"""Rules on the content, before any XML: what the official kit does not see (cda.md §7).

Pure. All problems come in one error, each with its path, its French message and its REM id.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from ris.auth.values import Professional, Structure
from ris.core.ids import is_oid
from ris.identity.matricule import is_valid
from ris.identity.rules import ins_to_output
from ris.identity.values import INS_OIDS, PatientIdentity
from ris.orders.codes import refused
from ris.orders.values import Dose, Exam
from ris.reports.cda import codes
from ris.reports.content import DocumentIds, ReportContent, VersionKind
from ris.reports.errors import ContentRefused

_COG: Final = re.compile(r"(2[AB]|[0-9]{2})[0-9]{3}")
_MAIL: Final = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")
_PS_ID: Final = re.compile(r"8[0-9]{11}|[03][0-9A-Z./-]{3,30}|5[0-9]{14}[0-9A-Z./-]*")
_RPPS: Final = re.compile(r"8[0-9]{11}")
_STRUCTURE_ID: Final = re.compile(
    r"1[0-9AB]{9}|2[0-9]{9}|3[0-9]{14}|4[0-9]{11,14}|0[0-9A-Z./-]{3,30}"
)
_PLACEHOLDERS: Final = frozenset({"...", "…", "TODO", "XXX", "A COMPLETER", "À COMPLÉTER"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: JSON *pointer*, local rule *code*, French *message*, *rem* ids."""

    pointer: str
    code: str
    message: str
    rem: tuple[str, ...] = ()


def require_sound(content: ReportContent) -> None:
    """Raise `ContentRefused` listing every problem of *content*; return None when it is sound."""
    if found := problems(content):
        raise ContentRefused(
            f"{len(found)} anomalie(s) à corriger avant de produire le document.",
            errors=[asdict(problem) for problem in found],
        )


def problems(content: ReportContent) -> list[Problem]:
    """Return every problem of *content*, in document order; empty when it is sound."""
    return [
        *_text(content),
        *_versions(content),
        *_times(content),
        *_patient(content.patient),
        *_people(content),
        *(
            problem
            for number, exam in enumerate(content.exams)
            for problem in _exam(exam, f"/exams/{number}")
        ),
        *_exams_together(content),
    ]


def _text(content: ReportContent) -> Iterator[Problem]:
    if not content.title.strip():
        yield Problem("/title", "CDA-NAR-02", "Le titre du compte rendu est vide.")
    conclusion = content.sections.conclusion.strip()
    if not conclusion or conclusion.upper() in _PLACEHOLDERS:
        yield Problem("/sections/conclusion", "CDA-NAR-02", "La conclusion est vide.")
    if content.kind is VersionKind.ADDENDUM and not content.sections.addendum.strip():
        yield Problem("/sections/addendum", "CDA-NAR-02", "Le texte de l'addendum est vide.")


def _versions(content: ReportContent) -> Iterator[Problem]:
    yield from _document_ids(content.n1, "/n1")
    yield from _document_ids(content.n3, "/n3")
    shared = {content.n1.unique_id, content.n1.set_id} & {content.n3.unique_id, content.n3.set_id}
    if shared or content.n1.version != content.n3.version:
        yield Problem("/n3", "CDA-VER-03", "Les niveaux 1 et 3 sont deux documents distincts.")


def _document_ids(ids: DocumentIds, at: str) -> Iterator[Problem]:
    oids = [ids.unique_id, ids.set_id, *([ids.replaces] if ids.replaces else [])]
    if not all(is_oid(oid) for oid in oids):
        yield Problem(at, "CDA-VER-04", "Identifiant de document mal formé (OID attendu).")
    if len(set(oids)) < len(oids):
        yield Problem(at, "CDA-VER-03", "Le document et sa série portent le même identifiant.")
    if ids.version < 1:
        yield Problem(at, "CDA-VER-02", "Le numéro de version commence à 1.")
    if (ids.version > 1) is not (ids.replaces is not None):
        yield Problem(
            at, "CDA-VER-01", "Une version suivante remplace la précédente, et elle seule."
        )


def _times(content: ReportContent) -> Iterator[Problem]:
    stamps: list[tuple[str, datetime]] = [
        ("/created_at", content.created_at),
        ("/signed_at", content.signed_at),
    ]
    for number, exam in enumerate(content.exams):
        ended = exam.ended_at or exam.started_at
        stamps += [(f"/exams/{number}/started_at", exam.started_at)]
        stamps += [(f"/exams/{number}/ended_at", ended)]
    naive = [at for at, stamp in stamps if stamp.tzinfo is None]
    for at in naive:
        yield Problem(at, "CDA-TS-01", "Horodatage sans fuseau horaire.")
    if naive:
        return
    for number, exam in enumerate(content.exams):
        if exam.ended_at and exam.ended_at < exam.started_at:
            yield Problem(
                f"/exams/{number}/ended_at", "CDA-TS-02", "L'examen finit avant de commencer."
            )


def _patient(patient: PatientIdentity) -> Iterator[Problem]:
    traits = patient.traits
    if not patient.ipp.strip() or not is_oid(patient.ipp_oid):
        yield Problem("/patient/ipp", "CDA-INS-04", "L'identifiant local du patient manque.")
    if not traits.birth_family.strip() or not traits.first_birth_given.strip():
        yield Problem("/patient/traits", "CDA-INS-05", "Nom ou prénom de naissance absent.")
    if traits.birth_place and not _COG.fullmatch(traits.birth_place):
        yield Problem(
            "/patient/traits/birth_place", "CDA-INS-02", "Code du lieu de naissance faux."
        )
    ins = ins_to_output(patient)
    if ins and (ins.oid not in INS_OIDS or not is_valid(ins.matricule)):
        yield Problem("/patient/ins", "CDA-INS-01", "Matricule INS incohérent.", ("RIS.DOC.03",))
    if ins and not traits.birth_given_names:
        yield Problem(
            "/patient/traits",
            "CDA-INS-05",
            "Liste des prénoms de naissance absente.",
            ("RIS.DOC.03",),
        )


def _people(content: ReportContent) -> Iterator[Problem]:
    yield from _professional(content.author, "/author")
    if not _RPPS.fullmatch(content.author.ps_idnat):
        yield Problem("/author", "CDA-PS-02", "Le signataire n'a pas de RPPS.", ("RIS.CRR.01",))
    if content.author.structure is None:
        yield Problem("/author/structure", "CDA-PS-03", "Le signataire n'a pas de structure.")
    yield from _structure(content.custodian, "/custodian")
    yield from _professional(content.requester, "/requester", ("RIS.DOC.05",))
    for number, recipient in enumerate(content.recipients):
        yield from _professional(recipient, f"/recipients/{number}", ("RIS.DOC.04",))
    if content.transcriber:
        yield from _professional(content.transcriber, "/transcriber")


def _professional(value: Professional, at: str, rem: tuple[str, ...] = ()) -> Iterator[Problem]:
    if not value.family.strip():
        yield Problem(at, "CDA-PS-03", "Nom du professionnel absent.", rem)
    if not _PS_ID.fullmatch(value.ps_idnat):
        yield Problem(at, "CDA-PS-01", "Identifiant national du professionnel mal formé.", rem)
    if value.mss_address is not None and not _MAIL.fullmatch(value.mss_address):
        yield Problem(at, "CDA-PS-04", "Adresse MSSanté mal formée.", rem)
    if value.structure:
        yield from _structure(value.structure, f"{at}/structure")


def _structure(value: Structure, at: str) -> Iterator[Problem]:
    if not _STRUCTURE_ID.fullmatch(value.struct_idnat) or not value.name.strip():
        yield Problem(at, "CDA-PS-01", "Identifiant ou nom de la structure mal formé.")


def _exam(exam: Exam, at: str) -> Iterator[Problem]:
    if not exam.accession_number.strip() or not is_oid(exam.accession_oid):
        yield Problem(f"{at}/accession_number", "CDA-ORD-01", "Numéro d'examen absent.")
    if not exam.order_number.strip() or not is_oid(exam.order_oid):
        yield Problem(f"{at}/order_number", "CDA-ORD-02", "Numéro de demande absent.")
    if not is_oid(exam.study_uid):
        yield Problem(f"{at}/study_uid", "CDA-DCM-01", "Identifiant d'étude DICOM mal formé.")
    for code in refused(exam):
        yield Problem(f"{at}/{code.field}", code.rule, code.message)
    for number, series in enumerate(exam.series):
        uids = (series.uid, series.sop_class_uid, series.sop_instance_uid)
        if not all(is_oid(uid) for uid in uids):
            yield Problem(f"{at}/series/{number}", "CDA-TERM-03", "Identifiant DICOM mal formé.")
    for number, dose in enumerate(exam.doses):
        yield from _dose(dose, f"{at}/doses/{number}")


def _dose(dose: Dose, at: str) -> Iterator[Problem]:
    if dose.quantity.system != codes.DCM or dose.quantity.code not in codes.DOSE_QUANTITIES:
        yield Problem(at, "CDA-DOSE-01", "Indicateur de dose hors du jeu de valeurs.")
    if not 0 <= dose.value < 1_000_000 or not dose.unit or " " in dose.unit:
        yield Problem(at, "CDA-DOSE-02", "Valeur ou unité de dose invraisemblable.")


def _exams_together(content: ReportContent) -> Iterator[Problem]:
    if not content.exams:
        yield Problem("/exams", "CDA-ORD-03", "Le compte rendu ne porte sur aucun examen.")
