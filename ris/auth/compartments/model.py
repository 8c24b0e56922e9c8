"""Table of the members of the structures: columns and constraints only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from ris.auth.model import Account
from ris.core import clock, ids
from ris.core.db import Base


class StructureMember(Base):
    """One account works for one structure from *valid_from*, until *valid_to* (None: no end).

    A decision of the site (auth.md §5), whatever Pro Santé Connect lists. Ended, never deleted.
    """

    __tablename__ = "structure_member"
    __table_args__ = (CheckConstraint("valid_to >= valid_from", name="period"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    structure_id: Mapped[UUID] = mapped_column(ForeignKey("structure.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), index=True)
    valid_from: Mapped[datetime] = mapped_column(default=clock.now)
    valid_to: Mapped[datetime | None]
    granted_by_id: Mapped[UUID | None] = mapped_column(ForeignKey(Account.id))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
