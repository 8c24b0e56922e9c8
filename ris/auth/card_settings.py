"""Settings of sign-in by card: `RIS_AUTH__CARD__…` (auth.md §7.2). Off unless asked for."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class CardSettings(BaseModel):
    """How a CPx card opens a session.

    *trust*: PEM of the IGC-Santé roots and intermediates of this environment, and only these.
    *person_authorities*: RFC 4514 names of the authorities that issue cards to persons; the
    ORGANISATIONS ones must not be there. Revocation is asked of *ocsp_url* when given, else read
    in *crl*, a list being used up to *revocation_grace_h* hours after its end.
    *proxies* and *proxy_secret* open the header channel: the certificate is taken from
    *proxy_header* only when the connection comes from one of these networks and carries the secret
    in `X-RIS-Proxy-Secret`. *acr* is the level a card is worth.
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
    acr: str = "eidas2"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.proxies and len(self.proxy_secret.get_secret_value()) < 32:
            raise ValueError("RIS_AUTH__CARD__PROXY_SECRET : 32 caractères au moins")
        if self.enabled and not (self.ocsp_url or self.crl):
            raise ValueError("RIS_AUTH__CARD__CRL ou __OCSP_URL : révocation des cartes")
        return self
