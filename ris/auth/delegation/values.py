"""Plain values of a delegation. No database, no HTTP."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ris.auth.periods import Period
from ris.auth.rights import LABELS, Permission


class DelegatedAction(StrEnum):
    """What may be delegated, named by its right; signing, correcting and DMP control never are."""

    MSS_SEND = Permission.MSS_SEND.value
    DELIVERY_RETRY = Permission.DELIVERY_RETRY.value

    @property
    def label(self) -> str:
        """Return the French words for it."""
        return LABELS[Permission(self)]


@dataclass(frozen=True, slots=True)
class Responsible:
    """Who answers for an act that leaves: the account that signed, and under which structure."""

    account_id: UUID
    struct_idnat: str


@dataclass(frozen=True, slots=True)
class Given:
    """One delegation: *delegator* lets *delegate* do *actions* for one of his structures."""

    delegator_id: UUID
    delegate_id: UUID
    struct_idnat: str
    actions: frozenset[DelegatedAction]
    period: Period
    revoked_at: datetime | None = None
