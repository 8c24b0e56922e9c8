"""Table of the HL7 v2 messages received: sealed bytes, what became of them, the answer given."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, String, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import SealedBlob


class Hl7State(StrEnum):
    """What became of a message; `received` waits to be applied (enhanced mode)."""

    RECEIVED = "received"
    APPLIED = "applied"
    REFUSED = "refused"


class Hl7Message(Base):
    """One message received, once per sender and MSH-10 (ins.md R-PAM-06).

    *sealed* is the message, sealed for `ris.hl7_message.v1|<id>`; *digest* its keyed digest; *ack*
    the answer as sent, which holds no value of the patient. *outcome* holds codes and ids only.
    *reply* is the application answer that an enhanced-mode sender asked for, sent when due.
    """

    __tablename__ = "hl7_message"
    __table_args__ = (
        one_of("state", Hl7State),
        Index("uq_hl7_message_key", "sender_application", "sender_facility", "control_id",
              unique=True),
        Index("ix_hl7_message_waiting", "seq", postgresql_where="state = 'received'"),
        Index("ix_hl7_message_refused", "seq", postgresql_where="state = 'refused'"),
        Index("ix_hl7_message_reply", "reply_due_at", postgresql_where="reply_due_at IS NOT NULL"),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    sender_application: Mapped[str] = mapped_column(String(227))
    sender_facility: Mapped[str] = mapped_column(String(227))
    control_id: Mapped[str] = mapped_column(String(199))
    kind: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    sealed: Mapped[bytes] = mapped_column(SealedBlob)
    state: Mapped[str]
    ack_code: Mapped[str] = mapped_column(String(2), default="")
    ack: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    error: Mapped[str] = mapped_column(default="")
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"), index=True)
    received_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    settled_at: Mapped[datetime | None]
    reply: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    reply_due_at: Mapped[datetime | None]
    reply_tries: Mapped[int] = mapped_column(default=0)
    replied_at: Mapped[datetime | None]
