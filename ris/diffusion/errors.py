"""Errors of the deliveries, over `ris.core.errors`. Titles and details are French."""

from datetime import datetime

from ris.core.errors import Conflict, NotFound


class DeliveryNotFound(NotFound):
    """No such delivery."""

    code = "DELIVERY_NOT_FOUND"
    title = "Envoi introuvable"


class IllegalDeliveryMove(Conflict):
    """The delivery machine does not allow this act in this state."""

    code = "DELIVERY_STATE"
    title = "Action impossible dans l'état actuel de l'envoi"


class SendingRefused(Conflict):
    """The sending decision says no; `code` is its reason (mss.md §16)."""

    title = "Envoi non permis pour ce compte rendu"
    rem = ("RIS.MSS.20", "RIS.MSS.25")


class NoProfessionalExercise(Conflict):
    """The signer has not chosen the situation d'exercice he acts in."""

    code = "NO_EXERCISE"
    title = "Situation d'exercice non choisie"


class NotYet(Exception):
    """The attempt must wait until *at* (aware, UTC); it was not counted."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at.isoformat())
        self.at = at
