"""Tables of identity: patient, history, documents shown, INSi calls, search keys, IPP series.

Columns and constraints only. The database itself refuses a matricule outside récupérée and
qualifiée, and a status above provisoire for a douteuse or fictive identity. A matricule is sealed
at rest; its keyed digest serves equality search and uniqueness.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ris.auth.values import Address
from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import Digest, Kept, Plain, Sealed, sealed_json, sealed_text
from ris.identity.insi.values import CallMode, Subject
from ris.identity.states import Event
from ris.identity.values import Attribute, Ins, PatientIdentity, Sex, Status, Traits

IPP_MAX: Final = 32
_PATIENT: Final = "patient.id"
_SINGULAR: Final = " OR ".join(
    f"attributes @> '[\"{attribute}\"]'" for attribute in (Attribute.DOUTEUSE, Attribute.FICTIVE)
)


class Decision(StrEnum):
    """What the user did with an INSi answer; `none` where nothing was to decide."""

    NONE = "none"
    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Patient(Base):
    """A patient record: traits, status, INS, contact. `billing_number` is no INS.

    *review* tells why a person must look at it, and since when (`ris.identity.review`);
    *struct_idnat* is the practice that created it, None for a feed or staff of several practices;
    *birth_date_raw* is the date as a document or a feed wrote it, where *birth_date* had to be
    interpreted (ins.md R-DAT-01); *merged_into_id* the survivor, once the record is absorbed.
    """

    __tablename__ = "patient"
    __table_args__ = (
        one_of("status", Status),
        one_of("sex", Sex),
        CheckConstraint(
            f"ins_sealed IS NULL OR status IN ('{Status.RECUPEREE}', '{Status.QUALIFIEE}')",
            name="ins_by_status",
        ),
        CheckConstraint("num_nulls(ins_sealed, ins_digest, ins_oid) IN (0, 3)", name="ins_whole"),
        CheckConstraint(f"status = '{Status.PROVISOIRE}' OR NOT ({_SINGULAR})", name="blocking"),
        CheckConstraint("merged_into_id <> id", name="merged_elsewhere"),
        Index(
            "uq_patient_ins",
            "ins_digest",
            "ins_oid",
            unique=True,
            postgresql_where="ins_digest IS NOT NULL",
        ),
        Index("ix_patient_review", "updated_at", "id", postgresql_where="review <> '{}'"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    ipp: Mapped[str] = mapped_column(String(IPP_MAX), unique=True)
    ipp_oid: Mapped[str]
    birth_family: Mapped[str] = mapped_column(String(100))
    birth_given_names: Mapped[str] = mapped_column(String(100))
    first_birth_given: Mapped[str] = mapped_column(String(100))
    birth_date: Mapped[date] = mapped_column(Date, index=True)
    birth_date_raw: Mapped[str | None] = mapped_column(String(10))
    sex: Mapped[str] = mapped_column(String(1))
    birth_place: Mapped[str] = mapped_column(String(5))
    used_family: Mapped[str] = mapped_column(String(100), default="")
    used_given: Mapped[str] = mapped_column(String(100), default="")
    status: Mapped[str] = mapped_column(default=Status.PROVISOIRE.value)
    attributes: Mapped[list[str]] = mapped_column(JSONB, default=list)
    ins_sealed: Mapped[Plain | Kept | None] = mapped_column(Sealed)
    ins_digest: Mapped[str | bytes | None] = mapped_column(Digest("ins"))
    ins_oid: Mapped[str | None] = mapped_column(String(20))
    address: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    phone: Mapped[str] = mapped_column(default="")
    billing_sealed: Mapped[Plain | Kept | None] = mapped_column(Sealed)
    review: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict, server_default="{}")
    struct_idnat: Mapped[str | None] = mapped_column(String(64), index=True)
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey(_PATIENT), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
    version: Mapped[int] = mapped_column()
    ins_matricule = sealed_text("ins_sealed", digest="ins_digest")
    billing_number = sealed_text("billing_sealed")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own form

    @property
    def traits(self) -> Traits:
        """The identity traits as plain values."""
        return Traits(
            birth_family=self.birth_family,
            birth_given_names=tuple(self.birth_given_names.split()),
            first_birth_given=self.first_birth_given,
            birth_date=self.birth_date,
            sex=Sex(self.sex),
            birth_place=self.birth_place,
            used_family=self.used_family,
            used_given=self.used_given,
        )

    @traits.setter
    def traits(self, traits: Traits) -> None:
        self.birth_family = traits.birth_family
        self.birth_given_names = " ".join(traits.birth_given_names)
        self.first_birth_given = traits.first_birth_given
        self.birth_date = traits.birth_date
        self.sex = traits.sex.value
        self.birth_place = traits.birth_place
        self.used_family = traits.used_family
        self.used_given = traits.used_given

    @property
    def subject(self) -> Subject:
        """Whom INSi is asked about: the traits, the birth date as it was told."""
        return Subject(self.traits, self.birth_date_raw or "")

    @property
    def identity(self) -> PatientIdentity:
        """The patient as other rooms see him. Its `ins` is what the base holds: ask the gate."""
        matricule = self.ins_matricule
        return PatientIdentity(
            id=self.id,
            ipp=self.ipp,
            ipp_oid=self.ipp_oid,
            traits=self.traits,
            status=Status(self.status),
            attributes=frozenset(Attribute(attribute) for attribute in self.attributes),
            ins=Ins(matricule, self.ins_oid) if matricule and self.ins_oid else None,
            address=Address(**{**self.address, "lines": tuple(self.address.get("lines", ()))}),
            phone=self.phone,
        )


class IdentityHistory(Base):
    """One event of an identity: statuses, why, who, on what evidence (RIS.INS.26).

    *changes* holds `{field: [before, after]}` of traits; *propagate* marks what feeds must send.
    """

    __tablename__ = "identity_history"
    __table_args__ = (
        one_of("event", Event),
        one_of("to_status", Status),
        CheckConstraint(
            "from_status IS NULL OR from_status IN ("
            + ", ".join(f"'{status}'" for status in Status)
            + ")",
            name="from_status",
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey(_PATIENT), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    event: Mapped[str]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    ps_idnat: Mapped[str | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    worklist: Mapped[bool] = mapped_column(default=False)
    propagate: Mapped[bool] = mapped_column(default=False)
    patient: Mapped[Patient] = relationship(lazy="raise")


class IdentityDocument(Base):
    """A document or electronic means that was shown: its type, never its number nor its image.

    *traits_digest* binds a validation to the traits it saw (ins.md R-STA-03).
    """

    __tablename__ = "identity_document"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey(_PATIENT), index=True)
    type: Mapped[str] = mapped_column(String(8))
    trust: Mapped[str] = mapped_column(String(8))
    companion: Mapped[str | None] = mapped_column(String(8))
    expires_on: Mapped[date | None] = mapped_column(Date)
    validated: Mapped[bool] = mapped_column(default=False)
    traits_digest: Mapped[str] = mapped_column(String(64))
    recorded_at: Mapped[datetime] = mapped_column(default=clock.now)
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    ps_idnat: Mapped[str | None]


class InsiCall(Base):
    """One call of INSi: who, for which structure, how, and all that came back (RIS.INS.40)."""

    __tablename__ = "insi_call"
    __table_args__ = (one_of("decision", Decision), one_of("mode", CallMode))

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey(_PATIENT), index=True)
    operation: Mapped[str] = mapped_column(String(8))
    mode: Mapped[str]
    message_id: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]
    duration_ms: Mapped[int]
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    ps_idnat: Mapped[str | None]
    struct_idnat: Mapped[str | None]
    code: Mapped[str | None] = mapped_column(String(2))
    fault: Mapped[str | None]
    answer_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    traits_digest: Mapped[str] = mapped_column(String(64))
    decision: Mapped[str] = mapped_column(default=Decision.NONE.value)
    decision_reason: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]
    answer = sealed_json("answer_sealed")


class IdentityKey(Base):
    """One searchable form of one name of a patient (engineering.md §2.6)."""

    __tablename__ = "identity_key"

    patient_id: Mapped[UUID] = mapped_column(
        ForeignKey(_PATIENT, ondelete="CASCADE"), primary_key=True
    )
    field: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(100, collation="C"), primary_key=True, index=True)
    patient: Mapped[Patient] = relationship(lazy="raise")


class IppSeries(Base):
    """The last IPP issued by one assigning authority (the site's `ipp_oid`)."""

    __tablename__ = "ipp_series"

    authority: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]
