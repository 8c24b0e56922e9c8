"""The JSON of a message received: who sent it, what became of it and why. Never its content."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from ris.interop.hl7v2.model import Hl7Message, Hl7State


class Hl7MessageOut(BaseModel):
    """A message received; `patient_id` only for those who may read patients."""

    id: UUID
    received_at: datetime
    settled_at: datetime | None
    sender_application: str = Field(description="MSH-3")
    sender_facility: str = Field(description="MSH-4")
    control_id: str = Field(description="MSH-10")
    kind: str = Field(description="MSH-9, ex. ADT^A28")
    state: Hl7State
    ack_code: str = Field(description="Réponse faite à l'émetteur : AA, AE, AR, CA, CE ou CR")
    error: str = Field(description="Code du refus, vide sinon")
    condition: str | None = Field(description="Code HL70357 du refus")
    action: str | None = Field(description="Effet sur le dossier : created, updated, merged…")
    alerts: list[str] = Field(description="Réserves dites à l'émetteur")
    replied_at: datetime | None = Field(description="Réponse applicative différée acceptée")
    patient_id: UUID | None

    @classmethod
    def of(cls, row: Hl7Message, *, patient: bool) -> "Hl7MessageOut":
        """Return what is shown of *row*; *patient* says whether its patient may be named."""
        told = row.outcome
        return cls(
            id=row.id,
            received_at=row.received_at,
            settled_at=row.settled_at,
            sender_application=row.sender_application,
            sender_facility=row.sender_facility,
            control_id=row.control_id,
            kind=row.kind,
            state=Hl7State(row.state),
            ack_code=row.ack_code,
            error=row.error,
            condition=told.get("condition"),
            action=told.get("action"),
            alerts=told.get("alerts", []),
            replied_at=row.replied_at,
            patient_id=row.patient_id if patient else None,
        )
