"""The nightly search for duplicates among all records: puts pairs on the worklist, decides nothing.

Records of one birth date are compared two by two; a pair about which something was said already
is left alone.
"""

from collections.abc import Iterator
from itertools import combinations, groupby
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core.audit import record
from ris.core.db import Database
from ris.identity.duplicates import pairs as duplicates
from ris.identity.duplicates.likeness import THRESHOLD, Score, score
from ris.identity.duplicates.merge_model import DuplicatePair
from ris.identity.model import Patient

EVERY_S: Final = 86_400
_FETCHED: Final = 2_000
_WRITTEN: Final = 500
Pair = tuple[UUID, UUID, Score]


class DuplicateScan:
    """The periodic job; running it twice finds nothing twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self) -> int:
        """Look at every record; return how many pairs were put on the worklist."""
        with self._database.transaction() as session:
            known = {(low, high) for low, high in session.execute(_SAID)}
            pairs = [pair for pair in _alike(session) if (pair[0], pair[1]) not in known]
        added = 0
        for start in range(0, len(pairs), _WRITTEN):
            with self._database.transaction() as session:
                added += _written(session, pairs[start : start + _WRITTEN])
        with self._database.transaction() as session:
            record(session, "duplicate.scanned", detail={"found": added})
        return added


_SAID: Final = select(DuplicatePair.low_id, DuplicatePair.high_id)


def _alike(session: Session) -> Iterator[Pair]:
    """Yield the pairs above the threshold, lower id first."""
    living = select(Patient).where(Patient.merged_into_id.is_(None)).order_by(Patient.birth_date)
    rows = session.scalars(living.execution_options(yield_per=_FETCHED))
    for _, born in groupby(((row.birth_date, row.id, row.traits) for row in rows), lambda r: r[0]):
        for (_, one, traits), (_, other, others) in combinations(born, 2):
            alike = score(traits, others)
            if alike.points >= THRESHOLD:
                low, high = sorted((one, other))
                yield low, high, alike


def _written(session: Session, pairs: list[Pair]) -> int:
    """Write these pairs; one of them merged meanwhile is not shown, hence does no harm."""
    return sum(duplicates.found(session, low, high, alike) for low, high, alike in pairs)
