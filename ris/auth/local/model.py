"""Tables of local sign-in: credentials, former passwords, the guard that counts failures.

Columns and constraints only. Passwords are Argon2id hashes; the secret of the one-time codes is
sealed. The guard counts by what was typed, known here or not: it tells nobody which names exist.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from ris.auth.model import Account
from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import Kept, Plain, Sealed, sealed_bytes


class Purpose(StrEnum):
    """What a local credential is for."""

    EMERGENCY = "EMERGENCY"
    ADMINISTRATION = "ADMINISTRATION"


class LocalCredential(Base):
    """The two factors of a person, who is named: *login* is of one account, an account has one.

    *last_step* is the time step of the last one-time code accepted: none serves twice.
    """

    __tablename__ = "local_credential"
    __table_args__ = (one_of("purpose", Purpose),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), unique=True)
    login: Mapped[str] = mapped_column(String(32), unique=True)
    purpose: Mapped[str]
    password_hash: Mapped[str]
    password_set_at: Mapped[datetime] = mapped_column(default=clock.now)
    password_expires_at: Mapped[datetime]
    must_change: Mapped[bool] = mapped_column(default=True)
    totp_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_used_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]

    totp = sealed_bytes("totp_sealed")


class LocalPassword(Base):
    """The hash of a password that was used once, hence never again."""

    __tablename__ = "local_password"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    credential_id: Mapped[UUID] = mapped_column(ForeignKey("local_credential.id"), index=True)
    hash: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(default=clock.now)


class LocalGuard(Base):
    """Tries counted for one login typed, or for one address; *key* is a digest of it."""

    __tablename__ = "local_guard"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tries: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime] = mapped_column(default=clock.now)
    last_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    locked_until: Mapped[datetime | None]
