"""The addresses of local sign-in, outside `/v1`: no session and no permission yet.

What protects are the two factors, the guard that counts tries and the refusal of foreign pages.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ris.auth import cookies
from ris.auth.dependencies import desk_of, origin_of, refuse_foreign_page
from ris.auth.local.desk import Factors, LocalDesk
from ris.auth.local.policy import LONGEST
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.secrets import SecretText

router = APIRouter(route_class=TaggedRoute, prefix="/auth/local", tags=["auth"])

Password = Annotated[SecretText, Field(min_length=1, max_length=LONGEST)]


class LocalSignIn(BaseModel):
    """Les deux facteurs d'un accès local."""

    model_config = ConfigDict(extra="forbid")

    login: str = Field(min_length=1, max_length=64, description="Identifiant de connexion.")
    password: Password = Field(description="Mot de passe.")
    code: str = Field(
        pattern=r"^[0-9]{6}$", description="Code à usage unique de l'application du téléphone."
    )

    def factors(self) -> Factors:
        """Return what the desk judges."""
        return Factors(self.login, self.password.get_secret_value(), self.code)


class PasswordChange(LocalSignIn):
    """Les deux facteurs actuels, et le nouveau mot de passe."""

    new_password: Password = Field(description="Nouveau mot de passe, jamais utilisé.")


def _desk(request: Request) -> LocalDesk:
    desk = desk_of(request)
    refuse_foreign_page(request, desk.settings)
    return LocalDesk(desk)


Desk = Annotated[LocalDesk, Depends(_desk)]


@router.post(
    "/login",
    status_code=204,
    summary="Connexion locale à deux facteurs",
    responses={
        401: {"description": "`local_refused` : sans dire ce qui est faux."},
        403: {"description": "`local_password_expired` : changer d'abord le mot de passe."},
        409: {"description": "`session_limit` : trop de sessions ouvertes ; en fermer une."},
        429: {"description": "`too_many_attempts` : `Retry-After` dit quand revenir."},
        503: {"description": "La connexion locale n'est pas activée."},
    },
)
@satisfies("SC.SSI/IE.36", "SC.SSI/IAM.92")
def local_login(request: Request, response: Response, desk: Desk, told: LocalSignIn) -> None:
    """Ouvre une session courte, de secours ou d'administration (cookie), sans Pro Santé Connect."""
    settings = desk_of(request).settings
    secure = settings.cookie_secure
    former = cookies.read(request, cookies.SESSION, secure=secure)
    token = desk.sign_in(told.factors(), former=former, origin=origin_of(request))
    life = settings.local.absolute_s
    cookies.write(response, cookies.SESSION, token, secure=secure, max_age=life)


@router.post(
    "/password",
    status_code=204,
    summary="Changer son mot de passe local",
    responses={
        401: {"description": "`local_refused` : sans dire ce qui est faux."},
        429: {"description": "`too_many_attempts` : `Retry-After` dit quand revenir."},
        503: {"description": "La connexion locale n'est pas activée."},
    },
)
@satisfies("SC.SSI/IAM.91", "SC.SSI/IAM.92", "SC.SSI/IE.36")
def change_local_password(request: Request, desk: Desk, told: PasswordChange) -> None:
    """Change son propre mot de passe, par les deux facteurs ; les sessions du compte se ferment.

    Aucune session n'est ouverte : se connecter ensuite, avec le code suivant. Un code jugé a servi,
    même quand le nouveau mot de passe est refusé (422 `PASSWORD_WEAK`, `PASSWORD_REUSED`).
    """
    desk.change_password(told.factors(), told.new_password.get_secret_value(), origin_of(request))
