"""Reading what is brought to the pool: PEM files or a PKCS#12 archive, as IGC-Santé delivers them.

Bytes in, a certificate with its chain and its key out; no file is read here and nothing is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from ris.auth.certificates.errors import CertificateRefused
from ris.auth.certificates.values import Refusal
from ris.core.crypto import PrivateKey

LARGEST: Final = 65_536
_PEM: Final = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class Offer:
    """A certificate brought with its key: *chain* is leaf first, without the root."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate itself."""
        return self.chain[0]


def read(content: bytes, key: bytes = b"", password: bytes | None = None) -> Offer:
    """Return what was brought: PEM, its key in the same file or in *key*, or a PKCS#12 archive.

    Raises `CertificateRefused`, see `from_pem`.
    """
    if len(content) + len(key) > LARGEST:
        raise CertificateRefused(Refusal.UNREADABLE)
    if _PEM in content:
        return from_pem(content, key or content, password)
    return from_pkcs12(content, password)


def from_pem(certificate: bytes, key: bytes, password: bytes | None = None) -> Offer:
    """Return what PEM files hold; *key* may be the same file, and encrypted.

    Raises `CertificateRefused` (`UNREADABLE`, `KEY_WEAK` for another key than RSA,
    `KEY_MISMATCH`).
    """
    try:
        found = x509.load_pem_x509_certificates(certificate)
        opened = load_pem_private_key(key, password if _encrypted(key) else None)
    except (ValueError, TypeError) as error:
        raise CertificateRefused(Refusal.UNREADABLE) from error
    return _offer(found, opened)


def from_pkcs12(content: bytes, password: bytes | None) -> Offer:
    """Return what a PKCS#12 archive holds. Raises as `from_pem`."""
    try:
        archive = load_pkcs12(content, password)
    except (ValueError, TypeError) as error:
        raise CertificateRefused(Refusal.UNREADABLE) from error
    held = [archive.cert] if archive.cert else []
    found = [one.certificate for one in (*held, *archive.additional_certs)]
    return _offer(found, archive.key)


def needs_password(content: bytes) -> bool:
    """Say whether *content* may only be read with a password: an archive, or an encrypted key."""
    return _PEM not in content or _encrypted(content)


def _encrypted(pem: bytes) -> bool:
    return b"ENCRYPTED" in pem  # PKCS#8 label, or the Proc-Type header of the older form


def _offer(found: Iterable[x509.Certificate], key: object) -> Offer:
    listed = list(found)
    if not listed or key is None:
        raise CertificateRefused(Refusal.UNREADABLE)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificateRefused(Refusal.KEY_WEAK)
    public = key.public_key()
    leaf = next((one for one in listed if one.public_key() == public), None)
    if leaf is None:
        raise CertificateRefused(Refusal.KEY_MISMATCH)
    return Offer(tuple(_upwards(leaf, listed)), key)


def _upwards(leaf: x509.Certificate, others: list[x509.Certificate]) -> Iterable[x509.Certificate]:
    """Yield *leaf* and, among *others*, whoever issued it, and so on, short of the root."""
    one: x509.Certificate | None = leaf
    left = [other for other in others if other != leaf and other.subject != other.issuer]
    while one is not None:
        yield one
        issuer = one.issuer
        one = next((other for other in left if other.subject == issuer), None)
        left = [other for other in left if other is not one]
