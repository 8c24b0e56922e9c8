"""Tables of the propagation of identities: the outgoing queue, and who received the INS."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock, ids
from ris.core.db import Base, one_of


class Kind(StrEnum):
    """The IHE PAM event that tells a partner (ITI-30)."""

    CREATE = "A28"
    UPDATE = "A31"
    MERGE = "A40"
    WITHDRAW = "A47"


class OutboxState(StrEnum):
    """Where a message stands; `failed` stops the line of that patient and partner."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class IdentityOutbox(Base):
    """One message for one partner. *seq* orders them; *due_at* is also the lease of an attempt."""

    __tablename__ = "identity_outbox"
    __table_args__ = (
        one_of("kind", Kind),
        one_of("state", OutboxState),
        Index(
            "ix_identity_outbox_line",
            "patient_id",
            "partner",
            "seq",
            postgresql_where="state <> 'sent'",
        ),
        Index("ix_identity_outbox_due", "due_at", postgresql_where="state = 'pending'"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    partner: Mapped[str]
    kind: Mapped[str]
    event: Mapped[str]
    to_status: Mapped[str]
    absorbed_ipp: Mapped[str] = mapped_column(default="")
    withdrawn_oid: Mapped[str] = mapped_column(default="")
    state: Mapped[str]
    attempt_no: Mapped[int] = mapped_column(default=0)
    occurred_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")


class InsDisclosure(Base):
    """One output of an INS to a partner: when, by whom, through which channel (RIS.INS.51)."""

    __tablename__ = "ins_disclosure"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    sender: Mapped[str]
    partner: Mapped[str]
    channel: Mapped[str]
    reference: Mapped[str]
