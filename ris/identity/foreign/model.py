"""Tables of identities that come from elsewhere: contracts, identifiers, verifications, held data.

No table here holds a matricule: an INS received is kept as a digest until INSi confirms it. The
digest is sealed too: next to the traits, a matricule has few possible values.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import Kept, Plain, Sealed, sealed_text
from ris.identity.model import Patient


class TrustScope(StrEnum):
    """What a contract lets us keep: all (our own domain's repository), or qualifiée as received
    for patients we do not take in direct care (RIS.INS.39)."""

    OWN_DOMAIN = "own_domain"
    NO_DIRECT_CARE = "no_direct_care"


class ForeignState(StrEnum):
    """Where the verification of an INS received stands; the three last are a person's affair."""

    PENDING = "pending"
    OK = "ok"
    KO = "ko"
    UNCLEAR = "unclear"
    CONFLICT = "conflict"
    CLOSED = "closed"


class Inconclusive(StrEnum):
    """Why an INS received was not stored, beside the failures of a call that have their own code.

    What INSi answered (none, several, another INS), then what speaks against it here.
    """

    NONE = "INSI_NONE_FOUND"
    SEVERAL = "INSI_SEVERAL_FOUND"
    OTHER_INS = "INSI_OTHER_INS"
    HELD = "INS_ALREADY_ATTACHED"
    BLOCKED = "INS_ATTRIBUTE_BLOCKS"
    DIFFERS = "INSI_MAJOR_DIFFERENCE"
    OTHER_HERE = "OTHER_INS_HERE"


class HeldState(StrEnum):
    """What becomes of health data that came with an INS not verified."""

    HELD = "held"
    RELEASED = "released"
    FILED = "filed"
    REFUSED = "refused"


class TrustContract(Base):
    """A trust contract (contrat de confiance) with a sender; ended, never deleted."""

    __tablename__ = "trust_contract"
    __table_args__ = (
        one_of("scope", TrustScope),
        Index("uq_trust_contract_live", "sender", unique=True, postgresql_where="ended_at IS NULL"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    sender: Mapped[str] = mapped_column(String(128))
    label: Mapped[str] = mapped_column(String(200))
    scope: Mapped[str]
    signed_at: Mapped[datetime] = mapped_column(default=clock.now)
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    ended_at: Mapped[datetime | None]


class FeedIdentifier(Base):
    """What a sender calls a patient of ours; *last_event_at* fences older news (R-PAM-06)."""

    __tablename__ = "feed_identifier"

    authority: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[str] = mapped_column(String(64), primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    last_event_at: Mapped[datetime | None]
    patient: Mapped[Patient] = relationship(lazy="raise")


class ForeignIdentity(Base):
    """An INS received without a contract, and its verification by INSi (RIS.INS.38, .44-47).

    *traits* are those of the message after R-TRT-02, *ins_digest* is salted with the row's id.
    """

    __tablename__ = "foreign_identity"
    __table_args__ = (
        one_of("state", ForeignState),
        Index("ix_foreign_identity_due", "due_at", postgresql_where="state = 'pending'"),
        CheckConstraint("attempt_no >= 0", name="attempt_no"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    created_patient: Mapped[bool]
    sender: Mapped[str] = mapped_column(String(128))
    message_id: Mapped[str]
    traits: Mapped[dict[str, Any]] = mapped_column(JSONB)
    ins_digest_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    state: Mapped[str] = mapped_column(index=True)
    attempt_no: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    due_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")
    ins_digest = sealed_text("ins_digest_sealed")


class ForeignData(Base):
    """Health data that waits for the verification of its INS (RIS.INS.47).

    *reference* names the data where they rest (`ris.interop`); nothing clinical is copied here.
    """

    __tablename__ = "foreign_data"
    __table_args__ = (
        one_of("state", HeldState),
        UniqueConstraint("kind", "reference"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    foreign_id: Mapped[UUID] = mapped_column(ForeignKey("foreign_identity.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(index=True)
    held_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
