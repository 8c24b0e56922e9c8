"""The exam's status machine (workflow.md §4.1). Pure: a table and one function."""

from enum import StrEnum
from typing import Final

from ris.orders.errors import ExamTransitionRefused


class ExamStatus(StrEnum):
    """Where the scheduled step stands."""

    SCHEDULED = "SCHEDULED"
    ARRIVED = "ARRIVED"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"
    DISCONTINUED = "DISCONTINUED"


class ExamEvent(StrEnum):
    """What happens to the exam. STUDY_RECEIVED: images found are enough to close it (rule 3),
    and those that come after it was closed are filed without reopening it (rule 4)."""

    ARRIVE = "arrive"
    START = "start"
    COMPLETE = "complete"
    STUDY_RECEIVED = "study_received"
    CANCEL = "cancel"
    MISS = "miss"
    STOP = "stop"


_S, _E = ExamStatus, ExamEvent
TRANSITIONS: Final[dict[tuple[ExamStatus, ExamEvent], ExamStatus]] = {
    (_S.SCHEDULED, _E.ARRIVE): _S.ARRIVED,
    (_S.SCHEDULED, _E.START): _S.STARTED,
    (_S.ARRIVED, _E.START): _S.STARTED,
    (_S.STARTED, _E.COMPLETE): _S.COMPLETED,
    (_S.SCHEDULED, _E.STUDY_RECEIVED): _S.COMPLETED,
    (_S.ARRIVED, _E.STUDY_RECEIVED): _S.COMPLETED,
    (_S.STARTED, _E.STUDY_RECEIVED): _S.COMPLETED,
    (_S.COMPLETED, _E.STUDY_RECEIVED): _S.COMPLETED,
    (_S.SCHEDULED, _E.CANCEL): _S.CANCELLED,
    (_S.ARRIVED, _E.CANCEL): _S.CANCELLED,
    (_S.SCHEDULED, _E.MISS): _S.NO_SHOW,
    (_S.STARTED, _E.STOP): _S.DISCONTINUED,
    (_S.DISCONTINUED, _E.STUDY_RECEIVED): _S.DISCONTINUED,
}


_STATUSES: Final = {
    _S.SCHEDULED: "programmé",
    _S.ARRIVED: "patient arrivé",
    _S.STARTED: "commencé",
    _S.COMPLETED: "terminé",
    _S.CANCELLED: "annulé",
    _S.NO_SHOW: "patient absent",
    _S.DISCONTINUED: "interrompu",
}
_EVENTS: Final = {
    _E.ARRIVE: "accueillir",
    _E.START: "commencer",
    _E.COMPLETE: "terminer",
    _E.STUDY_RECEIVED: "recevoir les images",
    _E.CANCEL: "annuler",
    _E.MISS: "noter l'absence",
    _E.STOP: "interrompre",
}


def after(status: ExamStatus, event: ExamEvent) -> ExamStatus:
    """Return the status that follows; raises `ExamTransitionRefused` for any pair not listed."""
    if (status, event) not in TRANSITIONS:
        raise ExamTransitionRefused(
            f"« {_EVENTS[event]} » n'est pas possible pour un examen « {_STATUSES[status]} »."
        )
    return TRANSITIONS[status, event]
