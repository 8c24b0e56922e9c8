"""The sandbox provider's programs' door: strict on refresh, introspection, revocation, CIBA."""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PROTOCOL, PscProvider, RegisteredClient
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.server import serve

GRANT = "urn:openid:params:grant-type:ciba"
ASK = {
    "scope": "openid scope_all",
    "acr_values": "eidas1",
    "login_hint": RADIOLOGIST_A.ps_idnat,
    "binding_message": "07",
    "channel": "MOBILE",
}


@pytest.fixture
def provider() -> PscProvider:
    made = PscProvider(RegisteredClient("ris", "secret", ()))
    made.phones.interval_s = 0
    return made


@pytest.fixture
def psc(provider: PscProvider, pki: TestPki) -> Iterator[httpx.Client]:
    with serve(provider.app, tls=pki.server()) as running:
        provider.base_url = running.url
        context = ssl.create_default_context(cafile=str(pki.trust))
        with httpx.Client(
            base_url=running.url, verify=context, trust_env=False, auth=("ris", "secret")
        ) as client:
            yield client


def post(psc: httpx.Client, place: str, **form: str) -> Any:
    return psc.post(f"{PROTOCOL}/{place}", data=form).json()


def asked(psc: httpx.Client) -> str:
    return str(post(psc, "ext/ciba/auth", **ASK)["auth_req_id"])


def poll(psc: httpx.Client, identifier: str) -> Any:
    return post(psc, "token", grant_type=GRANT, auth_req_id=identifier)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"binding_message": "7"}, "invalid_binding_message"),
        ({"binding_message": "100"}, "invalid_binding_message"),
        ({"binding_message": "ab"}, "invalid_binding_message"),
        ({"binding_message": ""}, "invalid_binding_message"),
        ({"binding_message": "٤٢"}, "invalid_binding_message"),
        ({"channel": "FAX"}, "invalid_request"),
        ({"scope": "openid"}, "invalid_request"),
        ({"acr_values": ""}, "invalid_request"),
        ({"login_hint": RADIOLOGIST_A.ps_idnat[1:]}, "unknown_user_id"),
    ],
)
def test_a_request_that_psc_would_refuse_is_refused(
    psc: httpx.Client, changes: dict[str, str], error: str
) -> None:
    assert post(psc, "ext/ciba/auth", **{**ASK, **changes}) == {"error": error}


def test_an_answer_is_redeemed_once(psc: httpx.Client, provider: PscProvider) -> None:
    identifier = asked(psc)
    assert poll(psc, identifier) == {"error": "authorization_pending"}
    psc.post("/wallet/phone", data={"person": RADIOLOGIST_A.ps_idnat, "decision": "approve"})
    assert poll(psc, identifier)["token_type"] == "Bearer"
    assert poll(psc, identifier) == {"error": "invalid_grant"}
    assert poll(psc, "guess") == {"error": "invalid_grant"}


def test_who_polls_too_fast_is_told_to_slow_down(psc: httpx.Client, provider: PscProvider) -> None:
    provider.phones.interval_s = 30
    identifier = asked(psc)
    assert poll(psc, identifier) == {"error": "authorization_pending"}
    assert poll(psc, identifier) == {"error": "slow_down"}


def test_a_refusal_and_an_expiry_are_told(psc: httpx.Client, provider: PscProvider) -> None:
    identifier = asked(psc)
    provider.phones.decide(RADIOLOGIST_A.ps_idnat, approve=False)
    assert poll(psc, identifier) == {"error": "access_denied"}
    provider.phones.life_s = 0
    assert poll(psc, asked(psc)) == {"error": "expired_token"}


def test_a_spent_refresh_token_ends_its_session(psc: httpx.Client, provider: PscProvider) -> None:
    access, session = provider.token_for(RADIOLOGIST_A, "ris")
    first = session.refresh
    renewed = post(psc, "token", grant_type="refresh_token", refresh_token=first)
    assert renewed["refresh_token"] != first
    stolen = post(psc, "token", grant_type="refresh_token", refresh_token=first)
    assert stolen == {"error": "invalid_grant"}
    again = post(psc, "token", grant_type="refresh_token", refresh_token=renewed["refresh_token"])
    assert again == {"error": "invalid_grant"}
    assert post(psc, "token/introspect", token=access) == {"active": False}


def test_the_name_is_told_of_an_access_token_only_and_of_none_once_revoked(
    psc: httpx.Client, provider: PscProvider
) -> None:
    access, session = provider.token_for(RADIOLOGIST_A, "other-software")
    told = post(psc, "token/introspect", token=access)
    assert (told["SubjectNameID"], told["azp"]) == (RADIOLOGIST_A.ps_idnat, "other-software")
    assert "SubjectNameID" not in post(psc, "token/introspect", token=session.refresh)
    assert psc.post(f"{PROTOCOL}/revoke", data={"token": access}).status_code == 200
    assert post(psc, "token/introspect", token=access) == {"active": False}


@pytest.mark.parametrize("place", ["token", "token/introspect", "revoke", "ext/ciba/auth"])
def test_every_address_of_programs_asks_who_calls(psc: httpx.Client, place: str) -> None:
    answer = psc.post(f"{PROTOCOL}/{place}", data=ASK, auth=("ris", "wrong"))
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
