"""What may go wrong with a break-glass."""

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound


class GlassNotNeeded(Conflict):
    """The caller sees the whole site: there is nothing to break."""

    code = "BREAK_GLASS_NOT_NEEDED"
    title = "Aucun bris de glace nécessaire"


class GlassNotFound(NotFound):
    """No such break-glass, or it concerns none of the caller's practices."""

    code = "BREAK_GLASS_UNKNOWN"
    title = "Bris de glace introuvable"


class CommentRequired(Invalid):
    """The reason « autre » says nothing by itself."""

    code = "BREAK_GLASS_COMMENT_REQUIRED"
    title = "Précisez le motif"


class OwnReview(Forbidden):
    """Nobody reviews his own break-glass."""

    code = "BREAK_GLASS_OWN_REVIEW"
    title = "Contrôle réservé à une autre personne"
