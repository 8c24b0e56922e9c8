"""What a structure certificate must be before anything leaves under it. Pure.

The rule is that of the pool (`ris.auth.certificates.rules`); where certificates are kept is not
known here: the caller brings a `CredentialFor`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from cryptography import x509

from ris.auth.certificates import rules
from ris.auth.certificates.values import EXPLAINED
from ris.core.crypto import Credential
from ris.rem import satisfies

Usage = Literal["AUTH_CLI", "SIGN"]
CredentialFor = Callable[[str, Usage], Credential]


@satisfies("RIS.AUTH.01")
def unusable(certificate: x509.Certificate, struct: str, usage: Usage, at: datetime) -> str:
    """Return why *certificate* may not act for *struct* at *at*, in French, or an empty string."""
    reason = rules.unfit(certificate, struct, usage, at)
    return EXPLAINED[reason] if reason else ""
