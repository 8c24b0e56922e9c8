"""The report model: the one value from which N1, N3, PDF and XDS metadata are all made.

Frozen, no clock, no random identifier: everything the serialisers need is already in it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ris.auth.values import Professional, Structure
from ris.identity.values import PatientIdentity
from ris.orders.values import Exam


class Level(StrEnum):
    """CDA level of one rendition (ruling 18)."""

    N1 = "n1"
    N3 = "n3"


class Visibility(StrEnum):
    """Restrictions chosen by the radiologist."""

    HIDDEN_FROM_PATIENT = "INVISIBLE_PATIENT"
    HIDDEN_FROM_GUARDIANS = "INVISIBLE_REPRESENTANTS_LEGAUX"
    HIDDEN_FROM_PROFESSIONALS = "MASQUE_PS"


class VersionKind(StrEnum):
    """Why a version exists (README of the specification, report machine)."""

    INITIAL = "INITIAL"
    CORRECTION = "CORRECTION"
    ADDENDUM = "ADDENDUM"
    IDENTITY = "IDENTITY"


@dataclass(frozen=True, slots=True)
class Sections:
    """What the radiologist dictated, in French plain text; empty when absent."""

    indication: str = ""
    history: str = ""
    technique: str = ""
    results: str = ""
    comparison: str = ""
    conclusion: str = ""
    addendum: str = ""


@dataclass(frozen=True, slots=True)
class DocumentIds:
    """Identifiers of one rendition (N1 or N3) of one version; all root-only OIDs (ruling 20)."""

    unique_id: str
    set_id: str
    version: int
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class ReportContent:
    """One version of one report, complete.

    *author* signs: he is author and legalAuthenticator, and `author.structure` is the acting
    structure. *recipients* are the professionals who get a copy, besides the requester.
    """

    title: str
    patient: PatientIdentity
    author: Professional
    custodian: Structure
    requester: Professional
    recipients: tuple[Professional, ...]
    exams: tuple[Exam, ...]
    sections: Sections
    n1: DocumentIds
    n3: DocumentIds
    created_at: datetime
    signed_at: datetime
    kind: VersionKind = VersionKind.INITIAL
    visibility: frozenset[Visibility] = frozenset()
    transcriber: Professional | None = None

    @property
    def addressees(self) -> tuple[Professional, ...]:
        """Return every professional the report goes to, the requester first, each once."""
        listed: dict[str, Professional] = {}
        for one in (self.requester, *self.recipients):
            listed.setdefault(one.ps_idnat, one)
        return tuple(listed.values())
