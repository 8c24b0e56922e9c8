"""Local credentials: created, renewed and disabled by the operator; passwords changed by all.

The initial password and the secret of the one-time codes are given back once, and kept only hashed
and sealed. The person changes the password before it opens anything.
"""

import secrets
import string
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from ris.auth.administration import ending, guards, separation
from ris.auth.administration.errors import ActImpossible, RoleSeparation
from ris.auth.enrolment import registry
from ris.auth.errors import EnrolUnknown
from ris.auth.local import codes, guard, passwords, policy
from ris.auth.local.errors import LoginInvalid, LoginTaken, LoginUnknown
from ris.auth.local.model import LocalCredential, LocalPassword, Purpose
from ris.auth.local.settings import LocalSettings
from ris.auth.model import Account, AccountStatus
from ris.auth.rights import Role
from ris.core import audit, clock
from ris.rem import satisfies

_GROUP: Final = 5
_GROUPS: Final = 5
_ALPHABET: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Handed:
    """What the operator hands over to the person, once: the password, and the phone's address."""

    login: str
    password: str = field(repr=False)
    otpauth: str = field(repr=False)


@satisfies("SC.SSI/IAM.92")
def open_administration(
    session: Session,
    login: str,
    role: Role,
    family: str,
    given: str,
    *,
    settings: LocalSettings,
    owner: str | None = None,
) -> Handed:
    """Create a local administration account, and its credential; say what to hand over.

    *owner* is the PS_IdNat of the same person's ordinary account, if there is one. Raises
    RoleSeparation for a role that is not of administration or that the person may not hold too,
    EnrolUnknown for an unknown owner, LoginInvalid, LoginTaken.
    """
    if role not in separation.ADMINISTRATION:
        raise RoleSeparation("Un compte local d'administration n'a qu'un rôle d'administration.")
    guards.serialise(session, audit.SYSTEM)
    account = Account(
        role=role,
        family=family,
        given=given,
        status=AccountStatus.ACTIVE,
        owner_id=_account(session, owner).id if owner else None,
    )
    session.add(account)
    session.flush()
    guards.refuse_role(session, account, role, convert=False)
    return _create(session, account, login, Purpose.ADMINISTRATION, settings)


def open_emergency(
    session: Session, login: str, ps_idnat: str, *, settings: LocalSettings
) -> Handed:
    """Give a person who has an account here an emergency access to that very account.

    Raises EnrolUnknown, ActImpossible (account not active), RoleSeparation (administration has its
    own local accounts), LoginInvalid, LoginTaken.
    """
    guards.serialise(session, audit.SYSTEM)
    account = _account(session, ps_idnat)
    if account.status != AccountStatus.ACTIVE:
        raise ActImpossible("Le compte de cette personne n'est pas actif.")
    if account.role in separation.ADMINISTRATION:
        raise RoleSeparation("L'accès de secours est pour les soins : ouvrez un compte local.")
    return _create(session, account, login, Purpose.EMERGENCY, settings)


def renew(session: Session, login: str, *, settings: LocalSettings) -> Handed:
    """Give a new initial password and a new second factor, and unlock; ends the sessions.

    Raises LoginUnknown.
    """
    row = found(session, login)
    handed = _hand(session, row, settings)
    row.disabled_at = None
    guard.clear(session, row.login)
    session.flush()
    ended = ending.end_sessions(session, row.account_id, audit.SYSTEM)
    _journal(session, "auth.local_renewed", row, {"sessions": ended})
    return handed


def disable(session: Session, login: str) -> None:
    """Shut a local access and end the sessions of its account; raises LoginUnknown."""
    row = found(session, login)
    row.disabled_at = row.disabled_at or clock.now()
    session.flush()
    ended = ending.end_sessions(session, row.account_id, audit.SYSTEM)
    _journal(session, "auth.local_disabled", row, {"sessions": ended})


def unlock(session: Session, login: str) -> None:
    """Forget the failures of a login; raises LoginUnknown."""
    row = found(session, login)
    guard.clear(session, row.login)
    _journal(session, "auth.local_unlocked", row, {})


def found(session: Session, login: str) -> LocalCredential:
    """Return a credential, locked until the commit; raises LoginUnknown."""
    query = select(LocalCredential).where(LocalCredential.login == policy.login_of(login))
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None:
        raise LoginUnknown
    return row


def replace_password(
    session: Session, row: LocalCredential, new_hash: str, settings: LocalSettings
) -> None:
    """Put a new password in force, by its hash; the former one never serves again."""
    now = clock.now()
    session.add(
        LocalPassword(credential_id=row.id, hash=row.password_hash, set_at=row.password_set_at)
    )
    row.password_hash, row.password_set_at, row.must_change = new_hash, now, False
    row.password_expires_at = now + timedelta(days=settings.expires_days)
    session.flush()


def former(session: Session, row: LocalCredential, history: int) -> list[str]:
    """Return the hashes that a new password must not match, the present one first."""
    query = select(LocalPassword.hash).where(LocalPassword.credential_id == row.id)
    newest = query.order_by(LocalPassword.set_at.desc(), LocalPassword.id.desc())
    return [row.password_hash, *session.scalars(newest.limit(history))]


def _create(
    session: Session, account: Account, login: str, purpose: Purpose, settings: LocalSettings
) -> Handed:
    name = policy.login_of(login)
    if not policy.is_login(name):
        raise LoginInvalid(
            "De 3 à 32 caractères : minuscules sans accent, chiffres, point, tiret ; une lettre"
            " d'abord."
        )
    taken = select(LocalCredential.id).where(
        or_(LocalCredential.login == name, LocalCredential.account_id == account.id)
    )
    if session.scalar(taken) is not None:
        raise LoginTaken
    row = LocalCredential(account_id=account.id, login=name, purpose=purpose.value)
    handed = _hand(session, row, settings)
    session.add(row)
    session.flush()
    _journal(session, "auth.local_created", row, {"purpose": purpose, "role": account.role})
    return handed


def _hand(session: Session, row: LocalCredential, settings: LocalSettings) -> Handed:
    password, secret, now = _initial(), codes.fresh(), clock.now()
    if row.password_hash is not None:
        session.add(
            LocalPassword(credential_id=row.id, hash=row.password_hash, set_at=row.password_set_at)
        )
    row.password_hash = passwords.hashed(password)
    row.password_set_at, row.must_change = now, True
    row.password_expires_at = now + timedelta(seconds=settings.initial_s)
    row.totp, row.last_step = secret, 0
    return Handed(row.login, password, codes.address(secret, row.login))


def _initial() -> str:
    """Return a random password that follows the strictest rules, in groups that read well."""
    while True:
        groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
        password = "-".join(groups)
        if policy.classes(password) == policy.ALL_CLASSES:
            return password


def _account(session: Session, ps_idnat: str) -> Account:
    account = registry.find(session, registry.of_ps_idnat(ps_idnat))
    if account is None:
        raise EnrolUnknown("Aucun compte ne porte cet identifiant : ris accounts grant.")
    return account


def _journal(
    session: Session, action: str, row: LocalCredential, detail: dict[str, object]
) -> None:
    target = ("account", row.account_id)
    audit.record(session, action, target=target, detail={"login": row.login, **detail})
