"""What stands before an act on an account: one at a time, not on oneself, never the last one.

Each reads the account as it is now. The pure rules are `states.py` and `separation.py`.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from ris.auth.administration import separation
from ris.auth.administration.errors import (
    AccountUnknown,
    LastAdministrator,
    OwnAccount,
    RoleSeparation,
)
from ris.auth.enrolment import registry
from ris.auth.errors import AccountSuspended
from ris.auth.model import Account, AccountStatus
from ris.auth.rights import Role
from ris.core.audit import Actor

_LOCK: Final = 0x5249_4141  # "RIAA": acts of administration follow each other


def serialise(session: Session, actor: Actor) -> None:
    """Hold acts on accounts until the commit, and refuse an administrator ended meanwhile."""
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if actor.account_id is not None:
        query = select(Account.status).where(Account.id == actor.account_id)
        if session.scalar(query) not in (None, AccountStatus.ACTIVE):
            raise AccountSuspended


def locked(session: Session, account_id: UUID) -> Account:
    """Return an account, locked until the commit; raises AccountUnknown."""
    if session.get(Account, account_id) is None:
        raise AccountUnknown
    return registry.locked(session, account_id)


def refuse_himself(session: Session, account: Account, actor: Actor) -> None:
    """Raise OwnAccount when *actor* is the person of *account*, by whichever account he acts."""
    if is_himself(session, account, actor):
        raise OwnAccount


def is_himself(session: Session, account: Account, actor: Actor) -> bool:
    """Say whether *actor* is the person of *account*, by whichever account he acts."""
    acting = session.get(Account, actor.account_id) if actor.account_id else None
    return acting is not None and _person(acting) == _person(account)


def refuse_last(session: Session, account: Account) -> None:
    """Raise LastAdministrator when *account* is the only one that administers accounts.

    A local account counts, even where local sign-in is switched off for now.
    """
    if (account.role, account.status) != (Role.ADMIN_SECURITY, AccountStatus.ACTIVE):
        return
    others = select(func.count()).where(
        Account.role == Role.ADMIN_SECURITY,
        Account.status == AccountStatus.ACTIVE,
        Account.id != account.id,
    )
    if not session.scalar(others):
        raise LastAdministrator


def refuse_role(session: Session, account: Account, wanted: Role, *, convert: bool) -> bool:
    """Say whether *wanted* turns the account to another family.

    Raises RoleSeparation when that was not asked for in so many words (*convert*), or when the
    person's other account forbids the role.
    """
    former = Role(account.role) if account.role else None
    crossed = separation.crosses(former, wanted)
    if crossed and not convert:
        raise RoleSeparation(
            "Ce compte a un rôle d'une autre famille. Pour administrer aussi, ouvrez un second"
            " compte, local ; pour changer de métier, demandez la conversion du compte."
        )
    if not separation.together(wanted, _others(session, account)):
        raise RoleSeparation("La même personne ne donne pas les droits et n'en relit pas la trace.")
    return crossed


def _others(session: Session, account: Account) -> list[Role]:
    person = _person(account)
    query = select(Account.role).where(
        or_(Account.id == person, Account.owner_id == person),
        Account.id != account.id,
        Account.status != AccountStatus.CLOSED,
    )
    return [Role(role) for role in session.scalars(query) if role]


def _person(account: Account) -> UUID:
    return account.owner_id or account.id
