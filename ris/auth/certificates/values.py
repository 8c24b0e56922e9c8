"""What is said of a certificate: its usage, why it may not serve, where it stands. No rule.

The French sentences of a refusal are here, so that the API, the command and the DMP say the same.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, get_args

Usage = Literal["AUTH_CLI", "INSI", "INSI_AUTO", "SIGN"]
USAGES: Final[tuple[Usage, ...]] = get_args(Usage)


class Refusal(StrEnum):
    """Why a certificate may not serve."""

    UNREADABLE = "UNREADABLE"
    KEY_MISMATCH = "KEY_MISMATCH"
    KEY_WEAK = "KEY_WEAK"
    OTHER_STRUCTURE = "OTHER_STRUCTURE"
    STRUCTURE_UNUSABLE = "STRUCTURE_UNUSABLE"
    WRONG_NAME = "WRONG_NAME"
    WRONG_USAGE = "WRONG_USAGE"
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    UNTRUSTED = "UNTRUSTED"
    TEST_AUTHORITY = "TEST_AUTHORITY"


EXPLAINED: Final[dict[Refusal, str]] = {
    Refusal.UNREADABLE: "Certificat ou clé illisible, ou mot de passe inexact.",
    Refusal.KEY_MISMATCH: "La clé privée n'est pas celle de ce certificat.",
    Refusal.KEY_WEAK: "Clé ou algorithme de signature trop faible, ou clé qui n'est pas RSA.",
    Refusal.OTHER_STRUCTURE: "Le certificat appartient à une autre structure.",
    Refusal.STRUCTURE_UNUSABLE: "Une SCM n'agit jamais au dehors : elle n'a pas de certificat.",
    Refusal.WRONG_NAME: "Le nom (CN) n'est pas celui qu'INSi attend : INSI-MANU ou INSI-AUTO.",
    Refusal.WRONG_USAGE: "Certificat sans usage d'authentification ou sans usage de signature.",
    Refusal.NOT_YET_VALID: "Certificat pas encore valide.",
    Refusal.EXPIRED: "Certificat expiré.",
    Refusal.UNTRUSTED: "Le certificat ne vient pas d'une autorité du magasin de confiance.",
    Refusal.TEST_AUTHORITY: "Certificat d'une autorité de test, refusé en production.",
}


class State(StrEnum):
    """Where a certificate of the pool stands among those of the same structure and usage."""

    CURRENT = "current"
    NEXT = "next"
    SPARE = "spare"
    ARCHIVED = "archived"
    REFUSED = "refused"


class Warned(StrEnum):
    """What does not stop a certificate but should be put right."""

    CLEAR_KEY = "clear_key"
    UNTRUSTED = "untrusted"
    TEST_AUTHORITY = "test_authority"


@dataclass(frozen=True, slots=True)
class Held:
    """One certificate as the administrator sees it; *refusal* is None when usable now.

    *alert* is the threshold of days last crossed (0: expired), None when nothing is to be done:
    far from its end, or a successor is in place. *usage* is one of `USAGES`, or the name of a
    certificate kept elsewhere and only watched (`PSC`…), whose *struct_idnat* may be empty.
    """

    struct_idnat: str
    usage: str
    serial: str
    not_after: datetime | None
    refusal: Refusal | None
    not_before: datetime | None = None
    fingerprint: str = ""
    state: State = State.REFUSED
    days_left: int | None = None
    alert: int | None = None
    warnings: tuple[Warned, ...] = ()

    @property
    def line(self) -> tuple[str, str]:
        """What it replaces and is replaced within: structure and usage."""
        return self.struct_idnat, self.usage
