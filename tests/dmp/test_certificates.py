"""What a certificate must be: of the structure, in date, of the right kind."""

import pytest

from ris.core import clock
from ris.dmp.certificates import Usage, unusable
from ris.sandbox.pki import TestPki

A, B = "499700991013001", "499700991021012"


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
@pytest.mark.parametrize("usage", ["AUTH_CLI", "SIGN"])
def test_a_certificate_acts_for_its_own_structure_only(pki: TestPki, usage: Usage) -> None:
    certificate, _ = pki.organisation(A, usage).load()
    assert unusable(certificate, A, usage, clock.now()) == ""
    assert "autre structure" in unusable(certificate, B, usage, clock.now())


@pytest.mark.parametrize(("asked", "given"), [("AUTH_CLI", "SIGN"), ("SIGN", "AUTH_CLI")])
def test_each_kind_of_certificate_serves_its_own_use(
    pki: TestPki, asked: Usage, given: Usage
) -> None:
    certificate, _ = pki.organisation(A, given).load()
    assert "sans usage" in unusable(certificate, A, asked, clock.now())


def test_an_expired_certificate_is_unusable(pki: TestPki) -> None:
    certificate, _ = pki.expired(A).load()
    assert "expiré" in unusable(certificate, A, "AUTH_CLI", clock.now())
