"""The pool of structure certificates: one per Struct_IdNat and usage (RIS.AUTH.01, AUTH-50).

Layout: `<directory>/<struct_idnat>/<usage>.crt` and `.key` (PEM). Private keys stay in files,
outside the database. Which structure acts is decided elsewhere.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

from ris.auth.errors import CertificateMissing
from ris.auth.identifiers import structure
from ris.core import clock
from ris.core.crypto import Credential
from ris.core.errors import NotConfigured
from ris.rem import satisfies

Usage = Literal["AUTH_CLI", "INSI", "INSI_AUTO", "SIGN"]
USAGES: Final[tuple[Usage, ...]] = ("AUTH_CLI", "INSI", "INSI_AUTO", "SIGN")
_NAMES: Final = {
    "INSI": frozenset({"INSI-MANU", "INSI-AUTO"}),
    "INSI_AUTO": frozenset({"INSI-AUTO"}),
}


@dataclass(frozen=True, slots=True)
class Held:
    """One certificate of the pool as the administrator sees it; *refusal* is None when usable."""

    struct_idnat: str
    usage: str
    serial: str
    not_after: datetime | None
    refusal: str | None


@satisfies("RIS.AUTH.01")
class CertificatePool:
    """The certificates of every practice served, so that each act leaves under its own."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def credential(self, struct_idnat: str, usage: Usage) -> Credential:
        """Return the certificate and key of one structure, read and checked at each call.

        `INSI` falls back on nothing: INSi wants its own CN (auth.md §7.3). Raises
        CertificateMissing (code `CERTIFICATE_MISSING`, extension `reason`).
        """
        credential = self._credential(struct_idnat, usage)
        if credential is None:
            raise _missing(struct_idnat, usage, "ABSENT")
        certificate, _key = _loaded(credential, struct_idnat, usage)
        if refusal := _refusal(certificate, struct_idnat, usage, clock.now()):
            raise _missing(struct_idnat, usage, refusal)
        return credential

    @satisfies("RIS.AUTH.02")
    def insi(self, struct_idnat: str, *, automatic: bool) -> Credential:
        """Return the INSi certificate of one structure, whoever asks: nobody else's ever serves.

        An *automatic* call goes under `INSI_AUTO` where the practice has one. Raises as
        `credential`.
        """
        spare = automatic and self._credential(struct_idnat, "INSI_AUTO") is not None
        return self.credential(struct_idnat, "INSI_AUTO" if spare else "INSI")

    def inventory(self) -> list[Held]:
        """Return every certificate file of the pool with its state, for the settings screen."""
        if self._directory is None or not self._directory.is_dir():
            return []
        folders = sorted(path.name for path in self._directory.iterdir() if path.is_dir())
        return [
            self._described(folder, usage, credential)
            for folder in folders
            for usage in USAGES
            if (credential := self._credential(folder, usage)) is not None
        ]

    def _credential(self, struct_idnat: str, usage: str) -> Credential | None:
        if self._directory is None or not structure(struct_idnat).valid:
            return None  # also keeps a path out of the file name
        base = self._directory / struct_idnat
        found = Credential(base / f"{usage}.crt", base / f"{usage}.key")
        return found if found.certificate.is_file() and found.key.is_file() else None

    def _described(self, struct_idnat: str, usage: Usage, credential: Credential) -> Held:
        try:
            certificate, _key = _loaded(credential, struct_idnat, usage)
        except CertificateMissing:
            return Held(struct_idnat, usage, "", None, "UNREADABLE")
        refusal = _refusal(certificate, struct_idnat, usage, clock.now())
        serial = format(certificate.serial_number, "x")
        return Held(struct_idnat, usage, serial, certificate.not_valid_after_utc, refusal)


def _loaded(
    credential: Credential, struct_idnat: str, usage: str
) -> tuple[x509.Certificate, object]:
    try:
        certificate, key = credential.load()
    except NotConfigured as error:
        raise _missing(struct_idnat, usage, "UNREADABLE") from error
    if certificate.public_key() != key.public_key():
        raise _missing(struct_idnat, usage, "KEY_MISMATCH")
    return certificate, key


def _refusal(
    certificate: x509.Certificate, struct_idnat: str, usage: Usage, now: datetime
) -> str | None:
    """Return why *certificate* may not serve *struct_idnat* at *now*, or None."""
    units = [
        part.value
        for part in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    ]
    if units != [struct_idnat]:
        return "OTHER_STRUCTURE"
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        return "EXPIRED"
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if usage in _NAMES and [name.value for name in names][:1] not in [[n] for n in _NAMES[usage]]:
        return "WRONG_NAME"
    return None


def _missing(struct_idnat: str, usage: str, reason: str) -> CertificateMissing:
    return CertificateMissing(
        f"Déposez le certificat {usage} de la structure {struct_idnat}.",
        reason=reason,
        struct_idnat=struct_idnat,
        usage=usage,
    )
