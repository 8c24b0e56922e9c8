"""Sessions over HTTP: lock and return, workstations, how many at once; the machine itself is pure
(test_session_states).
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from ris.auth import accounts, sessions
from ris.auth.errors import SessionLimit
from ris.auth.model import Account, CloseReason, RisSession
from ris.auth.psc.client import SignIn, challenge_of
from ris.auth.settings import AuthSettings
from ris.auth.upkeep import sweep
from ris.auth.workstations import Workstation
from ris.core import clock
from ris.core.audit import Actor
from ris.rem.evidence import Evidence
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_TWO_SITES, SECRETARY, Person
from ris.sandbox.psc_tokens import Evil
from tests.auth.browser import Browser, query_of
from tests.auth.conftest import Site

COOKIE = "__Host-ris_session"
LOGIN = "/auth/psc/login"
STALE = "update ris_session set last_seen_at = now() - interval '{}' where closed_at is null"


def me(browser: Browser) -> Any:
    answer = browser.application.get("/v1/session")
    return answer.json() if answer.status_code == 200 else answer.json()["code"]


def lock(browser: Browser) -> dict[str, str]:
    headers = browser.csrf()
    assert browser.application.post("/v1/session/lock", headers=headers).status_code == 204
    return headers


def rows(site: Site) -> list[RisSession]:
    with site.database.transaction() as session:
        return list(session.scalars(select(RisSession).order_by(RisSession.created_at)))


def reasons(site: Site) -> list[str | None]:
    return [one.reason for one in site.trace("auth.session_closed")]


def enter(site: Site, person: Person, workstation: str | None = None, former: str = "") -> str:
    """Come in as if PSC had just told *person*; return the secret of the session."""
    sign_in = SignIn({"acr": "eidas1", "sub": person.sub}, person.userinfo(), "x", clock.now())
    with site.database.transaction() as session:
        origin = Actor(workstation=workstation)
        return site.desk.admit(session, sign_in, origin, former=former)


def still_open(site: Site) -> list[RisSession]:
    return [row for row in rows(site) if row.closed_at is None]


@pytest.mark.rem("SC.SSI/IE.39")
def test_the_same_person_finds_his_locked_session_and_his_situation_again(
    site: Site, browser: Browser, evidence: Evidence
) -> None:
    browser.sign_in(RADIOLOGIST_TWO_SITES)
    south = next(s for s in me(browser)["situations"] if s["struct_idnat"].endswith("017"))
    browser.application.post(
        "/v1/session/situation", json={"situation_id": south["id"]}, headers=browser.csrf()
    )
    before, cookie = rows(site)[0], browser.application.cookies[COOKIE]
    lock(browser)
    refused = browser.application.get("/v1/session")
    assert (refused.status_code, refused.json()["code"]) == (401, "session_locked")
    evidence.add("01", "locked.json", refused.text)
    assert browser.sign_in(RADIOLOGIST_TWO_SITES).status_code == 303
    found = me(browser)
    assert (found["state"], [s["id"] for s in found["situations"] if s["chosen"]]) == (
        "ACTIVE", [south["id"]],
    )  # fmt: skip
    after = rows(site)
    assert [one.id for one in after] == [before.id]
    assert after[0].token_hash != before.token_hash
    assert (after[0].created_at, after[0].locked_at) == (before.created_at, None)
    browser.application.cookies.clear()
    browser.application.cookies.set(COOKIE, cookie)
    assert me(browser) == "not_authenticated"
    assert [one.reason for one in site.trace("auth.session_lock")] == ["user"]
    assert [one.target_id for one in site.trace("auth.session_unlock")] == [str(before.id)]
    assert reasons(site) == []


@pytest.mark.rem("SC.SSI/IE.39")
def test_a_session_left_alone_is_locked_and_the_lock_traced_once(
    site: Site, browser: Browser
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    site.change(STALE.format("11 minutes"))
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: me(browser), range(6))) == {"session_locked"}
    traced = site.trace("auth.session_lock")
    assert [(one.reason, one.actor_ps_idnat) for one in traced] == [
        ("idle", RADIOLOGIST_A.ps_idnat)
    ]
    locked_at = rows(site)[0].locked_at
    assert locked_at is not None
    assert timedelta(seconds=60) <= clock.now() - locked_at < timedelta(seconds=120)


def test_somebody_else_closes_the_locked_session_and_gets_his_own(
    site: Site, browser: Browser
) -> None:
    browser.sign_in(SECRETARY)
    lock(browser)
    browser.sign_in(RADIOLOGIST_A)
    assert me(browser)["ps_idnat"] == RADIOLOGIST_A.ps_idnat
    assert reasons(site) == ["other_person"]
    assert site.trace("auth.session_unlock") == []


@pytest.mark.rem("SC.SSI/IE.39")
def test_a_session_locked_for_too_long_is_closed_for_good(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    lock(browser)
    site.change("update ris_session set locked_at = now() - interval '31 minutes'")
    assert me(browser) == "session_expired"
    assert reasons(site) == ["locked_too_long"]
    assert rows(site)[0].psc_tokens_sealed is None
    browser.sign_in(RADIOLOGIST_A)
    assert me(browser)["state"] == "ACTIVE"
    assert len(rows(site)) == 2


@pytest.mark.rem("SC.SSI/IE.38")
def test_a_locked_session_can_be_left(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    headers = lock(browser)
    leave = browser.application.post
    assert leave("/v1/session/logout").json()["code"] == "csrf_refused"
    foreign = {**headers, "Origin": "https://evil.test"}
    assert leave("/v1/session/logout", headers=foreign).json()["code"] == "csrf_refused"
    assert reasons(site) == []
    answer = leave("/v1/session/logout", headers=headers)
    assert (answer.status_code, "id_token_hint" in answer.json()["psc_logout_url"]) == (200, True)
    assert reasons(site) == ["logout"]
    assert leave("/v1/session/logout", headers=headers).status_code == 401


def test_a_locked_session_does_nothing_else(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    headers = lock(browser)
    for path in ("/v1/session/lock", "/v1/session/psc", "/v1/sign"):
        answer = browser.application.post(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_locked"), path
    assert browser.application.get("/v1/session/others").json()["code"] == "session_locked"


@pytest.mark.rem("SC.SSI/IE.39")
def test_the_sweep_locks_and_closes_what_nobody_comes_back_to(
    make_site: Callable[[AuthSettings], Site], site: Site, auth_settings: AuthSettings
) -> None:
    desk = Workstation(idle_lock_s=300)
    own = auth_settings.model_copy(update={"workstations": {"ACCUEIL": desk}})
    for name, age in ((None, 6), ("ACCUEIL", 6), ("LECTURE", 11), ("CONSOLE", 41), ("IRM", 0)):
        enter(site, SECRETARY if name else RADIOLOGIST_A, name)
        site.change(
            "update ris_session set last_seen_at = now() - make_interval(mins => :m)"
            " where workstation is not distinct from :w",
            m=age,
            w=name,
        )
    site.change("update ris_session set closed_at = null, close_reason = null")
    with site.database.transaction() as session:
        assert sweep(session, own) == 1
    with site.database.transaction() as session:
        assert sweep(session, own) == 0
    found = {row.workstation: (row.locked_at is not None, row.close_reason) for row in rows(site)}
    assert found == {
        None: (False, None),
        "ACCUEIL": (True, None),
        "LECTURE": (True, None),
        "CONSOLE": (False, "locked_too_long"),
        "IRM": (False, None),
    }
    assert [one.reason for one in site.trace("auth.session_lock")] == ["idle", "idle"]


@pytest.fixture
def reception(
    make_site: Callable[[AuthSettings], Site], site: Site, auth_settings: AuthSettings
) -> Site:
    """The site with one shared workstation of a shorter delay."""
    known = {"ACCUEIL-1": Workstation(idle_lock_s=300, shared=True)}
    return make_site(auth_settings.model_copy(update={"workstations": known}))


@pytest.mark.rem("SC.SSI/IE.39")
def test_a_workstation_has_its_own_idle_delay_and_is_named_in_the_journal(
    reception: Site,
) -> None:
    browser = reception.browser()
    browser.sign_in(SECRETARY, f"{LOGIN}?workstation=ACCUEIL-1")
    told = me(browser)
    assert (told["workstation"], told["shared"], told["idle_lock_s"]) == ("ACCUEIL-1", True, 300)
    assert reception.trace("auth.login_success")[0].workstation == "ACCUEIL-1"
    elsewhere = reception.browser()
    elsewhere.sign_in(RADIOLOGIST_A, f"{LOGIN}?workstation=LECTURE-2")
    assert me(elsewhere)["idle_lock_s"] == 600
    reception.change(STALE.format("6 minutes"))
    assert me(browser) == "session_locked"
    assert me(elsewhere)["workstation"] == "LECTURE-2"
    assert reception.trace("auth.session_lock")[0].workstation == "ACCUEIL-1"
    browser.sign_in(RADIOLOGIST_A)
    assert me(browser)["workstation"] == "ACCUEIL-1"
    assert browser.application.get(f"{LOGIN}?workstation=a%20b").status_code == 422


def test_a_shared_workstation_is_unlocked_by_a_new_authentication_only(
    reception: Site, provider: PscProvider
) -> None:
    browser = reception.browser()
    browser.sign_in(SECRETARY, f"{LOGIN}?workstation=ACCUEIL-1")
    assert "prompt" not in query_of(browser.begin())
    silent = browser.begin()
    binding = browser.application.cookies["__Host-ris_login"]
    lock(browser)
    asked = query_of(browser.begin())
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    provider.evil = Evil.OLD_AUTH_TIME
    browser.application.cookies.set("__Host-ris_login", binding, domain="localhost.local")
    refused = browser.come_back(browser.pick(silent, SECRETARY))
    assert (refused.status_code, refused.json()["code"]) == (401, "psc_step_up_required")
    assert me(browser) == "session_locked"
    assert browser.sign_in(SECRETARY).status_code == 502
    provider.evil = None
    assert browser.sign_in(SECRETARY).status_code == 303
    assert me(browser)["state"] == "ACTIVE"
    assert len(reception.trace("auth.session_unlock")) == 1


def test_a_session_of_a_workstation_ends_with_the_next_one_there(site: Site) -> None:
    enter(site, RADIOLOGIST_A, "LECTURE-1")
    enter(site, SECRETARY, "LECTURE-1")
    enter(site, RADIOLOGIST_A, "LECTURE-2")
    assert reasons(site) == []
    enter(site, RADIOLOGIST_A, "LECTURE-1")
    assert reasons(site) == ["same_workstation"]
    assert len(still_open(site)) == 3


def test_the_oldest_session_makes_room_beyond_the_limit(site: Site) -> None:
    for _ in range(4):
        enter(site, RADIOLOGIST_A)
    enter(site, SECRETARY)
    assert reasons(site) == ["limit"]
    assert rows(site)[0].close_reason == "limit"
    assert len(still_open(site)) == 4


def test_a_session_that_time_has_ended_takes_no_room(site: Site) -> None:
    for _ in range(3):
        enter(site, RADIOLOGIST_A)
    oldest = rows(site)[0].id
    site.change("update ris_session set created_at = now() - interval '5 hours'")
    site.change("update ris_session set created_at = now() where id <> :i", i=oldest)
    enter(site, RADIOLOGIST_A)
    assert reasons(site) == ["expired"]


def test_a_site_may_refuse_instead_and_say_what_to_do(
    make_site: Callable[[AuthSettings], Site], site: Site, auth_settings: AuthSettings
) -> None:
    strict = make_site(
        auth_settings.model_copy(update={"sessions_per_account": 1, "session_overflow": "refuse"})
    )
    browser, second = strict.browser(), strict.browser()
    browser.sign_in(RADIOLOGIST_A)
    refused = second.sign_in(RADIOLOGIST_A)
    assert (refused.status_code, refused.json()["code"]) == (409, "session_limit")
    assert COOKIE not in second.application.cookies
    assert strict.trace("auth.login_failed")[-1].reason == "session_limit"
    assert me(browser)["state"] == "ACTIVE"
    assert browser.sign_in(RADIOLOGIST_A).status_code == 303  # his own browser's is renewed
    lock(browser)
    assert browser.sign_in(RADIOLOGIST_A).status_code == 303


@pytest.mark.parametrize(("overflow", "most"), [("close_oldest", 2), ("refuse", 2), ("refuse", 0)])
def test_sign_ins_at_once_do_not_pass_the_limit_together(
    make_site: Callable[[AuthSettings], Site],
    site: Site,
    auth_settings: AuthSettings,
    overflow: str,
    most: int,
) -> None:
    told = {"sessions_per_account": most, "session_overflow": overflow}
    limited = make_site(auth_settings.model_copy(update=told))

    sign_in = SignIn({"acr": "eidas1"}, {}, "", clock.now(), method="CPX_MTLS")

    def come(_: int) -> bool:
        try:
            with limited.database.transaction() as session:
                account = accounts.known(session, RADIOLOGIST_A.ps_idnat)
                return bool(limited.desk.open(session, account, [], sign_in, Actor()))
        except SessionLimit:
            return False

    enter(limited, RADIOLOGIST_A)
    limited.change("update ris_session set closed_at = now()")
    with ThreadPoolExecutor(6) as pool:
        came = list(pool.map(come, range(6)))
    assert len(still_open(limited)) == (most or 6)
    assert came.count(True) == (2 if most and overflow == "refuse" else 6)


def test_one_sees_and_closes_his_own_other_sessions_only(site: Site, browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    elsewhere, colleague = site.browser(), site.browser()
    elsewhere.sign_in(RADIOLOGIST_A, f"{LOGIN}?workstation=IRM-2")
    colleague.sign_in(SECRETARY)
    (other,) = browser.application.get("/v1/session/others").json()
    assert (other["workstation"], other["state"]) == ("IRM-2", "ACTIVE")
    assert colleague.application.get("/v1/session/others").json() == []
    close = f"/v1/session/others/{other['id']}/close"
    stranger = colleague.application.post(close, headers=colleague.csrf())
    assert (stranger.status_code, stranger.json()["code"]) == (404, "SESSION_UNKNOWN")
    assert browser.application.post(close).json()["code"] == "csrf_refused"
    assert browser.application.post(close, headers=browser.csrf()).status_code == 204
    assert me(elsewhere) == "session_expired"
    assert me(browser)["state"] == me(colleague)["state"] == "ACTIVE"
    assert reasons(site) == ["elsewhere"]
    mine = next(row.id for row in still_open(site))
    own = browser.application.post(f"/v1/session/others/{mine}/close", headers=browser.csrf())
    assert own.status_code == 404


def test_an_installed_application_that_signs_in_again_leaves_no_session_behind(
    site: Site, browser: Browser
) -> None:
    path = f"{LOGIN}?native_port=49152&native_challenge={challenge_of('v' * 43)}"
    application = site.browser()
    for _ in range(2):
        place = browser.sign_in(RADIOLOGIST_A, path).headers["location"]
        told = {"code": query_of(place)["code"], "verifier": "v" * 43}
        answer = application.application.post("/auth/native/session", json=told)
        assert answer.status_code == 204
    assert reasons(site) == ["renewed"]
    assert len(still_open(site)) == 1


@pytest.mark.rem("SC.SSI/IE.38")
def test_every_session_of_an_account_ends_at_once_and_is_traced(
    site: Site, browser: Browser
) -> None:
    colleague = site.browser()
    browser.sign_in(RADIOLOGIST_A)
    enter(site, RADIOLOGIST_A)
    colleague.sign_in(SECRETARY)
    with site.database.transaction() as session:
        account = session.query(Account).filter_by(ps_idnat=RADIOLOGIST_A.ps_idnat).one()
        ended = sessions.end_all_of(session, account.id, CloseReason.REVOKED)
        assert [(one.close_reason, one.psc_tokens_sealed) for one in ended] == [
            ("revoked", None), ("revoked", None),
        ]  # fmt: skip
    assert me(browser) == "session_expired"
    assert me(colleague)["state"] == "ACTIVE"
    traced = site.trace("auth.session_closed")
    assert [(one.reason, one.actor_role) for one in traced] == [("revoked", "SYSTEM")] * 2
    with site.database.transaction() as session:
        assert sessions.end_all_of(session, account.id, CloseReason.REVOKED) == []


def test_a_cookie_carries_every_flag(site: Site, browser: Browser) -> None:
    opened = browser.sign_in(RADIOLOGIST_A).headers.get_list("set-cookie")
    headers = browser.csrf()
    answer = browser.application.post("/v1/session/logout", headers=headers)
    login = browser.application.get(LOGIN).headers.get_list("set-cookie")
    told = [*opened, *answer.headers.get_list("set-cookie"), *login]
    assert {line.split("=")[0] for line in told} == {
        "__Host-ris_session", "__Host-ris_login", "__Host-ris_logout",
    }  # fmt: skip
    for line in told:
        flags = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= flags, line
        assert not any(flag.startswith("domain") for flag in flags), line
        assert re.search(r"max-age=\d+", line.lower()), line
