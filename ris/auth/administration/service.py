"""Acts on accounts: open, suspend, reactivate, close; what an administrator sees of them.

Roles are given by `accounts.grant`. Every act is traced and serialised; sessions of an account
taken away end in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ris.auth import situations
from ris.auth.administration import alerts, ending, guards, states
from ris.auth.administration.errors import AccountMerged, AccountUnknown, ActImpossible
from ris.auth.administration.model import AccountAlert
from ris.auth.administration.states import Act
from ris.auth.enrolment import registry
from ris.auth.model import Account, AccountIdentifier, AccountStatus, Situation
from ris.auth.rights import Role
from ris.core import audit
from ris.core.audit import Actor
from ris.rem import satisfies
from ris.web import etag
from ris.web.pages import PageQuery

_TRACED = {
    Act.ACTIVATE: "auth.account_activated",
    Act.SUSPEND: "auth.account_suspended",
    Act.REACTIVATE: "auth.account_reactivated",
    Act.CLOSE: "auth.account_closed",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An account with all that is known of it here."""

    account: Account
    identifiers: Sequence[AccountIdentifier]
    situations: Sequence[Situation]
    usable: Sequence[Situation]
    alerts: Sequence[AccountAlert]


def listed(
    session: Session,
    paging: PageQuery,
    *,
    status: AccountStatus | None = None,
    role: Role | None = None,
) -> tuple[list[Account], str | None]:
    """Return the accounts, oldest first, and the cursor of the next page."""
    at, key = Account.created_at, Account.id
    query = select(Account)
    if status is not None:
        query = query.where(Account.status == status)
    if role is not None:
        query = query.where(Account.role == role)
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    rows = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    return paging.cut(rows, lambda row: (row.created_at.isoformat(), str(row.id)))


@satisfies("SC.SSI/IE.33")
def read(session: Session, account_id: UUID) -> Seen:
    """Return one account: identifiers, names, professions, workplaces; raises AccountUnknown."""
    account = session.get(Account, account_id)
    if account is None:
        raise AccountUnknown
    query = select(AccountIdentifier).where(AccountIdentifier.account_id == account.id)
    held = session.scalars(query.order_by(AccountIdentifier.id)).all()
    current = situations.current(session, account.id)
    return Seen(
        account,
        held,
        current,
        situations.usable(session, current),
        alerts.waiting(session, account.id),
    )


def activate(
    session: Session,
    account_id: UUID,
    role: Role,
    *,
    identity_habilitated: bool,
    if_match: str | None,
    actor: Actor,
) -> Account:
    """Open an account that was asked for, with a role.

    Raises AccountUnknown, Stale, ActImpossible, OwnAccount or RoleSeparation.
    """
    account = _begin(session, account_id, if_match, actor)
    status = _after(account, Act.ACTIVATE)
    guards.refuse_role(session, account, role, convert=False)
    account.role, account.identity_habilitated = role, identity_habilitated
    account.granted_by_id = actor.account_id
    detail = {"role": role, "identity_habilitated": identity_habilitated}
    return _end(session, account, Act.ACTIVATE, status, actor=actor, detail=detail)


@satisfies("SC.SSI/IAM.91")
def change(
    session: Session,
    account_id: UUID,
    act: Act,
    *,
    reason: str = "",
    if_match: str | None,
    actor: Actor,
) -> Account:
    """Suspend, reactivate or close an account; its sessions end with it.

    Raises AccountUnknown, Stale, ActImpossible, OwnAccount, LastAdministrator or AccountMerged.
    """
    account = _begin(session, account_id, if_match, actor)
    status = _after(account, act)
    if act is Act.REACTIVATE:
        _refuse_merged(session, account)
        role = Role(account.role) if account.role else None
        if role is not None:
            guards.refuse_role(session, account, role, convert=False)
    else:
        guards.refuse_last(session, account)
    detail: dict[str, object] = {"reason": reason} if reason else {}
    return _end(session, account, act, status, actor=actor, detail=detail)


def _begin(session: Session, account_id: UUID, if_match: str | None, actor: Actor) -> Account:
    guards.serialise(session, actor)
    account = guards.locked(session, account_id)
    etag.check(if_match, account.version)
    guards.refuse_himself(session, account, actor)
    return account


def _after(account: Account, act: Act) -> AccountStatus:
    status = states.after(AccountStatus(account.status), act, has_role=account.role is not None)
    if status is None:
        raise ActImpossible
    return status


def _refuse_merged(session: Session, account: Account) -> None:
    if account.ps_idnat is not None and not registry.held_by(session, account.id):
        raise AccountMerged


def _end(
    session: Session,
    account: Account,
    act: Act,
    status: AccountStatus,
    *,
    actor: Actor,
    detail: dict[str, object],
) -> Account:
    account.status = status
    account.version += 1
    session.flush()
    ended = 0
    if status is not AccountStatus.ACTIVE:
        ended = ending.end_sessions(session, account.id, actor)
    audit.record(
        session,
        _TRACED[act],
        actor=actor,
        target=("account", account.id),
        detail=detail | {"sessions": ended},
    )
    return account
