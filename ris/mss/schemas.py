"""What the MSSanté routes take and give."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool


class RefusalsIn(BaseModel):
    """What the patient refuses from now on."""

    model_config = ConfigDict(extra="forbid")

    professional: StrictBool = Field(description="Refuse l'envoi aux professionnels (RIS.MSS.25)")
    patient: StrictBool = Field(description="Refuse l'envoi vers Mon espace santé (RIS.MSS.21)")


class RefusalsOut(RefusalsIn):
    """What the patient refuses; *version* goes back in If-Match."""

    version: int


class MessageOut(BaseModel):
    """What may be shown of a message: never its body, never a patient's address."""

    delivery_id: UUID
    message_id: str
    mailbox: str
    recipient: str
    purpose: str
    in_reply_to: str | None
    size: int
    sha256: str
    archive_sha256: str
    ins_qualified: bool
    codes: list[str]
    created_at: datetime
    accepted_at: datetime | None
    smtp_reply: str | None
    tls_session: str | None
    delivery_receipt: str | None
    delivery_receipt_cause: str | None
    delivery_receipt_at: datetime | None
    read_receipt: str | None
    read_receipt_code: int | None
    read_receipt_at: datetime | None
