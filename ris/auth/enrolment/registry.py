"""Which account holds which national identifier: the only way to an account (AUTH-30, 1 to 4).

One identifier is of one account, by the database. Never a match by name, never a merge: what
contradicts is raised, and an administrator decides.
"""

from collections.abc import Set
from typing import Final
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth.enrolment.errors import ConflictFound
from ris.auth.identifiers import PersonKind, person
from ris.auth.model import Account, AccountIdentifier
from ris.auth.psc.userinfo import Identity
from ris.core import clock, ids

PS_IDNAT: Final = "PS_IDNAT"
RPPS: Final = "RPPS"
_LONGEST: Final = 64
_LOCK: Final = 0x5249_4145  # "RIAE": one account is created at a time
Pairs = Set[tuple[str, str]]


def serialise(session: Session) -> None:
    """Hold the creation of accounts until the commit; look the owner up again after this."""
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def of_ps_idnat(ps_idnat: str) -> Pairs:
    """Return the identifiers that a PS_IdNat is: itself, and the RPPS inside."""
    kind, rpps = person(ps_idnat)
    own = {(PS_IDNAT, ps_idnat)}
    return own | {(RPPS, rpps)} if kind is PersonKind.RPPS and rpps else own


def told_by(identity: Identity) -> Pairs:
    """Return every identifier PSC tells of a person: SubjectNameID, RPPS, `otherIds`."""
    pairs = set(of_ps_idnat(identity.subject_name_id))
    for _origin, value in identity.other_ids:
        if 0 < len(value) <= _LONGEST:
            pairs |= of_ps_idnat(value)
    return pairs


def find(session: Session, told: Pairs, identity: Identity | None = None) -> Account | None:
    """Return the one account that holds any of *told*, None when there is none.

    The account is locked until the commit: sign-ins and acts of administration on one account
    follow each other. Raises ConflictFound when two accounts hold some, or when the account's RPPS
    is none of those told: an RPPS is for life.
    """
    owners = _owners(session, told)
    if not owners:
        return None
    if len(owners) > 1:
        raise ConflictFound(owners, told, identity)
    account = locked(session, owners.pop())
    mine, theirs = _rpps(held_by(session, account.id)), _rpps(told)
    if mine and theirs and not mine & theirs:
        raise ConflictFound([account.id], told, identity)
    return account


def locked(session: Session, account_id: UUID) -> Account:
    """Return an account as it is now, locked until the commit."""
    query = select(Account).where(Account.id == account_id).with_for_update(key_share=True)
    return session.scalars(query, execution_options={"populate_existing": True}).one()


def held_by(session: Session, account_id: UUID) -> Pairs:
    """Return the identifiers of an account."""
    query = select(AccountIdentifier.system, AccountIdentifier.value).where(
        AccountIdentifier.account_id == account_id
    )
    return {(system, value) for system, value in session.execute(query)}


def add(session: Session, account: Account, told: Pairs) -> int:
    """Give *account* the identifiers *told* that are new; return how many were.

    Raises ConflictFound when another account took one meanwhile.
    """
    new = told - held_by(session, account.id)
    for system, value in sorted(new):
        row = {"account_id": account.id, "system": system, "value": value}
        statement = insert(AccountIdentifier).values(id=ids.new(), first_seen=clock.now(), **row)
        session.execute(statement.on_conflict_do_nothing())
    owners = _owners(session, told)
    if owners - {account.id}:
        raise ConflictFound(owners, told)
    return len(new)


def _owners(session: Session, pairs: Pairs) -> set[UUID]:
    columns = tuple_(AccountIdentifier.system, AccountIdentifier.value)
    query = select(AccountIdentifier.account_id).where(columns.in_(sorted(pairs)))
    return set(session.scalars(query)) if pairs else set()


def _rpps(pairs: Pairs) -> set[str]:
    return {value for system, value in pairs if system == RPPS}
