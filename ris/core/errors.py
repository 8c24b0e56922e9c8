"""The one error tree of the product.

RisError
├─ NotFound 404            ├─ Conflict 409 ─ Stale 412
├─ Unauthenticated 401     ├─ PreconditionRequired 428
├─ Forbidden 403           ├─ Invalid 422
├─ RemoteError 502 ─ Transient / Throttled / Lost / Permanent / Held
└─ NotConfigured 503

Each feature's `errors.py` adds its own leaves. `code` is for machines, spelled as in the
specification; `title` and `detail` are French, for a radiology secretary. Never put a trait, a
matricule or an address in them.
"""

from datetime import datetime
from typing import Any, ClassVar


class RisError(Exception):
    """Base of every error this product raises on purpose (RFC 9457 over HTTP)."""

    status: ClassVar[int] = 500
    code: str = "INTERNAL"
    title: str = "Erreur interne"
    rem: tuple[str, ...] = ()

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        rem: tuple[str, ...] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.code = code or self.code
        self.rem = self.rem if rem is None else rem
        self.extensions = extensions


class NotFound(RisError):
    """The thing asked for does not exist, or the caller may not know that it does."""

    status = 404
    code = "NOT_FOUND"
    title = "Introuvable"


class Unauthenticated(RisError):
    """Nobody is signed in, or the session has ended."""

    status = 401
    code = "UNAUTHENTICATED"
    title = "Connexion requise"


class Forbidden(RisError):
    """The caller is known and has no right to do this."""

    status = 403
    code = "FORBIDDEN"
    title = "Accès refusé"


class Conflict(RisError):
    """The state of the thing does not allow the act."""

    status = 409
    code = "CONFLICT"
    title = "Action impossible dans l'état actuel"


class Stale(Conflict):
    """Someone changed the thing since the caller read it."""

    status = 412
    code = "STALE"
    title = "La fiche a été modifiée entre-temps"


class PreconditionRequired(RisError):
    """A mutable resource must be changed with If-Match."""

    status = 428
    code = "IF_MATCH_REQUIRED"
    title = "Version de la fiche non précisée"


class Invalid(RisError):
    """The data given are wrong. *errors* (extension) lists `{pointer, code, message}`."""

    status = 422
    code = "INVALID"
    title = "Saisie refusée"


class NotConfigured(RisError):
    """The installation lacks a setting that this act needs; the detail names the remedy."""

    status = 503
    code = "NOT_CONFIGURED"
    title = "Service non configuré"


class RemoteError(RisError):
    """An outside service failed. The subclass says what the caller may do next.

    *remote_code* is the service's own code, safe to store and to show.
    """

    status = 502
    code = "REMOTE_ERROR"
    title = "Service distant en erreur"

    def __init__(self, detail: str = "", *, remote_code: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.remote_code = remote_code


class Transient(RemoteError):
    """Not now: network, TLS time-out, 5xx, SMTP 4xx. Nothing was done; try again later."""

    code = "REMOTE_UNAVAILABLE"
    title = "Service distant momentanément indisponible"


class Throttled(Transient):
    """Not now, and the service said when: *retry_at* is an aware instant or None."""

    code = "REMOTE_THROTTLED"

    def __init__(
        self, detail: str = "", *, retry_at: datetime | None = None, **options: Any
    ) -> None:
        super().__init__(detail, **options)
        self.retry_at = retry_at


class Lost(RemoteError):
    """The request left and no usable answer came: the effect is unknown; probe before repeating."""

    code = "REMOTE_ANSWER_LOST"
    title = "Réponse du service distant perdue"


class Permanent(RemoteError):
    """The service said no and will say no again."""

    code = "REMOTE_REFUSED"
    title = "Refus du service distant"


class Held(RemoteError):
    """Right to send, not now: a person or an event must lift the cause. `code` is the reason."""

    code = "HELD"
    title = "Envoi en attente"
