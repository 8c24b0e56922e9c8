"""The written side of the DMP: frozen submissions, the trace of exchanges.

Short transactions, rows in and rows out; it neither speaks to the DMP nor decides anything.
"""

from dataclasses import asdict, dataclass, replace
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Select, exists, select

from ris.auth.values import Authentication, Professional
from ris.core.db import Database
from ris.core.errors import NotFound
from ris.dmp.client import TD21, Exchange
from ris.dmp.model import DmpExchange, DmpSubmission
from ris.reports import authentications
from ris.reports.channels import Operation
from ris.reports.content import Level
from ris.reports.model import DocumentVersion, Report

_PROFESSIONAL: Final = TypeAdapter(Professional)


@dataclass(frozen=True, slots=True)
class Submission:
    """A frozen row, the CDA bytes it sends, and the sign-in of its author behind the act."""

    row: DmpSubmission
    cda: bytes
    authentication: Authentication


def frozen_author(person: Professional) -> dict[str, object]:
    """Return *person* as the JSON kept in `dmp_submission.author`."""
    value: dict[str, object] = _PROFESSIONAL.dump_python(person, mode="json")
    return value


def author_of(row: DmpSubmission) -> Professional:
    """Return the radiologist frozen with *row*."""
    return _PROFESSIONAL.validate_python(row.author)


def _of(delivery_id: UUID) -> Select[DmpSubmission]:
    return select(DmpSubmission).where(DmpSubmission.delivery_id == delivery_id)


class Journal:
    """Reads submissions and writes exchanges, each in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submission(self, delivery_id: UUID) -> Submission:
        """Return what a delivery sends and in whose authenticated name; raises `NotFound`."""
        with self._database.transaction() as session:
            row = session.scalars(_of(delivery_id)).one_or_none()
            version = session.get(DocumentVersion, row.document_id) if row else None
            if row is None or version is None:
                raise NotFound("Envoi DMP inconnu.")
            cda = version.n1 if row.level == Level.N1 else version.n3
            if row.operation == Operation.DELETE:
                report = session.get_one(Report, version.report_id)
                behind = authentications.of_withdrawal(report, version)
            else:
                behind = authentications.of_signature(version)
            session.expunge(row)
            return Submission(row, cda, behind)

    def keep_signature(self, delivery_id: UUID, signature: bytes) -> bytes:
        """Store the lot signature unless one is already there; return the one that stays."""
        with self._database.transaction() as session:
            row = session.scalars(_of(delivery_id).with_for_update()).one()
            row.signature = row.signature or signature
            return row.signature

    def keep_entry(self, delivery_id: UUID, entry_uuid: str) -> None:
        """Remember the entryUUID last seen for a delivery: a hint, always looked up again."""
        with self._database.transaction() as session:
            row = session.scalars(_of(delivery_id)).one()
            row.entry_uuid = entry_uuid

    def was_sent(self, delivery_id: UUID) -> bool:
        """Say whether a TD2.1 of this delivery already left, whatever its answer."""
        with self._database.transaction() as session:
            query = exists().where(
                DmpExchange.delivery_id == delivery_id, DmpExchange.transaction == TD21
            )
            return bool(session.scalar(select(query)))

    def observe(self, delivery_id: UUID, exchange: Exchange) -> None:
        """Append one exchange of a delivery."""
        values = asdict(replace(exchange, delivery_id=delivery_id))
        with self._database.transaction() as session:
            session.add(DmpExchange(**{**values, "error_codes": list(exchange.error_codes)}))
