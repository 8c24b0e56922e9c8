"""The one door of the compartments: nobody passes with the id of another practice's thing.

`dependencies.require` comes here with the path of each request of a caller who does not see the
whole site; a route whose id is in its body comes by itself (`ris.auth.compartments.inside`). The
rooms that own exams and patients tell whose they are (`Doors`, wired by `ris.app`); nothing here
reads their tables. Lists filter in their own SQL.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth.break_glass import service as break_glass
from ris.auth.compartments.caller import Caller
from ris.auth.compartments.errors import StructureDenied
from ris.auth.compartments.scope import Scope
from ris.auth.rights import Permission
from ris.core import audit
from ris.core.db import Database
from ris.core.errors import NotFound, RisError

# rights whose routes are about what lies beyond the compartments, and check it themselves
BEYOND: Final = frozenset({Permission.BREAK_GLASS, Permission.BREAK_GLASS_REVIEW})


@dataclass(frozen=True, slots=True)
class Owned:
    """What an exam, its report or a delivery is filed under; *owner* None: nobody's yet."""

    patient_id: UUID
    owner: str | None


@dataclass(frozen=True, slots=True)
class PatientDoor:
    """Whose record an id names; *absent* is what its route answers when there is none."""

    patient_of: Callable[[Session, UUID], UUID | None]
    absent: type[NotFound]


@dataclass(frozen=True, slots=True)
class Doors:
    """What the rooms tell: by name of a path's parameter, whose thing it names (None: no such).

    *practices_of* gives the practices a patient belongs to and raises NotFound; *owners* those of
    his exams outside a scope.
    """

    exams: Mapping[str, Callable[[Session, UUID], Owned | None]]
    patients: Mapping[str, PatientDoor]
    practices_of: Callable[[Session, UUID], frozenset[str]]
    owners: Callable[[Session, UUID, Scope], list[str | None]]


def enter(
    database: Database, doors: Doors, caller: Caller, told: Mapping[str, str], *, reading: bool
) -> None:
    """Let *caller* pass with the ids *told*, or refuse and trace it.

    In a transaction of its own: a refused request is rolled back, its trace is not. What another
    practice owns may be read under a break-glass, and each such reading is journaled. Raises
    `StructureDenied`; for a hidden patient, what the route answers when there is none.
    """
    with database.transaction() as session:
        refusal = _refusal(session, doors, caller, told, reading=reading)
    if refusal is not None:
        raise refusal


def _refusal(
    session: Session, doors: Doors, caller: Caller, told: Mapping[str, str], *, reading: bool
) -> RisError | None:
    for name, value in told.items():
        identifier = _id(value)
        if identifier is None:
            continue  # the route refuses what is no identifier
        refusal = None
        if name in doors.exams:
            refusal = _exam(session, doors, caller, (name, identifier), reading=reading)
        elif name in doors.patients and not caller.compartment.patients.whole:
            refusal = _patient(session, doors, caller, (name, identifier), reading=reading)
        if refusal is not None:
            return refusal
    return None


def _exam(
    session: Session, doors: Doors, caller: Caller, told: tuple[str, UUID], *, reading: bool
) -> RisError | None:
    found = doors.exams[told[0]](session, told[1])
    if found is None or caller.compartment.exams.sees(found.owner):
        return None
    owners = frozenset({found.owner} if found.owner else ())
    if reading and break_glass.used(session, caller, found.patient_id, told, owners):
        return None
    return _denied(session, caller, found.patient_id, told)


def _patient(
    session: Session, doors: Doors, caller: Caller, told: tuple[str, UUID], *, reading: bool
) -> RisError | None:
    door = doors.patients[told[0]]
    patient_id = door.patient_of(session, told[1])
    if patient_id is None:
        return None
    try:
        practices = doors.practices_of(session, patient_id)
    except NotFound:
        return None  # the route says so itself
    if caller.compartment.patients.meets(practices):
        return None
    if reading and break_glass.used(session, caller, patient_id, told, practices):
        return None
    refusal = _denied(session, caller, patient_id, told)
    return refusal if Permission.BREAK_GLASS in caller.permissions else door.absent()


def _denied(
    session: Session, caller: Caller, patient_id: UUID, told: tuple[str, UUID]
) -> StructureDenied:
    """Trace the refusal and return it; who may break the glass is told where."""
    audit.record(
        session,
        "auth.access_denied",
        actor=caller.actor,
        outcome="failure",
        reason=StructureDenied.code,
        target=(told[0].removesuffix("_id"), told[1]),
        patient_id=patient_id,
    )
    if Permission.BREAK_GLASS not in caller.permissions:
        return StructureDenied()
    if break_glass.held(session, caller, patient_id) is not None:
        return StructureDenied(
            "Votre bris de glace ouvre la lecture seule : cet acte revient au cabinet du dossier."
        )
    return StructureDenied(
        "Ce dossier est rattaché à un autre cabinet. En cas de nécessité, ouvrez-le par un bris "
        "de glace motivé : lecture seule, durée limitée, signalé au cabinet.",
        break_glass=f"/v1/patients/{patient_id}/break-glass",
    )


def _id(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
