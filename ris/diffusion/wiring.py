"""What the deliveries need from the rest of the product, gathered once by `ris.app`.

Ports and one frozen bundle only; no behaviour.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth.values import Authentication, Professional
from ris.core.db import Database
from ris.diffusion.decision import Facts
from ris.diffusion.settings import DiffusionSettings
from ris.reports.channels import Channel, ChannelName, SignedDocument


class Documents(Protocol):
    """The reports, as seen from here."""

    def freeze(
        self,
        session: Session,
        report_id: UUID,
        signer: Professional,
        *,
        signed_by: UUID,
        authentication: Authentication | None,
        at: datetime,
        read_version: int | None = None,
    ) -> SignedDocument:
        """Lock the report, validate it and freeze its artefacts in the caller's transaction.

        *signed_by* is the account of *signer*, *authentication* the sign-in he acts in,
        *read_version* the version he read (`Stale`).
        """
        ...

    def renew(self, session: Session, report_id: UUID) -> SignedDocument:
        """Freeze version N+1 with the same clinical content: identity or visibility changed."""
        ...

    def load(self, session: Session, document_id: UUID) -> SignedDocument:
        """Return a signed version with the very bytes stored."""
        ...

    def current(self, session: Session, report_id: UUID) -> SignedDocument:
        """Return the signed version in force. Raises when nothing is signed."""
        ...

    def correspondent(self, session: Session, document: SignedDocument, rpps: str) -> Professional:
        """Return a professional of the document or of the directory, with his address if known."""
        ...


class Gather(Protocol):
    """Gives the facts of the sending decision as they are now."""

    def __call__(self, session: Session, document_id: UUID) -> Facts:
        """Return the facts of the signed version *document_id*."""
        ...


@dataclass(frozen=True, slots=True)
class Upkeep:
    """A periodic job of a feature: *run* every *every_s* seconds, once over all the workers."""

    name: str
    every_s: int
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Diffusion:
    """Everything the delivery services and the worker take as an argument."""

    database: Database
    channels: Mapping[ChannelName, Channel]
    settings: DiffusionSettings
    documents: Documents
    facts: Gather
    upkeep: tuple[Upkeep, ...] = field(default=())
