"""Reading the audit journal: by a reviewer, by a person for his own acts, for one patient.

Queries only. What an event is and how it is chained is `ris.core.audit`; every reading is itself
an event, written by the routes.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from ris.auth.model import Account
from ris.core.audit import AuditEvent

MAX_EXPORT = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: *action* is a whole action or its first word; *until* is not included."""

    since: datetime | None = None
    until: datetime | None = None
    action: str | None = None
    outcome: str | None = None
    account_id: UUID | None = None
    patient_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One event and, where a person acted, his name and that of the one he acted for."""

    event: AuditEvent
    person: str
    on_behalf_of: str


def newest(session: Session, wanted: Wanted, *, before: int | None, limit: int) -> list[Seen]:
    """Return *limit* + 1 events numbered under *before*, the newest first."""
    query = select(AuditEvent).where(*_conditions(wanted)).order_by(AuditEvent.seq.desc())
    if before is not None:
        query = query.where(AuditEvent.seq < before)
    events = list(session.scalars(query.limit(limit + 1)))
    names = _names(session, events)
    return [
        Seen(one, names.get(one.actor_id, ""), names.get(one.on_behalf_of_id, "")) for one in events
    ]


def numbered(session: Session, *, start: int, limit: int) -> list[AuditEvent]:
    """Return at most *limit* events from number *start*, in the order of the chain."""
    query = select(AuditEvent).where(AuditEvent.seq >= start).order_by(AuditEvent.seq)
    return list(session.scalars(query.limit(limit)))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    row, found = AuditEvent, []
    if wanted.since is not None:
        found.append(row.at >= wanted.since)
    if wanted.until is not None:
        found.append(row.at < wanted.until)
    if wanted.action is not None:
        family = row.action.startswith(wanted.action + ".", autoescape=True)
        found.append((row.action == wanted.action) | family)
    if wanted.outcome is not None:
        found.append(row.outcome == wanted.outcome)
    if wanted.account_id is not None:
        found.append(
            (row.actor_id == wanted.account_id) | (row.on_behalf_of_id == wanted.account_id)
        )
    if wanted.patient_id is not None:
        found.append(row.patient_id == wanted.patient_id)
    return found


def _names(session: Session, events: list[AuditEvent]) -> dict[UUID | None, str]:
    known = {id_ for event in events for id_ in (event.actor_id, event.on_behalf_of_id) if id_}
    accounts = session.scalars(select(Account).where(Account.id.in_(known)))
    return {account.id: f"{account.given} {account.family}".strip() for account in accounts}
