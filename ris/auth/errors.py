"""Errors of sign-in, sessions and rights (auth.md §6, HTTP error contract).

Only classes. The `reason` of a protocol error goes to the trace, never to the screen.
"""

from typing import Any

from ris.core.errors import (
    Conflict,
    Forbidden,
    NotConfigured,
    NotFound,
    Permanent,
    RisError,
    Throttled,
    Transient,
    Unauthenticated,
)


class OidcStateInvalid(RisError):
    """The return from PSC matches no pending attempt of this browser; *reason* is traced."""

    status = 400
    code = "oidc_state_invalid"
    title = "Connexion à recommencer"

    def __init__(self, reason: str) -> None:
        super().__init__("La demande de connexion a expiré ou a déjà servi.")
        self.reason = reason


class OidcRefused(RisError):
    """PSC came back with `error=`: the person gave up, or PSC refused."""

    status = 400
    code = "oidc_error"
    title = "Connexion Pro Santé Connect refusée"

    def __init__(self, reason: str) -> None:
        super().__init__("Pro Santé Connect n'a pas confirmé votre identité.")
        self.reason = reason


class PscProtocolError(Permanent):
    """PSC's answer failed one check; *reason* names it (`id_token_iss`…)."""

    code = "psc_protocol_error"
    title = "Réponse de Pro Santé Connect non conforme"

    def __init__(self, reason: str) -> None:
        super().__init__("La connexion a été refusée par sécurité.", remote_code=reason)
        self.reason = reason


class PscUnavailable(Transient):
    """PSC cannot be reached."""

    status = 503
    code = "psc_unavailable"
    title = "Pro Santé Connect momentanément indisponible"

    def __init__(self, detail: str = "", **options: Any) -> None:
        explained = "Les sessions déjà ouvertes continuent. Réessayez dans quelques minutes."
        super().__init__(detail or explained, **options)


class AcrTooLow(Forbidden):
    """The means of identification used is below the level asked for, or its level is unknown."""

    code = "acr_too_low"
    title = "Niveau d'authentification insuffisant"

    def __init__(self, reason: str = "id_token_acr_low") -> None:
        super().__init__()
        self.reason = reason


class EnrolUnknown(Forbidden):
    """PSC vouches for a person nobody granted a role to here (policy `closed`)."""

    code = "ENROL_UNKNOWN"
    title = "Compte inconnu dans ce logiciel"


class AccountSuspended(Forbidden):
    """The account exists and may not sign in."""

    code = "account_suspended"
    title = "Compte suspendu"


class IdentityConflict(Forbidden):
    """The identifiers told by PSC belong to two accounts; an administrator must look."""

    code = "identity_conflict"
    title = "Identifiants rattachés à deux comptes"


class RoleDenied(Forbidden):
    """The role does not give this right, or the profession no longer allows the role."""

    code = "role_denied"
    title = "Droit insuffisant"


class SituationRequired(Forbidden):
    """Several situations d'exercice are usable and none was chosen."""

    code = "situation_required"
    title = "Choisissez votre situation d'exercice"


class SituationEnded(Conflict):
    """The report was opened under a situation that is over: no act leaves under it any more."""

    code = "situation_ended"
    title = "Situation d'exercice terminée"

    def __init__(self) -> None:
        super().__init__(
            "Ce compte rendu a été ouvert sous une situation qui a pris fin. Reprenez-le sous"
            " votre situation présente, ou confiez-le à un médecin du cabinet."
        )


class StructureUnusable(Forbidden):
    """The structure may not sign an act that leaves the RIS (an SCM, or no valid identifier)."""

    code = "structure_unusable"
    title = "Structure inutilisable pour un envoi"


class NotAuthenticated(Unauthenticated):
    """No session cookie, or one that opens nothing."""

    code = "not_authenticated"


class SessionExpired(Unauthenticated):
    """The session reached its end."""

    code = "session_expired"
    title = "Session expirée"


class SessionLocked(Unauthenticated):
    """Nobody used the session for a while: the same person must sign in again."""

    code = "session_locked"
    title = "Session verrouillée"


class SessionLimit(Conflict):
    """The person has as many sessions open as this site allows."""

    code = "session_limit"
    title = "Trop de sessions ouvertes"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"Vous avez déjà {most} session(s) ouverte(s) : fermez-en une depuis l'un de vos "
            "autres postes, ou attendez qu'elle se ferme."
        )


