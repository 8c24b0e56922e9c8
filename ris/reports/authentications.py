"""Which sign-in of the signer stands behind what is sent of his report (auth.md §8, AuthnInstant).

Reads rows, writes none: the signature and the deletion keep theirs in `freeze`. No clock here.
"""

from ris.auth.values import Authentication
from ris.reports.model import DocumentVersion, Report


def of_signature(version: DocumentVersion) -> Authentication:
    """Return the sign-in in which *version* was signed, for whatever is sent of it and whenever.

    A version that an identity change or an announcement made has that of the signature it takes
    over. One signed before the product kept sign-ins: the instant of the signature.
    """
    return Authentication(version.authenticated_at or version.signed_at, version.auth_method or "")


def of_withdrawal(report: Report, version: DocumentVersion) -> Authentication:
    """Return the sign-in of the signer behind the deletion of *report*.

    It still leaves in his name when a colleague deletes it: his last known act is the signature.
    """
    if report.withdrawn_authenticated_at is None:
        return of_signature(version)
    return Authentication(report.withdrawn_authenticated_at, report.withdrawn_auth_method or "")
