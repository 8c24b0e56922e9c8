"""Settings and levels: what production refuses (A25), which acr is enough (A5)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ris.auth.errors import AcrTooLow
from ris.auth.production import refuse_test_settings
from ris.auth.psc.id_token import check_acr
from ris.auth.settings import AuthSettings, PscSettings
from ris.core.errors import NotConfigured
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.auth.conftest import Site

PRODUCTION = PscSettings(
    issuer="https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet",
    redirect_uri="https://ris.example/auth/psc/callback",
    post_logout_redirect_uri="https://ris.example/auth/psc/logged-out",
)


def bundle(path: Path, *names: str) -> Path:
    """Write a trust store of self-signed authorities with these names."""
    key = rsa.generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    pem = b""
    for name in names:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        until = now + timedelta(days=1)
        made = x509.CertificateBuilder(subject, subject, key.public_key(), 7, now, until)
        pem += made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    path.write_bytes(pem)
    return path


def test_the_settings_of_production_pass(tmp_path: Path) -> None:
    trust = bundle(tmp_path / "trust.pem", "AC RACINE IGC-SANTE ELEMENTAIRE")
    refuse_test_settings(AuthSettings(psc=PRODUCTION.model_copy(update={"trust": trust})))


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://auth.bas.psc.esante.gouv.fr/auth/realms/esante-wallet"},
        {"issuer": "http://auth.esw.esante.gouv.fr/auth/realms/esante-wallet"},
        {"discovery_url": "https://auth.bas.psc.esante.gouv.fr/x"},
        {"redirect_uri": "http://ris.example/auth/psc/callback"},
        {"post_logout_redirect_uri": "http://ris.example/auth/psc/logged-out"},
    ],
    ids=str,
)
def test_production_refuses_the_test_provider_and_clear_text(change: dict[str, str]) -> None:
    with pytest.raises(NotConfigured):
        refuse_test_settings(AuthSettings(psc=PRODUCTION.model_copy(update=change)))


@pytest.mark.parametrize("change", [{"allow_test_ids": True}, {"cookie_secure": False}], ids=str)
def test_production_refuses_test_identities_and_plain_cookies(change: dict[str, bool]) -> None:
    with pytest.raises(NotConfigured):
        refuse_test_settings(AuthSettings(psc=PRODUCTION, **change))  # type: ignore[arg-type]


def test_production_refuses_a_trust_store_with_a_test_root(tmp_path: Path) -> None:
    names = ("AC RACINE IGC-SANTE FORT", "TEST AC RACINE IGC-SANTE FORT")
    trust = bundle(tmp_path / "trust.pem", *names)
    with pytest.raises(NotConfigured, match="autorité de test"):
        refuse_test_settings(AuthSettings(psc=PRODUCTION.model_copy(update={"trust": trust})))
    trust.write_text("not a certificate")
    with pytest.raises(NotConfigured, match="illisible"):
        refuse_test_settings(AuthSettings(psc=PRODUCTION.model_copy(update={"trust": trust})))


@pytest.mark.parametrize("acr", ["eidas1", "eidas2", "eidas3"])
def test_the_level_asked_for_or_a_higher_one_is_enough(
    site: Site, provider: PscProvider, acr: str
) -> None:
    provider.acr = acr
    browser = site.browser()
    assert browser.sign_in(RADIOLOGIST_A).status_code == 303
    assert browser.application.get("/v1/session").json()["acr"] == acr


def test_a_level_below_the_one_asked_for_is_refused(
    make_site: Callable[[AuthSettings], Site], auth_settings: AuthSettings
) -> None:
    asked = auth_settings.psc.model_copy(update={"acr_values": "eidas2"})
    site = make_site(auth_settings.model_copy(update={"psc": asked}))
    assert "acr_values=eidas2" in site.desk.begin("/")[0]
    expected = site.desk.psc.expected(nonce=None)
    for enough in ("eidas2", "eidas3"):
        check_acr({"acr": enough}, expected)
    for low in ("eidas1", "", "EIDAS3", 3):
        with pytest.raises(AcrTooLow):
            check_acr({"acr": low}, expected)


def test_an_absent_level_is_refused_unless_the_site_tolerates_it(
    make_site: Callable[[AuthSettings], Site],
    site: Site,
    auth_settings: AuthSettings,
    provider: PscProvider,
) -> None:
    provider.acr = None
    answer = site.browser().sign_in(RADIOLOGIST_A)
    assert (answer.status_code, answer.json()["code"]) == (403, "acr_too_low")
    tolerant = auth_settings.psc.model_copy(update={"absent_acr_tolerated": True})
    open_site = make_site(auth_settings.model_copy(update={"psc": tolerant}))
    assert open_site.browser().sign_in(RADIOLOGIST_A).status_code == 303
