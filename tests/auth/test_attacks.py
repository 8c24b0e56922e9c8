"""What must fail closed: a lying provider, replays, fixation, forged requests, open redirects."""

from collections.abc import Callable

import httpx
import pytest

from ris.auth.attempts import local_path
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings, PscSettings
from ris.core.crypto import Sealer
from ris.core.db import Database
from ris.core.errors import NotConfigured
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_B, SECRETARY
from ris.sandbox.psc_tokens import Evil
from tests.auth.browser import Browser
from tests.auth.conftest import Site

COOKIE = "__Host-ris_session"
BINDING = "__Host-ris_login"


def test_a_step_up_answered_with_an_old_authentication_is_refused(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    provider.evil = Evil.OLD_AUTH_TIME
    assert browser.sign_in(RADIOLOGIST_A, "/auth/psc/login?step_up=true").status_code == 502
    assert site.trace("auth.login_failed")[-1].reason == "id_token_auth_time"


def test_a_discovery_document_of_another_issuer_is_refused(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    provider.evil = Evil.OTHER_ISSUER_ANNOUNCED
    answer = browser.application.get("/auth/psc/login")
    assert (answer.status_code, answer.json()["code"]) == (502, "psc_protocol_error")
    assert site.desk.settings.psc.issuer == provider.issuer


def test_a_callback_that_names_another_issuer_is_refused_before_any_token_call(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    callback = browser.pick(browser.begin(), RADIOLOGIST_A)
    answer = browser.come_back(callback.replace("esante-wallet", "esante-other"))
    assert answer.status_code == 502
    assert site.trace("auth.login_failed")[-1].reason == "callback_iss"
    assert provider.calls == []


def test_a_state_serves_once(site: Site, provider: PscProvider, browser: Browser) -> None:
    callback = browser.pick(browser.begin(), RADIOLOGIST_A)
    binding = browser.application.cookies[BINDING]
    assert browser.come_back(callback).status_code == 303
    calls = list(provider.calls)
    browser.application.cookies.set(BINDING, binding)
    answer = browser.come_back(callback)
    assert (answer.status_code, answer.json()["code"]) == (400, "oidc_state_invalid")
    assert site.trace("auth.login_failed")[-1].reason == "state_unknown"
    assert provider.calls == calls


def test_the_return_of_another_browser_is_refused_and_burns_the_attempt(
    site: Site, provider: PscProvider, browser: Browser
) -> None:
    callback = browser.pick(browser.begin(), RADIOLOGIST_A)
    victim = site.browser()
    victim.begin()
    assert victim.come_back(callback).json()["code"] == "oidc_state_invalid"
    assert browser.come_back(callback).json()["code"] == "oidc_state_invalid"
    reasons = [event.reason for event in site.trace("auth.login_failed")]
    assert reasons == ["state_foreign_browser", "state_unknown"]
    assert provider.calls == []


def test_a_return_after_ten_minutes_is_refused(
    make_site: Callable[[AuthSettings], Site], psc_settings: PscSettings, provider: PscProvider
) -> None:
    site = make_site(AuthSettings(psc=psc_settings, attempt_s=-1))
    browser = site.browser()
    url, binding = site.desk.begin("/")
    callback = browser.pick(url, RADIOLOGIST_A)
    browser.application.cookies.set(BINDING, binding)
    assert browser.come_back(callback).status_code == 400
    assert site.trace("auth.login_failed")[-1].reason == "state_expired"
    assert provider.calls == []


def test_the_session_cookie_is_new_at_each_sign_in_and_the_former_session_closed(
    site: Site, browser: Browser
) -> None:
    browser.application.cookies.set(COOKIE, "chosen-by-the-attacker")
    browser.sign_in(RADIOLOGIST_A)
    first = _own_cookie(browser)
    assert first != "chosen-by-the-attacker"
    browser.sign_in(RADIOLOGIST_A)
    attacker = site.browser()
    for stolen in (first, "chosen-by-the-attacker"):
        answer = attacker.application.get("/v1/session", headers={"Cookie": f"{COOKIE}={stolen}"})
        assert answer.status_code == 401


def test_cookies_are_host_only_secure_http_only_and_lax(browser: Browser) -> None:
    login = browser.application.get("/auth/psc/login")
    answer = browser.sign_in(RADIOLOGIST_A)
    for headers, name in ((login.headers, BINDING), (answer.headers, COOKIE)):
        cookie = next(c for c in headers.get_list("set-cookie") if c.startswith(f"{name}="))
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= flags
        assert not any(flag.startswith("domain") for flag in flags)


def test_an_unsafe_request_needs_the_csrf_token_and_our_origin(
    site: Site, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    post = browser.application.post
    refused = [
        post("/v1/sign"),
        post("/v1/sign", headers={"X-CSRF-Token": "guess"}),
        post("/v1/sign", headers=browser.csrf() | {"Origin": "https://elsewhere.test"}),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
        (403, "csrf_refused")
    }
    assert post("/v1/sign", headers=browser.csrf() | {"Origin": site.url}).json() == "signed"


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.test", "//evil.test", "/\\evil.test", "evil", "", "/a\nb", "/a b", "/é", "/\tx"],
)
def test_only_a_local_path_is_followed_after_sign_in(wanted: str) -> None:
    assert local_path(wanted) == "/"


def test_a_local_path_is_kept() -> None:
    assert local_path("/exams/1?tab=report#top") == "/exams/1?tab=report#top"


def test_a_role_without_the_right_is_refused_and_traced(site: Site, browser: Browser) -> None:
    browser.sign_in(SECRETARY)
    answer = browser.application.post("/v1/sign", headers=browser.csrf())
    assert (answer.status_code, answer.json()["code"]) == (403, "role_denied")
    denied = site.trace("auth.access_denied")[0]
    assert (denied.reason, denied.actor_ps_idnat) == ("report.sign", SECRETARY.ps_idnat)


def test_signing_asks_for_a_recent_sign_in(
    make_site: Callable[[AuthSettings], Site], site: Site, auth_settings: AuthSettings
) -> None:
    strict = make_site(auth_settings.model_copy(update={"step_up_max_age_s": -1}))
    browser = strict.browser()
    browser.sign_in(RADIOLOGIST_A)
    answer = browser.application.post("/v1/sign", headers=browser.csrf())
    assert (answer.status_code, answer.json()["code"]) == (401, "psc_step_up_required")
    assert answer.json()["login"] == "/auth/psc/login?step_up=true"


@pytest.mark.parametrize(
    ("setting", "code"), [("idle_lock_s", "session_locked"), ("absolute_s", "session_expired")]
)
def test_a_session_locks_when_idle_and_ends_for_good(
    make_site: Callable[[AuthSettings], Site],
    site: Site,
    auth_settings: AuthSettings,
    setting: str,
    code: str,
) -> None:
    short = make_site(auth_settings.model_copy(update={setting: -1}))
    browser = short.browser()
    opened = browser.sign_in(RADIOLOGIST_A)
    cookie = opened.headers["set-cookie"].split("=", 1)[1].split(";")[0]
    answer = browser.application.get("/v1/session", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_another_person_signing_in_closes_the_session_left_open(
    site: Site, browser: Browser
) -> None:
    browser.sign_in(SECRETARY)
    browser.sign_in(RADIOLOGIST_A)
    assert browser.application.get("/v1/session").json()["ps_idnat"] == RADIOLOGIST_A.ps_idnat
    closed = site.trace("auth.session_closed")[-1]
    assert (closed.actor_ps_idnat, closed.reason) == (SECRETARY.ps_idnat, "other_person")
    assert browser.sign_in(RADIOLOGIST_B).status_code == 403


@pytest.mark.parametrize(
    "settings",
    [
        AuthSettings(cookie_secure=False),
        AuthSettings(allow_test_ids=True),
        AuthSettings(psc=PscSettings(redirect_uri="http://ris.test/auth/psc/callback")),
    ],
)
def test_production_refuses_test_settings(
    settings: AuthSettings, worker_database: Database, sealer: Sealer
) -> None:
    with pytest.raises(NotConfigured):
        SignInDesk.build(
            settings, database=worker_database, sealer=sealer, environment="production"
        )


def _own_cookie(browser: Browser) -> str:
    values = [
        cookie.value
        for cookie in browser.application.cookies.jar
        if cookie.name == COOKIE and cookie.value and cookie.domain.startswith("localhost")
    ]
    assert values, httpx.Cookies
    return str(values[-1])
