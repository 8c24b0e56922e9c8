"""Errors of delegations. They name people and practices, never a number of theirs."""

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound


class DelegationMissing(Forbidden):
    """The act is done in somebody's name, and he has not delegated it (auth.md §6)."""

    code = "delegation_missing"
    title = "Délégation nécessaire"

    def __init__(self, action: str, physician: str) -> None:
        super().__init__(f"Il vous faut une délégation donnée par {physician} pour « {action} ».")


class DelegationExists(Conflict):
    """One in force already covers some of it: revoking one would leave the other at work."""

    code = "DELEGATION_EXISTS"
    title = "Une délégation en cours couvre déjà ces actes"


class DelegationUnknown(NotFound):
    """No such delegation, or it is not the caller's."""

    code = "DELEGATION_UNKNOWN"
    title = "Délégation inconnue"


class DelegateRefused(Conflict):
    """This person cannot receive the delegation."""

    code = "DELEGATE_REFUSED"
    title = "Délégation impossible à cette personne"


class DelegatedStructureRefused(Invalid):
    """The structure is not one the physician practises in."""

    code = "DELEGATION_STRUCTURE"
    title = "Vous n'exercez pas dans cette structure"
