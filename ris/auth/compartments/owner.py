"""Which practice an act is for: that of a new exam, that under which a report is signed."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import structures
from ris.auth.compartments.errors import (
    OwnerDiffers,
    PracticeRequired,
    PracticeUnknown,
    StructureDenied,
)
from ris.auth.compartments.scope import Compartment
from ris.auth.model import ServedStructure


def owner_for(session: Session, compartment: Compartment, asked: str | None) -> str | None:
    """Return the practice that a new exam of this caller belongs to: *asked*, or his only one.

    None where nothing is kept apart and nobody knows: the radiologist will tell. Raises
    `PracticeRequired`, `StructureDenied` (he does not work for *asked*), and what
    `require_practice` raises.
    """
    if asked is None:
        if compartment.active and compartment.practice is None:
            raise PracticeRequired("Vous travaillez pour plusieurs cabinets : précisez lequel.")
        return compartment.practice
    if not compartment.exams.sees(asked):
        raise StructureDenied("Vous ne travaillez pas pour ce cabinet.")
    require_practice(session, compartment, asked)
    return asked


def require_practice(session: Session, compartment: Compartment, struct_idnat: str) -> None:
    """Raise `PracticeUnknown` unless *struct_idnat* is declared here or is the caller's own.

    Raises StructureUnusable for an SCM, which owns no exam (AUTH-60). Where practices are not
    kept apart they need not be declared.
    """
    structures.require_acting(session, struct_idnat)
    if not compartment.active or struct_idnat == compartment.practice:
        return
    query = select(ServedStructure.id).where(ServedStructure.struct_idnat == struct_idnat)
    if session.scalar(query) is None:
        raise PracticeUnknown("Déclarez ce cabinet, ou vérifiez son identifiant.")


def refuse_foreign(compartment: Compartment, practice: str, owner: str | None) -> None:
    """Raise `OwnerDiffers` when a report of an exam of *owner* would leave under *practice*.

    Where practices are kept apart, the exam's one would not see what was signed for it (AUTH-61).
    A remplaçant signs in the situation he has there (AUTH-66).
    """
    if compartment.active and owner not in (None, practice):
        raise OwnerDiffers(
            "Choisissez la situation de ce cabinet, ou rattachez l'examen à celui où vous exercez."
        )
