"""The sandbox Pro Santé Connect refuses what the real one refuses."""

import base64
import hashlib
import re
import ssl
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PROTOCOL, REALM, WALLET, PscProvider, RegisteredClient
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.server import serve

CALLBACK = "https://ris.test/cb"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
GOOD = {
    "response_type": "code",
    "client_id": "ris",
    "redirect_uri": CALLBACK,
    "scope": "openid scope_all",
    "acr_values": "eidas1",
    "state": "s" * 30,
    "nonce": "n" * 30,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def psc(pki: TestPki) -> Iterator[httpx.Client]:
    """A client of a listening provider."""
    provider = PscProvider(RegisteredClient("ris", "secret", (CALLBACK,), ("https://ris.test/",)))
    with serve(provider.app, tls=pki.server()) as running:
        provider.base_url = running.url
        context = ssl.create_default_context(cafile=str(pki.trust))
        with httpx.Client(base_url=running.url, verify=context, trust_env=False) as client:
            yield client


def code_of(psc: httpx.Client) -> str:
    page = psc.get(WALLET, params=GOOD).text
    found = re.search(r'name="interaction" value="([^"]+)"', page)
    assert found
    chosen = {"interaction": found[1], "person": RADIOLOGIST_A.ps_idnat}
    back = psc.post(f"{WALLET}/login", data=chosen).headers["location"]
    assert psc.post(f"{WALLET}/login", data=chosen).status_code == 400
    return parse_qs(urlsplit(back).query)["code"][0]


def redeem(psc: httpx.Client, code: str, /, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return psc.post(f"{PROTOCOL}/token", data=form | changes, auth=("ris", "secret"))


def test_the_wallet_document_is_not_the_standard_one(psc: httpx.Client) -> None:
    document = psc.get(f"{REALM}/.well-known/wallet-openid-configuration").json()
    assert urlsplit(document["authorization_endpoint"]).path == WALLET
    assert psc.get(f"{REALM}/.well-known/openid-configuration").status_code == 404


@pytest.mark.parametrize(
    "change", [{"client_id": "x"}, {"redirect_uri": f"{CALLBACK}/"}, {"redirect_uri": ""}]
)
def test_an_unknown_client_or_address_is_never_redirected_to(
    psc: httpx.Client, change: dict[str, str]
) -> None:
    assert psc.get(WALLET, params=GOOD | change).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"response_type": "token"},
        {"scope": "openid"},
        {"acr_values": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"nonce": ""},
        {"state": "short"},
    ],
)
def test_an_incomplete_request_comes_back_as_an_error(
    psc: httpx.Client, change: dict[str, str]
) -> None:
    location = psc.get(WALLET, params=GOOD | change).headers["location"]
    assert parse_qs(urlsplit(location).query)["error"] == ["invalid_request"]


def test_a_code_serves_once_and_its_replay_revokes_the_access(psc: httpx.Client) -> None:
    code = code_of(psc)
    tokens = redeem(psc, code).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    claims = psc.get(f"{PROTOCOL}/userinfo", headers=bearer).json()
    assert claims["SubjectNameID"] == RADIOLOGIST_A.ps_idnat
    assert redeem(psc, code).json() == {"error": "invalid_grant"}
    assert psc.get(f"{PROTOCOL}/userinfo", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"redirect_uri": "https://ris.test/other"}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused(psc: httpx.Client, change: dict[str, str], error: str) -> None:
    assert redeem(psc, code_of(psc), **change).json() == {"error": error}


def test_a_client_must_prove_its_secret(psc: httpx.Client) -> None:
    assert psc.post(f"{PROTOCOL}/token", data={"code": "x"}).status_code == 401
    for credentials in (("ris", "wrong"), ("other", "secret")):
        answer = psc.post(f"{PROTOCOL}/token", data={"code": "x"}, auth=credentials)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_logout_returns_only_to_a_registered_address(psc: httpx.Client) -> None:
    asked = {"id_token_hint": "x", "post_logout_redirect_uri": "https://evil.test/"}
    assert psc.get(f"{PROTOCOL}/logout", params=asked).status_code == 400
    asked["post_logout_redirect_uri"] = "https://ris.test/"
    assert psc.get(f"{PROTOCOL}/logout", params=asked).status_code == 302
    assert psc.get(f"{PROTOCOL}/logout").status_code == 200
