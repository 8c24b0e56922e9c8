"""Shapes of the certificates API. A key and its password come in and never go out."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ris.auth.certificates.offers import LARGEST
from ris.auth.certificates.values import Refusal, State, Usage, Warned
from ris.web.secrets import SecretText

_TEXT_MAX = 2 * LARGEST  # base64 of an archive


class CertificateOut(BaseModel):
    """One certificate of the pool, or one kept elsewhere and watched."""

    struct_idnat: str = Field(description="Structure (Struct_IdNat) ; vide si inconnue.")
    usage: str = Field(
        description="AUTH_CLI, INSI, INSI_AUTO, SIGN ; autre (PSC…) : surveillé seulement."
    )
    serial: str
    not_before: datetime | None
    not_after: datetime | None
    state: State = Field(
        description="current : en service ; next : en attente de sa date ; spare : utilisable,"
        " remplacé par un plus récent ; archived : expiré et remplacé ; refused : inutilisable."
    )
    refusal: Refusal | None = Field(description="Motif d'inutilisation, null si utilisable.")
    days_left: int | None = Field(description="Jours restants, négatif après la fin.")
    alert: int | None = Field(
        description="Dernier seuil franchi, en jours (0 : expiré) ; null : rien à faire, la fin est"
        " lointaine ou le remplaçant est en place."
    )
    warnings: list[Warned] = Field(
        description="clear_key : clé privée en clair sur le disque ; untrusted, test_authority :"
        " autorité inconnue ou de test."
    )


class CertificateIn(BaseModel):
    """A certificate brought with its private key."""

    model_config = ConfigDict(extra="forbid")

    struct_idnat: str = Field(max_length=64, description="Structure (Struct_IdNat) du certificat.")
    usage: Usage
    certificate: str = Field(
        max_length=_TEXT_MAX,
        description="Certificat et sa chaîne en PEM, ou archive PKCS#12 (.p12) en base64.",
    )
    key: SecretText = Field(
        default=SecretStr(""),
        max_length=LARGEST,
        description="Clé privée en PEM, si elle n'est pas avec le certificat.",
    )
    password: SecretText = Field(
        default=SecretStr(""), max_length=256, description="Mot de passe de la clé ou de l'archive."
    )
