"""A provider that lies: every lie fails closed, with its own code (issue 4, point 6; auth.md §12).

One row per lie: what it does, the reason in the journal, the code told to the user. The same lies
are told to the web sign-in, to the decoupled sign-in and, where they make sense, to a renewal.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from ris.auth.brake import BrakeSettings
from ris.auth.ciba.model import CibaRequest
from ris.auth.model import RisSession
from ris.auth.psc.provider import Remembered
from ris.auth.settings import AuthSettings, CibaSettings, PscSettings
from ris.core import clock
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A, SECRETARY
from ris.sandbox.psc_tokens import Evil
from ris.sandbox.server import serve
from tests.auth.browser import query_of
from tests.auth.conftest import Site, grant_people, new_provider, new_site, registration
from tests.plugin_database import emptied

COOKIE = "__Host-ris_session"
PROTOCOL = (502, "psc_protocol_error")
AWAY = (503, "psc_unavailable")
LOW = (403, "acr_too_low")
REFUSED = (400, "oidc_error")

# lie, reason in the journal, answer to the user
ID_TOKEN = [
    # wrong issuer
    (Evil.WRONG_ISS, "id_token_iss", PROTOCOL),
    (Evil.TWO_ISS, "id_token_malformed", PROTOCOL),
    # wrong audience
    (Evil.WRONG_AUD, "id_token_aud", PROTOCOL),
    (Evil.WRONG_AZP, "id_token_azp", PROTOCOL),
    # alg none, HS256, and every other way not to be signed by PSC
    (Evil.ALG_NONE, "id_token_alg", PROTOCOL),
    (Evil.ALG_HS256, "id_token_alg", PROTOCOL),
    (Evil.HS256_PUBLIC_KEY, "id_token_alg", PROTOCOL),
    (Evil.FORGED, "id_token_signature", PROTOCOL),
    (Evil.OWN_KEY_SET, "id_token_signature", PROTOCOL),
    (Evil.UNKNOWN_KID, "id_token_kid_unknown", PROTOCOL),
    (Evil.NO_KID, "id_token_kid_unknown", PROTOCOL),
    (Evil.CRIT_HEADER, "id_token_crit", PROTOCOL),
    (Evil.NOT_A_JWT, "id_token_malformed", PROTOCOL),
    # expired, or of another time
    (Evil.EXPIRED, "id_token_expired", PROTOCOL),
    (Evil.NO_EXPIRY, "id_token_expired", PROTOCOL),
    (Evil.OLD_IAT, "id_token_iat", PROTOCOL),
    (Evil.FUTURE_IAT, "id_token_iat", PROTOCOL),
    (Evil.FUTURE_AUTH_TIME, "id_token_auth_time", PROTOCOL),
    (Evil.ABSURD_AUTH_TIME, "id_token_auth_time", PROTOCOL),
    (Evil.WRONG_AT_HASH, "id_token_at_hash", PROTOCOL),
    # oversized claims
    (Evil.HUGE_ID_TOKEN, "id_token_too_large", PROTOCOL),
    (Evil.NESTED_CLAIMS, "id_token_malformed", PROTOCOL),
]
SIGN_IN = [
    # missing or low acr
    (Evil.NO_ACR, "id_token_acr_absent", LOW),
    (Evil.LOW_ACR, "id_token_acr_low", LOW),
    # userinfo of another subject
    (Evil.OTHER_SUB, "userinfo_sub", PROTOCOL),
    (Evil.NO_SUB, "userinfo_sub", PROTOCOL),
    (Evil.OTHER_NAME_ID, "userinfo_subject_name_id", PROTOCOL),
    (Evil.NO_SUBJECT, "userinfo_subject_name_id", PROTOCOL),
    # userinfo that is none, or badly signed
    (Evil.USERINFO_401, "userinfo_refused", PROTOCOL),
    (Evil.USERINFO_HTML, "userinfo_content_type", PROTOCOL),
    (Evil.USERINFO_JWT_FORGED, "userinfo_signature", PROTOCOL),
    (Evil.USERINFO_JWT_NONE, "userinfo_alg", PROTOCOL),
    (Evil.USERINFO_JWT_OTHER_ISS, "userinfo_iss", PROTOCOL),
    (Evil.USERINFO_JWT_OTHER_AUD, "userinfo_aud", PROTOCOL),
    # oversized claims
    (Evil.HUGE_USERINFO, "userinfo_too_large", PROTOCOL),
    (Evil.NESTED_USERINFO, "userinfo_malformed", PROTOCOL),
    (Evil.MANY_OTHER_IDS, "userinfo_too_many", PROTOCOL),
    (Evil.MANY_ACTIVITIES, "userinfo_too_many", PROTOCOL),
    (Evil.NO_ID_TOKEN, "token_malformed", PROTOCOL),
]
WIRE = [
    (Evil.NOT_BEARER, "token_type", PROTOCOL),
    (Evil.TOKEN_HTML, "token_malformed", PROTOCOL),
    (Evil.TOKEN_REDIRECT, "token_malformed", PROTOCOL),
    (Evil.HUGE_TOKEN, "token_too_large", PROTOCOL),
    (Evil.HUGE_JWKS, "jwks_too_large", PROTOCOL),
    (Evil.JWKS_500, "psc_unavailable", AWAY),
    # a discovery document that changes meanwhile
    (Evil.OTHER_ISSUER_ANNOUNCED, "discovery_issuer", PROTOCOL),
    (Evil.CLEAR_TEXT_ENDPOINT, "discovery_endpoint", PROTOCOL),
    (Evil.HUGE_DISCOVERY, "discovery_too_large", PROTOCOL),
]
NONCE = [
    # replayed nonce: the id_token of another sign-in
    (Evil.WRONG_NONCE, "id_token_nonce", PROTOCOL),
    (Evil.NO_NONCE, "id_token_nonce", PROTOCOL),
    (Evil.REPLAYED, "id_token_nonce", PROTOCOL),
    (Evil.TOKEN_503, "psc_unavailable", AWAY),
]
Row = tuple[Evil, str, tuple[int, str]]


@dataclass(frozen=True)
class Arena:
    """One site before one provider, for every row; the provider is honest between two."""

    site: Site
    provider: PscProvider

    def forget(self) -> None:
        """Make the site a fresh process, that knows nothing of the provider."""
        known = self.site.desk.psc.provider
        known._document, known._keys = Remembered(), Remembered()

    def sessions(self) -> int:
        with self.site.database.transaction() as session:
            open_ones = select(func.count()).where(RisSession.closed_at.is_(None))
            return session.execute(open_ones).scalar_one()


@pytest.fixture(scope="module")
def stage(
    worker_database: Database,
    seeded: frozenset[str],
    pki: TestPki,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Arena]:
    provider = new_provider()
    provider.phones.interval_s = 0
    sealer = Sealer(Keyring.generate(tmp_path_factory.mktemp("evil") / "keyring.json"))
    with (
        emptied(worker_database, seeded) as database,
        ExitStack() as stack,
        serve(provider.app, tls=pki.server()) as running,
    ):
        provider.base_url = running.url
        often = CibaSettings(enabled=True, per_person=1000, per_origin=1000)
        settings = AuthSettings(
            psc=registration(provider, pki),
            ciba=often,
            allow_test_ids=True,
            brake=BrakeSettings(per_origin=10_000, in_all=10_000),
        )
        site = new_site(settings, database, sealer, pki, stack)
        grant_people(site)
        yield Arena(site, provider)
        stack.close()


@pytest.fixture
def arena(stage: Arena) -> Iterator[Arena]:
    stage.forget()
    yield stage
    stage.provider.evil = None
    stage.site.change("update ris_session set closed_at = now() where closed_at is null")


def judged(arena: Arena, answer: httpx.Response, row: Row, *secrets: str) -> None:
    """No session, the reason in the journal, the code to the user, nothing of the exchange."""
    evil, reason, told = row
    assert (answer.status_code, answer.json()["code"]) == told, evil
    assert arena.site.trace("auth.login_failed")[-1].reason == reason
    assert arena.sessions() == 0
    text = answer.text
    assert reason == told[1] or reason not in text
    for secret in ("eyJ", RADIOLOGIST_A.ps_idnat[1:], *secrets):
        assert secret not in text
    assert not [name for name in answer.cookies if name == COOKIE]


@pytest.mark.rem("RIS.PSC.01")
@pytest.mark.parametrize("row", [*ID_TOKEN, *SIGN_IN, *WIRE, *NONCE], ids=lambda row: str(row[0]))
def test_a_lie_to_the_web_sign_in(arena: Arena, row: Row) -> None:
    browser = arena.site.browser()
    if row[0] is Evil.REPLAYED:
        browser.sign_in(SECRETARY)
        arena.site.change("update ris_session set closed_at = now()")
        browser.application.cookies.clear()
    callback = browser.pick(browser.begin(), RADIOLOGIST_A)
    arena.provider.evil = row[0]
    arena.forget()
    judged(arena, browser.come_back(callback), row, *query_of(callback).values())
    assert COOKIE not in browser.application.cookies
    arena.provider.evil = None
    again = browser.come_back(callback)
    assert (again.status_code, again.json()["code"]) == (400, "oidc_state_invalid")
    browser.close()


@pytest.mark.rem("SC.PSC.01")
@pytest.mark.parametrize(
    "row",
    [*ID_TOKEN, *SIGN_IN, *WIRE, (Evil.OTHER_PERSON, "ciba_other_person", PROTOCOL)],
    ids=lambda row: str(row[0]),
)
def test_a_lie_to_the_decoupled_sign_in(arena: Arena, row: Row) -> None:
    browser = arena.site.browser()
    asked = {"ps_idnat": RADIOLOGIST_A.ps_idnat}
    begun = browser.application.post("/auth/psc/ciba", json=asked).json()
    arena.provider.phones.decide(RADIOLOGIST_A.ps_idnat, approve=True)
    arena.provider.evil = row[0]
    arena.forget()
    arena.site.change("update ciba_request set next_poll_at = now()")
    judged(arena, browser.application.post(f"/auth/psc/ciba/{begun['id']}"), row)
    browser.close()
    with arena.site.database.transaction() as session:
        request = session.get_one(CibaRequest, UUID(begun["id"]))
    assert (request.state, request.reason) == ("FAILED", row[1])


@pytest.mark.rem("SC.MSS/CONF.28")
def test_a_lie_to_a_renewal_leaves_the_tokens_that_were_there(arena: Arena) -> None:
    browser = arena.site.browser()
    browser.sign_in(RADIOLOGIST_A)
    headers, mine = browser.csrf(), row_of(arena)
    refresh = arena.site.desk.link._look(mine.id).tokens.refresh
    (live,) = (one for one in arena.provider.grants._sessions if one.refresh == refresh)
    arena.site.change("update ris_session set psc_access_expires_at = now()")

    def renew() -> httpx.Response:
        # the provider has given the next refresh token each time, and the lie lost it
        arena.provider.grants._spent.clear()
        live.refresh = refresh or ""
        arena.forget()
        return browser.application.post("/v1/session/psc", headers=headers)

    for evil, reason, told in [
        *ID_TOKEN, *WIRE, (Evil.REFRESH_OTHER_SUB, "refresh_sub", PROTOCOL),
    ]:  # fmt: skip
        arena.provider.evil = evil
        answer = renew()
        assert (answer.status_code, answer.json()["code"]) == told, evil
        assert reason == told[1] or reason not in answer.text
        now = row_of(arena)
        assert (now.psc_tokens_sealed, now.psc_ended_at) == (mine.psc_tokens_sealed, None), evil
    arena.provider.evil = None
    assert renew().status_code == 200
    browser.close()


def row_of(arena: Arena) -> RisSession:
    with arena.site.database.transaction() as session:
        return session.scalars(select(RisSession).where(RisSession.closed_at.is_(None))).one()


def test_a_redirection_of_the_token_endpoint_is_not_followed(arena: Arena) -> None:
    calls = arena.provider.calls
    before = len(calls)
    browser = arena.site.browser()
    callback = browser.pick(browser.begin(), RADIOLOGIST_A)
    arena.provider.evil = Evil.TOKEN_REDIRECT
    browser.come_back(callback)
    assert calls[before:].count("token") == 1
    assert "elsewhere" not in calls[before:]
    browser.close()


def test_a_code_that_already_served_is_refused_by_psc_and_told_by_its_code(arena: Arena) -> None:
    """An attacker puts a stolen code in the return of a sign-in of his own: PKCE forbids it."""
    victim, thief = arena.site.browser(), arena.site.browser()
    stolen = query_of(victim.pick(victim.begin(), RADIOLOGIST_A))["code"]
    own = thief.pick(thief.begin(), SECRETARY)
    row = (Evil.REPLAYED, "token_invalid_grant", REFUSED)
    judged(arena, thief.come_back(own.replace(query_of(own)["code"], stolen)), row, stolen)
    for browser in (victim, thief):
        browser.close()


def test_keys_that_change_during_a_session_are_learnt_and_the_old_ones_forgotten(
    arena: Arena,
) -> None:
    browser, provider = arena.site.browser(), arena.provider
    browser.sign_in(RADIOLOGIST_A)
    provider.signer.rotate()
    assert browser.application.get("/v1/session").status_code == 200
    refused = browser.sign_in(RADIOLOGIST_A)  # a minute has not passed since the last reading
    assert (refused.status_code, refused.json()["code"]) == PROTOCOL
    assert arena.site.trace("auth.login_failed")[-1].reason == "id_token_kid_unknown"
    assert browser.application.get("/v1/session").status_code == 200
    arena.site.desk.psc.provider._keys.at = clock.now() - timedelta(minutes=2)
    assert browser.sign_in(RADIOLOGIST_A).status_code == 303
    provider.evil = Evil.WITHDRAWN_KEY
    assert browser.sign_in(RADIOLOGIST_A).status_code == 502
    assert arena.site.trace("auth.login_failed")[-1].reason == "id_token_kid_unknown"
    browser.close()


@pytest.mark.parametrize("evil", [Evil.SLOW, Evil.DRIP])
def test_an_answer_that_takes_too_long_is_an_outage(
    make_site: Callable[[AuthSettings], Site],
    provider: PscProvider,
    psc_settings: PscSettings,
    evil: Evil,
) -> None:
    """Nothing for the whole time-out, or a byte now and then: httpx would wait for each.

    Last of the file: its database is emptied afterwards, under the arena of the other tests.
    """
    with serve(provider.app) as plain:  # a client gone mid-TLS leaves asyncio's transport open
        provider.base_url = plain.url
        impatient = psc_settings.model_copy(
            update={"http_timeout_s": 0.4, "issuer": provider.issuer}
        )
        site = make_site(AuthSettings(psc=impatient, allow_test_ids=True))
        browser = site.browser()
        callback = browser.pick(browser.begin(), RADIOLOGIST_A)
        provider.evil, provider.slow_s = evil, 0.8 if evil is Evil.SLOW else 0.1
        began = time.monotonic()
        answer = browser.come_back(callback)
        assert time.monotonic() - began < 2
        assert (answer.status_code, answer.json()["code"]) == AWAY
        assert site.trace("auth.login_failed")[-1].reason == "psc_unavailable"
        browser.close()
