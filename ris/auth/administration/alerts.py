"""Alerts on accounts: raised by sign-ins and by the directory, read and acknowledged.

An alert informs: it closes no door by itself. The rule on what Pro Santé Connect tells is pure
(`told_kinds`), AUTH-30 step 6.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth import situations
from ris.auth.administration.errors import AlreadySettled, QueueItemUnknown
from ris.auth.administration.model import AccountAlert, AlertKind
from ris.auth.psc.userinfo import Identity
from ris.auth.rights import STUDENT
from ris.core import audit, clock, ids
from ris.core.audit import Actor
from ris.web.pages import PageQuery


def told_kinds(
    before: Iterable[tuple[str, str]], after: Iterable[tuple[str, str]], *, activities: bool
) -> set[AlertKind]:
    """Return what an administrator must know of a person's exercises (profession, category).

    *before* are those of the situations known until now: without any, nothing has changed.
    *activities* says whether the person still has a workplace.
    """
    was, now = set(before), set(after)
    kinds: set[AlertKind] = set()
    if not was:
        return kinds
    if {profession for profession, _ in was} - {profession for profession, _ in now}:
        kinds.add(AlertKind.PROFESSION_CHANGED)
    if STUDENT in {category for _, category in now} - {category for _, category in was}:
        kinds.add(AlertKind.BECAME_STUDENT)
    if not activities:
        kinds.add(AlertKind.NO_ACTIVITY)
    return kinds


def watch(session: Session, account_id: UUID, identity: Identity) -> None:
    """Raise what *identity* changes for an account; before its situations are refreshed."""
    before = [(one.profession, one.category) for one in situations.current(session, account_id)]
    after = [(one.profession, one.category) for one in identity.exercises]
    for kind in sorted(told_kinds(before, after, activities=bool(identity.situations()))):
        raise_one(session, account_id, kind)


def raise_one(session: Session, account_id: UUID, kind: AlertKind) -> None:
    """Raise an alert, once while it is not acknowledged."""
    row = {"account_id": account_id, "kind": kind.value, "raised_at": clock.now()}
    statement = insert(AccountAlert).values(id=ids.new(), **row)
    session.execute(statement.on_conflict_do_nothing())


def listed(
    session: Session, paging: PageQuery, *, open_only: bool
) -> tuple[list[AccountAlert], str | None]:
    """Return the alerts, oldest first, and the cursor of the next page."""
    at, key = AccountAlert.raised_at, AccountAlert.id
    query = select(AccountAlert)
    if open_only:
        query = query.where(AccountAlert.acknowledged_at.is_(None))
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    rows = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    return paging.cut(rows, lambda row: (row.raised_at.isoformat(), str(row.id)))


def waiting(session: Session, account_id: UUID) -> list[AccountAlert]:
    """Return the alerts on one account that nobody acknowledged."""
    query = select(AccountAlert).where(
        AccountAlert.account_id == account_id, AccountAlert.acknowledged_at.is_(None)
    )
    return list(session.scalars(query.order_by(AccountAlert.raised_at, AccountAlert.id)))


def acknowledge(session: Session, alert_id: UUID, actor: Actor) -> AccountAlert:
    """Note that an administrator has seen an alert; raises QueueItemUnknown, AlreadySettled."""
    row = session.get(AccountAlert, alert_id, with_for_update=True)
    if row is None:
        raise QueueItemUnknown
    if row.acknowledged_at is not None:
        raise AlreadySettled
    row.acknowledged_at, row.acknowledged_by_id = clock.now(), actor.account_id
    session.flush()
    audit.record(
        session,
        "auth.alert_acknowledged",
        actor=actor,
        target=("account", row.account_id),
        detail={"alert": str(row.id), "kind": row.kind},
    )
    return row
