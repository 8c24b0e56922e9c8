"""What each DMP error code means for the sender (dmp.md §8.2): a table and one lookup. Pure.

Codes that a site learns later come from `DmpSettings.extra_codes`; nothing here raises over HTTP.
"""

from collections.abc import Mapping
from typing import Final

from ris.core.errors import Lost, RemoteError, Transient
from ris.dmp.errors import (
    CertificateRefused,
    ConfigMissing,
    DmpBusy,
    DmpRefused,
    NoDmp,
)
from ris.dmp.settings import ErrorClass

DUPLICATE: Final = "XDSDuplicateUniqueIdInRegistry"
DEPRECATED: Final = "XDSRegistryDeprecatedDocumentError"
TABLE: Final[Mapping[str, ErrorClass]] = {
    "XDSRegistryBusy": "transient",
    "XDSRepositoryBusy": "transient",
    "XDSRegistryOutOfResources": "transient",
    "XDSRepositoryOutOfResources": "transient",
    "XDSRegistryNotAvailable": "transient",
    "XDSRegistryError": "transient",  # unknown class: the engine bounds the attempts
    "XDSRepositoryError": "transient",
    DUPLICATE: "duplicate",
    "XDSNonIdenticalHash": "permanent",
    "XDSNonIdenticalSize": "permanent",
    "XDSRegistryDuplicateUniqueIdInMessage": "permanent",
    "XDSUnknownPatientId": "held",
    "XDSPatientIdDoesNotMatch": "permanent",
    "XDSRegistryMetadataError": "permanent",
    "XDSRepositoryMetadataError": "permanent",
    "XDSMissingDocument": "permanent",
    "XDSMissingDocumentMetadata": "permanent",
    DEPRECATED: "permanent",
    "XDSDocumentUniqueIdError": "permanent",
    "XDSReplaceFailed": "permanent",
    "XDSExtraMetadataNotSaved": "warning",
    "DMPInvalidCertificate": "config",
    "DMPAccessDeniedByRightsService": "permanent",
}
_CONFIGURATION_TEXTS: Final = (
    "Structure introuvable ou Inactive",
    "PS et Structure non liés",
    "Aucune spécialité dans le vihf",
    "Aucun AuthorInstitution ne correspond",
)


def classify(
    code: str, text: str = "", extra: Mapping[str, ErrorClass] | None = None
) -> ErrorClass:
    """Return the class of the DMP error *code*; *text* (its context) only tells configuration.

    An unknown code is permanent: shown raw, never retried blindly.
    """
    if any(each in text for each in _CONFIGURATION_TEXTS):
        return "config"
    known = {**TABLE, **(extra or {})}
    return known.get(code, "permanent")


def as_error(kind: ErrorClass, code: str) -> RemoteError:
    """Return the exception of class *kind* carrying the DMP's own *code*."""
    detail = f"Le DMP a répondu {code}."
    if kind == "transient":
        return DmpBusy(detail, remote_code=code)
    if kind == "lost":
        return Lost(detail, remote_code=code)
    if kind == "held":
        return NoDmp(detail, remote_code=code)
    if kind == "config":
        wrong_key = code == "DMPInvalidCertificate"
        return (CertificateRefused if wrong_key else ConfigMissing)(detail, remote_code=code)
    return DmpRefused(detail, remote_code=code)


def nothing_done(error: Lost) -> Transient:
    """Return *error* as transient: a question that lost its answer has changed nothing."""
    return Transient(error.detail, remote_code=error.remote_code)
