"""Refusals of acts on accounts. Only classes."""

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound


class AccountUnknown(NotFound):
    """No account has this id."""

    code = "ACCOUNT_UNKNOWN"
    title = "Compte inconnu"


class ActImpossible(Conflict):
    """The status of the account does not allow the act."""

    code = "ACCOUNT_STATUS"
    title = "Action impossible dans l'état du compte"


class AccountMerged(Conflict):
    """The account lost its identifiers to another one: nobody could sign in with it."""

    code = "ACCOUNT_MERGED"
    title = "Compte fusionné dans un autre"


class OwnAccount(Forbidden):
    """An administrator acts on himself, by whichever of his accounts."""

    code = "role_denied"
    title = "Droit insuffisant"

    def __init__(self) -> None:
        super().__init__("Un administrateur ne modifie pas ses propres droits.")


class RoleSeparation(Conflict):
    """The role is of another family than the account's, or may not be held by this person."""

    code = "role_separation"
    title = "Séparation des rôles"


class LastAdministrator(Conflict):
    """Nobody would be left to administer accounts."""

    code = "LAST_ADMINISTRATOR"
    title = "Dernier administrateur des comptes"

    def __init__(self) -> None:
        super().__init__("Donnez d'abord ce rôle à une autre personne.")


class QueueItemUnknown(NotFound):
    """No alert or conflict has this id."""

    code = "QUEUE_ITEM_UNKNOWN"
    title = "Élément introuvable"


class AlreadySettled(Conflict):
    """Somebody settled it already."""

    code = "ALREADY_SETTLED"
    title = "Déjà traité"


class NotOfConflict(Invalid):
    """The account to keep is not one of those in conflict."""

    code = "ACCOUNT_NOT_IN_CONFLICT"
    title = "Compte étranger à ce conflit"
