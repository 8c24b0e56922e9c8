"""The delivery machine (engineering.md §1.4). Pure: no database, no clock.

Who may move a delivery is said here and nowhere else; why it moves is in `decision` and `attempt`.
"""

from enum import StrEnum
from typing import Final

from ris.diffusion.errors import IllegalDeliveryMove


class State(StrEnum):
    """State of one delivery."""

    HELD = "held"
    PENDING = "pending"
    RUNNING = "running"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    BOUNCED = "bounced"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    NOT_APPLICABLE = "not_applicable"


S = State

LABELS: Final = {
    S.HELD: "En attente d'une levée de blocage",
    S.PENDING: "À envoyer",
    S.RUNNING: "Envoi en cours",
    S.UNKNOWN: "Réponse perdue, vérification en cours",
    S.DELIVERED: "Envoyé",
    S.ACKNOWLEDGED: "Réception confirmée",
    S.BOUNCED: "Non remis",
    S.FAILED: "Refusé",
    S.DEAD: "Abandonné",
    S.CANCELLED: "Annulé",
    S.NOT_APPLICABLE: "Sans objet",
}

MOVES: Final = {
    S.PENDING: frozenset({S.RUNNING, S.HELD, S.NOT_APPLICABLE, S.CANCELLED, S.FAILED, S.DEAD}),
    S.HELD: frozenset({S.PENDING, S.NOT_APPLICABLE, S.CANCELLED, S.FAILED}),
    S.RUNNING: frozenset(
        {S.PENDING, S.UNKNOWN, S.DELIVERED, S.HELD, S.NOT_APPLICABLE, S.FAILED, S.DEAD, S.CANCELLED}
    ),
    S.UNKNOWN: frozenset({S.RUNNING, S.DEAD}),
    S.DELIVERED: frozenset({S.ACKNOWLEDGED, S.BOUNCED}),
    S.ACKNOWLEDGED: frozenset({S.BOUNCED}),
    S.FAILED: frozenset[State](),
    S.DEAD: frozenset[State](),
    S.BOUNCED: frozenset[State](),
    S.CANCELLED: frozenset[State](),
    S.NOT_APPLICABLE: frozenset[State](),
}
STAFF_MOVES: Final = {
    S.FAILED: frozenset({S.PENDING, S.CANCELLED}),
    S.DEAD: frozenset({S.PENDING, S.CANCELLED}),
    S.HELD: frozenset({S.PENDING, S.CANCELLED}),
    S.PENDING: frozenset({S.CANCELLED}),
}

ACCEPTED: Final = frozenset({S.DELIVERED, S.ACKNOWLEDGED})
IN_FLIGHT: Final = frozenset({S.RUNNING, S.UNKNOWN})
NEVER_LEFT: Final = frozenset({S.HELD, S.PENDING})
FAILURES: Final = frozenset({S.FAILED, S.DEAD, S.BOUNCED})
TERMINAL: Final = FAILURES | ACCEPTED | {S.CANCELLED, S.NOT_APPLICABLE}


def check(source: State, target: State, *, by_staff: bool = False) -> None:
    """Raise `IllegalDeliveryMove` unless the machine (or a person) may go *source* → *target*."""
    allowed = MOVES[source] | (STAFF_MOVES.get(source, frozenset()) if by_staff else frozenset())
    if target not in allowed:
        raise IllegalDeliveryMove(
            f"Envoi « {LABELS[source]} » : action impossible.", state=source, wanted=target
        )
