"""The port between the delivery engine and a channel (DMP, MSSanté…). Values and a protocol only.

A channel freezes its own row in the signing transaction (`prepare`), then performs attempts
outside any transaction of the caller (`deliver`, `probe`). Failures are `RemoteError` subclasses
of `ris.core.errors`; the engine alone turns them into delivery states.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth.values import Professional
from ris.reports.content import Level, ReportContent, Visibility


class ChannelName(StrEnum):
    """Channel codes (ruling 30)."""

    DMP = "dmp"
    MSS_PS = "mss_ps"
    MSS_PATIENT = "mss_patient"


class Operation(StrEnum):
    """What one delivery asks of its channel."""

    SUBMIT = "submit"
    REPLACE = "replace"
    DELETE = "delete"
    VISIBILITY = "visibility"
    SEND = "send"
    ANNOUNCE_DELETION = "announce_deletion"


class Probe(StrEnum):
    """What the remote side says of an attempt whose answer was lost."""

    FOUND = "found"
    ABSENT = "absent"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """The frozen artefacts of one signed version: the very bytes stored, hashed, sent and shown."""

    version_id: UUID
    report_id: UUID
    patient_id: UUID
    content: ReportContent
    n1: bytes
    n3: bytes
    pdf: bytes

    def cda(self, level: Level) -> bytes:
        """Return the CDA bytes of *level*."""
        return self.n1 if level is Level.N1 else self.n3


@dataclass(frozen=True, slots=True)
class SendOrder:
    """One delivery to prepare. *recipient* is the professional for `mss_ps`, else None.

    *replaces* is the id of the delivered delivery that a `replace` or `delete` concerns.
    """

    delivery_id: UUID
    channel: ChannelName
    operation: Operation
    recipient: Professional | None = None
    visibility: frozenset[Visibility] = frozenset()
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """One attempt that the engine has begun; *attempt_no* is the fencing token."""

    delivery_id: UUID
    document_id: UUID
    channel: ChannelName
    operation: Operation
    attempt_no: int
    external_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The remote side took it. *remote_reference*: entryUUID, queue id…; safe to show."""

    remote_reference: str | None = None


class Channel(Protocol):
    """What the engine asks of a channel."""

    def prepare(self, session: Session, document: SignedDocument, order: SendOrder) -> str:
        """Freeze the channel's own row in the caller's transaction; return the external id."""
        ...

    def deliver(self, ticket: Ticket) -> Accepted:
        """Perform one attempt; raise a `RemoteError` subclass when it does not succeed."""
        ...

    def probe(self, ticket: Ticket) -> Probe:
        """Ask the remote side whether an earlier attempt of this delivery took effect."""
        ...
