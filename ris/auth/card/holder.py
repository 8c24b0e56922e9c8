"""What the authentication certificate of a CPx card says of its holder (auth.md §7.1, §7.2).

Pure: a certificate in, a holder out. Whether the certificate is to be believed is `trust.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ris.auth.errors import CardRefused
from ris.auth.identifiers import PersonKind, person

_FILLERS: Final = ("EMPLOYE",)  # names of the old cards that name nobody: EMPLOYEAA…


@dataclass(frozen=True, slots=True)
class Holder:
    """The person a card names. *subject_name_id* is his PS_IdNat; *serial* is hexadecimal."""

    subject_name_id: str
    family: str
    given: str
    issuer: str
    serial: str
    not_after: datetime


def holder(certificate: x509.Certificate) -> Holder:
    """Return who holds the card of *certificate*.

    Raises `CardRefused`: WRONG_USAGE (not an authentication certificate), NOT_A_PERSON (no
    PS_IdNat as common name), NOT_NOMINATIVE (a CPE that names nobody: ask for a named sign-in).
    """
    if not _authenticates(certificate):
        raise CardRefused("WRONG_USAGE")
    number = _only(certificate, NameOID.COMMON_NAME)
    if person(number)[0] is PersonKind.UNKNOWN:
        raise CardRefused("NOT_A_PERSON")
    family, given = _only(certificate, NameOID.SURNAME), _only(certificate, NameOID.GIVEN_NAME)
    if not family or not given or family.upper().startswith(_FILLERS):
        raise CardRefused("NOT_NOMINATIVE")
    return Holder(
        subject_name_id=number,
        family=family,
        given=given,
        issuer=certificate.issuer.rfc4514_string(),
        serial=format(certificate.serial_number, "x"),
        not_after=certificate.not_valid_after_utc,
    )


def _authenticates(certificate: x509.Certificate) -> bool:
    """Say whether it signs handshakes as a client: the card's signature key is for documents."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    client = ExtendedKeyUsageOID.CLIENT_AUTH in purposes
    return client and usage.digital_signature and not usage.content_commitment


def _only(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    """Return the one value of an attribute, wherever it sits in a multi-valued RDN, or ''."""
    found = certificate.subject.get_attributes_for_oid(oid)
    return str(found[0].value).strip() if len(found) == 1 else ""
