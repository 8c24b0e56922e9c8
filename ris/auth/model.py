"""Tables of sign-in: accounts, identifiers, situations, sessions, attempts, structures, directory.

Columns and constraints only. Accounts are never deleted (imputability); no token is in clear.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.auth.rights import Role
from ris.auth.session_states import CloseReason as CloseReason  # noqa: PLC0414 - a column's value
from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import SealedBlob


class AccountStatus(StrEnum):
    """Whether the account may sign in; a PENDING one was asked for and has no role yet."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class Account(Base):
    """A person allowed here. `ps_idnat` is the one granted; others are in `account_identifier`.

    A local administration account has none; `owner_id` is then the same person's ordinary account,
    if any. `version` counts the acts of administration, not the sign-ins.
    """

    __tablename__ = "account"
    __table_args__ = (
        one_of("role", Role),
        one_of("status", AccountStatus),
        CheckConstraint("role IS NOT NULL OR status IN ('PENDING', 'CLOSED')", name="role_given"),
        Index("ix_account_created_at", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    ps_idnat: Mapped[str | None] = mapped_column(String(64), unique=True)
    rpps: Mapped[str | None] = mapped_column(String(11), unique=True)
    family: Mapped[str] = mapped_column(String(100), default="")
    given: Mapped[str] = mapped_column(String(100), default="")
    role: Mapped[str | None]
    identity_habilitated: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(default=AccountStatus.ACTIVE.value)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    granted_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    last_login_at: Mapped[datetime | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    directory_checked_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class AccountIdentifier(Base):
    """One identifier PSC gave for an account; *system* is `PS_IDNAT`, `RPPS`, or the origine."""

    __tablename__ = "account_identifier"
    __table_args__ = (UniqueConstraint("system", "value"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    system: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(String(64))
    first_seen: Mapped[datetime] = mapped_column(default=clock.now)


class SituationSource(StrEnum):
    """Who says that the person works there: Pro Santé Connect, or an administrator (AUTH-20)."""

    PSC = "PSC"
    MANUAL = "MANUAL"


class Situation(Base):
    """One situation d'exercice of an account, refreshed at each sign-in; ended, never deleted.

    A MANUAL one has dates, and `granted_by_id` says who gave it (None: the operator); a sign-in
    leaves it alone.
    """

    __tablename__ = "situation"
    __table_args__ = (
        one_of("source", SituationSource),
        CheckConstraint(
            "source = 'PSC' OR (valid_from IS NOT NULL AND valid_to > valid_from)", name="dated"
        ),
        Index(
            "uq_situation_key",
            "account_id",
            "profession",
            "specialty",
            "place",
            "mode",
            unique=True,
            postgresql_where=text("source = 'PSC'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    profession: Mapped[str] = mapped_column(String(8))
    category: Mapped[str] = mapped_column(String(8))
    specialty: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(String(200))
    mode: Mapped[str] = mapped_column(String(8))
    sector: Mapped[str] = mapped_column(String(8))
    struct_idnat: Mapped[str] = mapped_column(String(64))
    struct_valid: Mapped[bool]
    technical_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[dict[str, Any]] = mapped_column(JSONB)
    phone: Mapped[str] = mapped_column(String(32))
    family: Mapped[str] = mapped_column(String(100))
    given: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(default=SituationSource.PSC.value)
    valid_from: Mapped[datetime | None]
    valid_to: Mapped[datetime | None]
    granted_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    first_seen: Mapped[datetime] = mapped_column(default=clock.now)
    last_seen: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]


class LoginAttempt(Base):
    """A sign-in begun and not yet returned: used once, by one browser, for ten minutes."""

    __tablename__ = "login_attempt"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    state_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    binding_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes] = mapped_column(SealedBlob)
    next_path: Mapped[str]
    step_up: Mapped[bool] = mapped_column(default=False)
    native_challenge: Mapped[str | None] = mapped_column(String(43))
    workstation: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]


class RisSession(Base):
    """A session, found by the hash of the random id that only the cookie holds.

    `psc_*` is its link with Pro Santé Connect: tokens sealed and dropped with the link
    (`psc_ended_at`), `psc_refresh_lease` the end of the right of one request to renew them.
    With `native_challenge` the session waits for the application that began it, and opens nothing.
    """

    __tablename__ = "ris_session"
    __table_args__ = (one_of("close_reason", CloseReason),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    situation_id: Mapped[UUID | None] = mapped_column(ForeignKey("situation.id"))
    needs_situation: Mapped[bool] = mapped_column(default=False)
    method: Mapped[str] = mapped_column(default="PSC_CODE")
    acr: Mapped[str]
    auth_mode: Mapped[str] = mapped_column(default="")
    amr: Mapped[list[str]] = mapped_column(JSONB, default=list)
    auth_time: Mapped[datetime]
    psc_session_state: Mapped[str | None]
    psc_sid: Mapped[str | None] = mapped_column(String(128), index=True)
    psc_sub: Mapped[str | None] = mapped_column(index=True)
    psc_tokens_sealed: Mapped[bytes | None] = mapped_column(SealedBlob)
    psc_access_expires_at: Mapped[datetime | None]
    psc_refresh_lease: Mapped[datetime | None]
    psc_ended_at: Mapped[datetime | None]
    native_challenge: Mapped[str | None] = mapped_column(String(43))
    id_token_sealed: Mapped[bytes | None] = mapped_column(SealedBlob)
    ip: Mapped[str | None]
    workstation: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    locked_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None]


class ServedStructure(Base):
    """A legal practice or a means company (SCM) served by this installation."""

    __tablename__ = "structure"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    struct_idnat: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    is_scm: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class DirectoryRecord(Base):
    """A correspondent as last read from the Annuaire Santé. Red-listed mailboxes are flagged."""

    __tablename__ = "directory_entry"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    ps_idnat: Mapped[str] = mapped_column(String(64), unique=True)
    rpps: Mapped[str | None] = mapped_column(String(11), index=True)
    family: Mapped[str] = mapped_column(String(100))
    given: Mapped[str] = mapped_column(String(100))
    search_key: Mapped[str] = mapped_column(String(200), index=True)
    profession: Mapped[str] = mapped_column(String(8))
    specialty: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool]
    structure: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    mailboxes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    source: Mapped[str] = mapped_column(String(16), default="ANNUAIRE")
    fetched_at: Mapped[datetime] = mapped_column(default=clock.now)
