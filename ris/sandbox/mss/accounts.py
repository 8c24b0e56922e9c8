"""Who has a mailbox at the operator, and what proves it. No wire format, no message."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

PATIENT_DOMAIN: Final = "patient.mssante.fr"


@dataclass(frozen=True, slots=True)
class Account:
    """One mailbox: *struct_idnat* is the OU of the certificate that may use it, or empty."""

    address: str
    struct_idnat: str = ""
    password: str = ""
    token: str = ""


class Directory:
    """Every account of the operator, by address (lower case)."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts = {one.address.lower(): one for one in accounts}

    def knows(self, address: str) -> bool:
        """Say whether *address* is a mailbox of this operator."""
        return address.lower() in self._accounts

    def by_certificate(self, der: bytes | None, address: str) -> bool:
        """Say whether the certificate *der* may use *address*."""
        account = self._accounts.get(address.lower())
        return bool(account and account.struct_idnat and account.struct_idnat == unit_of(der))

    def by_password(self, address: str, password: str) -> bool:
        """Say whether *password* opens *address*."""
        account = self._accounts.get(address.lower())
        return bool(account and account.password and account.password == password)

    def by_token(self, address: str, token: str) -> bool:
        """Say whether the access *token* opens *address*."""
        account = self._accounts.get(address.lower())
        return bool(account and account.token and account.token == token)

    def by_xoauth2(self, blob: str) -> str | None:
        """Return the mailbox that the decoded XOAUTH2 *blob* opens, or None."""
        fields = dict(part.partition("=")[::2] for part in blob.split("\x01") if "=" in part)
        scheme, _, token = fields.get("auth", "").partition(" ")
        user = fields.get("user", "")
        return user if scheme == "Bearer" and self.by_token(user, token) else None


def unit_of(der: bytes | None) -> str:
    """Return the OU of a certificate, the Struct_IdNat of the IGC-Santé ORG profile."""
    if der is None:
        return ""
    subject = x509.load_der_x509_certificate(der).subject
    units = subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return str(units[0].value) if units else ""


def subject_of(der: bytes | None) -> str | None:
    """Return the subject of a certificate in RFC 4514 form, or None without a certificate."""
    return x509.load_der_x509_certificate(der).subject.rfc4514_string() if der else None
