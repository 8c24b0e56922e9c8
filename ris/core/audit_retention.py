"""How long the journal keeps what it tells, and the erasure of what is due (auth.md §10).

Connection events and acts have each their time. An erased line keeps its place in the chain, and
the erasure is an event of the journal; appending and verifying are `audit.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, null, select, update
from sqlalchemy.orm import Session

from ris.core import audit, clock
from ris.core.audit import AuditEvent
from ris.core.db import Database

BATCH: Final = 5_000
_KEPT: Final = frozenset(
    {"seq", "at", "action", "outcome", "detail", "prev_hash", "hash", "erased_at"}
)
_CONNECTIONS: Final = "auth.%"
# who gave a right, or let a structure act, is an act
_RIGHTS: Final = (
    "auth.role_grant", "auth.structure_declare",
    "auth.certificate_add", "auth.certificate_replace", "auth.certificate_retire",
)  # fmt: skip


class JournalSettings(BaseModel):
    """How long the journal tells what it saw, and where its head is anchored: `RIS_JOURNAL__…`.

    *connection_days* for sign-ins and refusals, *act_days* for the rest (20 years, as the record);
    *anchor* is a file outside this machine's reach (mounted, append only) that gets the head every
    *anchor_every_s* seconds.
    """

    model_config = ConfigDict(frozen=True)

    connection_days: int = Field(default=365, ge=180)
    act_days: int = Field(default=7_305, ge=180)
    anchor: str = ""
    anchor_every_s: int = Field(default=86_400, ge=1)


@dataclass(frozen=True, slots=True)
class _Class:
    name: str
    days: int
    those: ColumnElement[bool]


def erase_due(database: Database, settings: JournalSettings) -> int:
    """Erase what is past its time, batch by batch; return how many lines were emptied."""
    erased = 0
    for kind in _classes(settings):
        while count := _erase_batch(database, kind):
            erased += count
    return erased


def ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Return sorted *numbers* as (first, last) runs: 1 2 3 7 gives (1, 3), (7, 7)."""
    first = last = None
    for number in numbers:
        if last is not None and first is not None and number != last + 1:
            yield first, last
            first = number
        first, last = number if first is None else first, number
    if first is not None and last is not None:
        yield first, last


def _classes(settings: JournalSettings) -> tuple[_Class, _Class]:
    connection = AuditEvent.action.like(_CONNECTIONS) & AuditEvent.action.not_in(_RIGHTS)
    acts = ~connection & (AuditEvent.action != audit.ERASED)
    return (
        _Class("connection", settings.connection_days, connection),
        _Class("act", settings.act_days, acts),
    )


def _erase_batch(database: Database, kind: _Class) -> int:
    now = clock.now()
    with database.transaction() as session:
        numbers = _due(session, kind, now - timedelta(days=kind.days))
        if numbers:
            emptied = {
                column.key: null()
                for column in AuditEvent.__table__.columns
                if column.key not in _KEPT
            }
            session.execute(
                update(AuditEvent)
                .where(AuditEvent.seq.in_(numbers))
                .values(erased_at=now, detail={}, **emptied)
            )
            detail = {"class": kind.name, "days": kind.days, "ranges": list(ranges(numbers))}
            audit.record(session, audit.ERASED, detail=detail)
    return len(numbers)


def _due(session: Session, kind: _Class, before: datetime) -> list[int]:
    query = select(AuditEvent.seq).where(
        AuditEvent.erased_at.is_(None), AuditEvent.at < before, kind.those
    )
    return list(session.scalars(query.order_by(AuditEvent.seq).limit(BATCH)))
