"""The sealed columns of every table: data keys put under the current key, the right ring checked.

No value is opened: a rotation wraps the data key anew and leaves what it sealed. Interrupted, it
is run again: only what is still under a former key is left to do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    TableClause,
    and_,
    bindparam,
    column,
    func,
    inspect,
    literal_column,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from ris.core.crypto import Envelope, SealBroken, Sealer
from ris.core.db import Base, Database
from ris.core.errors import NotConfigured
from ris.core.sealed import Sealed, SealedBlob

_BATCH: Final = 500
Key = tuple[Any, ...]


class KeyringForeign(NotConfigured):
    """The database was sealed with another key ring than the one given."""

    code = "KEYRING_FOREIGN"
    title = "Trousseau de clés étranger à cette base"


@dataclass(frozen=True, slots=True)
class Place:
    """One sealed column, and the primary key of its table."""

    table: str
    key: tuple[str, ...]
    column: str

    def rows(self) -> TableClause:
        """Return the table as bare columns: no default, no `onupdate`, no type of ours."""
        return table(self.table, *(column(name) for name in (*self.key, self.column)))


def places() -> tuple[Place, ...]:
    """Return every sealed column of the loaded models."""
    return tuple(
        Place(one.name, tuple(part.name for part in one.primary_key), held.name)
        for one in Base.metadata.sorted_tables
        for held in one.columns
        if isinstance(held.type, Sealed | SealedBlob)
    )


def rewrap(database: Database, sealer: Sealer, kek_id: str) -> tuple[int, int]:
    """Wrap anew, under *kek_id* (the current one), every data key that is under another.

    Return how many values were done and how many no key of the ring opens. One transaction per
    batch; a row changed meanwhile is left to whoever changed it.
    """
    done = lost = 0
    for place in places():
        after: Key | None = None
        while True:
            with database.transaction() as session:
                found = _former(session, place, kek_id, after)
                rows = list(_rewrapped(found, sealer, place))
                if rows:
                    session.connection().execute(_replace(place), rows)
            done, lost = done + len(rows), lost + len(found) - len(rows)
            if len(found) < _BATCH:
                break
            after = tuple(found[-1][:-1])
    return done, lost


def check(database: Database, sealer: Sealer | None) -> None:
    """Raise `KeyringForeign` when the last row of a sealed column needs a key not in the ring.

    A database of an earlier version is let through: its columns are not there yet.
    """
    there = inspect(database.engine).get_multi_columns()
    for place in places():
        if place.column not in [one["name"] for one in there.get((None, place.table), ())]:
            continue
        with database.transaction() as session:
            rows = place.rows()
            sealed, order = rows.c[place.column], [rows.c[name].desc() for name in place.key]
            query = select(sealed).where(sealed.is_not(None)).order_by(*order).limit(1)
            last = session.scalar(query)
        if last is not None:
            _known(last, sealer)


def _known(last: bytes, sealer: Sealer | None) -> None:
    if sealer is None:
        raise KeyringForeign(
            "La base contient des données chiffrées et le trousseau est absent : remettez en place"
            " celui qui a servi à les chiffrer (RIS_KEYRING). Sans lui elles sont perdues."
        )
    try:
        sealer.rewrap(Envelope.unpack(last))
    except SealBroken as error:
        raise KeyringForeign(
            "Ce trousseau n'ouvre pas cette base : remettez en place celui qui a servi à la"
            " chiffrer, ou sa version la plus récente (RIS_KEYRING)."
        ) from error


def _former(session: Session, place: Place, kek_id: str, after: Key | None) -> list[Any]:
    """Return the next rows by key whose data key is not under *kek_id*."""
    rows = place.rows()
    sealed = rows.c[place.column]
    keys = [rows.c[name] for name in place.key]
    size = func.get_byte(sealed, literal_column("4"))
    name = func.substring(sealed, literal_column("7"), size)
    wanted: list[ColumnElement[bool]] = [sealed.is_not(None), name != kek_id.encode()]
    if after is not None:
        wanted.append(tuple_(*keys) > tuple_(*after))
    query = select(*keys, sealed).where(and_(*wanted)).order_by(*keys).limit(_BATCH)
    return list(session.execute(query))


def _rewrapped(found: list[Any], sealer: Sealer, place: Place) -> Iterator[dict[str, Any]]:
    for *key, blob in found:
        try:
            fresh = sealer.rewrap(Envelope.unpack(blob)).pack()
        except SealBroken:
            continue
        keys = {f"key_{name}": value for name, value in zip(place.key, key, strict=True)}
        yield {**keys, "was": blob, "fresh": fresh}


def _replace(place: Place) -> Any:
    rows = place.rows()
    owner = [rows.c[name] == bindparam(f"key_{name}") for name in place.key]
    unchanged = rows.c[place.column] == bindparam("was")
    return update(rows).where(*owner, unchanged).values({place.column: bindparam("fresh")})
