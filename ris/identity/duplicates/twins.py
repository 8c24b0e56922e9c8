"""A person created twice, once in each of two compartments: told to the identity officer alone.

Whoever creates the second record sees nothing of the first; both are put on the worklist at once,
without waiting for the nightly scan (`scan.py`).
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core.audit import record
from ris.identity.compartment import Visible, everybody
from ris.identity.duplicates import pairs
from ris.identity.duplicates.likeness import THRESHOLD, score
from ris.identity.model import Patient


def note_hidden_twins(session: Session, patient: Patient, visible: Visible) -> None:
    """Put on the worklist the pairs that a record just created makes with hidden ones."""
    if visible is everybody:
        return
    query = select(Patient).where(
        Patient.birth_date == patient.birth_date,
        Patient.id != patient.id,
        Patient.merged_into_id.is_(None),
        ~visible(Patient),
    )
    for other in session.scalars(query).all():
        alike = score(patient.traits, other.traits)
        if alike.points >= THRESHOLD and pairs.found(session, patient.id, other.id, alike):
            detail = {"other": str(other.id), "reasons": list(alike.reasons)}
            target = ("patient", patient.id)
            record(session, "duplicate.found", target=target, patient_id=patient.id, detail=detail)
