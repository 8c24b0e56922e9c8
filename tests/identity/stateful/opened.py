"""What the sealed columns of the base hold, opened by the ORM with the product's key ring.

Reading only; what may be found there is said by `oracle.py`. A new sealed column is read too.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import load_only

from ris.core.db import Base, Database
from ris.core.sealed import SealedAttribute
from ris.identity.model import Patient
from ris.reports.model import DocumentVersion


def matricules(database: Database) -> dict[str, str]:
    """Return the matricule of each record that has one, by its id."""
    held = select(Patient).where(Patient.ins_sealed.is_not(None))
    with database.transaction() as session:
        return {str(row.id): row.ins_matricule for row in session.scalars(held)}


def version(database: Database, version_id: str) -> DocumentVersion:
    """Return one version of a report; its N1, N3, PDF and content can be read."""
    with database.transaction() as session:
        return session.get_one(DocumentVersion, UUID(version_id))


def columns() -> set[str]:
    """Return the `table.attribute` of everything that `everything` opens."""
    return {f"{owner.__tablename__}.{name}" for owner, names in _sealed() for name in names}


def everything(database: Database) -> Iterator[tuple[str, str]]:
    """Give (`table.attribute`, text) for each sealed value of each row."""
    with database.transaction() as session:
        for owner, names in _sealed():
            held = [getattr(owner, vars(owner)[name].column) for name in names]
            for row in session.scalars(select(owner).options(load_only(*held))):
                for name in names:
                    yield f"{owner.__tablename__}.{name}", _text(getattr(row, name))


def _sealed() -> Iterator[tuple[Any, list[str]]]:
    for mapper in Base.registry.mappers:
        held = vars(mapper.class_).items()
        if names := [name for name, one in held if isinstance(one, SealedAttribute)]:
            yield mapper.class_, names


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
