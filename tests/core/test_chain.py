"""A certificate is believed under a root we were told of, at an instant, and under nothing else."""

from datetime import timedelta

import pytest
from cryptography import x509

from ris.core import clock
from ris.core.chain import ChainBroken, chain
from ris.sandbox.pki import TestPki


def test_intermediates_that_came_along_are_believed_under_a_root_only(pki: TestPki) -> None:
    leaf, issuing = pki.organisation("499700991013001", "SIGN").chain()
    authorities = x509.load_pem_x509_certificates(pki.trust.read_bytes())
    (root,) = (one for one in authorities if one.subject == one.issuer)
    now = clock.now()
    assert chain(leaf, authorities, now) == [leaf, issuing, root]
    assert chain(leaf, [root], now, sent=[issuing]) == [leaf, issuing, root]
    for refused in ([root], [issuing], []):
        with pytest.raises(ChainBroken):
            chain(leaf, refused, now)
    with pytest.raises(ChainBroken):
        chain(leaf, [], now, sent=authorities)
    with pytest.raises(ChainBroken):
        chain(leaf, authorities, leaf.not_valid_after_utc + timedelta(days=1))
    with pytest.raises(ChainBroken):
        chain(pki.rogue().chain()[0], authorities, now)
