"""The schema of the database: brought to head, checked. The one entry point of `ris db upgrade`.

Alembic's history first, then the delivery engine's own schema, handed over as SQL by whoever knows
the engine (core does not). No table is described here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ris.core.crypto import Sealer
from ris.core.db import driver_url
from ris.core.errors import NotConfigured

_LOCK: Final = 0x5249_5353  # "RISS": one upgrade at a time, whatever the number of machines
_ENGINE_TABLE: Final = "create table if not exists engine_schema (version text not null)"


@dataclass(frozen=True, slots=True)
class EngineSchema:
    """The delivery engine's SQL: *full* for an empty database, *migrations* by file name."""

    full: str
    migrations: Mapping[str, str]

    @property
    def version(self) -> str:
        """Return the name of the last migration, which the full schema includes."""
        return max(self.migrations, default="")


def upgrade(
    url: str, *, engine: EngineSchema | None = None, sealer: Callable[[], Sealer] | None = None
) -> None:
    """Bring the database of *url* to head; nothing changes the second time.

    Concurrent calls wait for each other. *sealer* is asked for only when a migration has rows to
    seal; raises `NotConfigured` when it then has no key ring.
    """
    with psycopg.connect(_libpq(url), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        command.upgrade(configuration(url, sealer=sealer), "head")
        if engine:
            _upgrade_engine(connection, engine)


def is_at_head(url: str, *, engine: EngineSchema | None = None) -> bool:
    """Say whether both schemas are those this code was written for (`/readyz`)."""
    wanted = set(ScriptDirectory.from_config(configuration(url)).get_heads())
    with psycopg.connect(_libpq(url), autocommit=True) as connection:
        if _column(connection, "alembic_version", "version_num") != wanted:
            return False
        found = _column(connection, "engine_schema", "version")
    return engine is None or found == {engine.version}


def configuration(url: str, *, sealer: Callable[[], Sealer] | None = None) -> Config:
    """Return alembic's configuration for *url*: no ini file, the scripts shipped with the code.

    A migration that seals or opens rows asks `context.config.attributes["sealer"]`.
    """
    config = Config()
    config.set_main_option("script_location", str(_scripts()))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["url"] = driver_url(url)
    config.attributes["sealer"] = sealer
    return config


def _scripts() -> Path:
    """Return the migrations' folder: in the installed package, else at the repository's root."""
    package = Path(__file__).parents[1]
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").exists():
            return folder
    raise NotConfigured("Migrations introuvables dans cette installation.")


def _upgrade_engine(connection: psycopg.Connection, engine: EngineSchema) -> None:
    """Apply the full schema once, then each later migration, recorded one by one."""
    connection.execute(_ENGINE_TABLE)
    row = connection.execute("select version from engine_schema").fetchone()
    if row is None:
        with connection.transaction():
            connection.execute(engine.full)
            connection.execute("insert into engine_schema values (%s)", [engine.version])
        return
    for name in sorted(name for name in engine.migrations if name > row[0]):
        with connection.transaction():
            connection.execute(engine.migrations[name])
            connection.execute("update engine_schema set version = %s", [name])


def _column(
    connection: psycopg.Connection, table: LiteralString, column: LiteralString
) -> set[str]:
    if connection.execute("select to_regclass(%s)", [table]).fetchone() == (None,):
        return set()
    return {row[0] for row in connection.execute(f"select {column} from {table}")}  # noqa: S608


def _libpq(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]
