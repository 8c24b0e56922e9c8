"""The database door: declarative base, column types, sessions. One dialect: PostgreSQL (psycopg 3).

The only module of the product that commits. Services receive a `Session` and never commit; the
edge that owns the transaction (route, job, command) opens it with `Database.transaction()`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CheckConstraint, Dialect, Engine, MetaData, String, create_engine, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from ris.core import sealed
from ris.core.crypto import Sealer

_NAMES: Final = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A `timestamptz` that refuses naive values and always gives aware UTC ones."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive datetime: a missing zone is a clinical defect."""
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the instant in UTC."""
        return value.astimezone(UTC) if value is not None else None


class Base(DeclarativeBase):
    """Base of every mapped class; timestamps annotated `datetime` become `UtcDateTime`."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime: UtcDateTime(), str: String()}  # noqa: RUF012


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the CHECK that keeps text *column* inside an enumeration (never a native PG enum)."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def driver_url(url: str) -> str:
    """Return *url* with the psycopg 3 driver named, whatever PostgreSQL scheme it came with."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme.startswith("postgres") else url


class Database:
    """An engine and its sessions.

    *url* is any PostgreSQL URL; *pool_size* must cover the threads that may ask at once; *sealer*
    seals and opens the sealed columns, which stay closed without it.
    """

    def __init__(
        self, url: str, *, pool_size: int = 45, sealer: Sealer | None = None, **options: Any
    ) -> None:
        self.url = url
        self.engine: Engine = create_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=5,
            pool_pre_ping=True,
            hide_parameters=True,  # an exception text must not quote a trait
            **options,
        )
        self.sessions = sessionmaker(self.engine, expire_on_commit=False)
        self.seal_with(sealer)

    def seal_with(self, sealer: Sealer | None) -> None:
        """Give the engine the sealer of its sealed columns."""
        sealed.carry(self.engine.dialect, sealer)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session that commits on a clean exit and rolls back on any exception."""
        with self.sessions.begin() as session:
            yield session

    def ping(self) -> None:
        """Raise when the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("select 1"))

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
