"""Tables of orders and exams. Values in and out are those of `values.py`; no rule here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Sequence, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.orders.states import ExamStatus

accession_sequence = Sequence("accession_number_seq", data_type=BigInteger, metadata=Base.metadata)


class ImagingOrder(Base):
    """A request for an exam. *requester* and *recipients* are `Professional` values as JSON."""

    __tablename__ = "imaging_order"
    __table_args__ = (UniqueConstraint("order_oid", "order_number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.new)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    order_number: Mapped[str]
    order_oid: Mapped[str]
    issued_locally: Mapped[bool]
    requester: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recipients: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class ExamRecord(Base):
    """One exam of an order: the identifiers this RIS issued and what the modality performed.

    *acting_struct_idnat* is the practice that owns it (`compartment.py`), None before one is known.
    """

    __tablename__ = "exam"
    __table_args__ = (
        one_of("status", ExamStatus),
        UniqueConstraint("accession_oid", "accession_number"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=ids.new)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("imaging_order.id"), index=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    acting_struct_idnat: Mapped[str | None] = mapped_column(index=True)
    accession_number: Mapped[str]
    accession_oid: Mapped[str]
    study_uid: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default=ExamStatus.SCHEDULED)
    procedure: Mapped[dict[str, Any]] = mapped_column(JSONB)
    study: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    scheduled_at: Mapped[datetime]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012
