"""Settings of sign-in by card: `RIS_AUTH__CARD__…` (auth.md §7.2). Off unless asked for."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class CardSettings(BaseModel):
    """How a CPx card opens a session.

    *trust*: PEM of the IGC-Santé roots and intermediates of this environment, and only these.
    *person_authorities*: RFC 4514 names of the authorities that issue cards to persons; the
    ORGANISATIONS ones must not be there. Revocation is asked of *ocsp_url* when given, else read
    in *crl*, a list being used up to *revocation_grace_h* hours after its end.
    *proxies* and *proxy_secret* open the header channel: the certificate is taken from
    *proxy_header* only when the connection comes from one of these networks and carries the secret
    in `X-RIS-Proxy-Secret`. *acr* is the level a card is worth. *server_certificate* and
    *server_key* (PEM, chain included) are those of the listener `ris card-login`.
    """

    model_config = ConfigDict(frozen=True)

    enabled: bool = False
    trust: Path | None = None
    person_authorities: tuple[str, ...] = ()
    crl: Path | None = None
    crl_urls: tuple[str, ...] = ()
    ocsp_url: str = ""
    ocsp_timeout_s: float = 5
    revocation_grace_h: int = Field(default=0, ge=0, le=168)
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    proxy_header: str = "X-SSL-Client-Cert"
    proxy_secret: SecretStr = SecretStr("")
    acr: Literal["eidas1", "eidas2", "eidas3"] = "eidas2"
    server_certificate: Path | None = None
    server_key: Path | None = None

    def wanted(self, origin: str) -> dict[str, bool]:
        """Return, in French, what sign-in by card needs once enabled, and whether it is given.

        *origin* is the address of the main site (`RIS_AUTH__ORIGIN`).
        """
        if not self.enabled:
            return {}
        listens = self.server_certificate is not None and self.server_key is not None
        return {
            "RIS_AUTH__CARD__TRUST : autorités des cartes (IGC-Santé)": self.trust is not None,
            "RIS_AUTH__CARD__PERSON_AUTHORITIES : autorités qui émettent les cartes de personnes": (
                bool(self.person_authorities)
            ),
            "RIS_AUTH__CARD__SERVER_CERTIFICATE et __SERVER_KEY (ris card-login), ou __PROXIES et"
            " __PROXY_SECRET : connexion par carte": listens or bool(self.proxies),
            "RIS_AUTH__ORIGIN : adresse du site où revenir après la carte": (
                bool(origin) or not listens
            ),
        }

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.proxies and len(self.proxy_secret.get_secret_value()) < 32:
            raise ValueError("RIS_AUTH__CARD__PROXY_SECRET : 32 caractères au moins")
        if self.enabled and not (self.ocsp_url or self.crl):
            raise ValueError("RIS_AUTH__CARD__CRL ou __OCSP_URL : révocation des cartes")
        return self
