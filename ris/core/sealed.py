"""Columns that hold a secret of one row: sealed on the way in, opened by the row that owns them.

The sealer travels with the engine (`Database(url, sealer=…)`), never in a global. What is sealed
with which context is said by the models; turning the keys is in `resealing.py`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast, overload

from sqlalchemy import Dialect, LargeBinary, inspect
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeDecorator

from ris.core import ids
from ris.core.crypto import Sealer
from ris.core.errors import NotConfigured

T = TypeVar("T")
_CARRIED: Final = "ris_sealer"


def carry(dialect: Dialect, sealer: Sealer | None) -> None:
    """Let *dialect*, hence its engine, seal and open with *sealer*."""
    setattr(dialect, _CARRIED, sealer)


def carried(dialect: Dialect) -> Sealer:
    """Return the sealer of *dialect*; raises `NotConfigured` when its engine has none."""
    sealer = getattr(dialect, _CARRIED, None)
    if not isinstance(sealer, Sealer):
        raise NotConfigured("Trousseau de clés absent : RIS_KEYRING.")
    return sealer


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """A value to be written: its bytes, and the context it will be sealed for."""

    data: bytes = field(repr=False)
    context: Callable[[], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A value as read: sealed bytes, and the engine's dialect that carries their sealer."""

    blob: bytes = field(repr=False)
    dialect: Dialect = field(repr=False)

    def open(self, context: bytes) -> bytes:
        """Return the plain bytes; raises `SealBroken` for the bytes of another row or column."""
        return carried(self.dialect).open(self.blob, context)


class SealedBlob(TypeDecorator[bytes]):
    """`bytea` whose bytes a service seals itself; the type tells the rotation to turn its keys."""

    impl = LargeBinary
    cache_ok = True


class Sealed(TypeDecorator[Plain | Kept]):
    """`bytea` sealed at the database's door: `Plain` in, `Kept` out. Use a `SealedAttribute`."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Plain | Kept | None, dialect: Dialect) -> bytes | None:
        """Seal a plain value for its row; bytes as read are written back as they are."""
        if value is None or isinstance(value, Kept):
            return value.blob if value else None
        return carried(dialect).seal(value.data, value.context())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Kept | None:
        """Give the sealed bytes with what may open them; nothing is opened yet."""
        return None if value is None else Kept(value, dialect)


class Digest(TypeDecorator[str | bytes]):
    """`bytea` for equality search: text goes in as its HMAC, so that `column == text` finds it."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose

    def process_bind_param(self, value: str | bytes | None, dialect: Dialect) -> bytes | None:
        """Digest a text; a digest as read is written back as it is."""
        if isinstance(value, str):
            return carried(dialect).digest(value.encode(), self.purpose.encode())
        return value


class SealedAttribute(Generic[T]):
    """A plain attribute of a model over its `Sealed` column, bound to the row's primary key.

    The context is `ris.<table>.<column>.v1|<key>`. *digest* names a `Digest` column written along:
    on the class, the attribute is that column, so `Patient.ins_matricule == text` searches it.
    """

    def __init__(
        self,
        column: str,
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
        *,
        digest: str | None = None,
    ) -> None:
        self.column, self.digest = column, digest
        self._encode, self._decode = encode, decode

    @overload
    def __get__(self, row: None, owner: type[Any]) -> InstrumentedAttribute[T]: ...
    @overload
    def __get__(self, row: object, owner: type[Any]) -> T: ...
    def __get__(self, row: object | None, owner: type[Any]) -> T | InstrumentedAttribute[T]:
        if row is None:
            searched = getattr(owner, self.digest) if self.digest else self
            return cast(InstrumentedAttribute[T], searched)
        kept = getattr(row, self.column)
        if kept is None:
            return cast(T, None)
        plain = kept.data if isinstance(kept, Plain) else kept.open(self.context(row))
        return self._decode(plain)

    def __set__(self, row: Any, value: T) -> None:
        if getattr(row, self.column) is not None and self.__get__(row, type(row)) == value:
            return
        if "id" in inspect(row).mapper.columns and row.id is None:
            row.id = ids.new()
        plain = None if value is None else Plain(self._encode(value), lambda: self.context(row))
        setattr(row, self.column, plain)
        if self.digest:
            setattr(row, self.digest, value)

    def context(self, row: object) -> bytes:
        """Return what binds the sealed bytes to the column and primary key of *row*."""
        mapper = inspect(type(row))
        key = "|".join(str(part) for part in mapper.primary_key_from_instance(row))
        return f"ris.{mapper.local_table.name}.{self.column}.v1|{key}".encode()


def sealed_text(column: str, *, digest: str | None = None) -> SealedAttribute[Any]:
    """Return an attribute of text over the sealed *column*; see `SealedAttribute` for *digest*."""
    return SealedAttribute[Any](column, str.encode, bytes.decode, digest=digest)


def sealed_json(column: str) -> SealedAttribute[dict[str, Any]]:
    """Return an attribute of JSON over the sealed *column*; changed only by a whole new value."""
    return SealedAttribute(column, lambda value: json.dumps(value).encode(), json.loads)


def sealed_bytes(column: str) -> SealedAttribute[bytes]:
    """Return an attribute of bytes over the sealed *column*."""
    return SealedAttribute(column, bytes, bytes)
