"""Accounts of strangers: opened at once, or asked for, as the site's policy says (AUTH-30, 5).

The policy is `policy.py`. A request is recorded after the refused sign-in (`aftermath.py`).
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import situations
from ris.auth.enrolment import registry
from ris.auth.enrolment.errors import AccountPending
from ris.auth.enrolment.policy import Enrolment, Fate, decide
from ris.auth.errors import EnrolUnknown
from ris.auth.model import Account, AccountStatus, ServedStructure
from ris.auth.psc.userinfo import Identity
from ris.auth.rights import Role
from ris.core import audit
from ris.core.audit import Actor


def admit(session: Session, identity: Identity, policy: Enrolment) -> Account:
    """Return the account of a stranger, opened at once; of one who came twice at once, the same.

    Raises EnrolUnknown or AccountPending as the policy says, ConflictFound.
    """
    decision = decide(policy, identity.exercises, _served(session))
    if decision.fate is Fate.REFUSE:
        raise EnrolUnknown("Demandez l'ouverture de votre compte à l'administrateur.")
    if decision.fate is Fate.REQUEST:
        raise AccountPending(identity)
    registry.serialise(session)
    told = registry.told_by(identity)
    account = registry.find(session, told, identity)
    if account is None:
        account = _create(session, identity, told, decision.role)
        audit.record(
            session,
            "auth.enrol_auto",
            actor=Actor(account_id=account.id, ps_idnat=account.ps_idnat, role=account.role),
            target=("account", account.id),
            detail={"role": account.role},
        )
    return account


def request(session: Session, identity: Identity, actor: Actor) -> None:
    """Record that a stranger asks for an account: PENDING, without a role; once only."""
    registry.serialise(session)
    told = registry.told_by(identity)
    if registry.find(session, told, identity) is not None:
        return
    account = _create(session, identity, told, None)
    situations.refresh(session, account, identity)
    audit.record(session, "auth.enrol_request", actor=actor, target=("account", account.id))


def _create(
    session: Session, identity: Identity, told: registry.Pairs, role: Role | None
) -> Account:
    account = Account(
        ps_idnat=identity.subject_name_id,
        rpps=identity.rpps,
        family=identity.family[:100],
        given=identity.given[:100],
        role=role,
        status=AccountStatus.ACTIVE if role else AccountStatus.PENDING,
    )
    session.add(account)
    session.flush()
    registry.add(session, account, told)
    return account


def _served(session: Session) -> set[str]:
    query = select(ServedStructure.struct_idnat).where(ServedStructure.is_scm.is_(False))
    return set(session.scalars(query))
