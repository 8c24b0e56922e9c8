"""Signing in through Pro Santé Connect, end to end, against the strict sandbox provider."""

import logging
from collections.abc import Callable

import pytest
from sqlalchemy import select

from ris.auth.model import Account, LoginAttempt, RisSession
from ris.auth.settings import AuthSettings, PscSettings
from ris.core.audit import broken_links
from ris.core.db import Database
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import (
    RADIOLOGIST_A,
    RADIOLOGIST_TWO_SITES,
    REQUESTER,
    SECRETARY,
    TECHNOLOGIST,
)
from tests.auth.browser import Browser, query_of
from tests.auth.conftest import Site


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 01.01")
@pytest.mark.rem("SC.PSC.01")
def test_a_granted_radiologist_signs_in_and_sees_his_situation(
    site: Site, browser: Browser, evidence: Evidence
) -> None:
    answer = browser.sign_in(RADIOLOGIST_A, "/auth/psc/login?next=/exams%3Fday%3Dtoday")
    assert (answer.status_code, answer.headers["location"]) == (303, "/exams?day=today")
    me = browser.application.get("/v1/session").json()
    assert (me["role"], me["state"], me["acr"]) == ("RADIOLOGIST", "ACTIVE", "eidas1")
    assert [s["struct_idnat"] for s in me["situations"] if s["chosen"]] == ["499700993001004"]
    traced = site.trace("auth.login_success")[0]
    assert (traced.actor_ps_idnat, traced.acr, traced.auth_method) == (
        RADIOLOGIST_A.ps_idnat, "eidas1", "PSC_CODE",
    )  # fmt: skip
    with site.database.transaction() as session:
        row = session.scalars(select(RisSession)).one()
        assert (row.acr, row.auth_mode, row.psc_sid) == ("eidas1", "CARD", row.psc_session_state)
        assert row.psc_session_state
    evidence.add("01", "session.json", browser.application.get("/v1/session").text)
    with site.database.transaction() as session:
        assert list(broken_links(session)) == []


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 01.01")
@pytest.mark.rem("SC.PSC.08")
def test_the_authorization_request_asks_what_psc_wants(browser: Browser) -> None:
    address = browser.begin()
    asked = query_of(address)
    assert "/wallet/auth?" in address
    assert asked["response_type"] == "code"
    assert asked["scope"] == "openid scope_all"
    assert asked["acr_values"] == "eidas1"
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked["state"]), len(asked["nonce"]), len(asked["code_challenge"])) == 43
    assert "acr" not in asked


def test_a_step_up_asks_for_a_fresh_authentication(browser: Browser) -> None:
    asked = query_of(browser.begin("/auth/psc/login?step_up=true"))
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")


def test_a_secretary_signs_in_with_a_cpe_identifier_and_no_situation(browser: Browser) -> None:
    browser.sign_in(SECRETARY)
    me = browser.application.get("/v1/session").json()
    assert (me["ps_idnat"], me["role"], me["situations"]) == (SECRETARY.ps_idnat, "SECRETARY", [])
    assert "report.sign" not in me["permissions"]


def test_a_technologist_employed_by_the_scm_signs_in(browser: Browser) -> None:
    browser.sign_in(TECHNOLOGIST)
    me = browser.application.get("/v1/session").json()
    assert me["role"] == "TECHNOLOGIST"
    assert me["situations"][0]["struct_idnat"] == "300000000993014"


def test_a_person_nobody_granted_a_role_is_refused_and_traced(site: Site, browser: Browser) -> None:
    answer = browser.sign_in(REQUESTER)
    assert (answer.status_code, answer.json()["code"]) == (403, "ENROL_UNKNOWN")
    failed = site.trace("auth.login_failed")
    assert [(one.reason, one.actor_ps_idnat) for one in failed] == [
        ("ENROL_UNKNOWN", REQUESTER.ps_idnat)
    ]
    assert browser.application.get("/v1/session").status_code == 401
    with site.database.transaction() as session:
        query = select(Account).where(Account.ps_idnat == REQUESTER.ps_idnat)
        assert session.scalars(query).all() == []


