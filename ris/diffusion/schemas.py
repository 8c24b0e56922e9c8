"""What the delivery routes take and give. No address and no trait ever leaves by here."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.core import breaker
from ris.diffusion.dashboard import Counts, Period
from ris.diffusion.model import AttemptOutcome, Delivery, DeliveryAttempt
from ris.diffusion.states import LABELS, State
from ris.reports.channels import ChannelName, Operation, SignedDocument
from ris.reports.content import VersionKind, Visibility


class AttemptOut(BaseModel):
    """One attempt: when, by which worker, how it ended."""

    model_config = ConfigDict(from_attributes=True)

    n: int
    started_at: datetime
    ended_at: datetime
    worker: str
    outcome: AttemptOutcome
    error_code: str | None
    error_detail: str | None
    remote_reference: str | None


class DeliveryOut(BaseModel):
    """One delivery as staff see it. *recipient*: PS_IdNat, `patient`, or empty for the DMP.

    *ps_idnat* and *struct_idnat* say in whose name it left (RIS.INS.51).
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    report_id: UUID
    document_id: UUID
    channel: ChannelName
    operation: Operation
    recipient: str
    recipient_name: str = ""
    ps_idnat: str | None
    struct_idnat: str | None
    generation: int
    state: State
    state_label: str
    reason: str | None
    visibility: list[Visibility]
    with_ins: bool
    attempt_no: int
    due_at: datetime
    last_error_code: str | None
    external_id: str | None
    remote_reference: str | None
    blocked_by: UUID | None
    replaces_id: UUID | None
    created_at: datetime
    finished_at: datetime | None
    version: int
    attempts: list[AttemptOut] = []

    @classmethod
    def of(cls, row: Delivery, attempts: "list[DeliveryAttempt] | None" = None) -> Self:
        """Return *row* as shown, with its *attempts* when asked for."""
        person = row.addressee or {}
        shown = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        return cls(
            **shown,
            recipient_name=" ".join(filter(None, (person.get("given"), person.get("family")))),
            state_label=LABELS[State(row.state)],
            attempts=[AttemptOut.model_validate(line) for line in attempts or ()],
        )


class SignatureOut(BaseModel):
    """A version just signed, and what it schedules."""

    document_id: UUID
    report_id: UUID
    version: int
    kind: VersionKind
    signed_at: datetime
    n1_unique_id: str
    n3_unique_id: str
    deliveries: list[DeliveryOut]

    @classmethod
    def of(cls, document: SignedDocument, rows: "list[Delivery]") -> Self:
        """Return the answer to a signature."""
        content = document.content
        return cls(
            document_id=document.version_id,
            report_id=document.report_id,
            version=content.n1.version,
            kind=content.kind,
            signed_at=content.signed_at,
            n1_unique_id=content.n1.unique_id,
            n3_unique_id=content.n3.unique_id,
            deliveries=[DeliveryOut.of(row) for row in rows],
        )


class RecipientIn(BaseModel):
    """A professional to send a signed report to, by RPPS."""

    model_config = ConfigDict(extra="forbid")

    rpps: str = Field(pattern=r"^[0-9]{11}$", description="RPPS, 11 chiffres")


class DeliveriesOut(BaseModel):
    """Every delivery of a report, oldest first."""

    items: list[DeliveryOut]


class ChannelOut(BaseModel):
    """Counts of one channel."""

    model_config = ConfigDict(from_attributes=True)

    total: int
    sent: int
    with_ins: int
    without_ins: int
    failures: int
    waiting: int


class PeriodOut(BaseModel):
    """Counts of one period: per channel, and files with at least one sending of each."""

    name: str
    since: datetime
    until: datetime
    channels: dict[str, ChannelOut]
    files: dict[str, int]
    files_all_three: int

    @classmethod
    def of(cls, period: Period, counts: Counts) -> Self:
        """Return the counts of *period* as shown."""
        return cls(
            name=period.name,
            since=period.since,
            until=period.until,
            channels={
                name: ChannelOut.model_validate(found) for name, found in counts.channels.items()
            },
            files=counts.files,
            files_all_three=counts.files_all_three,
        )


class ServiceOut(BaseModel):
    """A remote service that failed lately: `open` until *open_until*, nothing is asked of it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    state: breaker.State
    failures: int
    opened_at: datetime | None
    open_until: datetime | None


class DashboardOut(BaseModel):
    """The dashboard of the core services."""

    services: list[ServiceOut]

    struct_idnat: str | None
    rpps: str | None
    periods: list[PeriodOut]
