"""The link of a session with PSC: renewed on demand, once, and its end locks nobody out (A14)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ris.auth.model import RisSession
from ris.auth.psc.link import PscLink
from ris.auth.upkeep import sweep
from ris.core import clock
from ris.core.crypto import SealBroken
from ris.rem.evidence import Evidence
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A, SECRETARY
from ris.sandbox.psc_tokens import Evil
from tests.auth.browser import Browser
from tests.auth.conftest import Site

STALE = "update ris_session set psc_access_expires_at = now()"


def confirm(browser: Browser) -> httpx.Response:
    return browser.application.post("/v1/session/psc", headers=browser.csrf())


def row_of(site: Site) -> RisSession:
    with site.database.transaction() as session:
        return session.scalars(select(RisSession).where(RisSession.closed_at.is_(None))).one()


def test_a_fresh_access_token_is_used_as_it_is(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    assert confirm(browser).json() == {"psc_state": "ACTIVE"}
    assert provider.calls.count("refresh_token") == 0
    assert provider.calls[-1] == "introspect"


@pytest.mark.rem("SC.MSS/CONF.28")
def test_twenty_requests_at_once_renew_the_tokens_once(
    site: Site, provider: PscProvider, browser: Browser, evidence: Evidence
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    site.change(STALE)
    before, headers = row_of(site).psc_tokens_sealed, browser.csrf()
    cookies = dict(browser.application.cookies)

    def call(_: int) -> int:
        with httpx.Client(
            base_url=site.url, verify=browser.context, cookies=cookies, trust_env=False
        ) as one:
            return one.post("/v1/session/psc", headers=headers).status_code

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(20)))
    assert answers == [200] * 20
    assert provider.calls.count("refresh_token") == 1
    after = row_of(site)
    assert after.psc_tokens_sealed != before
    assert after.psc_refresh_lease is None
    evidence.add("01", "refresh.json", {"requests": 20, "refreshes": 1, "answers": answers})


def test_renewed_tokens_renew_again_and_the_spent_one_is_never_sent(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    for _ in range(3):  # the provider ends a session whose spent refresh token comes back
        site.change(STALE)
        assert confirm(browser).status_code == 200
    assert provider.calls.count("refresh_token") == 3


def test_when_psc_refuses_to_renew_only_what_needs_psc_is_lost(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    provider.grants.end(RADIOLOGIST_A.ps_idnat)
    site.change(STALE)
    for _ in range(2):
        answer = confirm(browser)
        assert (answer.status_code, answer.json()["code"]) == (401, "psc_reauth_required")
        assert answer.json()["login"] == "/auth/psc/login"
    assert provider.calls.count("refresh_token") == 1
    me = browser.application.get("/v1/session").json()
    assert (me["state"], me["psc_state"]) == ("ACTIVE", "EXPIRED")
    assert browser.application.post("/v1/sign", headers=browser.csrf()).json() == "signed"
    assert [one.reason for one in site.trace("auth.psc_link_ended")] == ["token_invalid_grant"]
    assert row_of(site).psc_tokens_sealed is None
    browser.sign_in(RADIOLOGIST_A)
    assert browser.application.get("/v1/session").json()["psc_state"] == "ACTIVE"


def test_a_session_that_psc_has_closed_is_found_out_by_introspection(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    provider.grants.end(RADIOLOGIST_A.ps_idnat)
    assert confirm(browser).json()["code"] == "psc_reauth_required"
    assert [one.reason for one in site.trace("auth.psc_link_ended")] == ["introspection_inactive"]


def test_an_outage_during_the_renewal_loses_nothing(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    site.change(STALE)
    provider.evil = Evil.TOKEN_503
    answer = confirm(browser)
    assert (answer.status_code, answer.json()["code"]) == (503, "psc_unavailable")
    provider.evil = None
    assert confirm(browser).status_code == 200


def test_a_renewal_for_somebody_else_is_refused(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    sealed = row_of(site).psc_tokens_sealed
    site.change(STALE)
    for evil in (Evil.REFRESH_OTHER_SUB, Evil.WRONG_ISS, Evil.WRONG_AUD, Evil.ALG_NONE):
        provider.evil = evil
        answer = confirm(browser)
        assert (answer.status_code, answer.json()["code"]) == (502, "psc_protocol_error"), evil
        assert row_of(site).psc_tokens_sealed == sealed
        provider.evil = None
        browser.sign_in(RADIOLOGIST_A)
        sealed = row_of(site).psc_tokens_sealed
        site.change(STALE)


def test_a_request_that_died_while_renewing_gives_its_turn_up(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    site.change(f"{STALE}, psc_refresh_lease = now() - interval '1 second'")
    assert confirm(browser).status_code == 200


def test_a_request_does_not_wait_for_ever_for_another_s_renewal(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    site.change(f"{STALE}, psc_refresh_lease = now() + interval '1 hour'")
    site.desk.link._wait_s = 0.2
    assert confirm(browser).json()["code"] == "psc_unavailable"
    assert provider.calls.count("refresh_token") == 0


@pytest.mark.rem("SC.MSS/CONF.28")
def test_no_psc_token_is_written_in_clear_nor_outlives_the_session(
    site: Site, browser: Browser, provider: PscProvider
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    token = site.desk.link.access_token(row_of(site).id)
    held = provider.grants.of_access(token)
    assert held is not None
    written: list[Any] = [
        value for value in vars(row_of(site)).values() if isinstance(value, bytes | str)
    ]
    for secret in (token, held[0].refresh):
        assert all(secret not in (v if isinstance(v, str) else repr(v)) for v in written)
    assert token not in repr(site.desk.link._look(row_of(site).id))
    browser.application.post("/v1/session/logout", headers=browser.csrf())
    with site.database.transaction() as session:
        assert session.scalars(select(RisSession.psc_tokens_sealed)).all() == [None]


def test_tokens_sealed_for_one_session_do_not_open_in_another(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    victim = row_of(site)
    site.change("update ris_session set closed_at = now()")
    site.browser().sign_in(RADIOLOGIST_A)
    thief = row_of(site)
    site.change(
        "update ris_session set psc_tokens_sealed = :s where id = :i",
        s=victim.psc_tokens_sealed,
        i=thief.id,
    )
    link: PscLink = site.desk.link
    with pytest.raises(SealBroken):
        link.access_token(thief.id)


def test_the_session_says_when_it_ends_and_warns_ten_minutes_before(
    site: Site, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    me = browser.application.get("/v1/session").json()
    assert me["ends_soon"] is False
    assert me["ends_at"] > clock.now().isoformat()
    site.change("update ris_session set created_at = now() - interval '3 hours 51 minutes'")
    assert browser.application.get("/v1/session").json()["ends_soon"] is True


@pytest.mark.rem("SC.MSS/CONF.28")
def test_the_tokens_of_a_session_left_open_do_not_outlive_it(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    site.browser().sign_in(SECRETARY)
    old = "created_at = now() - interval '4 hours 1 second'"
    site.change(
        f"update ris_session set {old} where account_id = "
        "(select id from account where ps_idnat = :p)",
        p=RADIOLOGIST_A.ps_idnat,
    )
    with site.database.transaction() as session:
        assert sweep(session, site.desk.settings) == 1
    with site.database.transaction() as session:
        query = select(RisSession.close_reason, RisSession.psc_tokens_sealed.is_(None))
        assert sorted(map(tuple, session.execute(query)), key=str) == [
            ("expired", True), (None, False),
        ]  # fmt: skip
    assert [one.reason for one in site.trace("auth.session_closed")] == ["expired"]
