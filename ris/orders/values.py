"""Plain values of an exam: what the order, the modality and the room say of it. No database."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: code, OID of its system, French label."""

    code: str
    system: str
    label: str


@dataclass(frozen=True, slots=True)
class Series:
    """The series shown in the object catalogue: one representative instance (cda.md §4.9)."""

    uid: str
    modality: str
    sop_class_uid: str
    sop_instance_uid: str
    description: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose quantity: DCM code (`113813`), value, UCUM unit (`mGy.cm`)."""

    quantity: Code
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Exam:
    """One imaging act as performed (workflow.md §2, the identifier chain).

    *procedure* is LOINC (JDV_CodesDocumentImagerie), *ccam* CCAM or None, *modality* a DICOM code,
    *region* one of JDV_RegionAnatomique, *location* one of JDV_LocalisationAnatomique.
    """

    accession_number: str
    accession_oid: str
    order_number: str
    order_oid: str
    study_uid: str
    procedure: Code
    modality: Code
    region: Code
    location: Code
    started_at: datetime
    ended_at: datetime | None = None
    ccam: Code | None = None
    device: str = ""
    series: tuple[Series, ...] = ()
    doses: tuple[Dose, ...] = ()


@dataclass(frozen=True, slots=True)
class Procedure:
    """What was asked for, in the codes that the document will carry (cda.md §3.9, §4.5)."""

    procedure: Code
    modality: Code
    region: Code
    location: Code
    ccam: Code | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """What the images say: identifiers, times, device, the series fit to be shown.

    *patient_id* is (0010,0020) as found in the images, for cross-checking only.
    """

    study_uid: str
    accession_number: str
    patient_id: str
    modality: str
    started_at: datetime
    ended_at: datetime | None = None
    device: str = ""
    series: tuple[Series, ...] = ()
    doses: tuple[Dose, ...] = ()