def test_a_refusal_on_the_wallet_page_is_traced(site: Site, browser: Browser) -> None:
    answer = browser.come_back(browser.pick(browser.begin(), None))
    assert (answer.status_code, answer.json()["code"]) == (400, "oidc_error")
    assert [event.reason for event in site.trace("auth.login_failed")] == ["access_denied"]


def test_a_test_identity_is_refused_unless_the_setting_allows_it(
    make_site: Callable[[AuthSettings], Site], site: Site, psc_settings: PscSettings
) -> None:
    strict = make_site(AuthSettings(psc=psc_settings))
    answer = strict.browser().sign_in(RADIOLOGIST_A)
    assert (answer.status_code, answer.json()["code"]) == (403, "TEST_IDENTITY")


def test_two_situations_must_be_chosen_before_anything_else(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_TWO_SITES)
    application = browser.application
    refused = application.get("/v1/directory", params={"rpps": "99700993043"})
    assert (refused.status_code, refused.json()["code"]) == (403, "situation_required")
    me = application.get("/v1/session").json()
    assert me["state"] == "NEEDS_SITUATION"
    before = application.cookies["__Host-ris_session"]
    south = next(s for s in me["situations"] if s["struct_idnat"].endswith("017"))
    chosen = application.post(
        "/v1/session/situation", json={"situation_id": south["id"]}, headers=browser.csrf()
    )
    assert chosen.status_code == 204
    assert application.cookies["__Host-ris_session"] != before
    assert application.get("/v1/session").json()["state"] == "ACTIVE"
    assert site.trace("auth.situation_chosen")[0].target_id == south["id"]
    application.cookies.set("__Host-ris_session", before)
    assert application.get("/v1/session").status_code == 401


def test_the_situation_of_somebody_else_cannot_be_chosen(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_TWO_SITES)
    other = browser.application.get("/v1/session").json()["situations"][0]["id"]
    colleague = site.browser()
    colleague.sign_in(RADIOLOGIST_A)
    answer = colleague.application.post(
        "/v1/session/situation", json={"situation_id": other}, headers=colleague.csrf()
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "SITUATION_UNKNOWN")


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 01.01")
def test_logout_closes_here_first_and_then_at_psc(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    cookie = browser.application.cookies["__Host-ris_session"]
    answer = browser.application.post("/v1/session/logout", headers=browser.csrf())
    url = answer.json()["psc_logout_url"]
    browser.application.cookies.set("__Host-ris_session", cookie)
    assert browser.application.get("/v1/session").json()["code"] == "session_expired"
    back = browser.wallet.get(url)
    assert back.status_code == 302
    returned = browser.come_back(back.headers["location"])
    assert (returned.status_code, "déconnecté de Pro Santé Connect." in returned.text) == (
        200,
        True,
    )
    closed = site.trace("auth.session_closed")[0]
    assert (closed.reason, closed.actor_ps_idnat) == ("logout", RADIOLOGIST_A.ps_idnat)
    with site.database.transaction() as session:
        assert session.scalars(select(RisSession.id_token_sealed)).all() == [None]


def test_no_token_is_stored_in_clear_nor_logged(
    database: Database, site: Site, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser.sign_in(RADIOLOGIST_A)
    with database.transaction() as session:
        sealed = session.scalars(select(RisSession.id_token_sealed)).one()
        attempt = session.scalars(select(LoginAttempt)).one()
    assert sealed is not None
    assert b"eyJ" not in sealed
    assert attempt.consumed_at is not None
    assert "eyJ" not in caplog.text
    assert "eyJ" not in str(browser.application.cookies)
    assert RADIOLOGIST_A.ps_idnat not in str(browser.application.cookies)
