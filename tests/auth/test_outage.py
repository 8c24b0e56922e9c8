"""PSC out of reach, or changing under us: a clear message, and nobody already in is locked out."""

from datetime import timedelta

import pytest

from ris.auth.errors import PscProtocolError, PscUnavailable
from ris.auth.psc.provider import Provider
from ris.auth.settings import PscSettings
from ris.core import clock, http
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.psc_tokens import Evil
from ris.sandbox.server import Running
from tests.auth.browser import Browser
from tests.auth.conftest import Site

DAY = timedelta(days=1, minutes=1)


@pytest.fixture
def known(site: Site) -> Provider:
    """What the site under test knows of the provider."""
    return site.desk.psc.provider


def test_people_already_in_go_on_working_while_psc_is_away(
    site: Site, provider_server: Running, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    provider_server.stop()
    assert browser.application.get("/v1/session").status_code == 200
    assert browser.application.post("/v1/sign", headers=browser.csrf()).json() == "signed"


def test_who_wants_in_while_psc_is_away_reads_what_happens(
    site: Site, provider_server: Running, browser: Browser
) -> None:
    provider_server.stop()
    answer = browser.application.get("/auth/psc/login")
    assert (answer.status_code, answer.json()["code"]) == (503, "psc_unavailable")
    assert answer.json()["title"] == "Pro Santé Connect momentanément indisponible"
    assert "Les sessions déjà ouvertes continuent." in answer.json()["detail"]


def test_an_outage_is_not_asked_about_again_at_once(
    site: Site, provider: PscProvider, provider_server: Running, known: Provider
) -> None:
    provider_server.stop()
    with pytest.raises(PscUnavailable):
        known.document()
    failed = known._document.failed_at
    with pytest.raises(PscUnavailable):
        known.document()
    assert known._document.failed_at == failed
    with clock.frozen(clock.now() + timedelta(seconds=6)), pytest.raises(PscUnavailable):
        known.document()
    assert known._document.failed_at != failed


def test_the_discovery_document_is_read_again_daily_and_kept_when_it_cannot_be(
    provider: PscProvider, provider_server: Running, known: Provider
) -> None:
    first = known.document()
    provider.announced["end_session_endpoint"] = f"{provider.base_url}/elsewhere"
    assert known.document() == first
    with clock.frozen(clock.now() + DAY):
        renewed = known.document()
    assert renewed["end_session_endpoint"].endswith("/elsewhere")
    provider_server.stop()
    with clock.frozen(clock.now() + 2 * DAY):
        assert known.document() == renewed


def test_a_discovery_that_turns_into_another_issuer_s_stops_everything(
    provider: PscProvider, known: Provider
) -> None:
    known.document()
    provider.evil = Evil.OTHER_ISSUER_ANNOUNCED
    with clock.frozen(clock.now() + DAY), pytest.raises(PscProtocolError) as caught:
        known.document()
    assert caught.value.reason == "discovery_issuer"


def test_an_https_issuer_cannot_send_us_to_a_clear_text_address(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    provider.evil = Evil.CLEAR_TEXT_ENDPOINT
    assert browser.application.get("/auth/psc/login").status_code == 502


def test_a_clear_text_alias_is_refused_too(
    provider: PscProvider, provider_server: Running, pki: TestPki
) -> None:
    clear = {"token_endpoint": "http://localhost:1/token"}
    provider.announced["mtls_endpoint_aliases"] = clear
    settings = PscSettings(issuer=provider.issuer, client_auth="tls_client_auth")
    with http.client(trust=pki.trust, settings=HttpSettings()) as wire:
        made = Provider(settings, wire)
        with pytest.raises(PscProtocolError):
            made.post("token_endpoint", {})


def test_an_unknown_kid_reloads_the_keys_at_most_once_a_minute(
    provider: PscProvider, known: Provider
) -> None:
    for _ in range(5):
        known.keys("nobody-knows")
    assert provider.calls.count("certs") == 1
    with clock.frozen(clock.now() + timedelta(seconds=61)):
        for _ in range(5):
            known.keys("nobody-knows")
    assert provider.calls.count("certs") == 2


def test_a_withdrawn_key_is_forgotten_within_a_day(provider: PscProvider, known: Provider) -> None:
    kid = str(provider.signer.public()["keys"][0]["kid"])
    assert [key.kid for key in known.keys(kid)] == [kid]
    provider.signer.rotate()
    with clock.frozen(clock.now() + DAY):
        assert [key.kid for key in known.keys(kid)] != [kid]


def test_keys_that_could_not_be_loaded_once_do_not_refuse_everybody_for_a_minute(
    site: Site, provider: PscProvider, browser: Browser, known: Provider
) -> None:
    provider.evil = Evil.JWKS_500
    answer = browser.sign_in(RADIOLOGIST_A)
    assert (answer.status_code, answer.json()["code"]) == (503, "psc_unavailable")
    provider.evil = None
    known._keys.failed_at = clock.now() - timedelta(seconds=6)
    assert browser.sign_in(RADIOLOGIST_A).status_code == 303


def test_known_keys_serve_on_while_the_key_address_fails(
    site: Site, provider: PscProvider, browser: Browser, known: Provider
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    known._keys.at = clock.now() - DAY
    provider.evil = Evil.JWKS_500
    assert browser.sign_in(RADIOLOGIST_A).status_code == 303
