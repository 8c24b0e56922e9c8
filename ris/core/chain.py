"""Whether a certificate comes from an authority we were told to believe: chain and dates only.

Revocation, usages and what the certificate says of its holder are the caller's.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.verification import (
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)


class ChainBroken(Exception):
    """No chain leads from the certificate to one of the roots."""


def chain(
    certificate: x509.Certificate,
    authorities: Sequence[x509.Certificate],
    at: datetime,
    *,
    sent: Sequence[x509.Certificate] = (),
) -> list[x509.Certificate]:
    """Return the chain of *certificate* at *at*, leaf first, up to a root among *authorities*.

    *sent* are intermediates that came with it: believed only under one of the roots. Raises
    `ChainBroken`.
    """
    roots = [one for one in authorities if one.subject == one.issuer]
    others = [one for one in (*authorities, *sent) if one.subject != one.issuer]
    if not roots:
        raise ChainBroken
    policy = (
        PolicyBuilder()
        .store(Store(roots))
        .time(at)
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=ExtensionPolicy.permit_all(),
        )
        .build_client_verifier()
    )
    try:
        return policy.verify(certificate, others).chain
    except (VerificationError, ValueError) as error:
        raise ChainBroken from error
