"""Giving, revoking, listing and using delegations, in the caller's transaction.

Who needs one and what one covers is `rules.py`; what is done under it belongs to the feature.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from ris.auth import periods, sessions, situations
from ris.auth.accounts import role_of
from ris.auth.delegation.errors import (
    DelegatedStructureRefused,
    DelegateRefused,
    DelegationExists,
    DelegationMissing,
    DelegationUnknown,
)
from ris.auth.delegation.model import Delegation
from ris.auth.delegation.rules import beyond, covers, needs_delegation
from ris.auth.delegation.values import DelegatedAction, Responsible
from ris.auth.model import Account, AccountStatus
from ris.auth.periods import Period
from ris.auth.rights import Role
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.errors import Unauthenticated


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a physician wants to delegate, to whom, for which of his structures, until when."""

    delegate_id: UUID
    struct_idnat: str
    actions: frozenset[DelegatedAction]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """One delegation, and the accounts at its two ends."""

    row: Delegation
    delegator: Account
    delegate: Account


def give(session: Session, wanted: Wanted, *, actor: Actor, longest: timedelta) -> Delegation:
    """Record a delegation of *actor*, and trace it (`auth.delegation_grant`).

    Raises Invalid (`PERIOD_INVALID`), DelegatedStructureRefused, or DelegateRefused (nobody,
    oneself, an account that is not active, a role that could not do these acts).
    """
    delegator = _acting(actor)
    period = periods.checked(wanted.since, wanted.until, clock.now(), longest)
    own = situations.usable(session, situations.current(session, delegator))
    if wanted.struct_idnat not in {one.struct_idnat for one in own}:
        raise DelegatedStructureRefused
    _refuse_delegate(session, delegator, wanted)
    _refuse_twin(session, delegator, wanted, period)
    row = Delegation(
        delegator_id=delegator,
        delegate_id=wanted.delegate_id,
        struct_idnat=wanted.struct_idnat,
        actions=sorted(wanted.actions),
        valid_from=period.since,
        valid_to=period.until,
    )
    session.add(row)
    session.flush()
    _trace(session, "auth.delegation_grant", row, actor)
    return row


def revoke(session: Session, delegation_id: UUID, *, actor: Actor) -> Delegation:
    """End at once a delegation that *actor* gave, and trace it; ended already, it stays so.

    Raises DelegationUnknown, also for somebody else's.
    """
    row = session.get(Delegation, delegation_id, with_for_update=True)
    if row is None or row.delegator_id != _acting(actor):
        raise DelegationUnknown
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        session.flush()
        _trace(session, "auth.delegation_revoke", row, actor)
    return row


def of_account(session: Session, account_id: UUID) -> list[Seen]:
    """Return the delegations an account gave or received, ended ones included, newest first."""
    query = (
        select(Delegation)
        .where(or_(Delegation.delegator_id == account_id, Delegation.delegate_id == account_id))
        .order_by(Delegation.created_at.desc(), Delegation.id.desc())
    )
    return [seen(session, row) for row in session.scalars(query)]


def seen(session: Session, row: Delegation) -> Seen:
    """Return a delegation with who gave and who received it."""
    delegator = session.get_one(Account, row.delegator_id)
    return Seen(row, delegator, session.get_one(Account, row.delegate_id))


def delegates(session: Session) -> Sequence[Account]:
    """Return the people of the site to whom something may be delegated, by name."""
    query = select(Account).where(Account.status == AccountStatus.ACTIVE)
    return [
        account
        for account in session.scalars(query.order_by(Account.family, Account.given, Account.id))
        if needs_delegation(role_of(account))
        and not beyond(role_of(account), frozenset(DelegatedAction))
    ]


def authorise(
    session: Session,
    action: DelegatedAction,
    responsible: Responsible,
    *,
    actor: Actor,
    role: Role,
    required: bool,
) -> Actor:
    """Return *actor* as the journal must know him for *action* in the name of *responsible*.

    Whoever is not *responsible* himself acts on his behalf, under his structure. Where the role
    needs a delegation and one is *required*, raises DelegationMissing, which names the physician.
    """
    if _acting(actor) == responsible.account_id:
        return replace(actor, acting_struct_idnat=responsible.struct_idnat)
    physician = session.get_one(Account, responsible.account_id)
    if required and needs_delegation(role) and not _delegated(session, action, physician, actor,
                                                              responsible):  # fmt: skip
        raise DelegationMissing(action.label, name_of(physician))
    return replace(
        actor,
        on_behalf_of_id=responsible.account_id,
        acting_struct_idnat=responsible.struct_idnat,
    )


def name_of(account: Account) -> str:
    """Return the name of an account for a reader."""
    return f"{account.given} {account.family}".strip()


def _delegated(
    session: Session,
    action: DelegatedAction,
    physician: Account,
    actor: Actor,
    responsible: Responsible,
) -> bool:
    """Say whether a physician who may still act has delegated this to *actor*.

    What is found is held until the commit: a revocation waits for the act, or the act is refused.
    """
    query = select(Delegation).where(
        Delegation.delegator_id == physician.id, Delegation.delegate_id == actor.account_id
    )
    locked = query.order_by(Delegation.id).with_for_update(read=True)
    held = session.scalars(locked, execution_options={"populate_existing": True}).all()
    now = clock.now()
    return physician.status == AccountStatus.ACTIVE and any(
        covers(row.value, action, responsible, now) for row in held
    )


def _refuse_delegate(session: Session, delegator: UUID, wanted: Wanted) -> None:
    delegate = session.get(Account, wanted.delegate_id)
    if delegate is None or delegate.status != AccountStatus.ACTIVE:
        raise DelegateRefused("Cette personne n'a pas de compte actif ici.")
    if delegate.id == delegator or not needs_delegation(role_of(delegate)):
        raise DelegateRefused("Cette personne n'agit pas par délégation.")
    if refused := beyond(role_of(delegate), wanted.actions):
        listed = ", ".join(f"« {one.label} »" for one in refused)
        raise DelegateRefused(f"Son rôle ne permet pas : {listed}.")


def _refuse_twin(session: Session, delegator: UUID, wanted: Wanted, period: Period) -> None:
    """Raise `DelegationExists` when one not revoked shares an act, the people and some days."""
    sessions.lock_account(session, delegator)
    query = select(Delegation.actions).where(
        Delegation.delegator_id == delegator,
        Delegation.delegate_id == wanted.delegate_id,
        Delegation.struct_idnat == wanted.struct_idnat,
        Delegation.revoked_at.is_(None),
        Delegation.valid_from < period.until,
        Delegation.valid_to > period.since,
    )
    if any(wanted.actions & set(actions) for actions in session.scalars(query)):
        raise DelegationExists("Révoquez-la d'abord, ou choisissez d'autres dates.")


def _acting(actor: Actor) -> UUID:
    if actor.account_id is None:
        raise Unauthenticated
    return actor.account_id


def _trace(session: Session, action: str, row: Delegation, actor: Actor) -> None:
    audit.record(
        session,
        action,
        actor=actor,
        target=("delegation", row.id),
        detail={
            "delegate_id": str(row.delegate_id),
            "struct_idnat": row.struct_idnat,
            "actions": list(row.actions),
            "valid_from": row.valid_from.isoformat(),
            "valid_to": row.valid_to.isoformat(),
        },
    )
