"""Tables of the DMP feature: what was frozen, what was exchanged, what patients opposed.

No state here: `delivery` is the only truth about what happened (ruling 28). `dmp_exchange` is
append-only.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import ids
from ris.core.db import Base, one_of
from ris.reports.channels import Operation
from ris.reports.content import Level

DDL_DMP_EXCHANGE_IS_APPEND_ONLY: Final = """
CREATE FUNCTION dmp_exchange_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'dmp_exchange is append-only';
END $$;
CREATE TRIGGER dmp_exchange_is_append_only BEFORE UPDATE OR DELETE ON dmp_exchange
    FOR EACH ROW EXECUTE FUNCTION dmp_exchange_is_append_only();
"""
DDL_DMP_EXCHANGE_IS_NOT_APPEND_ONLY: Final = (
    "DROP FUNCTION IF EXISTS dmp_exchange_is_append_only() CASCADE;"
)


class Scope(StrEnum):
    """What an opposition covers: one report, or everything of the patient."""

    REPORT = "report"
    PATIENT = "patient"


class DmpSubmission(Base):
    """What one DMP delivery sends, frozen at signature; the CDA bytes stay in `document_version`.

    *author* is the signing radiologist and his acting structure as they were (JSON of
    `Professional`); *signature* the XAdES bytes over set and document, null until a SIGN
    certificate could make it; *submitted_at* the submissionTime of the set.
    """

    __tablename__ = "dmp_submission"
    __table_args__ = (one_of("operation", Operation), one_of("level", Level))

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("delivery.id"), unique=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("document_version.id"), index=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    operation: Mapped[str]
    level: Mapped[str]
    doc_unique_id: Mapped[str] = mapped_column(index=True)
    set_unique_id: Mapped[str] = mapped_column(unique=True, default=ids.new_oid)
    sig_unique_id: Mapped[str] = mapped_column(unique=True, default=ids.new_oid)
    replaces_delivery_id: Mapped[UUID | None] = mapped_column(ForeignKey("delivery.id"))
    entry_uuid: Mapped[str | None]
    visibility: Mapped[list[str]] = mapped_column(JSONB, default=list)
    author: Mapped[dict[str, Any]] = mapped_column(JSONB)
    struct_idnat: Mapped[str]
    ps_idnat: Mapped[str]
    signature: Mapped[bytes | None] = mapped_column(LargeBinary)
    submitted_at: Mapped[datetime]


class DmpExchange(Base):
    """One exchange with the DMP: codes, times and hashes; no trait, no body (dmp.md §4.2)."""

    __tablename__ = "dmp_exchange"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    delivery_id: Mapped[UUID | None] = mapped_column(ForeignKey("delivery.id"), index=True)
    transaction: Mapped[str]
    message_id: Mapped[str]
    endpoint: Mapped[str]
    struct_idnat: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(index=True)
    duration_ms: Mapped[int]
    http_status: Mapped[int | None]
    outcome: Mapped[str]
    error_codes: Mapped[list[str]] = mapped_column(JSONB, default=list)
    error_text: Mapped[str] = mapped_column(Text, default="")
    request_sha256: Mapped[str] = mapped_column(default="")
    response_sha256: Mapped[str] = mapped_column(default="")


class DmpOpposition(Base):
    """An opposition to feeding, for a legitimate reason; never sent to the DMP (dmp.md §4)."""

    __tablename__ = "dmp_opposition"
    __table_args__ = (
        one_of("scope", Scope),
        Index(
            "uq_dmp_opposition_live",
            "patient_id",
            "report_id",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    scope: Mapped[str]
    report_id: Mapped[UUID | None] = mapped_column(ForeignKey("report.id"))
    reason: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    recorded_at: Mapped[datetime]
    lifted_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    lifted_at: Mapped[datetime | None]