class StepUpRequired(Unauthenticated):
    """The act asks for a recent sign-in."""

    code = "psc_step_up_required"
    title = "Confirmez votre identité"

    def __init__(self, **extensions: Any) -> None:
        super().__init__("Reconnectez-vous avec Pro Santé Connect pour continuer.", **extensions)


class PscReauthRequired(Unauthenticated):
    """PSC's session is over: local work goes on, what needs PSC asks for a new sign-in."""

    code = "psc_reauth_required"
    title = "Reconnexion à Pro Santé Connect nécessaire"

    def __init__(self) -> None:
        super().__init__(
            "Votre session Pro Santé Connect est terminée. Le travail local reste possible.",
            login="/auth/psc/login",
        )


class LogoutRefused(RisError):
    """A back-channel logout message failed one check; *reason* is traced, never told."""

    status = 400
    code = "invalid_request"
    title = "Message de déconnexion refusé"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class CibaUserUnknown(NotFound):
    """Nobody can sign in under this number: unknown here or at PSC, on purpose not told which."""

    code = "psc_user_unknown"
    title = "Connexion impossible avec ce numéro"

    def __init__(self, reason: str) -> None:
        super().__init__("Vérifiez le numéro RPPS, ou demandez l'ouverture de votre compte.")
        self.reason = reason


class CibaAlreadyPending(Conflict):
    """A sign-in of this person is already waiting for an answer at this workstation."""

    code = "ciba_pending"
    title = "Une demande de connexion attend déjà une réponse"


class TooManyAttempts(Throttled):
    """The rate limit of sign-ins is reached; `Retry-After` says when to come back."""

    status = 429
    code = "too_many_attempts"
    title = "Trop de tentatives"


class CredentialsAmbiguous(RisError):
    """A request brought a session cookie and a bearer token: one identity at a time."""

    status = 400
    code = "credentials_ambiguous"
    title = "Deux identités dans la même requête"


class SessionCookieRequired(Forbidden):
    """This address is about the browser's session; an API caller has none."""

    code = "session_cookie_required"
    title = "Réservé à une session ouverte dans le logiciel"


class TokenRefused(Unauthenticated):
    """The bearer token gives nothing here; *reason* is traced, never told."""

    code = "token_invalid"
    title = "Jeton refusé"
    challenge = 'Bearer error="invalid_token"'  # RFC 6750 §3

    def __init__(self, reason: str) -> None:
        super().__init__("Présentez un jeton Pro Santé Connect en cours de validité.")
        self.reason = reason


class CsrfRefused(Forbidden):
    """The request did not come from a page of this application."""

    code = "csrf_refused"
    title = "Requête refusée"


class CertificateMissing(NotConfigured):
    """No usable certificate of this structure; what waits on it is held."""

    code = "CERTIFICATE_MISSING"
    title = "Certificat de la structure absent ou inutilisable"


class CardRefused(RisError):
    """The card is not one that may open a session; *reason* is traced (auth.md §7)."""

    status = 401
    code = "card_refused"
    title = "Carte refusée"
    _SAID = {  # noqa: RUF012 - read only
        "CERTIFICATE_ABSENT": "Aucune carte n'a été présentée : insérez-la puis recommencez.",
        "NOT_NOMINATIVE": "Cette carte ne désigne pas une personne : utilisez Pro Santé Connect.",
        "WRONG_USAGE": "Présentez le certificat d'authentification de la carte.",
        "EXPIRED": "Le certificat de la carte n'est pas en cours de validité.",
        "REVOKED": "Le certificat de la carte est révoqué.",
    }

    def __init__(self, reason: str) -> None:
        super().__init__(self._SAID.get(reason, "Ce certificat n'est pas celui d'une carte CPx."))
        self.reason = reason


class CardUnverifiable(Transient):
    """Whether the card is revoked cannot be known: nobody comes in; *reason* is traced."""

    status = 503
    code = "card_unverifiable"
    title = "Révocation de la carte non vérifiable"

    def __init__(self, reason: str) -> None:
        super().__init__("Réessayez, ou utilisez Pro Santé Connect.", remote_code=reason)
        self.reason = reason
