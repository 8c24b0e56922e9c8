"""Tables of the copies: the sealed copy, the record of an erasure, the key that signs records.

Columns and constraints only. No digest of the image: a scan is guessable. A record of erasure is
append-only and outlives what it tells of.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock, ids
from ris.core.crypto import Envelope
from ris.core.db import Base, one_of
from ris.core.sealed import SealedBlob
from ris.identity.copies.media import MediaType

DDL_ID_COPY_PURGE_IS_APPEND_ONLY: Final = """
CREATE FUNCTION id_copy_purge_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'id_copy_purge is append-only';
END $$;
CREATE TRIGGER id_copy_purge_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON id_copy_purge FOR EACH STATEMENT EXECUTE FUNCTION id_copy_purge_is_append_only();
"""
DDL_ID_COPY_PURGE_IS_NOT_APPEND_ONLY: Final = (
    "DROP FUNCTION IF EXISTS id_copy_purge_is_append_only() CASCADE;"
)


class Informed(StrEnum):
    """How the patient was told that a copy is kept."""

    ORAL = "oral"
    NOTICE = "notice"
    FORM = "form"


class Erasure(StrEnum):
    """Why a copy was erased."""

    RETENTION = "retention"
    REQUEST = "request"
    MERGE = "merge"


class IdCopy(Base):
    """One sealed copy of a document that was shown. `ciphertext` never changes once written."""

    __tablename__ = "id_copy"
    __table_args__ = (
        one_of("media_type", MediaType),
        one_of("informed", Informed),
        CheckConstraint("octet_length(wrapped_key) = 40", name="wrapped_key"),
        CheckConstraint("octet_length(nonce) = 12", name="nonce"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("identity_document.id"), index=True)
    media_type: Mapped[str]
    size: Mapped[int]
    informed: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    ps_idnat: Mapped[str | None]
    kek_id: Mapped[str] = mapped_column(String(32), index=True)
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)

    @property
    def envelope(self) -> Envelope:
        """The sealed parts; reading it loads the ciphertext."""
        return Envelope(self.kek_id, self.wrapped_key, self.nonce, self.ciphertext)

    @envelope.setter
    def envelope(self, sealed: Envelope) -> None:
        self.kek_id, self.wrapped_key = sealed.kek_id, sealed.wrapped_key
        self.nonce, self.ciphertext = sealed.nonce, sealed.ciphertext


class IdCopyPurge(Base):
    """The signed record of one erasure; nothing of the image. `signature` is Ed25519."""

    __tablename__ = "id_copy_purge"
    __table_args__ = (one_of("reason", Erasure),)

    copy_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(Uuid, index=True)
    document_type: Mapped[str] = mapped_column(String(8))
    stored_at: Mapped[datetime]
    last_activity_at: Mapped[datetime]
    due_at: Mapped[datetime]
    erased_at: Mapped[datetime]
    reason: Mapped[str]
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    key_id: Mapped[str] = mapped_column(ForeignKey("id_copy_purge_key.id"))
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class IdCopyPurgeKey(Base):
    """An Ed25519 key that signs erasures: *id* is its fingerprint, the private half is sealed."""

    __tablename__ = "id_copy_purge_key"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_private_key: Mapped[bytes] = mapped_column(SealedBlob)
    created_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
