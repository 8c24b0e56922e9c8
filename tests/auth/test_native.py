"""An installed application signs in by the system's browser, with its secret (RFC 8252)."""

import httpx
import pytest
from sqlalchemy import select

from ris.auth import cookies
from ris.auth.model import RisSession
from ris.auth.psc.client import challenge_of
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import RADIOLOGIST_A, SECRETARY
from tests.auth.browser import Browser, query_of
from tests.auth.conftest import Site

VERIFIER = "v" * 43
LOGIN = f"/auth/psc/login?native_port=49152&native_challenge={challenge_of(VERIFIER)}"
FETCH = "/auth/native/session"
COOKIE = "__Host-ris_session"


def code_from(browser: Browser) -> str:
    answer = browser.sign_in(RADIOLOGIST_A, LOGIN)
    assert answer.status_code == 303
    where = httpx.URL(answer.headers["location"])
    assert (where.scheme, where.host, where.port, where.path) == ("http", "127.0.0.1", 49152, "/")
    return query_of(str(where))["code"]


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 03.01")
@pytest.mark.rem("SC.PSC.01")
def test_the_application_that_opened_the_browser_gets_the_session_and_the_browser_none(
    site: Site, browser: Browser, evidence: Evidence
) -> None:
    code = code_from(browser)
    assert COOKIE not in browser.application.cookies
    application = site.browser().application
    answer = application.post(FETCH, json={"code": code, "verifier": VERIFIER})
    assert answer.status_code == 204
    me = application.get("/v1/session").json()
    assert (me["ps_idnat"], me["state"]) == (RADIOLOGIST_A.ps_idnat, "ACTIVE")
    headers = {"X-CSRF-Token": me["csrf_token"]}
    assert application.post("/v1/sign", headers=headers).json() == "signed"
    out = application.post("/v1/session/logout", headers=headers).json()["psc_logout_url"]
    assert browser.wallet.get(out).status_code == 302
    assert application.get("/v1/session").status_code == 401
    assert len(site.trace("auth.session_delivered")) == 1
    evidence.add("01", "native-session.json", me)


def test_the_code_opens_nothing_by_itself(site: Site, browser: Browser) -> None:
    code = code_from(browser)
    thief = site.browser().application
    thief.cookies.set(COOKIE, code)
    assert thief.get("/v1/session").json()["code"] == "not_authenticated"
    answer = thief.post(FETCH, json={"code": code, "verifier": "w" * 43})
    assert (answer.status_code, answer.json()["code"]) == (400, "oidc_state_invalid")
    assert site.trace("auth.login_failed")[-1].reason == "native_verifier"


def test_the_code_serves_once_and_within_a_minute(site: Site, browser: Browser) -> None:
    application = site.browser().application
    told = {"code": code_from(browser), "verifier": VERIFIER}
    assert application.post(FETCH, json=told).status_code == 204
    assert application.post(FETCH, json=told).status_code == 400
    assert site.trace("auth.login_failed")[-1].reason == "native_code_unknown"
    late = {"code": code_from(browser), "verifier": VERIFIER}
    site.change("update ris_session set created_at = now() - interval '61 seconds'")
    assert application.post(FETCH, json=late).status_code == 400
    assert site.trace("auth.login_failed")[-1].reason == "native_code_expired"


def test_the_session_of_the_browser_is_left_alone(site: Site, browser: Browser) -> None:
    browser.sign_in(SECRETARY)
    code_from(browser)
    assert browser.application.get("/v1/session").json()["ps_idnat"] == SECRETARY.ps_idnat


@pytest.mark.parametrize(
    "query",
    [
        "native_port=49152",
        f"native_challenge={challenge_of(VERIFIER)}",
        "native_port=49152&native_challenge=short",
        f"native_port=80&native_challenge={challenge_of(VERIFIER)}",
        f"native_port=49152@evil.test&native_challenge={challenge_of(VERIFIER)}",
    ],
)
def test_half_a_request_or_a_foreign_address_is_refused(browser: Browser, query: str) -> None:
    assert browser.application.get(f"/auth/psc/login?{query}").status_code == 422


def test_the_page_to_come_back_to_cannot_move_the_code_elsewhere(
    site: Site, browser: Browser
) -> None:
    answer = browser.sign_in(RADIOLOGIST_A, f"{LOGIN}&next=https://evil.test/")
    assert answer.headers["location"].startswith("http://127.0.0.1:49152/?code=")


def test_a_page_of_another_site_cannot_hand_a_session_over(site: Site, browser: Browser) -> None:
    told = {"code": code_from(browser), "verifier": VERIFIER}
    answer = site.browser().application.post(
        FETCH, json=told, headers={"Origin": "https://evil.test"}
    )
    assert answer.json()["code"] == "csrf_refused"


def test_the_code_is_kept_as_a_hash(site: Site, browser: Browser) -> None:
    code = code_from(browser)
    with site.database.transaction() as session:
        row = session.scalars(select(RisSession)).one()
    assert row.token_hash == cookies.digest(code)
    assert code not in repr(vars(row))


def test_a_verifier_that_is_none_is_refused_by_name(site: Site) -> None:
    answer = site.browser().application.post(FETCH, json={"code": "c", "verifier": "é" * 43})
    assert answer.status_code == 422
