"""What the order and exam routes accept and answer. No rule beyond shape."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ris.orders.model import ExamRecord
from ris.orders.values import Code, Procedure

LOINC: Final = "2.16.840.1.113883.6.1"
SNOMED: Final = "2.16.840.1.113883.6.96"
DCM: Final = "1.2.840.10008.2.16.4"
CCAM: Final = "1.2.250.1.215.300.1"
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Rpps = Annotated[str, Field(pattern=r"^[0-9]{11}$", description="RPPS, 11 chiffres")]


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Coded(Body):
    """A code and its French label; the code system follows from the field."""

    code: Annotated[str, Field(min_length=1, max_length=20)]
    label: Annotated[str, Field(min_length=1, max_length=200)]

    def value(self, system: str) -> Code:
        """Return the code in its *system* (an OID)."""
        return Code(self.code, system, self.label)


class Correspondent(Body):
    """A professional named by RPPS; *mss_address* must be one the directory lists for him."""

    rpps: Rpps
    mss_address: str | None = None


class OrderIn(Body):
    """A request for one exam (codes: workflow.md §3)."""

    patient_id: UUID
    requester: Correspondent
    recipients: Annotated[list[Correspondent], Field(max_length=20)] = []
    reason: Text
    order_number: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    scheduled_at: AwareDatetime
    procedure: Annotated[Coded, Field(description="Acte d'imagerie, LOINC")]
    modality: Annotated[Coded, Field(description="Modalité, code DICOM")]
    region: Annotated[Coded, Field(description="Région anatomique, SNOMED CT")]
    location: Annotated[Coded, Field(description="Localisation anatomique, SNOMED CT")]
    ccam: Coded | None = None

    def asked(self) -> Procedure:
        """Return what is asked for, as a value."""
        return Procedure(
            procedure=self.procedure.value(LOINC),
            modality=self.modality.value(DCM),
            region=self.region.value(SNOMED),
            location=self.location.value(SNOMED),
            ccam=self.ccam.value(CCAM) if self.ccam else None,
        )


class ExamOut(BaseModel):
    """An exam: the identifiers this RIS issued, and what the images said."""

    id: UUID
    order_id: UUID
    patient_id: UUID
    accession_number: str
    study_uid: str
    status: str
    scheduled_at: datetime
    modality: str
    procedure: str
    series: list[str]
    device: str
    version: int

    @classmethod
    def of(cls, exam: ExamRecord) -> "ExamOut":
        """Return the answer for one exam row."""
        study = exam.study or {}
        return cls(
            id=exam.id,
            order_id=exam.order_id,
            patient_id=exam.patient_id,
            accession_number=exam.accession_number,
            study_uid=exam.study_uid,
            status=exam.status,
            scheduled_at=exam.scheduled_at,
            modality=study.get("modality") or exam.procedure["modality"]["code"],
            procedure=exam.procedure["procedure"]["label"],
            series=[series["uid"] for series in study.get("series", [])],
            device=study.get("device", ""),
            version=exam.version,
        )


class ExamEventIn(Body):
    """What happened to the exam."""

    event: Annotated[str, Field(pattern="^(arrive|start|complete|cancel|miss|stop)$")]
