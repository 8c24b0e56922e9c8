"""Alembic's environment: the metadata of every feature, one connection, one transaction.

Configured in code by `ris.core.schema.configuration`; the engine's tables are not ours.
"""

import importlib
import pkgutil

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import ris
import ris.core.audit
from ris.core.db import Base

NOT_OURS = ("procrastinate_", "engine_schema")


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Hide the delivery engine's tables from autogenerate."""
    return not (kind == "table" and (name or "").startswith(NOT_OURS))


def load_models() -> None:
    """Import the `model` and `…_model` modules of every feature, so that the metadata is whole."""
    for found in pkgutil.walk_packages(ris.__path__, "ris."):
        if found.name.endswith("model"):
            importlib.import_module(found.name)


def run() -> None:
    """Run the migrations asked for."""
    load_models()
    engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=include_name,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
