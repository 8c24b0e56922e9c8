"""What keeps a copy alive: the activities of a patient, asked of the tables when it matters.

Nothing is stored beside the copy, so the term cannot drift from the facts. Rooms above this one
give their own `ActivitySource`; `ris.app` puts them together. A consultation is no activity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.orm import Session

from ris.identity.copies.model import IdCopy
from ris.identity.model import IdentityDocument, IdentityHistory
from ris.identity.states import Event
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class ActivitySource:
    """A kind of activity: *label* in French, *rows* gives (patient id, instant), in that order."""

    label: str
    rows: Select[UUID, datetime]


OWN_CHECKS: Final = (Event.INSI_CONFIRMED, Event.INSI_DENIED)
IDENTITY: Final = (
    ActivitySource(
        "événement d'identité (création, modification, validation, rapprochement), hors"
        " vérification INSi, qui est une tâche du site et non une venue du patient",
        select(IdentityHistory.patient_id, IdentityHistory.at).where(
            IdentityHistory.event.not_in(OWN_CHECKS)
        ),
    ),
    ActivitySource(
        "présentation d'un titre d'identité",
        select(IdentityDocument.patient_id, IdentityDocument.recorded_at),
    ),
    ActivitySource("dépôt d'une copie", select(IdCopy.patient_id, IdCopy.created_at)),
)


@satisfies("RIS.INS.58")
def last_activities(
    session: Session, sources: Iterable[ActivitySource], patients: Sequence[UUID] | None = None
) -> dict[UUID, datetime]:
    """Return the last activity of each of *patients*, or of every patient who has a copy."""
    asked = select(IdCopy.patient_id) if patients is None else patients
    parts = [source.rows.where(source.rows.selected_columns[0].in_(asked)) for source in sources]
    every = union_all(*parts).subquery()
    patient, at = every.c
    rows = session.execute(select(patient, func.max(at)).group_by(patient))
    return {row[0]: row[1] for row in rows}
