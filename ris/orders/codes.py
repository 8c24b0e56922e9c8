"""The code systems of an imaging act and the sets its codes are taken from. Data and shape only.

Read when an exam is ordered and again when its report is signed. Value sets that change (LOINC
acts, SNOMED locations) are not here: only the shape of their codes is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ris.orders.values import Exam, Procedure


def _codes(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


LOINC: Final = "2.16.840.1.113883.6.1"
SNOMED: Final = "2.16.840.1.113883.6.96"
DCM: Final = "1.2.840.10008.2.16.4"
CCAM: Final = "1.2.250.1.215.300.1"

MODALITIES: Final = _codes(
    "AR BDUS BI BMD CR CT DG DMS DX ECG EEG EMG EOG EPS ES GM HD IO IVOCT IVUS KER LEN LS MG MR NM "
    "OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS POS PT PX RESP RF RG RTIMAGE SM SRF TG US VA XA "
    "XC"
)
REGIONS: Final = _codes(
    "63337009 38266002 53120007 61685007 67734004 774007 113257007 80891009 76752008 737561001"
)
_LOINC_CODE: Final = re.compile(r"[0-9]{1,7}-[0-9]")
_CCAM_CODE: Final = re.compile(r"[A-Z]{4}[0-9]{3}")
_SNOMED_CODE: Final = re.compile(r"[1-9][0-9]{5,17}")


@dataclass(frozen=True, slots=True)
class CodeRefusal:
    """One code refused: the *field* that holds it, the *rule*, the French *message*."""

    field: str
    rule: str
    message: str


def refused(act: Procedure | Exam) -> Iterator[CodeRefusal]:
    """Give what is wrong with the codes of *act*: system, shape, or set they belong to."""
    if act.procedure.system != LOINC or not _LOINC_CODE.fullmatch(act.procedure.code):
        yield CodeRefusal("procedure", "CDA-TERM-01", "Code LOINC de l'acte attendu.")
    if act.ccam and not _CCAM_CODE.fullmatch(act.ccam.code):
        yield CodeRefusal("ccam", "CDA-TERM-01", "Code CCAM mal formé.")
    if act.modality.system != DCM or act.modality.code not in MODALITIES:
        yield CodeRefusal("modality", "CDA-TERM-02", "Modalité hors du jeu de valeurs.")
    if act.region.system != SNOMED or act.region.code not in REGIONS:
        yield CodeRefusal("region", "CDA-TERM-02", "Région anatomique hors du jeu de valeurs.")
    if act.location.system != SNOMED or not _SNOMED_CODE.fullmatch(act.location.code):
        yield CodeRefusal(
            "location", "CDA-TERM-02", "Code SNOMED CT de la localisation anatomique attendu."
        )
