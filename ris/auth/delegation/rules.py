"""Who acts under a delegation, and whether one covers an act (auth.md §9.2 marks d, §9.3). Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ris.auth.delegation.values import DelegatedAction, Given, Responsible
from ris.auth.rights import Permission, Role, allowed

# Their own line of the matrix lets them send: a physician in his structure, a service account by
# order of an act. Whoever is not named here acts in somebody's name.
_ON_THEIR_OWN: Final = frozenset({Role.RADIOLOGIST, Role.NUCLEAR_PHYSICIAN, Role.INTEGRATOR})


def needs_delegation(role: Role) -> bool:
    """Say whether *role* sends and sends again only in a physician's name."""
    return role not in _ON_THEIR_OWN


def beyond(role: Role, actions: Iterable[DelegatedAction]) -> list[DelegatedAction]:
    """Return those of *actions* that *role* could not do: a delegation adds no right to a role."""
    return sorted(one for one in actions if not allowed(role, Permission(one)))


def covers(given: Given, action: DelegatedAction, responsible: Responsible, at: datetime) -> bool:
    """Say whether *given* lets its delegate do *action* for *responsible* at *at*."""
    return (
        given.revoked_at is None
        and given.period.holds(at)
        and action in given.actions
        and (given.delegator_id, given.struct_idnat)
        == (responsible.account_id, responsible.struct_idnat)
    )
