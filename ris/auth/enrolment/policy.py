"""What becomes of a person whom Pro Santé Connect vouches for and nobody here knows (AUTH-30, 5).

Pure: a policy and what is told of the person in, a decision out. Never a match by name.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ris.auth.psc.userinfo import Exercise
from ris.auth.rights import STUDENT, Role

_PHYSICIAN: Final = "10"
_CIVIL: Final = "C"
_SPECIALTIES: Final = {"SM44": Role.RADIOLOGIST, "SM28": Role.NUCLEAR_PHYSICIAN}
_TECHNOLOGIST: Final = "98"


class Enrolment(StrEnum):
    """The policy of a site: `closed` refuses strangers, `request` lets them ask for an account.

    `auto_medical` opens at once the account of an imaging physician of a practice served here, and
    lets anybody else ask.
    """

    CLOSED = "closed"
    REQUEST = "request"
    AUTO_MEDICAL = "auto_medical"


class Fate(StrEnum):
    """What is done with a stranger."""

    REFUSE = "refuse"
    REQUEST = "request"
    ACTIVATE = "activate"


@dataclass(frozen=True, slots=True)
class Decision:
    """The fate of a stranger, with the role of an account opened at once."""

    fate: Fate
    role: Role | None = None


def decide(policy: Enrolment, exercises: Iterable[Exercise], served: Set[str]) -> Decision:
    """Return the fate of a stranger with these *exercises*.

    *served* are the Struct_IdNat of the practices served here, means companies (SCM) left out:
    one activity of the very exercise that gives the role must be at one of them.
    """
    if policy is Enrolment.CLOSED:
        return Decision(Fate.REFUSE)
    if policy is Enrolment.AUTO_MEDICAL:
        for exercise in exercises:
            role = _imaging_role(exercise)
            if role is not None and _places(exercise) & served:
                return Decision(Fate.ACTIVATE, role)
    return Decision(Fate.REQUEST)


def propose(held: Iterable[tuple[str, str, str]]) -> Role | None:
    """Return the role that exercises *held* (profession, category, savoir-faire) suggest, or None.

    Only a suggestion to the administrator (auth.md §9.1, §15).
    """
    for profession, category, specialty in held:
        if category == STUDENT:
            return Role.INTERN
        if profession == _PHYSICIAN:
            return _SPECIALTIES.get(specialty, Role.REFERRER)
        if profession == _TECHNOLOGIST:
            return Role.TECHNOLOGIST
    return None


def _imaging_role(exercise: Exercise) -> Role | None:
    physician = (exercise.profession, exercise.category) == (_PHYSICIAN, _CIVIL)
    return _SPECIALTIES.get(exercise.specialty) if physician else None


def _places(exercise: Exercise) -> Set[str]:
    return {one.structure.value for one in exercise.activities if one.structure.valid}
