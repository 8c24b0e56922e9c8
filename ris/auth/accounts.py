"""Accounts: who was granted a role, and which account a PSC identity belongs to (auth.md §5).

A role is granted beforehand, by RPPS or PS_IdNat, unless the site's policy lets strangers enrol
(`enrolment/`). Never a match by name, never two accounts for one RPPS.
"""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.administration import alerts, ending, guards
from ris.auth.administration.errors import ActImpossible
from ris.auth.directory.service import name_account
from ris.auth.enrolment import registry
from ris.auth.enrolment import service as enrolment
from ris.auth.enrolment.errors import AccountPending, ProfessionLost
from ris.auth.enrolment.policy import Enrolment
from ris.auth.errors import AccountSuspended, EnrolUnknown
from ris.auth.identifiers import is_ps_idnat, person
from ris.auth.model import (
    Account,
    AccountStatus,
    Situation,
    SituationSource,
)
from ris.auth.psc.userinfo import Identity
from ris.auth.rights import Role, profession_allows
from ris.core import audit, clock
from ris.core.errors import Invalid
from ris.rem import satisfies


@satisfies("SC.SSI/IAM.91")
def grant(
    session: Session,
    ps_idnat: str,
    role: Role,
    *,
    identity_habilitated: bool = False,
    convert: bool = False,
    actor: audit.Actor = audit.SYSTEM,
) -> Account:
    """Give *role* to the person of *ps_idnat* (`8`+RPPS, or a CPE's `5…/CPET…`), and trace it.

    The account is created when absent and named as in the directory, if it is known there
    (RIS.ANN.02); one that was asked for is opened. *convert* turns the account from care to
    administration or back, which ends its sessions. Raises OwnAccount when an administrator grants
    to himself, RoleSeparation, LastAdministrator, ActImpossible (a closed account),
    IdentityConflict, or Invalid (`PS_IDNAT_INVALID`) on what no PS_IdNat looks like.
    """
    if not is_ps_idnat(ps_idnat):
        raise Invalid(
            "Identifiant national mal formé : « 8 » suivi des 11 chiffres du RPPS, par exemple.",
            code="PS_IDNAT_INVALID",
        )
    guards.serialise(session, actor)
    account, crossed = _granted(session, ps_idnat, actor), False
    guards.refuse_himself(session, account, actor)
    if account.status == AccountStatus.CLOSED:
        raise ActImpossible("Ce compte est fermé : réactivez-le d'abord.")
    crossed = guards.refuse_role(session, account, role, convert=convert)
    if account.role != role:
        guards.refuse_last(session, account)
    detail = {"role": role, "identity_habilitated": identity_habilitated, "former": account.role}
    account.role, account.identity_habilitated = role, identity_habilitated
    if account.status == AccountStatus.PENDING:
        account.status = AccountStatus.ACTIVE
    name_account(session, account)
    account.version += 1
    session.flush()
    if crossed:
        detail |= {"converted": True, "sessions": ending.end_sessions(session, account.id, actor)}
    audit.record(
        session, "auth.role_grant", actor=actor, target=("account", account.id), detail=detail
    )
    return account


def _granted(session: Session, ps_idnat: str, actor: audit.Actor) -> Account:
    """Return the account of *ps_idnat*, asked for when new."""
    own = registry.of_ps_idnat(ps_idnat)
    account = registry.find(session, own)
    if account is None:
        registry.serialise(session)
        account = registry.find(session, own)
    if account is None:
        account = Account(
            ps_idnat=ps_idnat,
            rpps=person(ps_idnat)[1],
            status=AccountStatus.PENDING,
            granted_by_id=actor.account_id,
            version=0,
        )
        session.add(account)
        session.flush()
        registry.add(session, account, own)
    return account


@satisfies("RIS.PSC.01", "SC.PSC.02")
def link(session: Session, identity: Identity, policy: Enrolment = Enrolment.CLOSED) -> Account:
    """Return the account of *identity*, refreshed with what PSC says (AUTH-30).

    A stranger is dealt with as *policy* says. Raises EnrolUnknown, AccountPending,
    IdentityConflict (two accounts, or another RPPS), AccountSuspended or RoleDenied (the
    profession no longer allows the role); `enrolment/aftermath.py` keeps what they leave.
    """
    told = registry.told_by(identity)
    account = registry.find(session, told, identity)
    if account is None:
        account = enrolment.admit(session, identity, policy)
    _active(account)
    held = [(exercise.profession, exercise.category) for exercise in identity.exercises]
    if not profession_allows(role_of(account), held):
        raise ProfessionLost(account.id, identity)
    alerts.watch(session, account.id, identity)
    registry.add(session, account, told)
    account.family, account.given = identity.family, identity.given
    account.rpps = account.rpps or identity.rpps
    account.last_login_at = clock.now()
    session.flush()
    return account


def holder(session: Session, ps_idnat: str) -> Account:
    """Return the account of *ps_idnat*, locked until the commit.

    Raises EnrolUnknown, IdentityConflict, AccountPending or AccountSuspended.
    """
    account = registry.find(session, registry.of_ps_idnat(ps_idnat))
    if account is None:
        raise EnrolUnknown("Demandez l'ouverture de votre compte à l'administrateur.")
    return _active(account)


def known(session: Session, ps_idnat: str) -> Account:
    """Return the account of *ps_idnat*, nothing new being told of the person.

    Raises what `link` raises; the profession is the one of the situations that PSC last listed.
    """
    return still_allowed(session, holder(session, ps_idnat))


def still_allowed(session: Session, account: Account) -> Account:
    """Return *account* when it may sign in, by the situations last seen; raises as `known`."""
    _active(account)
    query = select(Situation.profession, Situation.category).where(
        Situation.account_id == account.id,
        Situation.ended_at.is_(None),
        Situation.source == SituationSource.PSC,
    )
    if not profession_allows(role_of(account), [(p, c) for p, c in session.execute(query)]):
        raise ProfessionLost(account.id)
    return account


def usable(session: Session, account_id: UUID) -> Account:
    """Return an account that may still act; raises AccountPending or AccountSuspended."""
    return _active(session.get_one(Account, account_id))


def hold(session: Session, account_id: UUID) -> None:
    """Keep an account as it is until the commit: who commits a person by it ends first.

    Several acts of one person hold it at once. Raises AccountPending or AccountSuspended.
    """
    query = select(Account).where(Account.id == account_id).with_for_update(read=True)
    _active(session.scalars(query, execution_options={"populate_existing": True}).one())


def role_of(account: Account) -> Role:
    """Return the role of an account; raises AccountPending when it has none yet."""
    if account.role is None:
        raise AccountPending
    return Role(account.role)


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
    if account.status == AccountStatus.PENDING:
        raise AccountPending
    if account.status != AccountStatus.ACTIVE:
        raise AccountSuspended("Adressez-vous à l'administrateur du site.")
    return account
