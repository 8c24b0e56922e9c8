"""Attacks on a session, one test each: fixation, CSRF, open redirect, stolen and replayed secrets.

Elsewhere: a replayed state (test_attacks), a replayed nonce or code of PSC (test_evil_provider), a
replayed logout message (test_logout), a bearer token after its revocation (test_bearer).
"""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urljoin, urlsplit

import httpx

from ris.auth.psc.client import challenge_of
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_TWO_SITES, SECRETARY
from tests.auth.browser import Browser, query_of
from tests.auth.conftest import HOST_RIS, Site

COOKIE = "__Host-ris_session"
HOSTILE = [
    "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "/\\/evil.test",
    "https:evil.test", "https:/evil.test", "https://evil.test", "HTTPS://evil.test",
    "javascript:alert(1)", "data:text/html,x", "evil.test", "@evil.test", ".evil.test",
    "/\t/evil.test", "/\r\nLocation: https://evil.test", "/%0d%0aLocation:%20https://evil.test",
    "/a\x00b", "%2F%2Fevil.test", "/%2Fevil.test", "/%5Cevil.test", "/..//evil.test", "/" * 3000,
]  # fmt: skip


def tried(site: Site, cookie: str) -> str:
    """What a thief reads with *cookie*: the code of the refusal, or who he is."""
    with httpx.Client(base_url=site.url, verify=site.browser().context, trust_env=False) as thief:
        answer = thief.get("/v1/session", headers={"Cookie": f"{COOKIE}={cookie}"})
    return str(answer.json()["code"] if answer.is_error else answer.json()["ps_idnat"])


def cookie_of(browser: Browser) -> str:
    held = {one.value for one in browser.application.cookies.jar if one.name == COOKIE}
    assert len(held) == 1, held
    return str(held.pop())


def test_fixation_a_cookie_planted_before_the_sign_in_never_becomes_the_session(
    site: Site,
) -> None:
    """Planted: an invented value, then the attacker's own live session."""
    attacker = site.browser()
    attacker.sign_in(SECRETARY)
    for planted in ("chosen-by-the-attacker", cookie_of(attacker)):
        victim = site.browser()
        begun = victim.begin()
        binding = victim.application.cookies["__Host-ris_login"]
        answer = victim.application.get(
            victim.pick(begun, RADIOLOGIST_A).replace("https://testserver", site.url),
            headers={"Cookie": f"{COOKIE}={planted}; __Host-ris_login={binding}"},
        )
        assert answer.status_code == 303
        given = answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]
        assert given != planted
        assert tried(site, given) == RADIOLOGIST_A.ps_idnat
        assert tried(site, planted) in ("not_authenticated", "session_expired")


def test_csrf_a_page_elsewhere_cannot_act(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    other = site.browser()
    other.sign_in(RADIOLOGIST_A)
    mine, theirs, post = browser.csrf(), other.csrf(), browser.application.post
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers in (
        {},  # no token
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": cookie_of(browser)},
        theirs,  # the token of another session of the same person
        {**mine, "Origin": "https://evil.test"},
        {**mine, "Origin": "null"},  # a sandboxed frame
        {**mine, "Origin": site.url.replace("https", "http")},
        {**mine, "Origin": f"{site.url}.evil.test"},
        {**form, "Origin": "https://evil.test"},  # what a form of another page sends
        form,
        {"Content-Type": "text/plain"},
    ):
        for path in ("/v1/sign", "/v1/session/lock", "/v1/session/logout", "/v1/session/situation"):
            answer = post(path, headers=headers, content=b"a=b")
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf_refused"), headers
    assert post("/v1/sign", headers={**mine, "Origin": site.url}).json() == "signed"


def test_open_redirect_nobody_is_sent_elsewhere_after_the_sign_in(
    site: Site, browser: Browser
) -> None:
    for wanted in HOSTILE:
        begun = browser.begin(f"/auth/psc/login?next={quote(wanted, safe='%')}")
        answer = browser.come_back(browser.pick(begun, RADIOLOGIST_A))
        assert answer.status_code == 303, wanted
        (location,) = answer.headers.get_list("location")
        arrived = urlsplit(urljoin(site.url, location))
        assert f"{arrived.scheme}://{arrived.netloc}" == site.url, wanted
        assert "\\" not in location, wanted
        assert not location.startswith("//"), wanted


def test_theft_a_cookie_is_dead_after_each_change_of_identifier(
    site: Site, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_TWO_SITES)
    post, stolen = browser.application.post, [cookie_of(browser)]
    listed = browser.application.get("/v1/session").json()["situations"]
    for choice in listed:  # change of situation
        body = {"situation_id": choice["id"]}
        post("/v1/session/situation", json=body, headers=browser.csrf())
        stolen.append(cookie_of(browser))
    browser.sign_in(RADIOLOGIST_TWO_SITES, "/auth/psc/login?step_up=true")  # step-up
    stolen.append(cookie_of(browser))
    headers = browser.csrf()
    post("/v1/session/lock", headers=headers)
    browser.sign_in(RADIOLOGIST_TWO_SITES)  # exit of the lock
    stolen.append(cookie_of(browser))
    assert len(set(stolen)) == len(stolen)
    alive = stolen[-1]
    dead = ("not_authenticated", "session_expired")
    assert [tried(site, one) in dead for one in stolen[:-1]] == [True] * (len(stolen) - 1)
    assert tried(site, alive) == RADIOLOGIST_TWO_SITES.ps_idnat
    assert post("/v1/sign", headers=headers).json()["code"] == "csrf_refused"  # its token too
    post("/v1/session/logout", headers=browser.csrf())  # logout
    assert tried(site, alive) == "session_expired"


def test_replay_a_bearer_token_after_its_revocation_or_its_end_at_psc(
    site: Site, provider: PscProvider
) -> None:
    application = site.browser().application
    for end in (provider.grants.revoke, lambda _: provider.grants.end(RADIOLOGIST_A.ps_idnat)):
        token, _ = provider.token_for(RADIOLOGIST_A, HOST_RIS)
        headers = {"Authorization": f"Bearer {token}"}
        assert application.get("/v1/session", headers=headers).status_code == 200
        end(token)
        site.desk.bearer._known.clear()  # the few seconds an answer may serve again are over
        for _ in range(2):
            answer = application.get("/v1/session", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


def test_replay_a_native_code_and_its_verifier_serve_once_even_at_once(
    site: Site, browser: Browser
) -> None:
    challenge = challenge_of("v" * 43)
    path = f"/auth/psc/login?native_port=49152&native_challenge={challenge}"
    place = browser.sign_in(RADIOLOGIST_A, path).headers["location"]
    told = {"code": query_of(place)["code"], "verifier": "v" * 43}
    clients = [site.browser().application for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: one.post("/auth/native/session", json=told), clients))
    assert sorted(answer.status_code for answer in answers) == [204, 400, 400, 400]
