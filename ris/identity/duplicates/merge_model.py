"""Tables of merges, suspected duplicates and collisions: who decided, on what, how to go back."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Uuid,
    func,
)
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
    """Two records that may be one person's, and what was said of them; *low_id* < *high_id*.

    Found by the nightly scan (*decided_at* null), or decided by a person.
    """

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        one_of("state", PairState),
        CheckConstraint("low_id < high_id", name="ordered"),
        Index("ix_duplicate_pair_worklist", "state", "score", "low_id", "high_id"),
    )

    low_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    high_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True, index=True)
    state: Mapped[str]
    score: Mapped[int]
    reasons: Mapped[list[str]] = mapped_column(JSONB)
    found_at: Mapped[datetime] = mapped_column(default=clock.now, server_default=func.now())
    decided_at: Mapped[datetime | None]
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    version: Mapped[int] = mapped_column(server_default="1")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own form


class DuplicateDecision(Base):
    """One thing said of a pair, by the scan or by a person: its history, never changed."""

    __tablename__ = "duplicate_decision"
    __table_args__ = (
        one_of("state", PairState),
        ForeignKeyConstraint(
            ["low_id", "high_id"], ["duplicate_pair.low_id", "duplicate_pair.high_id"]
        ),
        Index("ix_duplicate_decision_pair", "low_id", "high_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    low_id: Mapped[UUID] = mapped_column(Uuid)
    high_id: Mapped[UUID] = mapped_column(Uuid)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    state: Mapped[str]
    score: Mapped[int]
    reasons: Mapped[list[str]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(default="")
    account_id: Mapped[UUID | None] = mapped_column(Uuid)


class CollisionState(StrEnum):
    """HL7 table 0445: `COLP` potential collision, `COLV` proven; `NONE` found to be none."""

    SUSPECT = "COLP"
    PROVEN = "COLV"
    NONE = "NONE"


class IdentityCollision(Base):
    """Two persons in one record, suspected then settled (ins.md R-COL-01).

    *suspected_since*: the first day on which the record may have held another person's data.
    """

    __tablename__ = "identity_collision"
    __table_args__ = (
        one_of("state", CollisionState),
        Index(
            "uq_identity_collision_open",
            "patient_id",
            unique=True,
            postgresql_where="state = 'COLP'",
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    state: Mapped[str]
    suspected_since: Mapped[date] = mapped_column(Date)
    reason: Mapped[str]
    declared_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[UUID | None] = mapped_column(Uuid)
    settled_reason: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own form
