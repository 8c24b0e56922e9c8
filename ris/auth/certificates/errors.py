"""Errors of adding and retiring certificates; a missing one is `ris.auth.errors`."""

from ris.auth.certificates.values import EXPLAINED, Refusal
from ris.core.errors import Conflict, Invalid, NotConfigured, NotFound


class CertificateRefused(Invalid):
    """What was brought may not enter the pool; the extension `reason` says why."""

    code = "CERTIFICATE_REFUSED"
    title = "Certificat refusé"

    def __init__(self, reason: Refusal) -> None:
        super().__init__(EXPLAINED[reason], reason=reason)
        self.reason = reason


class CertificateKnown(Conflict):
    """This very certificate is in the pool already, for this structure and usage."""

    code = "CERTIFICATE_KNOWN"
    title = "Certificat déjà présent"


class CertificateInUse(Conflict):
    """The certificate serves now: retiring it would stop or change what leaves."""

    code = "CERTIFICATE_IN_USE"
    title = "Certificat en service"


class CertificateUnknown(NotFound):
    """No certificate of this number for this structure and usage."""

    code = "CERTIFICATE_UNKNOWN"
    title = "Certificat inconnu"


class PoolReadOnly(NotConfigured):
    """The pool has no folder, or one that cannot be written."""

    code = "CERTIFICATES_READ_ONLY"
    title = "Dossier des certificats absent ou en lecture seule"
