"""Refusals of a sign-in that leave something behind them (`aftermath.py`); classes only.

They carry what must be kept, because the refused sign-in's own transaction is rolled back.
"""

from collections.abc import Iterable
from uuid import UUID

from ris.auth.errors import IdentityConflict, RoleDenied
from ris.auth.psc.userinfo import Identity
from ris.core.errors import Forbidden


class AccountPending(Forbidden):
    """The account was asked for and an administrator has not opened it yet.

    *identity* is told at the first sign-in, when the request has to be recorded.
    """

    code = "account_pending"
    title = "Compte en attente d'activation"

    def __init__(self, identity: Identity | None = None) -> None:
        super().__init__("Votre demande est enregistrée : l'administrateur doit l'accepter.")
        self.identity = identity


class ConflictFound(IdentityConflict):
    """What is told contradicts what is kept: *accounts* are concerned, *told* the identifiers."""

    def __init__(
        self,
        accounts: Iterable[UUID],
        told: Iterable[tuple[str, str]],
        identity: Identity | None = None,
    ) -> None:
        super().__init__("L'administrateur doit vérifier votre dossier.")
        self.accounts = tuple(sorted(accounts))
        self.told = tuple(sorted(told))
        self.identity = identity


class ProfessionLost(RoleDenied):
    """The profession told no longer allows the role of account *account_id*."""

    def __init__(self, account_id: UUID, identity: Identity | None = None) -> None:
        super().__init__("Votre profession déclarée ne permet plus ce rôle.")
        self.account_id = account_id
        self.identity = identity
