"""Tables of MSSanté: the frozen message of a delivery, what came back, what patients refused.

No state here: `delivery` is the only truth about what happened (ruling 28). Bytes and addresses
are sealed: a patient address contains the matricule.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import ids
from ris.core.db import Base, one_of
from ris.core.sealed import SealedBlob
from ris.mss.bodies import Purpose
from ris.mss.receipts import ReceiptKind, ReceiptState


class MssMessage(Base):
    """What one MSSanté delivery sends, frozen at signature, and the facts the operator told us.

    *envid* is the RFC 3461 ENVID (the uuid of the Message-ID without hyphens); *thread* the
    Message-IDs it replaces, oldest first. *ps_idnat* and *struct_idnat* say whose certificate
    proves it. *recipient_hash*: 12 hexadecimal characters of the keyed digest of the address.
    """

    __tablename__ = "mss_message"
    __table_args__ = (one_of("purpose", Purpose),)

    delivery_id: Mapped[UUID] = mapped_column(
        ForeignKey("delivery.id", deferrable=True, initially="DEFERRED"), primary_key=True
    )
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    channel: Mapped[str]
    purpose: Mapped[str]
    mailbox: Mapped[str] = mapped_column(index=True)
    ps_idnat: Mapped[str]
    struct_idnat: Mapped[str]
    message_id: Mapped[str] = mapped_column(unique=True)
    envid: Mapped[str] = mapped_column(unique=True)
    thread: Mapped[list[str]] = mapped_column(JSONB, default=list)
    recipient_sealed: Mapped[bytes] = mapped_column(SealedBlob)
    recipient_hash: Mapped[str]
    raw_sealed: Mapped[bytes] = mapped_column(SealedBlob)
    raw_sha256: Mapped[str]
    archive_sha256: Mapped[str]
    size: Mapped[int]
    ins_qualified: Mapped[bool]
    codes: Mapped[list[str]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    attempted_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    smtp_reply: Mapped[str | None]
    tls_session: Mapped[str | None]
    dsn: Mapped[str | None]
    dsn_cause: Mapped[str | None]
    dsn_at: Mapped[datetime | None]
    mdn: Mapped[str | None]
    mdn_code: Mapped[int | None]
    mdn_at: Mapped[datetime | None]


class MssReceipt(Base):
    """One receipt read in a mailbox; *applied_at* is null until the delivery took it."""

    __tablename__ = "mss_receipt"
    __table_args__ = (
        UniqueConstraint("mailbox", "uidvalidity", "uid"),
        one_of("kind", ReceiptKind),
        one_of("state", ReceiptState),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    mailbox: Mapped[str]
    uidvalidity: Mapped[int]
    uid: Mapped[int]
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("mss_message.delivery_id"), index=True)
    kind: Mapped[str]
    state: Mapped[str | None]
    cause: Mapped[str]
    code: Mapped[int | None]
    raw_sealed: Mapped[bytes] = mapped_column(SealedBlob)
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]


class MssCursor(Base):
    """How far a mailbox has been read (IMAP UIDVALIDITY and UID)."""

    __tablename__ = "mss_cursor"

    mailbox: Mapped[str] = mapped_column(primary_key=True)
    uidvalidity: Mapped[int]
    last_uid: Mapped[int]


class MssRefusal(Base):
    """What a patient refuses: *professional* sending (RIS.MSS.25), *patient* sending (RIS.MSS.21).

    No row: nothing refused. Who changed what, and when, is in the journal.
    """

    __tablename__ = "mss_refusal"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    professional: Mapped[bool]
    patient: Mapped[bool]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID | None] = mapped_column(Uuid)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012
