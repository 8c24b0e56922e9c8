"""From a CDA report to its printed form: PDF/A-1b made by typst, derived from the CDA alone.

Layout is in `report.typ`; here only what to print, in French. Same document, same bytes.
"""

import json
from datetime import UTC
from importlib import resources
from typing import Any, Final

import typst

from ris.core import clock
from ris.identity.matricule import nature_of
from ris.rem import satisfies
from ris.reports.cda import codes
from ris.reports.cda.read import CdaAct, CdaDocument, CdaPatient, CdaPerson, CdaSection
from ris.reports.pdf import datamatrix
from ris.reports.settings import PaperTrait

_TEMPLATES: Final = resources.files("ris.reports.pdf")
_SEXES: Final = {"F": "Féminin", "M": "Masculin", "UN": "Indéterminé"}


@satisfies("RIS.DOC.01", "RIS.DOC.06", "ECO.2.1.5")
def render(
    document: CdaDocument,
    *,
    notice: str = "",
    traits: frozenset[PaperTrait] = frozenset(PaperTrait),
) -> bytes:
    """Return the PDF/A-1b of the level 3 *document*.

    *notice* is the site's GDPR text, *traits* those it prints beside the compulsory ones.
    """
    data = json.dumps(view(document, notice, traits), ensure_ascii=False)
    with resources.as_file(_TEMPLATES) as root:
        return typst.compile(
            root / "report.typ",
            root=root,
            format="pdf",
            pdf_standards=["a-1b"],
            ignore_system_fonts=True,
            sys_inputs={"data": data},
        )


def view(
    document: CdaDocument, notice: str = "", traits: frozenset[PaperTrait] = frozenset(PaperTrait)
) -> dict[str, Any]:
    """Return everything the layout prints, as JSON values."""
    at = document.signed_at.astimezone(UTC)  # typst writes the date of the file as UTC
    ins = document.patient.ins
    symbol = datamatrix.drawing(datamatrix.payload(document.patient, ins)) if ins else ""
    return {
        "title": document.title,
        "author": _name(document.signer),
        "date": {
            unit: getattr(at, unit) for unit in ("year", "month", "day", "hour", "minute", "second")
        },
        "footer": f"{_name_of_patient(document.patient)} – document {document.unique_id}",
        "site": _site(document.author),
        "status": _status(document),
        "version": _version(document),
        "patient": _patient(document.patient, traits),
        "datamatrix": symbol,
        "exams": [_exam(act) for act in document.acts],
        "sections": [
            _section(one, document.patient) for one in document.sections if _is_printed(one)
        ],
        "recipients": _recipients(document),
        "signature": [_name(document.signer), document.signer.profession],
        "notice": notice,
    }


@satisfies("RIS.CRR.01")
def _status(document: CdaDocument) -> list[str]:
    at = document.signed_at.astimezone(clock.PARIS)
    signer = document.signer
    return [
        "Statut : Validé",
        f"le {at:%d/%m/%Y} à {at:%H:%M:%S}",
        f"par {_name(signer)}",
        f"RPPS {signer.identifier.removeprefix('8')}",
    ]


@satisfies("RIS.INS.52", "RIS.INS.53")
def _patient(patient: CdaPatient, traits: frozenset[PaperTrait]) -> list[tuple[str, str]]:
    ins = patient.ins
    rows: list[tuple[PaperTrait | None, str, str]] = [
        (None, "Nom de naissance", patient.birth_family),
        (None, "Premier prénom de naissance", patient.first_birth_given),
        (PaperTrait.BIRTH_GIVEN_NAMES, "Prénoms de naissance", patient.birth_given_names),
        (PaperTrait.USED_FAMILY, "Nom utilisé", patient.used_family),
        (PaperTrait.USED_GIVEN, "Prénom utilisé", patient.used_given),
        (None, "Date de naissance", f"{patient.birth_date:%d/%m/%Y}"),
        (None, "Sexe", _SEXES[patient.sex]),
        (PaperTrait.BIRTH_PLACE, "Lieu de naissance (code INSEE)", patient.birth_place),
        (None, "Identifiant local (IPP)", patient.ipp),
        (None, "Matricule INS", f"{ins.matricule} ({nature_of(ins)})" if ins else ""),
    ]
    return [
        (label, value) for trait, label, value in rows if value and (not trait or trait in traits)
    ]


@satisfies("RIS.DOC.04")
def _recipients(document: CdaDocument) -> list[str]:
    asked = document.requester.identifier if document.requester else None
    return [
        _name(one) + (" (professionnel demandeur)" if one.identifier == asked else "")
        for one in document.recipients
    ]


def _exam(act: CdaAct) -> list[tuple[str, str]]:
    at = act.started_at.astimezone(clock.PARIS)
    return [
        ("Examen", act.procedure + (f" (CCAM {act.ccam})" if act.ccam else "")),
        ("Réalisé le", f"{at:%d/%m/%Y} à {at:%H:%M}"),
        ("Numéro d'examen", act.accession_number),
    ]


def _is_printed(section: CdaSection) -> bool:
    return section.code != codes.CATALOGUE_SECTION


def _section(section: CdaSection, patient: CdaPatient) -> dict[str, Any]:
    """Return what is printed of *section*: no pregnancy line, that the CDA must hold, for a man."""
    hidden = section.code == codes.EXPOSURE_SECTION and patient.sex == "M"
    return {
        "title": section.title,
        "depth": section.depth,
        "paragraphs": [
            line
            for line in section.paragraphs
            if not (hidden and line.startswith(codes.PREGNANCY_LABEL))
        ],
    }


def _version(document: CdaDocument) -> str:
    if document.replaces is None:
        return ""
    before = document.version - 1
    return f"Version {document.version} – annule et remplace la version {before}"


def _site(author: CdaPerson) -> list[str]:
    phone = f"Tél. {author.phone}" if author.phone else ""
    return [line for line in (author.organisation, *author.address, phone) if line]


def _name(person: CdaPerson) -> str:
    return " ".join(part for part in (person.title, person.given, person.family) if part)


def _name_of_patient(patient: CdaPatient) -> str:
    return f"{patient.birth_family} {patient.first_birth_given}"
