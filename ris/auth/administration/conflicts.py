"""Conflicts of identifiers: queued by a refused sign-in, settled by an administrator (A9).

Never settled automatically: an administrator names the account that keeps the identifiers, or says
that nothing is to be done. The other account is closed, and stays for the trace.
"""

import hashlib
import json
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth.administration import ending, guards
from ris.auth.administration.errors import AlreadySettled, NotOfConflict, QueueItemUnknown
from ris.auth.administration.model import AccountConflict
from ris.auth.enrolment import registry
from ris.auth.enrolment.errors import ConflictFound
from ris.auth.model import Account, AccountIdentifier, AccountStatus
from ris.core import audit, clock, ids
from ris.core.audit import Actor
from ris.rem import satisfies
from ris.web.pages import PageQuery


def queue(session: Session, found: ConflictFound, actor: Actor) -> None:
    """Put a conflict in the queue; the same one again only counts."""
    accounts = [str(one) for one in found.accounts]
    told, now = [list(pair) for pair in found.told], clock.now()
    identity = found.identity
    row = {
        "key": hashlib.sha256(json.dumps([accounts, told]).encode()).digest(),
        "accounts": accounts,
        "told": told,
        "family": identity.family[:100] if identity else "",
        "given": identity.given[:100] if identity else "",
        "found_at": now,
        "last_seen_at": now,
        "times": 1,
    }
    statement = insert(AccountConflict).values(id=ids.new(), **row)
    again = statement.on_conflict_do_update(
        index_elements=["key"],
        index_where=AccountConflict.resolved_at.is_(None),
        set_={"last_seen_at": now, "times": AccountConflict.times + 1},
    ).returning(AccountConflict.id)
    identifier = session.execute(again).scalar_one()
    audit.record(
        session,
        "auth.identity_conflict",
        actor=actor,
        outcome="failure",
        target=("account_conflict", identifier),
        detail={"accounts": accounts},
    )


def listed(
    session: Session, paging: PageQuery, *, open_only: bool
) -> tuple[list[AccountConflict], str | None]:
    """Return the conflicts, oldest first, and the cursor of the next page."""
    at, key = AccountConflict.found_at, AccountConflict.id
    query = select(AccountConflict)
    if open_only:
        query = query.where(AccountConflict.resolved_at.is_(None))
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    rows = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    return paging.cut(rows, lambda row: (row.found_at.isoformat(), str(row.id)))


@satisfies("SC.PSC.02")
def resolve(
    session: Session, conflict_id: UUID, *, keep: UUID | None, reason: str, actor: Actor
) -> AccountConflict:
    """Settle a conflict: the account *keep* takes what was told and what the other held.

    The other account is closed and its sessions end. With None nothing changes. Raises
    QueueItemUnknown, AlreadySettled, NotOfConflict, OwnAccount or LastAdministrator.
    """
    guards.serialise(session, actor)
    row = session.get(AccountConflict, conflict_id, with_for_update=True)
    if row is None:
        raise QueueItemUnknown
    if row.resolved_at is not None:
        raise AlreadySettled
    concerned = [guards.locked(session, UUID(one)) for one in sorted(row.accounts)]
    for account in concerned:
        guards.refuse_himself(session, account, actor)
    if keep is not None:
        kept = next((one for one in concerned if one.id == keep), None)
        if kept is None:
            raise NotOfConflict
        for other in concerned:
            if other is not kept:
                _absorb(session, kept, other, actor)
        _take(session, kept, row)
    row.resolved_at, row.resolved_by_id = clock.now(), actor.account_id
    row.kept_id, row.reason = keep, reason
    session.flush()
    audit.record(
        session,
        "auth.conflict_resolved",
        actor=actor,
        target=("account_conflict", row.id),
        detail={"accounts": row.accounts, "kept": str(keep) if keep else None},
    )
    return row


def _absorb(session: Session, kept: Account, other: Account, actor: Actor) -> None:
    """Move the identifiers of *other* to *kept* and close *other*."""
    guards.refuse_last(session, other)
    rpps, other.rpps = other.rpps, None
    other.status = AccountStatus.CLOSED
    other.version += 1
    session.flush()
    kept.rpps = kept.rpps or rpps
    move = update(AccountIdentifier).where(AccountIdentifier.account_id == other.id)
    session.execute(move.values(account_id=kept.id))
    owned = update(Account).where(Account.owner_id == other.id, Account.id != kept.id)
    session.execute(owned.values(owner_id=kept.id))
    ended = ending.end_sessions(session, other.id, actor)
    audit.record(
        session,
        "auth.account_closed",
        actor=actor,
        target=("account", other.id),
        detail={"merged_into": str(kept.id), "sessions": ended},
    )


def _take(session: Session, kept: Account, row: AccountConflict) -> None:
    """Give *kept* what was told; the RPPS told is the one it has from now on."""
    told = {(str(system), str(value)) for system, value in row.told}
    registry.add(session, kept, told)
    rpps = sorted(value for system, value in told if system == registry.RPPS)
    if rpps and kept.rpps not in rpps:
        kept.rpps = rpps[0]
    kept.version += 1
    session.flush()
