"""The SQL of procrastinate's own tables, for `ris.core.schema.upgrade` (engineering.md §2.3).

Read from the installed package; nothing is run here.
"""

from pathlib import Path

from procrastinate.schema import SchemaManager  # noqa: TID251 - the engine's own schema

from ris.core.schema import EngineSchema


def engine_schema() -> EngineSchema:
    """Return the full schema and the migrations of the installed procrastinate, by file name."""
    files = Path(SchemaManager.get_migrations_path()).glob("*.sql")
    return EngineSchema(
        SchemaManager.get_schema(),
        {path.name: path.read_text(encoding="utf-8") for path in files},
    )
