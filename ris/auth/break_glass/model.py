"""Tables of the break-glass: who opened whose things, why, which practices it concerns, who saw it.

Columns and constraints only. *patient_id* is no foreign key, as in the journal: a merge must not
carry an opening over to another record. The free text may tell of the patient's health: sealed.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from ris.auth.model import Account
from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import Kept, Plain, Sealed, sealed_text


class GlassReason(StrEnum):
    """Why a physician opens what another practice owns."""

    EMERGENCY = "emergency"
    CONTINUITY = "continuity"
    OPINION = "opinion"
    OTHER = "other"


class BreakGlass(Base):
    """One opening, by one account in one session (None: an API caller), of one patient's things."""

    __tablename__ = "break_glass"
    __table_args__ = (
        one_of("reason", GlassReason),
        Index("ix_break_glass_held", "account_id", "patient_id", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id))
    session_id: Mapped[UUID | None] = mapped_column(Uuid)
    patient_id: Mapped[UUID] = mapped_column(Uuid)
    acting_struct_idnat: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str]
    comment_sealed: Mapped[Plain | Kept | None] = mapped_column(Sealed)
    opened_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    expires_at: Mapped[datetime]
    comment = sealed_text("comment_sealed")


class BreakGlassPractice(Base):
    """A practice whose things were opened, and may review it."""

    __tablename__ = "break_glass_practice"

    break_glass_id: Mapped[UUID] = mapped_column(ForeignKey("break_glass.id"), primary_key=True)
    struct_idnat: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class BreakGlassReview(Base):
    """Somebody saw that it was opened (« vu »): once each."""

    __tablename__ = "break_glass_review"

    break_glass_id: Mapped[UUID] = mapped_column(ForeignKey("break_glass.id"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
