"""Tables of the verifications in bulk: a batch, and what became of each identity in it.

Columns and constraints only. No INS is copied here: only a digest of what INSi was asked about,
sealed because few matricules fit the traits of one person.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import Kept, Plain, Sealed, sealed_text
from ris.identity.insi.values import CallMode


class BatchState(StrEnum):
    """Where a batch is; `failed` waits for a person."""

    CREATED = "created"
    SENT = "sent"
    ANSWERED = "answered"
    APPLIED = "applied"
    FAILED = "failed"


OPEN: Final = (BatchState.CREATED, BatchState.SENT, BatchState.ANSWERED)
_OPEN_SQL: Final = ", ".join(f"'{state}'" for state in OPEN)


class InsiBatch(Base):
    """One batch. *structure* is the one INSi is asked for, *account_id* who started it (None: the
    software itself), *attempt_no* fences a worker that wakes up late.
    """

    __tablename__ = "insi_batch"
    __table_args__ = (
        one_of("state", BatchState),
        one_of("mode", CallMode),
        Index(
            "uq_insi_batch_open",
            "structure",
            unique=True,
            postgresql_where=f"state IN ({_OPEN_SQL})",
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    state: Mapped[str] = mapped_column(default=BatchState.CREATED.value)
    structure: Mapped[str]
    mode: Mapped[str] = mapped_column(default=CallMode.AUTOMATIC.value)
    size: Mapped[int]
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    ps_idnat: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    due_at: Mapped[datetime] = mapped_column(default=clock.now)
    attempt_no: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]


class InsiBatchItem(Base):
    """One identity of a batch. *digest*: of the INS and the traits sent; *code*: what INSi said;
    *verdict*: what came of it, once applied.
    """

    __tablename__ = "insi_batch_item"
    __table_args__ = (
        CheckConstraint("verdict IS NULL OR applied_at IS NOT NULL", name="verdict_is_applied"),
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("insi_batch.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    digest_sealed: Mapped[Plain | Kept | None] = mapped_column(Sealed)
    code: Mapped[str | None]
    verdict: Mapped[str | None]
    applied_at: Mapped[datetime | None]
    digest = sealed_text("digest_sealed")
