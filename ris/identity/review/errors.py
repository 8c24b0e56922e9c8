"""Why a reason cannot be taken off an identity."""

from ris.core.errors import Conflict, NotFound


class ReviewNotFound(NotFound):
    """The identity does not wait for this reason."""

    code = "REVIEW_NOT_FOUND"
    title = "Cette identité n'est pas à revoir pour ce motif"


class ReviewByItsAct(Conflict):
    """This reason ends with what it is about: the collision settled, the attribute removed."""

    code = "REVIEW_BY_ITS_ACT"
    title = "Ce motif prend fin avec son objet"
