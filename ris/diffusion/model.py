"""Tables of the deliveries: `delivery` and its append-only attempts.

Columns, constraints and triggers only. A procrastinate job is no truth: `delivery` is.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import ids
from ris.core.db import Base, one_of
from ris.diffusion.states import State
from ris.reports.channels import Operation

DDL_DELIVERY_ATTEMPT_IS_APPEND_ONLY: Final = """
CREATE FUNCTION delivery_attempt_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'delivery_attempt is append-only';
END $$;
CREATE TRIGGER delivery_attempt_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON delivery_attempt FOR EACH STATEMENT EXECUTE FUNCTION delivery_attempt_is_append_only();
"""
DDL_DELIVERY_ATTEMPT_IS_NOT_APPEND_ONLY: Final = (
    "DROP FUNCTION IF EXISTS delivery_attempt_is_append_only() CASCADE;"
)


class AttemptOutcome(StrEnum):
    """How one attempt ended."""

    OK = "ok"
    RETRY = "retry"
    HELD = "held"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"
    LOST = "lost"


class Delivery(Base):
    """One (document version, channel, recipient, operation, generation) to bring somewhere.

    *recipient* is `''` for the DMP, the PS_IdNat of a professional, `patient` for the patient;
    *addressee* the professional as he was when planned. *attempt_no* only grows (fencing token);
    *tries* counts failures since the last replay. *replaces_id* is the accepted delivery that a
    `replace`, `delete` or `visibility` concerns, *blocked_by* the one to wait for. *external_id*
    is empty until the channel has frozen its own row. *with_ins*: sent with a qualified INS.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        one_of("state", State),
        one_of("operation", Operation),
        Index(
            "ix_delivery_due",
            "due_at",
            postgresql_where=text("state IN ('pending','running','unknown')"),
        ),
        Index("ix_delivery_state_channel", "state", "channel"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("document_version.id"), index=True)
    report_id: Mapped[UUID] = mapped_column(ForeignKey("report.id"), index=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    channel: Mapped[str]
    operation: Mapped[str]
    recipient: Mapped[str] = mapped_column(default="")
    addressee: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    generation: Mapped[int] = mapped_column(default=0)
    lane: Mapped[str] = mapped_column(index=True)
    external_id: Mapped[str | None]
    visibility: Mapped[list[str]] = mapped_column(JSONB, default=list)
    state: Mapped[str] = mapped_column(default=State.PENDING)
    reason: Mapped[str | None]
    attempt_no: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    held_since: Mapped[datetime | None]
    running_since: Mapped[datetime | None]
    worker: Mapped[str | None]
    last_error_code: Mapped[str | None]
    remote_reference: Mapped[str | None] = mapped_column(Text)
    blocked_by: Mapped[UUID | None] = mapped_column(ForeignKey("delivery.id"), index=True)
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("delivery.id"))
    with_ins: Mapped[bool] = mapped_column(default=False)
    struct_idnat: Mapped[str | None]
    ps_idnat: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    finished_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class DeliveryAttempt(Base):
    """One attempt, written when it ends; never changed (trigger). *error_detail* is redacted."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (one_of("outcome", AttemptOutcome),)

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("delivery.id"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    worker: Mapped[str]
    outcome: Mapped[str]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None] = mapped_column(Text)
    remote_reference: Mapped[str | None] = mapped_column(Text)
