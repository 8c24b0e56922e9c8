"""Table `delegation`: columns and constraints only. Never deleted: a trace may speak of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.auth.delegation.values import DelegatedAction, Given
from ris.auth.model import Account
from ris.auth.periods import Period
from ris.core import clock, ids
from ris.core.db import Base


class Delegation(Base):
    """One delegation as given; *actions* are `DelegatedAction` codes."""

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("valid_to > valid_from", name="period"),
        CheckConstraint("delegator_id <> delegate_id", name="two_people"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    delegator_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), index=True)
    delegate_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), index=True)
    struct_idnat: Mapped[str] = mapped_column(String(64))
    actions: Mapped[list[str]] = mapped_column(JSONB)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    @property
    def value(self) -> Given:
        """Return the plain value, for the rules."""
        return Given(
            self.delegator_id,
            self.delegate_id,
            self.struct_idnat,
            frozenset(map(DelegatedAction, self.actions)),
            Period(self.valid_from, self.valid_to),
            self.revoked_at,
        )
