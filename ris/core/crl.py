"""Revocation lists kept beside the trust anchors: the last good one of each authority.

Pure values of `cryptography`. Fetching them, and refusing a certificate, is the features' work.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from ris.core.errors import Invalid

_PEM: Final = b"-----BEGIN X509 CRL-----"
Crl = x509.CertificateRevocationList


class CrlRefused(Invalid):
    """The revocation list is unreadable, expired, older than ours or not properly signed."""

    code = "CRL_REFUSED"
    title = "Liste de révocation refusée"


def read(data: bytes) -> list[Crl]:
    """Return the lists in *data*, PEM (several) or DER (one). Raises `CrlRefused`."""
    try:
        if _PEM not in data:
            return [x509.load_der_x509_crl(data)]
        blocks = [_PEM + block for block in data.split(_PEM)[1:]]
        return [x509.load_pem_x509_crl(block) for block in blocks]
    except ValueError as error:
        raise CrlRefused("Liste de révocation illisible.") from error


def write(lists: Iterable[Crl]) -> bytes:
    """Return *lists* as one PEM text."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in lists)


def merge(
    kept: Iterable[Crl], fetched: Crl, anchors: Iterable[x509.Certificate], now: datetime
) -> list[Crl]:
    """Return *kept* with *fetched* in the place of the former list of its authority.

    Raises `CrlRefused` when it is expired, older than the one kept, or not signed by one of
    *anchors*: the former list, while unexpired, goes on serving.
    """
    if fetched.next_update_utc is None or fetched.next_update_utc <= now:
        raise CrlRefused("Liste de révocation périmée.")
    if not any(signed_by(fetched, anchor) for anchor in anchors):
        raise CrlRefused("Liste de révocation non signée par une autorité reconnue.")
    former = [one for one in kept if one.issuer == fetched.issuer]
    if any(one.last_update_utc > fetched.last_update_utc for one in former):
        raise CrlRefused("Liste de révocation plus ancienne que celle conservée.")
    return [*(one for one in kept if one.issuer != fetched.issuer), fetched]


def signed_by(fetched: Crl, anchor: x509.Certificate) -> bool:
    """Say whether *anchor* issued and signed *fetched*."""
    if anchor.subject != fetched.issuer:
        return False
    try:
        return fetched.is_signature_valid(anchor.public_key())  # type: ignore[arg-type]
    except (InvalidSignature, TypeError):
        return False
