"""What the base tells of a record beside its identity, for its FHIR form: reads only.

How reliable the identity is and since when, by what it was obtained and checked, what it absorbed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import clock
from ris.identity.model import IdentityDocument, IdentityHistory, InsiCall, Patient
from ris.identity.rules import traits_digest
from ris.identity.states import Event

_TYPED: Final = (Event.CREATED, Event.STRICT_TRAIT_CHANGED)
_FROM_INSI: Final = (Event.INSI_ACCEPTED, Event.FOREIGN_CONFIRMED)
_QUERIED: Final = (*_FROM_INSI, Event.INSI_CONFIRMED)
_RECEIVED: Final = (
    Event.FOREIGN_TRUSTED,
    Event.FOREIGN_VALIDATED,
    Event.FOREIGN_RETRIEVED,
    Event.FOREIGN_PROVISIONAL,
)
_VITALE: Final = "vitale"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is not in `PatientIdentity`.

    *since*: the instant of the last event of the identity. *method*: how its traits were obtained
    (`SM`, `INSI`, `CV`, or empty when another system brought them). *queried_on*: the day INSi last
    spoke for them. *checked*: type and day of the document that supports them. *interpreted*: the
    birth date stands for a less precise one. *survivor* absorbed this record; *absorbed* are the
    id and the IPP of those it absorbed.
    """

    version: int
    updated_at: datetime
    since: datetime
    method: str = ""
    queried_on: date | None = None
    checked: tuple[str, date] | None = None
    interpreted: bool = False
    survivor: UUID | None = None
    absorbed: tuple[tuple[UUID, str], ...] = field(default=())


def facts_of(session: Session, patients: Sequence[Patient]) -> dict[UUID, Facts]:
    """Return the facts of each of *patients*, in four queries whatever their number."""
    wanted = [patient.id for patient in patients]
    history = _grouped(session, wanted)
    operations = _operations(session, wanted)
    absorbed: dict[UUID | None, list[tuple[UUID, str]]] = defaultdict(list)
    gone = select(Patient.merged_into_id, Patient.id, Patient.ipp)
    for into, who, ipp in session.execute(gone.where(Patient.merged_into_id.in_(wanted))):
        absorbed[into].append((who, ipp))
    checks = _checks(session, wanted)
    return {
        one.id: Facts(
            version=one.version,
            updated_at=one.updated_at,
            since=_since(history[one.id], one.updated_at),
            method=_method(history[one.id], operations),
            queried_on=_day(_last(history[one.id], _QUERIED)),
            checked=checks.get((one.id, traits_digest(one.traits))),
            interpreted=one.birth_date_raw is not None,
            survivor=one.merged_into_id,
            absorbed=tuple(sorted(absorbed[one.id])),
        )
        for one in patients
    }


def _grouped(session: Session, wanted: Sequence[UUID]) -> dict[UUID, list[IdentityHistory]]:
    rows = select(IdentityHistory).where(IdentityHistory.patient_id.in_(wanted))
    found: dict[UUID, list[IdentityHistory]] = defaultdict(list)
    for row in session.scalars(rows.order_by(IdentityHistory.at, IdentityHistory.id)):
        found[row.patient_id].append(row)
    return found


def _operations(session: Session, wanted: Sequence[UUID]) -> dict[str, str]:
    """Return what each INSi call of these patients was: by traits, by card, a verification."""
    calls = select(InsiCall.id, InsiCall.operation).where(InsiCall.patient_id.in_(wanted))
    return {str(call): operation for call, operation in session.execute(calls)}


def _checks(session: Session, wanted: Sequence[UUID]) -> dict[tuple[UUID, str], tuple[str, date]]:
    """Return the last validated document by patient and by the traits it saw (R-STA-03)."""
    kept = select(IdentityDocument).where(IdentityDocument.patient_id.in_(wanted))
    rows = session.scalars(
        kept.where(IdentityDocument.validated).order_by(IdentityDocument.recorded_at)
    )
    return {
        (row.patient_id, row.traits_digest): (row.type, _local(row.recorded_at)) for row in rows
    }


def _last(rows: Sequence[IdentityHistory], events: Sequence[Event]) -> IdentityHistory | None:
    return next((row for row in reversed(rows) if row.event in events), None)


def _since(rows: Sequence[IdentityHistory], otherwise: datetime) -> datetime:
    """Return when the identity last changed; an address or a phone number does not count."""
    quiet = Event.COMPLEMENTARY_TRAIT_CHANGED
    telling = [row.at for row in rows if row.event != quiet or row.evidence]
    return telling[-1] if telling else otherwise


def _method(rows: Sequence[IdentityHistory], operations: dict[str, str]) -> str:
    row = _last(rows, (*_TYPED, *_FROM_INSI, *_RECEIVED))
    if row is None or row.event in _RECEIVED:
        return ""
    if row.event in _TYPED:
        return "SM"
    return "CV" if operations.get(str(row.evidence.get("insi_call"))) == _VITALE else "INSI"


def _day(row: IdentityHistory | None) -> date | None:
    return _local(row.at) if row else None


def _local(instant: datetime) -> date:
    return instant.astimezone(clock.PARIS).date()
