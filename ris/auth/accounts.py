"""Accounts: who was granted a role, and which account a PSC identity belongs to (auth.md §5).

Enrolment is closed: a role is granted beforehand, by RPPS or PS_IdNat. Never a match by name.
"""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ris.auth.directory.service import name_account
from ris.auth.errors import AccountSuspended, EnrolUnknown, IdentityConflict, RoleDenied
from ris.auth.identifiers import PersonKind, is_ps_idnat, person
from ris.auth.model import (
    Account,
    AccountIdentifier,
    AccountStatus,
    Situation,
    SituationSource,
)
from ris.auth.psc.userinfo import Identity
from ris.auth.rights import Role, profession_allows
from ris.core import audit, clock
from ris.core.errors import Forbidden, Invalid
from ris.rem import satisfies


def grant(
    session: Session,
    ps_idnat: str,
    role: Role,
    *,
    identity_habilitated: bool = False,
    actor: audit.Actor = audit.SYSTEM,
) -> Account:
    """Give *role* to the person of *ps_idnat* (`8`+RPPS, or a CPE's `5…/CPET…`), and trace it.

    The account is created when absent and named as in the directory, if it is known there
    (RIS.ANN.02). Raises Forbidden when an administrator grants to himself, Invalid
    (`PS_IDNAT_INVALID`) on what no PS_IdNat looks like.
    """
    if not is_ps_idnat(ps_idnat):
        raise Invalid(
            "Identifiant national mal formé : « 8 » suivi des 11 chiffres du RPPS, par exemple.",
            code="PS_IDNAT_INVALID",
        )
    account = session.scalars(select(Account).where(Account.ps_idnat == ps_idnat)).one_or_none()
    if account is not None and account.id == actor.account_id:
        raise Forbidden("Un administrateur ne modifie pas ses propres droits.", code="role_denied")
    if account is None:
        account = Account(ps_idnat=ps_idnat, rpps=person(ps_idnat)[1], role=role)
        session.add(account)
        session.flush()
        account.granted_by_id = actor.account_id
        _remember(session, account, _own_identifiers(ps_idnat))
    account.role, account.identity_habilitated = role, identity_habilitated
    name_account(session, account)
    session.flush()
    detail = {"role": role, "identity_habilitated": identity_habilitated}
    audit.record(
        session, "auth.role_grant", actor=actor, target=("account", account.id), detail=detail
    )
    return account


@satisfies("RIS.PSC.01", "SC.PSC.02")
def link(session: Session, identity: Identity) -> Account:
    """Return the account of *identity*, refreshed with what PSC says (AUTH-30).

    Raises EnrolUnknown, IdentityConflict (two accounts), AccountSuspended or RoleDenied (the
    profession no longer allows the role).
    """
    told = _identifiers(identity)
    account = _active(_owner(session, told))
    held = [(exercise.profession, exercise.category) for exercise in identity.exercises]
    if not profession_allows(Role(account.role), held):
        raise RoleDenied("Votre profession déclarée ne permet plus ce rôle.")
    _remember(session, account, told)
    account.family, account.given = identity.family, identity.given
    account.rpps = account.rpps or identity.rpps
    account.last_login_at = clock.now()
    session.flush()
    return account


def holder(session: Session, ps_idnat: str) -> Account:
    """Return the account of *ps_idnat*; raises EnrolUnknown, IdentityConflict, AccountSuspended."""
    return _active(_owner(session, _own_identifiers(ps_idnat)))


def known(session: Session, ps_idnat: str) -> Account:
    """Return the account of *ps_idnat*, nothing new being told of the person.

    Raises what `link` raises; the profession is the one of the situations that PSC last listed.
    """
    account = holder(session, ps_idnat)
    query = select(Situation.profession, Situation.category).where(
        Situation.account_id == account.id,
        Situation.ended_at.is_(None),
        Situation.source == SituationSource.PSC,
    )
    if not profession_allows(Role(account.role), [(p, c) for p, c in session.execute(query)]):
        raise RoleDenied("Votre profession déclarée ne permet plus ce rôle.")
    return account


def usable(session: Session, account_id: UUID) -> Account:
    """Return an account that may still act; raises AccountSuspended."""
    return _active(session.get_one(Account, account_id))


def rpps_of(identity: Identity | None, ps_idnat: str) -> str | None:
    """Return the RPPS told by *identity*, else the one inside *ps_idnat*, else None."""
    return identity.rpps if identity is not None else person(ps_idnat)[1]


def actor_of(account: Account, base: audit.Actor | None = None) -> audit.Actor:
    """Return *base* (or nothing known) filled with who *account* is, for the journal."""
    return replace(
        base or audit.Actor(),
        account_id=account.id,
        ps_idnat=account.ps_idnat,
        role=account.role,
    )


def _active(account: Account) -> Account:
    if account.status != AccountStatus.ACTIVE:
        raise AccountSuspended
    return account


def _owner(session: Session, told: set[tuple[str, str]]) -> Account:
    """Return the one account that holds any of *told* identifiers."""
    owners = _owners(session, told)
    if not owners:
        raise EnrolUnknown("Demandez l'ouverture de votre compte à l'administrateur.")
    if len(owners) > 1:
        raise IdentityConflict("L'administrateur doit vérifier votre dossier.")
    return session.get_one(Account, owners.pop())


def _owners(session: Session, pairs: set[tuple[str, str]]) -> set[UUID]:
    columns = tuple_(AccountIdentifier.system, AccountIdentifier.value)
    query = select(AccountIdentifier.account_id).where(columns.in_(sorted(pairs)))
    return set(session.scalars(query)) if pairs else set()


def _remember(session: Session, account: Account, pairs: set[tuple[str, str]]) -> None:
    query = select(AccountIdentifier.system, AccountIdentifier.value).where(
        AccountIdentifier.account_id == account.id
    )
    known = {(system, value) for system, value in session.execute(query)}
    for system, value in sorted(pairs - known):
        session.add(AccountIdentifier(account_id=account.id, system=system, value=value))
    session.flush()


def _identifiers(identity: Identity) -> set[tuple[str, str]]:
    pairs = _own_identifiers(identity.subject_name_id)
    for _origin, value in identity.other_ids:
        if 0 < len(value) <= 64:
            pairs |= _own_identifiers(value)
    return pairs


def _own_identifiers(ps_idnat: str) -> set[tuple[str, str]]:
    kind, rpps = person(ps_idnat)
    own = {("PS_IDNAT", ps_idnat)}
    return own | {("RPPS", rpps)} if kind is PersonKind.RPPS and rpps else own
