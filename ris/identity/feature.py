"""What the identity services are given at wiring time, and what they tell the other rooms.

`ris.app` builds one `IdentityFeature` and puts it on `app.state.identity`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from cryptography import x509
from sqlalchemy import Select
from sqlalchemy.orm import Session

from ris.auth.compartments.scope import Scope
from ris.core.errors import NotConfigured
from ris.identity.bulk.values import LotAnswer, LotItem
from ris.identity.errors import DegradedNotNeeded, RiIsExternal
from ris.identity.insi.values import Caller, InsiAnswer, Query
from ris.identity.settings import IdentitySettings
from ris.identity.states import Event
from ris.identity.values import Status


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an identity, for the rooms that must react in the same transaction."""

    patient_id: UUID
    event: Event
    before: Status | None
    after: Status
    propagate: bool
    worklist: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One document that left for a patient, and how far it came."""

    at: datetime
    report_id: UUID
    delivery_id: UUID
    channel: str
    state: str
    with_ins: bool


class InsiGateway(Protocol):
    """The port to INSi; `ris.identity.insi.client.InsiClient` is the real one."""

    def search(self, query: Query, *, caller: Caller, message_id: str) -> InsiAnswer:
        """Return INSi's answer; raises `RemoteError` subclasses, never a false "none found"."""
        ...

    def deposit(
        self, lot: UUID, items: Sequence[LotItem], *, caller: Caller, message_id: str
    ) -> None:
        """Leave a lot of INS to verify; leaving the same lot twice has no effect."""
        ...

    def collect(self, lot: UUID, *, caller: Caller, message_id: str) -> LotAnswer:
        """Return what became of a lot."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


@dataclass(frozen=True)
class IdentityFeature:
    """Settings, site and ports of the identity room.

    *sent_since* lists what left for a patient since a day, inside a scope, and *practices* are
    queries of (patient, practice that files something under him), both wired by `ris.app`.
    *production* refuses test INS; *subscribers* are called with the session for each `Change`;
    *partners* name the systems attached to this identity repository (RIS.INS.34); *card_trust* says
    which CPx cards may call INSi, by raising `CardRefused` (None: none may).
    """

    settings: IdentitySettings
    ipp_oid: str
    production: bool
    insi: InsiGateway | None = None
    subscribers: list[Callable[[Session, Change], None]] = field(default_factory=list)
    partners: tuple[str, ...] = ()
    card_trust: Callable[[x509.Certificate], None] | None = None
    sent_since: Callable[[Session, UUID, date, Scope], Sequence[Sent]] = lambda *_: ()
    practices: tuple[Select[UUID, str | None], ...] = ()

    def require_repository(self) -> None:
        """Raise `RiIsExternal` when another system is the identity repository (ruling 13)."""
        if not self.settings.repository:
            raise RiIsExternal

    def check_creation(self, *, degraded: bool) -> None:
        """Say whether a person may create a record here; *degraded* in an emergency.

        Raises `RiIsExternal`, or `DegradedNotNeeded` where this software is the repository.
        """
        if not degraded:
            self.require_repository()
        elif self.settings.repository:
            raise DegradedNotNeeded

    def require_insi(self) -> InsiGateway:
        """Return the port to INSi; raises `NotConfigured`."""
        if self.insi is None:
            raise NotConfigured("Le téléservice INSi n'est pas configuré (RIS_IDENTITY__INSI__…).")
        return self.insi

    def close(self) -> None:
        """Close the connections to INSi."""
        if self.insi is not None:
            self.insi.close()
