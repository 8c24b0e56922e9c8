"""Who sees whose exams and patients: pure rules over settings, role, situation and memberships.

No database, no clock, no HTTP. What a thing belongs to is told by the room that owns it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ris.auth.compartments.settings import CompartmentSettings, Sharing
from ris.auth.rights import Role

PHYSICIANS: Final = frozenset({Role.RADIOLOGIST, Role.NUCLEAR_PHYSICIAN})
# auth.md §9.2: the rows of these roles carry no "own structure only"
UNBOUND: Final = frozenset({Role.IDENTITY_OFFICER, Role.INTEGRATOR, Role.AUDITOR})
SEVERAL: Final = 2


@dataclass(frozen=True, slots=True)
class Served:
    """A structure declared on this site; *mine*: the caller is a member of it today."""

    struct_idnat: str
    name: str
    is_scm: bool
    mine: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """The practices whose things are seen, by Struct_IdNat; None: the whole site."""

    practices: frozenset[str] | None

    @property
    def whole(self) -> bool:
        """Say whether nothing is hidden."""
        return self.practices is None

    def sees(self, owner: str | None) -> bool:
        """Say whether a thing of *owner* is seen; what nobody owns is seen by whole-site staff."""
        return self.practices is None or owner in self.practices

    def meets(self, practices: Collection[str]) -> bool:
        """Say whether a patient of *practices* is seen.

        One who belongs to no practice yet (received by a feed) is seen by all: somebody must be
        able to receive him, or each practice would create him anew.
        """
        return self.practices is None or not practices or not self.practices.isdisjoint(practices)


WHOLE: Final = Scope(None)


@dataclass(frozen=True, slots=True)
class Compartment:
    """What a caller sees. *practice*: the one he works for, None when there are several or none.

    *active*: this site keeps its practices apart, even if this caller works for them all.
    """

    exams: Scope = WHOLE
    patients: Scope = WHOLE
    practice: str | None = None
    active: bool = False

    @property
    def bounded(self) -> bool:
        """Say whether something of the site is hidden from the caller."""
        return not (self.exams.whole and self.patients.whole)


OPEN: Final = Compartment()


def compartment_of(
    settings: CompartmentSettings,
    role: Role,
    acting: str | None,
    served: Collection[Served],
) -> Compartment:
    """Return what a caller of *role* sees, in his situation's structure *acting* (if any).

    Practices are kept apart once two are declared: before that there is nobody to hide from. A
    member of the SCM works for every practice of the site, and so does staff employed by it; a
    physician's own situation there gives nothing, for an SCM practises no medicine (AUTH-60).
    """
    companies = {one.struct_idnat for one in served if one.is_scm}
    practices = {one.struct_idnat for one in served if not one.is_scm}
    own = {one.struct_idnat for one in served if one.mine and not one.is_scm}
    exercise = acting if acting and acting not in companies else None
    own |= {exercise} if exercise else set()
    employed = acting in companies and role not in PHYSICIANS
    everywhere = role in UNBOUND or employed or any(one.mine and one.is_scm for one in served)
    active = len(practices) >= SEVERAL
    bound = Scope(frozenset(own)) if active and not everywhere else WHOLE
    return Compartment(
        exams=bound if settings.exams is Sharing.STRUCTURE else WHOLE,
        patients=bound if settings.patients is Sharing.STRUCTURE else WHOLE,
        practice=exercise or _only(own) or _only(practices),
        active=active and settings.exams is Sharing.STRUCTURE,
    )


def _only(listed: Collection[str]) -> str | None:
    return next(iter(listed)) if len(listed) == 1 else None
