"""Members of the structures: listed, added, ended; the one query that tells what a caller sees."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from ris.auth import situations
from ris.auth.administration import guards
from ris.auth.compartments.errors import MemberNotFound, PeriodInvalid, SelfGrant
from ris.auth.compartments.model import StructureMember
from ris.auth.compartments.scope import SEVERAL, UNBOUND, Served
from ris.auth.model import Account, AccountStatus, ServedStructure, Situation
from ris.auth.rights import Permission, Role, allowed
from ris.core import audit, clock

Membership = tuple[StructureMember, Account]


def served(session: Session, account_id: UUID, at: datetime) -> list[Served]:
    """Return the structures of the site, and of which *account_id* is a member at *at*."""
    mine = exists().where(
        StructureMember.structure_id == ServedStructure.id,
        StructureMember.account_id == account_id,
        StructureMember.valid_from <= at,
        or_(StructureMember.valid_to.is_(None), StructureMember.valid_to > at),
    )
    told = ServedStructure
    query = select(told.struct_idnat, told.name, told.is_scm, mine).order_by(told.struct_idnat)
    return [Served(*row) for row in session.execute(query)]


def structures(session: Session) -> Sequence[ServedStructure]:
    """Return every structure declared here."""
    return session.scalars(select(ServedStructure).order_by(ServedStructure.struct_idnat)).all()


def listed(session: Session, structure_id: UUID) -> list[Membership]:
    """Return the memberships of a structure, ended ones too; raises `MemberNotFound`."""
    if session.get(ServedStructure, structure_id) is None:
        raise MemberNotFound
    query = (
        select(StructureMember, Account)
        .join(Account, Account.id == StructureMember.account_id)
        .where(StructureMember.structure_id == structure_id)
        .order_by(StructureMember.valid_from, StructureMember.id)
    )
    return [(member, account) for member, account in session.execute(query)]


def add(
    session: Session,
    structure_id: UUID,
    ps_idnat: str,
    *,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    actor: audit.Actor = audit.SYSTEM,
) -> Membership:
    """Let the person of *ps_idnat* work for a structure, from now unless said, and trace it.

    Raises `MemberNotFound` (no such structure, no such account, or one without a role yet),
    `SelfGrant`, `PeriodInvalid`, AccountSuspended (the administrator was ended meanwhile).
    """
    guards.serialise(session, actor)
    structure = session.get(ServedStructure, structure_id)
    account = session.scalars(select(Account).where(Account.ps_idnat == ps_idnat)).one_or_none()
    if structure is None or account is None or account.role is None:
        raise MemberNotFound("Déclarez d'abord la structure, et donnez un rôle à la personne.")
    if guards.is_himself(session, account, actor):
        raise SelfGrant
    start = valid_from or clock.now()
    if valid_to is not None and valid_to <= start:
        raise PeriodInvalid("La fin du rattachement doit suivre son début.")
    member = StructureMember(
        structure_id=structure.id,
        account_id=account.id,
        valid_from=start,
        valid_to=valid_to,
        granted_by_id=actor.account_id,
    )
    session.add(member)
    session.flush()
    _trace(session, "auth.member_grant", member, structure.struct_idnat, actor)
    return member, account


def end(
    session: Session, structure_id: UUID, member_id: UUID, *, actor: audit.Actor = audit.SYSTEM
) -> Membership:
    """End a membership now: the next request of that person is refused. Traced.

    Raises `MemberNotFound`, also for one that ended already.
    """
    now = clock.now()
    member = session.get(StructureMember, member_id, with_for_update=True)
    over = member is not None and member.valid_to is not None and member.valid_to <= now
    if member is None or member.structure_id != structure_id or over:
        raise MemberNotFound
    member.valid_to = max(now, member.valid_from)
    session.flush()
    structure = session.get_one(ServedStructure, structure_id)
    _trace(session, "auth.member_end", member, structure.struct_idnat, actor)
    return member, session.get_one(Account, member.account_id)


def end_all(session: Session, structure_id: UUID, ps_idnat: str) -> int:
    """End every membership of a person in a structure that is not over; return how many."""
    running = or_(StructureMember.valid_to.is_(None), StructureMember.valid_to > clock.now())
    query = (
        select(StructureMember.id)
        .join(Account, Account.id == StructureMember.account_id)
        .where(StructureMember.structure_id == structure_id, Account.ps_idnat == ps_idnat, running)
    )
    found = session.scalars(query).all()
    for member_id in found:
        end(session, structure_id, member_id)
    return len(found)


def apart(session: Session) -> bool:
    """Say whether this site declares enough practices for them to be kept apart."""
    practices = select(func.count()).where(~ServedStructure.is_scm)
    return (session.scalar(practices) or 0) >= SEVERAL


def without_practice(session: Session) -> Sequence[Account]:
    """Return the active accounts of a bound role without situation nor membership.

    Once practices are kept apart they see no exam.
    """
    now = clock.now()
    works = exists().where(
        StructureMember.account_id == Account.id,
        or_(StructureMember.valid_to.is_(None), StructureMember.valid_to > now),
    )
    exercises = exists().where(Situation.account_id == Account.id, situations.live(now))
    bound = {role for role in Role if allowed(role, Permission.EXAM_READ)} - UNBOUND
    query = select(Account).where(
        Account.status == AccountStatus.ACTIVE, Account.role.in_(bound), ~works, ~exercises
    )
    return session.scalars(query.order_by(Account.ps_idnat)).all()


def _trace(
    session: Session, action: str, member: StructureMember, struct_idnat: str, actor: audit.Actor
) -> None:
    audit.record(
        session,
        action,
        actor=actor,
        target=("account", member.account_id),
        detail={
            "struct_idnat": struct_idnat,
            "from": member.valid_from.isoformat(),
            "to": member.valid_to.isoformat() if member.valid_to else None,
        },
    )
