"""Tables of merges and of suspected duplicates: who decided, on what, and how to go back."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock, ids
from ris.core.db import Base, one_of


class PairState(StrEnum):
    """HL7 table 0445: `DPOT` potential duplicate, `DOUA` proven, `HOMA` two persons."""

    SUSPECT = "DPOT"
    PROVEN = "DOUA"
    HOMONYMS = "HOMA"


class PatientMerge(Base):
    """One merge. *moved* lists `{table: [primary keys]}`, so that it can be undone (R-MRG-03)."""

    __tablename__ = "patient_merge"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    survivor_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    absorbed_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    reason: Mapped[str]
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    moved: Mapped[dict[str, Any]] = mapped_column(JSONB)
    undone_at: Mapped[datetime | None]
    undone_reason: Mapped[str] = mapped_column(default="")
    undone_by: Mapped[UUID | None] = mapped_column(Uuid)


class DuplicatePair(Base):
    """What a person decided of two records; *low_id* < *high_id*."""

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        one_of("state", PairState),
        CheckConstraint("low_id < high_id", name="ordered"),
    )

    low_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    high_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True, index=True)
    state: Mapped[str]
    score: Mapped[int]
    reasons: Mapped[list[str]] = mapped_column(JSONB)
    decided_at: Mapped[datetime] = mapped_column(default=clock.now)
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
