"""The TLS rules towards an operator (RIS.MSS.01-06), as small readable functions.

One context serves SMTP and IMAP. Nothing here connects; OpenSSL itself refuses expired
certificates and wrong names.
"""

import ssl
from pathlib import Path
from typing import Final, Literal

from ris.core.crypto import Credential
from ris.core.errors import NotConfigured
from ris.mss.settings import TlsPolicy
from ris.rem import satisfies

SUITES: Final = (
    "ECDHE-RSA-AES256-GCM-SHA384",  # 0xC030
    "ECDHE-RSA-AES128-GCM-SHA256",  # 0xC02F
    "ECDHE-RSA-AES256-SHA384",  # 0xC028
    "ECDHE-RSA-AES128-SHA256",  # 0xC027
)


def operator_context(
    policy: TlsPolicy,
    trust: Path | None,
    *,
    crl: Path | None = None,
    revocation: Literal["hard", "soft"] = "hard",
    credential: Credential | None = None,
) -> ssl.SSLContext:
    """Return the context for an operator; *credential* is our client certificate, if any.

    Raises `NotConfigured` without the IGC-Santé anchors: the system store alone never serves.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bound_versions(context, policy)
    bound_suites(context)
    trust_anchors(context, trust)
    check_revocation(context, crl, revocation)
    if credential is not None:
        credential.present(context)
    return context


@satisfies("RIS.MSS.02", "SC.MSS/CONF.01")
def bound_versions(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    """Allow TLS 1.2 exactly (`va1`) or at least (`va2`)."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if policy is TlsPolicy.VA1:
        context.maximum_version = ssl.TLSVersion.TLSv1_2


@satisfies("RIS.MSS.03")
def bound_suites(context: ssl.SSLContext) -> None:
    """Allow the four regulated suites of TLS 1.2, and no other."""
    context.set_ciphers(":".join(SUITES))


@satisfies("RIS.MSS.04", "RIS.MSS.05")
def trust_anchors(context: ssl.SSLContext, trust: Path | None) -> None:
    """Trust the authorities of file *trust* only; dates and host name are checked by OpenSSL."""
    if trust is None or not trust.exists():
        raise NotConfigured(
            "Autorités IGC-Santé absentes : renseignez RIS_MSS__TRUST.", rem=("RIS.MSS.04",)
        )
    context.load_verify_locations(cafile=str(trust))
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True


@satisfies("RIS.MSS.06")
def check_revocation(
    context: ssl.SSLContext, crl: Path | None, revocation: Literal["hard", "soft"]
) -> None:
    """Check the operator's certificate against the lists of file *crl*.

    An absent or expired list refuses every certificate (`hard`); `soft` only skips an absent one.
    """
    present = crl is not None and crl.exists()
    if present:
        context.load_verify_locations(cafile=str(crl))
    if present or revocation == "hard":
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
