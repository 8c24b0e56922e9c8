"""What the identity services are given at wiring time, and what they tell the other rooms.

`ris.app` builds one `IdentityFeature` and puts it on `app.state.identity`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from cryptography import x509
from sqlalchemy.orm import Session

from ris.core.errors import NotConfigured
from ris.identity.bulk_values import LotAnswer, LotItem
from ris.identity.insi_values import Caller, InsiAnswer, Query
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


class InsiGateway(Protocol):
    """The port to INSi; `ris.identity.insi.InsiClient` is the real one."""

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

    def require_insi(self) -> InsiGateway:
        """Return the port to INSi; raises `NotConfigured`."""
        if self.insi is None:
            raise NotConfigured("Le téléservice INSi n'est pas configuré (RIS_IDENTITY__INSI__…).")
        return self.insi

    def close(self) -> None:
        """Close the connections to INSi."""
        if self.insi is not None:
            self.insi.close()
