"""The report machine (README of the specification, ruling 16; rem.md §9.3). Pure: no database.

It moves one version of a report; opening version N+1 is an act of `service`.
"""

from enum import StrEnum
from typing import Final

from ris.reports.errors import IllegalTransition


class State(StrEnum):
    """State of one version: brouillon, provisoire, validé, remplacé, annulé, supprimé."""

    DRAFT = "DRAFT"
    PRELIMINARY = "PRELIMINARY"
    VALIDATED = "VALIDATED"
    REPLACED = "REPLACED"
    CANCELLED = "CANCELLED"
    DELETED = "DELETED"


class Event(StrEnum):
    """What may happen to a version. Validation is the signature."""

    SUBMIT = "submit"
    VALIDATE = "validate"
    CANCEL = "cancel"
    REPLACE = "replace"
    DELETE = "delete"


LABELS: Final = {
    State.DRAFT: "Brouillon",
    State.PRELIMINARY: "Provisoire",
    State.VALIDATED: "Validé",
    State.REPLACED: "Remplacé",
    State.CANCELLED: "Annulé",
    State.DELETED: "Supprimé",
}
UNSIGNED: Final = frozenset({State.DRAFT, State.PRELIMINARY})
_MOVES: Final = {
    (State.DRAFT, Event.SUBMIT): State.PRELIMINARY,
    (State.DRAFT, Event.VALIDATE): State.VALIDATED,
    (State.PRELIMINARY, Event.VALIDATE): State.VALIDATED,
    (State.DRAFT, Event.CANCEL): State.CANCELLED,
    (State.PRELIMINARY, Event.CANCEL): State.CANCELLED,
    (State.VALIDATED, Event.REPLACE): State.REPLACED,
    (State.VALIDATED, Event.DELETE): State.DELETED,
}


def after(state: State, event: Event) -> State:
    """Return the state that *event* leads to; raises `IllegalTransition` when it may not happen."""
    try:
        return _MOVES[state, event]
    except KeyError:
        raise IllegalTransition(
            f"Compte rendu « {LABELS[state]} » : action impossible.", state=state, event=event
        ) from None
