"""What a patient refuses of MSSanté: recording it, and the facts the sending decision asks for.

The decision itself is `ris.diffusion.decision`.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from ris.core import audit, clock
from ris.core.errors import Stale
from ris.identity.service import still_open
from ris.mss.model import MssRefusal
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Refusals:
    """What is refused now; *version* 0 while nothing was ever recorded."""

    professional: bool = False
    patient: bool = False
    version: int = 0


@satisfies("RIS.MSS.21", "RIS.MSS.25")
def refusals(session: Session, patient_id: UUID) -> Refusals:
    """Return what the patient refuses."""
    row = session.get(MssRefusal, patient_id)
    return Refusals(row.professional, row.patient, row.version) if row else Refusals()


@satisfies("RIS.MSS.21", "RIS.MSS.25")
def record(
    session: Session,
    patient_id: UUID,
    *,
    professional: bool,
    patient: bool,
    version: int,
    actor: audit.Actor,
) -> Refusals:
    """Replace what the patient refuses.

    Raises `PatientNotFound`, `PatientMerged`, or `Stale` on another version.
    """
    still_open(session, patient_id, alone=True)
    row = session.get(MssRefusal, patient_id)
    if (row.version if row else 0) != version:
        raise Stale
    if row is None:
        row = MssRefusal(patient_id=patient_id)
        session.add(row)
    row.professional, row.patient = professional, patient
    row.recorded_at, row.recorded_by = clock.now(), actor.account_id
    session.flush()
    audit.record(
        session,
        "mss.refusals_changed",
        actor=actor,
        target=("patient", patient_id),
        patient_id=patient_id,
        detail={"professional": professional, "patient": patient},
    )
    return Refusals(row.professional, row.patient, row.version)
