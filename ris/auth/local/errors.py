"""Refusals of local sign-in. Only classes; what exactly failed is traced, never told."""

from datetime import datetime

from ris.core.errors import Conflict, Forbidden, Invalid, NotFound, Throttled, Unauthenticated


class LocalRefused(Unauthenticated):
    """One of the factors is wrong, or there is no such access: the answer never says which.

    *reason* goes to the trace.
    """

    code = "local_refused"
    title = "Connexion refusée"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "Identifiant, mot de passe ou code à usage unique incorrect. Un code ne sert qu'une "
            "fois : attendez le suivant."
        )
        self.reason = reason


class LocalLocked(Throttled):
    """Too many failures of this login, or attempts from this address; known here or not."""

    status = 429
    code = "too_many_attempts"
    title = "Trop de tentatives"

    def __init__(self, reason: str, retry_at: datetime | None) -> None:
        super().__init__("Réessayez plus tard.", retry_at=retry_at)
        self.reason = reason


class PasswordExpired(Forbidden):
    """Both factors are right; the password must be changed before it opens anything."""

    code = "local_password_expired"
    title = "Mot de passe à changer"

    def __init__(self) -> None:
        super().__init__(
            "Choisissez un nouveau mot de passe, avec le code suivant, puis connectez-vous.",
            change="/auth/local/password",
        )
        self.reason = "password_expired"


class InitialExpired(LocalRefused):
    """The one-time initial password was not changed in time: it gives nothing any more."""

    def __init__(self) -> None:
        super().__init__("initial_expired")


class PasswordWeak(Invalid):
    """The new password does not follow the rules; *errors* lists them."""

    code = "PASSWORD_WEAK"
    title = "Mot de passe refusé"


class PasswordReused(Invalid):
    """The new password was used already."""

    code = "PASSWORD_REUSED"
    title = "Mot de passe déjà utilisé"


class LoginInvalid(Invalid):
    """A login is 3 to 32 small letters, digits, dots, hyphens or underscores."""

    code = "LOGIN_INVALID"
    title = "Identifiant de connexion mal formé"


class LoginTaken(Conflict):
    """Another person has this login, or the person has one already."""

    code = "LOGIN_TAKEN"
    title = "Identifiant de connexion déjà attribué"


class LoginUnknown(NotFound):
    """No local access has this login (told to the operator only)."""

    code = "LOGIN_UNKNOWN"
    title = "Accès local inconnu"
