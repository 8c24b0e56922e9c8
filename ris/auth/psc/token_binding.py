"""Tokens bound to a TLS client certificate (RFC 8705 §3), and the certificate a caller presents.

Both ways of writing the thumbprint are read: the RFC's, and that of the CI-SIS examples.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Request

Claims = Mapping[str, Any]


def thumbprints(certificate: bytes) -> tuple[str, str]:
    """Return the two thumbprints of a DER *certificate*.

    RFC 8705: base64url without padding of the SHA-256. CI-SIS: base64 of its hexadecimal text.
    """
    digest = hashlib.sha256(certificate)
    url = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    return url, base64.b64encode(digest.hexdigest().encode()).decode()


def is_bound(claims: Claims) -> bool:
    """Say whether a token may only be used with a certificate; any `cnf` at all counts."""
    return claims.get("cnf") is not None


def holds(claims: Claims, certificate: bytes | None) -> bool:
    """Say whether *certificate* (DER) is the one the token of *claims* is bound to, if any.

    A `cnf` we do not understand is a bond we cannot check: refused.
    """
    if not is_bound(claims):
        return True
    bond = claims["cnf"]
    told = bond.get("x5t#S256") if isinstance(bond, Mapping) else None
    if certificate is None or not isinstance(told, str):
        return False
    return any(hmac.compare_digest(told.encode(), own.encode()) for own in thumbprints(certificate))


def presented(request: Request) -> bytes | None:
    """Return the DER certificate that this very TLS connection verified, None without one.

    Read from the ASGI TLS extension only: no header can forge it.
    """
    tls = request.scope.get("extensions", {}).get("tls") or {}
    chain = tls.get("client_cert_chain") or []
    if not chain:
        return None
    return x509.load_pem_x509_certificate(chain[0].encode()).public_bytes(Encoding.DER)
