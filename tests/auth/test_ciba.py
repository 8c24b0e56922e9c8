"""The decoupled sign-in (CIBA): every outcome, the limits, and who gets the session (A19)."""

from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import select

from ris.auth.ciba.model import CibaRequest
from ris.auth.ciba.states import CibaState, is_terminal, may_become
from ris.auth.settings import AuthSettings, CibaSettings
from ris.auth.upkeep import sweep
from ris.rem.evidence import Evidence
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import (
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    RADIOLOGIST_TWO_SITES,
    REQUESTER,
    SECRETARY,
    Person,
)
from ris.sandbox.psc_tokens import Evil
from ris.sandbox.server import Running
from tests.auth.browser import Browser
from tests.auth.conftest import Site

START = "/auth/psc/ciba"
DUE = "update ciba_request set next_poll_at = now()"

# what a Keycloak without the additions of the ANS answers (seen on 26.5)
KEYCLOAK_UNKNOWN = {"error": "invalid_request", "error_description": "invalid user"}


@pytest.fixture(autouse=True)
def patient_provider(provider: PscProvider) -> None:
    """No waiting between two polls, unless a test wants it."""
    provider.phones.interval_s = 0


class Kiosk:
    """A thick client: it starts a request and follows it, with the cookies it was given."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.browser: Browser = site.browser()
        self.http = self.browser.application
        self.id = ""

    def start(self, person: Person | str, channel: str = "MOBILE") -> httpx.Response:
        told = person if isinstance(person, str) else person.ps_idnat
        answer = self.http.post(START, json={"ps_idnat": told, "channel": channel})
        if answer.status_code == 201:
            self.id = answer.json()["id"]
        return answer

    def follow(self) -> httpx.Response:
        self.site.change(DUE)
        return self.http.post(f"{START}/{self.id}")

    def state(self) -> str:
        return str(self.follow().json()["state"])


@pytest.fixture
def kiosk(site: Site) -> Kiosk:
    return Kiosk(site)


def decide(provider: PscProvider, person: Person, *, approve: bool) -> None:
    provider.phones.decide(person.ps_idnat, approve=approve)


def row_of(site: Site) -> CibaRequest:
    with site.database.transaction() as session:
        return session.scalars(select(CibaRequest)).one()


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 04.01")
@pytest.mark.rem("SC.PSC.01")
def test_a_phone_opens_the_session_of_the_client_that_asked(
    site: Site, provider: PscProvider, kiosk: Kiosk, evidence: Evidence
) -> None:
    started = kiosk.start(RADIOLOGIST_A.ps_idnat[1:])
    assert started.status_code == 201
    digits = started.json()["binding_message"]
    assert provider.phones.shown(RADIOLOGIST_A.ps_idnat) == [digits]
    assert (len(digits), digits.isdecimal()) == (2, True)
    assert kiosk.state() == "PENDING"
    assert kiosk.http.get("/v1/session").status_code == 401
    decide(provider, RADIOLOGIST_A, approve=True)
    opened = kiosk.follow()
    assert opened.json()["state"] == "SESSION_OPEN"
    me = kiosk.http.get("/v1/session").json()
    assert (me["ps_idnat"], me["role"], me["psc_state"]) == (
        RADIOLOGIST_A.ps_idnat, "RADIOLOGIST", "ACTIVE",
    )  # fmt: skip
    assert kiosk.http.post("/v1/sign", headers=kiosk.browser.csrf()).json() == "signed"
    success = site.trace("auth.login_success")[0]
    assert (success.auth_method, success.detail["channel"]) == ("PSC_CIBA", "MOBILE")
    assert row_of(site).auth_req_sealed is None
    evidence.add("01", "ciba-started.json", started.text)
    evidence.add("02", "ciba-opened.json", opened.text)
    evidence.add("03", "session.json", me)


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 04.01")
def test_a_card_answers_too_and_the_tokens_are_renewed_like_any_other(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    kiosk.start(SECRETARY, channel="CARD")
    decide(provider, SECRETARY, approve=True)
    assert kiosk.state() == "SESSION_OPEN"
    site.change("update ris_session set psc_access_expires_at = now()")
    assert kiosk.http.post("/v1/session/psc", headers=kiosk.browser.csrf()).status_code == 200
    assert provider.calls.count("refresh_token") == 1


def test_an_answer_serves_once(site: Site, provider: PscProvider, kiosk: Kiosk) -> None:
    kiosk.start(RADIOLOGIST_A)
    secret = kiosk.http.cookies["__Host-ris_ciba"]
    decide(provider, RADIOLOGIST_A, approve=True)
    assert kiosk.state() == "SESSION_OPEN"
    thief = site.browser().application
    thief.cookies.set("__Host-ris_ciba", secret)
    again = thief.post(f"{START}/{kiosk.id}")
    assert again.json()["state"] == "SESSION_OPEN"
    assert "set-cookie" not in again.headers
    assert thief.get("/v1/session").status_code == 401


def test_nobody_else_learns_the_outcome(site: Site, provider: PscProvider, kiosk: Kiosk) -> None:
    kiosk.start(RADIOLOGIST_A)
    decide(provider, RADIOLOGIST_A, approve=True)
    stranger = site.browser().application
    assert stranger.post(f"{START}/{kiosk.id}").json()["code"] == "CIBA_UNKNOWN"
    other = Kiosk(site)
    other.start(SECRETARY)
    assert other.http.post(f"{START}/{kiosk.id}").status_code == 404
    assert kiosk.state() == "SESSION_OPEN"


def test_a_refusal_on_the_phone_is_final_and_psc_is_not_asked_again(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    kiosk.start(RADIOLOGIST_A)
    decide(provider, RADIOLOGIST_A, approve=False)
    assert kiosk.state() == "DENIED"
    asked = len(provider.calls)
    assert kiosk.state() == "DENIED"
    assert len(provider.calls) == asked
    assert site.trace("auth.login_failed")[-1].reason == "access_denied"
    assert row_of(site).auth_req_sealed is None


def test_a_request_nobody_answered_expires_there_and_here(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    provider.phones.life_s = 0
    kiosk.start(RADIOLOGIST_A)
    site.change("update ciba_request set expires_at = now() + interval '1 minute'")
    assert kiosk.state() == "EXPIRED"
    other = Kiosk(site)
    provider.phones.life_s = 120
    other.start(SECRETARY)
    site.change("update ciba_request set expires_at = now() where state = 'PENDING'")
    asked = len(provider.calls)
    assert other.state() == "EXPIRED"
    assert len(provider.calls) == asked


def test_the_interval_of_psc_is_kept_and_a_slow_down_adds_five_seconds(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    provider.phones.interval_s = 1
    assert kiosk.start(RADIOLOGIST_A).json()["interval_s"] == 1
    polls = provider.calls.count("urn:openid:params:grant-type:ciba")
    for _ in range(3):
        assert kiosk.http.post(f"{START}/{kiosk.id}").json()["state"] == "PENDING"
    assert provider.calls.count("urn:openid:params:grant-type:ciba") == polls
    provider.phones.slow_downs = 1
    assert kiosk.follow().json()["interval_s"] == 6
    site.change(DUE)
    assert kiosk.follow().json() | {"expires_at": ""} == {
        "id": kiosk.id, "state": "PENDING", "interval_s": 11, "expires_at": "",
        "binding_message": row_of(site).binding_message,
    }  # fmt: skip # the provider itself found the second poll too early


def test_without_an_interval_five_seconds_are_kept(provider: PscProvider, kiosk: Kiosk) -> None:
    provider.phones.interval_s = None
    assert kiosk.start(RADIOLOGIST_A).json()["interval_s"] == 5


def test_an_outage_while_waiting_is_waited_out_and_told_at_the_end(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    kiosk.start(RADIOLOGIST_A)
    provider.evil = Evil.TOKEN_503
    assert kiosk.state() == "PENDING"
    provider.evil = None
    assert kiosk.state() == "PENDING"
    provider.evil = Evil.TOKEN_503
    kiosk.follow()
    site.change("update ciba_request set expires_at = now()")
    answer = kiosk.follow()
    assert (answer.status_code, answer.json()["code"]) == (503, "psc_unavailable")
    assert row_of(site).state == "EXPIRED"


def test_psc_away_at_the_start_is_told_at_once(
    site: Site, provider_server: Running, kiosk: Kiosk
) -> None:
    provider_server.stop()
    answer = kiosk.start(RADIOLOGIST_A)
    assert (answer.status_code, answer.json()["code"]) == (503, "psc_unavailable")
    assert row_of(site).state == "FAILED"
    assert site.trace("auth.ciba_refused")[-1].reason == "psc_unavailable"


@pytest.mark.parametrize("told", [{"error": "unknown_user_id"}, KEYCLOAK_UNKNOWN])
def test_unknown_here_or_unknown_at_psc_reads_the_same(
    site: Site, provider: PscProvider, kiosk: Kiosk, told: dict[str, str]
) -> None:
    provider.phones.unknown = told
    here = kiosk.start(REQUESTER)
    assert provider.calls == []  # nobody's phone rings for a stranger to this site
    site.change("update account set status = 'SUSPENDED' where ps_idnat = :p", p=SECRETARY.ps_idnat)
    suspended = kiosk.start(SECRETARY)
    del provider._people[RADIOLOGIST_A.ps_idnat]
    there = kiosk.start(RADIOLOGIST_A)
    seen = {(a.status_code, a.json()["code"], a.json()["detail"]) for a in (here, suspended, there)}
    assert len(seen) == 1
    assert seen.pop()[:2] == (404, "psc_user_unknown")
    reasons = [one.reason for one in site.trace("auth.ciba_refused")]
    assert reasons == ["ENROL_UNKNOWN", "account_suspended", "unknown_user_id"]


@pytest.mark.parametrize("told", ["12345678901", "99700993002", "abc", "9970099300", "8' or 1=1"])
def test_a_number_with_a_wrong_key_is_refused_before_anything(
    provider: PscProvider, kiosk: Kiosk, told: str
) -> None:
    answer = kiosk.start(told)
    assert (answer.status_code, answer.json()["code"]) == (422, "PS_IDNAT_INVALID")
    assert provider.calls == []


def test_a_client_that_psc_has_not_activated_is_told_what_to_do(
    provider: PscProvider, kiosk: Kiosk
) -> None:
    provider.phones.active = False
    answer = kiosk.start(RADIOLOGIST_A)
    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_CONFIGURED")


def test_a_provider_that_only_pings_is_not_asked(provider: PscProvider, kiosk: Kiosk) -> None:
    provider.announced["backchannel_token_delivery_modes_supported"] = ["ping"]
    assert kiosk.start(RADIOLOGIST_A).json()["code"] == "NOT_CONFIGURED"
    assert "ciba" not in provider.calls


def test_it_is_off_until_the_site_asks_for_it(
    make_site: Callable[[AuthSettings], Site], auth_settings: AuthSettings, provider: PscProvider
) -> None:
    plain = make_site(auth_settings.model_copy(update={"ciba": CibaSettings()}))
    assert Kiosk(plain).start(RADIOLOGIST_A).json()["code"] == "NOT_CONFIGURED"
    assert provider.calls == []


def test_one_request_at_a_time_and_a_limit_protect_the_phone(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    messages = {kiosk.start(RADIOLOGIST_A).json()["binding_message"]}
    again = Kiosk(site).start(RADIOLOGIST_A)
    assert (again.status_code, again.json()["code"]) == (409, "ciba_pending")
    for _ in range(4):
        decide(provider, RADIOLOGIST_A, approve=False)
        assert kiosk.state() == "DENIED"
        messages.add(kiosk.start(RADIOLOGIST_A).json()["binding_message"])
    assert len(messages) == 5
    bombed = Kiosk(site).start(RADIOLOGIST_A)
    assert (bombed.status_code, bombed.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(bombed.headers["retry-after"]) <= 600
    assert provider.calls.count("ciba") == 5
    assert Kiosk(site).start(SECRETARY).status_code == 201


def test_an_address_cannot_ask_for_everybody(
    make_site: Callable[[AuthSettings], Site], site: Site, auth_settings: AuthSettings
) -> None:
    limited = auth_settings.model_copy(update={"ciba": CibaSettings(enabled=True, per_origin=2)})
    narrow = make_site(limited)
    for person in (RADIOLOGIST_A, SECRETARY):
        assert Kiosk(narrow).start(person).status_code == 201
    assert Kiosk(narrow).start(RADIOLOGIST_TWO_SITES).status_code == 429
    site.change("update ciba_request set created_at = now() - interval '11 minutes'")
    assert Kiosk(narrow).start(RADIOLOGIST_TWO_SITES).status_code == 201


def test_a_page_of_another_site_cannot_start_or_follow(kiosk: Kiosk) -> None:
    elsewhere = {"Origin": "https://evil.test"}
    body = {"ps_idnat": RADIOLOGIST_A.ps_idnat}
    assert kiosk.http.post(START, json=body, headers=elsewhere).json()["code"] == "csrf_refused"
    kiosk.start(RADIOLOGIST_A)
    answer = kiosk.http.post(f"{START}/{kiosk.id}", headers=elsewhere)
    assert answer.json()["code"] == "csrf_refused"


def test_the_account_rules_are_those_of_the_web(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    kiosk.start(RADIOLOGIST_A)
    site.change(
        "update account set status = 'SUSPENDED' where ps_idnat = :p", p=RADIOLOGIST_A.ps_idnat
    )
    decide(provider, RADIOLOGIST_A, approve=True)
    answer = kiosk.follow()
    assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")
    assert row_of(site).state == "FAILED"


def test_a_session_left_open_at_the_kiosk_is_closed_by_the_next_person(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    for person in (RADIOLOGIST_A, SECRETARY):
        kiosk.start(person)
        decide(provider, person, approve=True)
        assert kiosk.state() == "SESSION_OPEN"
    assert kiosk.http.get("/v1/session").json()["ps_idnat"] == SECRETARY.ps_idnat
    with site.database.transaction() as session:
        from ris.auth.model import RisSession

        reasons = session.scalars(select(RisSession.close_reason)).all()
    assert sorted(reasons, key=str) == [None, "other_person"]


def test_no_secret_of_the_request_is_kept_in_clear(
    site: Site, provider: PscProvider, kiosk: Kiosk
) -> None:
    kiosk.start(RADIOLOGIST_A)
    identifier = next(iter(provider.phones._requests))
    stored = repr(vars(row_of(site)))
    assert identifier not in stored
    assert kiosk.http.cookies["__Host-ris_ciba"] not in stored


def test_what_can_no_longer_serve_is_forgotten(site: Site, kiosk: Kiosk) -> None:
    kiosk.start(RADIOLOGIST_A)
    site.browser().begin()
    site.change("update ciba_request set created_at = now() - interval '25 hours'")
    with site.database.transaction() as session:
        sweep(session, site.desk.settings)
        assert session.scalars(select(CibaRequest)).all() == []
    with site.database.transaction() as session:
        from ris.auth.model import LoginAttempt

        assert len(session.scalars(select(LoginAttempt)).all()) == 1


@pytest.mark.parametrize("state", [s for s in CibaState if is_terminal(s)])
def test_a_terminal_state_never_changes(state: CibaState) -> None:
    assert [wanted for wanted in CibaState if may_become(state, wanted)] == []


def test_a_person_without_an_account_cannot_be_asked_even_by_rpps(
    provider: PscProvider, kiosk: Kiosk
) -> None:
    assert kiosk.start(RADIOLOGIST_B.ps_idnat[1:]).status_code == 404
    assert provider.calls == []


def test_numbers_cannot_be_tried_at_leisure(
    make_site: Callable[[AuthSettings], Site], site: Site, auth_settings: AuthSettings
) -> None:
    limited = auth_settings.model_copy(update={"ciba": CibaSettings(enabled=True, per_origin=2)})
    narrow = make_site(limited)
    answers = [Kiosk(narrow).start(one) for one in (REQUESTER, RADIOLOGIST_B, RADIOLOGIST_A)]
    assert [one.status_code for one in answers] == [404, 404, 429]
