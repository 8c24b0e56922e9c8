"""Putting data keys under the current key-encryption key: copies here, then all sealed columns.

What `ris keys rotate` does after the key ring has a new key. Interrupted, it is run again: only
what is still under a former key is left to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from ris.core import audit, resealing
from ris.core.crypto import Envelope, SealBroken, Sealer
from ris.core.db import Database
from ris.core.errors import Conflict
from ris.identity.copies.model import IdCopy
from ris.rem import satisfies

_BATCH: Final = 200
_NIL: Final = UUID(int=0)
_LOCK: Final = 0x5249_534B  # "RISK": one rotation at a time


@dataclass(frozen=True, slots=True)
class Rotation:
    """Copies *rewrapped* under *kek_id*, other *values* too, and what no key of the ring opens."""

    kek_id: str
    rewrapped: int
    unreadable: int
    values: int


@contextmanager
def alone(database: Database) -> Iterator[None]:
    """Hold off any other rotation: two at once would each write a key ring without the other's key.

    Raises `Conflict`.
    """
    with database.transaction() as session:
        lock = text("select pg_try_advisory_xact_lock(:key)")
        if not session.execute(lock, {"key": _LOCK}).scalar_one():
            raise Conflict("Une rotation des clés est déjà en cours.", code="ROTATION_UNDER_WAY")
        yield


@satisfies("RIS.INS.58")
def rewrap(database: Database, sealer: Sealer, kek_id: str) -> Rotation:
    """Wrap anew, under *kek_id* (the current one), every data key that is under another.

    One transaction per batch; what has lost its key is counted and left as it is.
    """
    rewrapped = unreadable = 0
    after: UUID | None = _NIL
    while after is not None:
        with database.transaction() as session:
            after, done, lost = _batch(session, sealer, kek_id, after)
        rewrapped, unreadable = rewrapped + done, unreadable + lost
    values, lost = resealing.rewrap(database, sealer, kek_id)
    unreadable += lost
    with database.transaction() as session:
        detail = {
            "kek": kek_id, "rewrapped": rewrapped, "values": values, "unreadable": unreadable,
        }  # fmt: skip
        outcome = "failure" if unreadable else "success"
        audit.record(session, "keys.rotated", outcome=outcome, detail=detail)
    return Rotation(kek_id, rewrapped, unreadable, values)


def _batch(
    session: Session, sealer: Sealer, kek_id: str, after: UUID
) -> tuple[UUID | None, int, int]:
    """Do one batch after a copy id; return the last id (None at the end), done, unreadable."""
    rows = session.execute(
        select(IdCopy.id, IdCopy.kek_id, IdCopy.wrapped_key)
        .where(IdCopy.kek_id != kek_id, IdCopy.id > after)
        .order_by(IdCopy.id)
        .limit(_BATCH)
        .with_for_update()
    ).all()
    lost = 0
    for copy_id, former, wrapped in rows:
        try:
            fresh = sealer.rewrap(Envelope(former, wrapped, b"", b""))
        except SealBroken:
            lost += 1
            continue
        values = {"kek_id": fresh.kek_id, "wrapped_key": fresh.wrapped_key}
        session.execute(update(IdCopy).where(IdCopy.id == copy_id).values(values))
    return (rows[-1].id if rows else None), len(rows) - lost, lost
