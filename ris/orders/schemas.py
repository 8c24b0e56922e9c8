"""What the order and exam routes accept and answer. No rule beyond shape."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ris.orders.codes import CCAM, DCM, LOINC, SNOMED
from ris.orders.model import ExamRecord
from ris.orders.states import ExamEvent, ExamStatus
from ris.orders.values import Code, Procedure
from ris.web import moments

_FROM: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(value: datetime) -> datetime:
    """Refuse an instant that no appointment has, and that no time zone could show."""
    if not _FROM <= value < _UNTIL:
        raise ValueError("out of range")
    return value


Instant = Annotated[moments.Instant, AfterValidator(_plausible)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Practice = Annotated[str, Field(min_length=2, max_length=64)]
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
    """A request for one exam, in the codes that its report will carry."""

    patient_id: UUID
    requester: Correspondent
    recipients: Annotated[list[Correspondent], Field(max_length=20)] = []
    reason: Text
    order_number: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    scheduled_at: Instant
    procedure: Annotated[Coded, Field(description="Acte d'imagerie, LOINC")]
    modality: Annotated[Coded, Field(description="Modalité, code DICOM")]
    region: Annotated[Coded, Field(description="Région anatomique, SNOMED CT")]
    location: Annotated[Coded, Field(description="Localisation anatomique, SNOMED CT")]
    ccam: Coded | None = None
    struct_idnat: Practice | None = Field(
        default=None,
        description="Cabinet qui réalise l'examen ; sinon le seul pour lequel l'appelant travaille",
    )

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
    status: ExamStatus
    scheduled_at: datetime
    modality: str
    procedure: str
    series: list[str]
    device: str
    struct_idnat: str | None = Field(description="Cabinet auquel l'examen est rattaché")
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
            status=ExamStatus(exam.status),
            scheduled_at=exam.scheduled_at,
            modality=study.get("modality") or exam.procedure["modality"]["code"],
            procedure=exam.procedure["procedure"]["label"],
            series=[series["uid"] for series in study.get("series", [])],
            device=study.get("device", ""),
            struct_idnat=exam.acting_struct_idnat,
            version=exam.version,
        )


StaffEvent = Literal[
    ExamEvent.ARRIVE,
    ExamEvent.START,
    ExamEvent.COMPLETE,
    ExamEvent.CANCEL,
    ExamEvent.MISS,
    ExamEvent.STOP,
]


class OwnerIn(Body):
    """Le cabinet auquel rattacher l'examen."""

    struct_idnat: Annotated[Practice, Field(description="Identifiant national (Struct_IdNat)")]


class ExamEventIn(Body):
    """What happened to the exam."""

    event: StaffEvent
