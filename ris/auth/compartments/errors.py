"""What may go wrong with compartments and the members of a structure."""

from typing import Any

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound


class StructureDenied(Forbidden):
    """The thing belongs to a practice the caller does not work for.

    *break_glass* (extension): where one who holds the right may open it all the same.
    """

    code = "structure_denied"
    title = "Dossier d'un autre cabinet"

    def __init__(self, detail: str = "", **extensions: Any) -> None:
        told = detail or "Cet examen est rattaché à un cabinet pour lequel vous ne travaillez pas."
        super().__init__(told, **extensions)


class PracticeRequired(Invalid):
    """Whose exam it is cannot be guessed: the caller works for several practices."""

    code = "STRUCTURE_REQUIRED"
    title = "Indiquez le cabinet"


class PracticeUnknown(Invalid):
    """The structure is no practice of this site."""

    code = "STRUCTURE_UNKNOWN"
    title = "Cabinet inconnu de ce site"


class OwnerDiffers(Conflict):
    """A report leaves under the structure of who signs it, which must be that of the exam."""

    code = "OWNER_DIFFERS"
    title = "Examen d'un autre cabinet que celui où vous exercez"


class MemberNotFound(NotFound):
    """No such membership, or no such structure."""

    code = "STRUCTURE_MEMBER_UNKNOWN"
    title = "Rattachement ou structure introuvable"


class PeriodInvalid(Invalid):
    """A membership ends after it begins, with a time zone."""

    code = "PERIOD_INVALID"
    title = "Période refusée"


class SelfGrant(Forbidden):
    """An administrator gives nothing to himself (auth.md §9.2)."""

    code = "role_denied"
    title = "Un administrateur ne modifie pas ses propres droits"
