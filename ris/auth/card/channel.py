"""Where a card's certificate comes from: our own TLS connection, or a reverse proxy's header.

The header is believed only from a proxy we know that says our secret (auth.md §7.2, A24). Nothing
here judges the certificate: `trust.py` verifies it again, whoever brought it.
"""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Request

from ris.auth.card.settings import CardSettings
from ris.auth.errors import CardRefused
from ris.core.peer_certificate import PEER

PROOF_HEADER: Final = "X-RIS-Proxy-Secret"
LONGEST_DER: Final = 8192
_LONGEST_HEADER: Final = 3 * 2 * LONGEST_DER  # PEM of that size, every character escaped


class Channel(StrEnum):
    """By which way a door takes certificates; the other one is closed there."""

    TLS = "tls"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brought: the PEM of its certificate, or None; *forged* says why a header lies.

    *channel* is the way of the door that was knocked at.
    """

    channel: Channel
    pem: bytes | None
    forged: str | None = None


def presented(request: Request, channel: Channel, settings: CardSettings) -> Presented:
    """Return what *request* brings by *channel*; a header that may not be believed is forged."""
    headers = request.headers.getlist(settings.proxy_header)
    if channel is Channel.TLS:
        forged = "CARD_HEADER_ON_LISTENER" if headers else None
        return Presented(channel, _of_connection(request), forged)
    if not headers:
        return Presented(channel, None)
    forged = _distrust(request, settings)
    if forged is None and (len(headers) > 1 or len(headers[0]) > _LONGEST_HEADER):
        forged = "CARD_HEADER_MALFORMED"
    escaped = headers[0].encode("latin-1", "replace")
    return Presented(channel, None if forged else unquote_to_bytes(escaped) or None, forged)


def certificate(pem: bytes | None) -> x509.Certificate:
    """Return the one certificate of *pem*; raises CardRefused (absent, malformed, too large)."""
    if pem is None:
        raise CardRefused("CERTIFICATE_ABSENT")
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CardRefused("CERTIFICATE_MALFORMED") from error
    if len(found) != 1 or len(found[0].public_bytes(Encoding.DER)) > LONGEST_DER:
        raise CardRefused("CERTIFICATE_MALFORMED")
    return found[0]


def _of_connection(request: Request) -> bytes | None:
    """Return what this very TLS connection verified, shown by `ris.core.peer_certificate`."""
    tls = request.scope.get("extensions", {}).get("tls") or {}
    chain = tls.get("client_cert_chain") or []
    return chain[0].encode() if chain else None


def _distrust(request: Request, settings: CardSettings) -> str | None:
    """Say why the header of *request* is not the one of our proxy; None when it is."""
    if not _from_proxy(request, settings):
        return "CARD_HEADER_FROM_OUTSIDE"
    sent, ours = request.headers.get(PROOF_HEADER, ""), settings.proxy_secret.get_secret_value()
    if not ours or not hmac.compare_digest(sent.encode(), ours.encode()):
        return "CARD_HEADER_WITHOUT_SECRET"
    return None


def _from_proxy(request: Request, settings: CardSettings) -> bool:
    """Say whether the connection itself, whatever `X-Forwarded-For` says, comes from a proxy."""
    known = request.client.host if request.client else ""
    told = request.scope.get("extensions", {}).get(PEER, known)
    try:
        address = ip_address(told)
    except ValueError:
        return False
    return any(address in network for network in settings.proxies)
