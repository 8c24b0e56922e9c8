"""Tables of the reports: `report` (being written), `document_version` (signed), its check.

Columns, constraints and triggers only; the machine is in `lifecycle`, the acts in `service`.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import ids
from ris.core.db import Base, one_of
from ris.core.sealed import Kept, Plain, Sealed, sealed_bytes, sealed_json
from ris.reports.content import VersionKind
from ris.reports.lifecycle import State

# A rotation may wrap the data key anew; what it sealed (nonce and ciphertext) may not change.
DDL_DOCUMENT_VERSION_IS_IMMUTABLE: Final = """
CREATE FUNCTION sealed_part(sealed bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT substring(sealed FROM 7 + get_byte(sealed, 4) + get_byte(sealed, 5))
$$;
CREATE FUNCTION document_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND to_jsonb(NEW) - '{status,content_sealed,n1_sealed,n3_sealed,pdf_sealed}'::text[]
          = to_jsonb(OLD) - '{status,content_sealed,n1_sealed,n3_sealed,pdf_sealed}'::text[]
        AND sealed_part(NEW.content_sealed) = sealed_part(OLD.content_sealed)
        AND sealed_part(NEW.n1_sealed) = sealed_part(OLD.n1_sealed)
        AND sealed_part(NEW.n3_sealed) = sealed_part(OLD.n3_sealed)
        AND sealed_part(NEW.pdf_sealed) = sealed_part(OLD.pdf_sealed)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'document_version is immutable';
END $$;
CREATE TRIGGER document_version_is_immutable BEFORE UPDATE OR DELETE ON document_version
    FOR EACH ROW EXECUTE FUNCTION document_version_is_immutable();
"""
DDL_DOCUMENT_VERSION_IS_MUTABLE: Final = (
    "DROP FUNCTION IF EXISTS document_version_is_immutable() CASCADE;"
    "DROP FUNCTION IF EXISTS sealed_part(bytea);"
)


class Report(Base):
    """One report of one exam through all its versions.

    *status* is the state of the version being written (or the last one); *current_version* the
    number of the last signed version, 0 before the first; *draft_kind* why the next one is being
    written. *author_account_id* is the radiologist in charge. *to_validate* is the worklist flag
    WRITTEN / TO_VALIDATE of ruling 16. *sections* and *visibility* are `content_codec` JSON.
    *withdrawn_authenticated_at* and *withdrawn_auth_method*: the sign-in of the signer who deleted
    it himself.
    """

    __tablename__ = "report"
    __table_args__ = (
        one_of("status", State),
        one_of("draft_kind", VersionKind),
        Index(
            "uq_report_live_exam",
            "exam_id",
            unique=True,
            postgresql_where=text("status NOT IN ('CANCELLED', 'DELETED')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    exam_id: Mapped[UUID] = mapped_column(ForeignKey("exam.id"))
    status: Mapped[str] = mapped_column(default=State.DRAFT)
    draft_kind: Mapped[str] = mapped_column(default=VersionKind.INITIAL)
    to_validate: Mapped[bool] = mapped_column(default=False)
    author_account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    situation_id: Mapped[UUID | None] = mapped_column(Uuid)
    title: Mapped[str]
    sections: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    visibility: Mapped[list[str]] = mapped_column(JSONB, default=list)
    n1_set_id: Mapped[str] = mapped_column(unique=True, default=ids.new_oid)
    n3_set_id: Mapped[str] = mapped_column(unique=True, default=ids.new_oid)
    current_version: Mapped[int] = mapped_column(default=0)
    announcement_needed: Mapped[bool] = mapped_column(default=False)
    announcement_done_at: Mapped[datetime | None]
    announcement_done_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    withdrawn_authenticated_at: Mapped[datetime | None]
    withdrawn_auth_method: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class DocumentVersion(Base):
    """One signed version and its frozen artefacts: only `status` may change afterwards (trigger).

    Content and artefacts are sealed at rest: each may hold the matricule. *content* is the whole
    `ReportContent` as JSON; hashes are SHA-256 of the plain bytes; *signed_by* is the account of
    the signer, *authenticated_at* and *auth_method* the sign-in he signed in (none before 0017),
    *replaces_id* the version before.
    """

    __tablename__ = "document_version"
    __table_args__ = (
        one_of("status", State),
        one_of("kind", VersionKind),
        UniqueConstraint("report_id", "number"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    report_id: Mapped[UUID] = mapped_column(ForeignKey("report.id"))
    number: Mapped[int]
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=State.VALIDATED)
    content_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    n1_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    n3_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    pdf_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    n1_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    n3_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    pdf_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    n1_unique_id: Mapped[str] = mapped_column(unique=True)
    n3_unique_id: Mapped[str] = mapped_column(unique=True)
    signed_by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    signed_at: Mapped[datetime]
    authenticated_at: Mapped[datetime | None]
    auth_method: Mapped[str | None]
    created_at: Mapped[datetime]
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("document_version.id"))
    content = sealed_json("content_sealed")
    n1 = sealed_bytes("n1_sealed")
    n3 = sealed_bytes("n3_sealed")
    pdf = sealed_bytes("pdf_sealed")


class DocumentCheck(Base):
    """What the official kit said of one signed version, once; *findings* as JSON, errors only."""

    __tablename__ = "document_check"

    version_id: Mapped[UUID] = mapped_column(ForeignKey("document_version.id"), primary_key=True)
    checked_at: Mapped[datetime]
    valid: Mapped[bool]
    findings: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
