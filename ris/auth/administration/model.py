"""Tables of what waits for an administrator: conflicts of identifiers, alerts on accounts.

Columns and constraints only. An open one is unique: a refusal repeated does not fill the queue.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.auth.model import Account
from ris.core import clock, ids
from ris.core.db import Base, one_of


class AlertKind(StrEnum):
    """What an administrator is told of an account."""

    PROFESSION_CHANGED = "PROFESSION_CHANGED"
    BECAME_STUDENT = "BECAME_STUDENT"
    NO_ACTIVITY = "NO_ACTIVITY"
    ROLE_REFUSED = "ROLE_REFUSED"
    DIRECTORY_INACTIVE = "DIRECTORY_INACTIVE"
    DIRECTORY_UNKNOWN = "DIRECTORY_UNKNOWN"
    EMERGENCY_ACCESS = "EMERGENCY_ACCESS"


class AccountAlert(Base):
    """Something an administrator must look at; acknowledged, never deleted."""

    __tablename__ = "account_alert"
    __table_args__ = (
        one_of("kind", AlertKind),
        Index("uq_account_alert_open", "account_id", "kind", unique=True,
              postgresql_where=text("acknowledged_at IS NULL")),
        Index("ix_account_alert_raised_at", "raised_at", "id"),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), index=True)
    kind: Mapped[str]
    raised_at: Mapped[datetime] = mapped_column(default=clock.now)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_id: Mapped[UUID | None] = mapped_column(ForeignKey(Account.id))


class AccountConflict(Base):
    """A sign-in refused because what was told is of two accounts, or of another RPPS.

    *accounts* are their ids, *told* the `[system, value]` pairs; *key* is the digest of both.
    """

    __tablename__ = "account_conflict"
    __table_args__ = (
        Index("uq_account_conflict_open", "key", unique=True,
              postgresql_where=text("resolved_at IS NULL")),
        Index("ix_account_conflict_found_at", "found_at", "id"),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    accounts: Mapped[list[Any]] = mapped_column(JSONB)
    told: Mapped[list[Any]] = mapped_column(JSONB)
    family: Mapped[str] = mapped_column(String(100))
    given: Mapped[str] = mapped_column(String(100))
    found_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    times: Mapped[int] = mapped_column(default=1)
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[UUID | None] = mapped_column(ForeignKey(Account.id))
    kept_id: Mapped[UUID | None] = mapped_column(ForeignKey(Account.id))
    reason: Mapped[str | None] = mapped_column(String(500))
