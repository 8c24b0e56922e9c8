"""What a structure certificate must be before anything leaves under it. Pure.

Where certificates are kept is not known here: the caller brings a `CredentialFor` (the pool is
`ris.auth.rang`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ris.core.crypto import Credential
from ris.rem import satisfies

Usage = Literal["AUTH_CLI", "SIGN"]
CredentialFor = Callable[[str, Usage], Credential]


@satisfies("RIS.AUTH.01")
def unusable(certificate: x509.Certificate, struct: str, usage: Usage, at: datetime) -> str:
    """Return why *certificate* may not act for *struct* at *at*, in French, or an empty string."""
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if struct not in [unit.value for unit in units]:
        return "Le certificat appartient à une autre structure."
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return "Certificat expiré ou pas encore valide."
    if usage == "AUTH_CLI" and not _may_authenticate(certificate):
        return "Certificat sans usage d'authentification."
    if usage == "SIGN" and not _may_sign(certificate):
        return "Certificat sans usage de signature."
    return ""


def _may_authenticate(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return usage.digital_signature and usage.content_commitment
