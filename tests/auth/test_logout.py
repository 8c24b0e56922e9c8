"""Leaving: RP-initiated logout, its return page, and the logout that PSC orders (back-channel)."""

from typing import Any

import httpx
import pytest

from ris.rem.evidence import Evidence
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_grants import PscSession
from ris.sandbox.psc_people import RADIOLOGIST_A, SECRETARY
from ris.sandbox.psc_tokens import Evil
from ris.sandbox.server import Running
from tests.auth.browser import Browser
from tests.auth.conftest import Site

ORDER = "/auth/psc/backchannel-logout"


def leave(browser: Browser, query: str = "") -> str | None:
    answer = browser.application.post(f"/v1/session/logout{query}", headers=browser.csrf())
    assert answer.status_code == 200
    url: str | None = answer.json()["psc_logout_url"]
    return url


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 01.01")
@pytest.mark.rem("SC.SSI/IE.38")
def test_logout_everywhere_ends_the_session_at_psc_too(
    site: Site, provider: PscProvider, browser: Browser, evidence: Evidence
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    url = leave(browser)
    assert url is not None
    back = browser.wallet.get(url).headers["location"]
    page = browser.come_back(back)
    assert "aussi déconnecté de Pro Santé Connect" in page.text
    assert provider.grants.end(RADIOLOGIST_A.ps_idnat) == []
    assert browser.application.get("/v1/session").status_code == 401
    evidence.add("01", "logged-out.html", page.text)


@pytest.mark.rem("SC.SSI/IE.38")
def test_logout_here_only_leaves_psc_alone(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    assert leave(browser, "?everywhere=false") is None
    assert browser.application.get("/v1/session").status_code == 401
    assert len(provider.grants.end(RADIOLOGIST_A.ps_idnat)) == 1


def test_a_return_without_state_is_welcomed_and_says_no_more_than_is_known(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    provider.forgets_state = True
    browser.sign_in(RADIOLOGIST_A)
    back = browser.wallet.get(leave(browser) or "").headers["location"]
    page = browser.come_back(back)
    assert page.status_code == 200
    assert "Votre session est fermée" in page.text
    assert "n'a pas pu être confirmée" in page.text
    hostile = browser.application.get("/auth/psc/logged-out?state=<script>")
    assert "<script>" not in hostile.text


def test_logout_closes_the_session_though_psc_is_away(
    site: Site, provider_server: Running, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    site.desk.psc.provider._document.__init__()  # type: ignore[misc] # a fresh process knows nothing
    provider_server.stop()
    assert leave(browser) is None
    assert browser.application.get("/v1/session").status_code == 401


def held(provider: PscProvider, person: Any = RADIOLOGIST_A) -> PscSession:
    return next(one for one in provider.grants._sessions if one.person is person and not one.ended)


def order(site: Site, token: str) -> httpx.Response:
    return site.browser().application.post(ORDER, data={"logout_token": token})


def test_psc_ends_the_sessions_of_its_session_and_no_other(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    elsewhere, colleague = site.browser(), site.browser()
    elsewhere.sign_in(RADIOLOGIST_A)
    colleague.sign_in(SECRETARY)
    assert order(site, provider.logout_token(held(provider))).status_code == 200
    assert browser.application.get("/v1/session").json()["code"] == "session_expired"
    assert elsewhere.application.get("/v1/session").status_code == 200
    assert colleague.application.get("/v1/session").status_code == 200
    assert [one.reason for one in site.trace("auth.session_closed")] == ["psc_logout"]


def test_an_order_about_a_person_ends_all_his_sessions(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    elsewhere, colleague = site.browser(), site.browser()
    elsewhere.sign_in(RADIOLOGIST_A)
    colleague.sign_in(SECRETARY)
    assert order(site, provider.logout_token(held(provider), by_sub=True)).status_code == 200
    for ended in (browser, elsewhere):
        assert ended.application.get("/v1/session").json()["code"] == "session_expired"
    assert colleague.application.get("/v1/session").status_code == 200


def test_every_false_order_is_refused_with_its_own_reason_and_ends_nothing(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    session = held(provider)
    now = int(session.at.timestamp())
    tokens = [
        (provider.logout_token(session, iss="https://evil.test"), "logout_iss"),
        (provider.logout_token(session, aud="somebody-else"), "logout_aud"),
        (provider.logout_token(session, iat=now - 3600), "logout_iat"),
        (provider.logout_token(session, iat=None), "logout_iat"),
        (provider.logout_token(session, iat=now + 3600), "logout_iat"),
        (provider.logout_token(session, exp=now - 60), "logout_expired"),
        (provider.logout_token(session, nonce="n"), "logout_nonce"),
        (provider.logout_token(session, events=None), "logout_events"),
        (provider.logout_token(session, events={"other": {}}), "logout_events"),
        (provider.logout_token(session, events=["x"]), "logout_events"),
        (provider.logout_token(session, jti=None), "logout_jti"),
        (provider.logout_token(session, sub=None, sid=None), "logout_subject"),
        ("not-a-token", "logout_malformed"),
    ]
    for evil, reason in (
        (Evil.ALG_NONE, "logout_alg"),
        (Evil.ALG_HS256, "logout_alg"),
        (Evil.FORGED, "logout_signature"),
        (Evil.UNKNOWN_KID, "logout_kid_unknown"),
    ):
        provider.evil = evil
        tokens.append((provider.logout_token(session), reason))
        provider.evil = None
    for token, reason in tokens:
        answer = order(site, token)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), reason
        assert site.trace("auth.psc_logout_refused")[-1].reason == reason
        assert reason not in answer.text
    assert browser.application.get("/v1/session").status_code == 200


def test_an_id_token_is_no_logout_order(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    url = httpx.URL(leave(browser) or "")
    browser.sign_in(RADIOLOGIST_A)
    assert order(site, url.params["id_token_hint"]).status_code == 400
    assert browser.application.get("/v1/session").status_code == 200


def test_an_order_serves_once(site: Site, provider: PscProvider, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    token = provider.logout_token(held(provider))
    assert order(site, token).status_code == 200
    assert order(site, token).status_code == 400
    assert site.trace("auth.psc_logout_refused")[-1].reason == "logout_replayed"


def test_no_order_is_taken_unless_psc_announces_them(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    provider.announced["backchannel_logout_supported"] = False
    browser.sign_in(RADIOLOGIST_A)
    assert order(site, provider.logout_token(held(provider))).status_code == 404
    assert browser.application.get("/v1/session").status_code == 200
