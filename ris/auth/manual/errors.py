"""Errors of the situations an administrator gives."""

from ris.core.errors import Conflict, Invalid, NotFound


class AccountUnknown(NotFound):
    """No such account."""

    code = "ACCOUNT_UNKNOWN"
    title = "Compte inconnu"


class StructureUnknown(Invalid):
    """The structure is not declared on this site."""

    code = "STRUCTURE_UNKNOWN"
    title = "Structure non déclarée sur ce site"


class ExerciseMismatch(Invalid):
    """The profession or the specialty is not one that Pro Santé Connect lists for this person."""

    code = "EXERCISE_UNKNOWN"
    title = "Exercice professionnel à préciser"


class SituationOverlap(Conflict):
    """The person already has a situation in this structure over these dates."""

    code = "SITUATION_OVERLAP"
    title = "Cette personne y a déjà une situation à ces dates"
