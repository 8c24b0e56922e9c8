"""Our PSC client, then the whole site, before a real certified provider: npm `oidc-provider`."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from ris.auth import cookies
from ris.auth.ciba.states import Channel
from ris.auth.ciba.wire import GRANT, Waiting, accept, ask, poll
from ris.auth.errors import CibaUserUnknown, OidcRefused
from ris.auth.psc import userinfo
from ris.auth.psc.client import PscClient, Secrets, Tokens
from ris.auth.settings import AuthSettings, PscSettings
from ris.core import http
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import RADIOLOGIST_A, REQUESTER, SECRETARY, Person
from tests.auth.browser import query_of
from tests.auth.conftest import HOST_RIS, Site

pytestmark = pytest.mark.peer
PEER = Path(__file__).parents[1] / "peers" / "oidc-provider"
CALLBACK = "https://ris.test/auth/psc/callback"
SECRET = "peer-secret-of-thirty-two-characters"


def _client(client_id: str) -> dict[str, object]:
    return {
        "client_id": client_id,
        "client_secret": SECRET,
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": ["https://ris.test/"],
        "grant_types": ["authorization_code", "refresh_token", GRANT],
        "backchannel_token_delivery_mode": "poll",
    }


@pytest.fixture(scope="module")
def issuer(pki: TestPki) -> Iterator[str]:
    """The provider, listening; skipped when node or its modules are absent."""
    node = shutil.which("node")
    if node is None or not (PEER / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("peer oidc-provider absent: run `npm ci` in tests/peers/oidc-provider")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = pki.server()
    wanted = {
        "port": port,
        "key": str(server.key),
        "cert": str(server.certificate),
        "jwks": {"keys": [RSAKey.generate_key(2048, {"kid": "peer"}).as_dict(private=True)]},
        "people": {one.sub: one.userinfo() for one in (RADIOLOGIST_A, SECRETARY)},
        "clients": [_client("ris-core"), _client(HOST_RIS)],
    }
    process = subprocess.Popen(
        [node, "server.js", json.dumps(wanted)],
        cwd=PEER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        yield f"https://localhost:{port}/auth/realms/esante-wallet"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def settings_of(issuer: str, pki: TestPki, client_id: str = "ris-core") -> PscSettings:
    return PscSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=SecretStr(SECRET),
        trust=pki.trust,
        redirect_uri=CALLBACK,
        post_logout_redirect_uri="https://ris.test/",
    )


@pytest.fixture
def client(issuer: str, pki: TestPki) -> Iterator[PscClient]:
    """Our client, registered at the peer."""
    wire = http.client(trust=pki.trust, settings=HttpSettings())
    made = PscClient(settings_of(issuer, pki), wire)
    yield made
    made.close()


@pytest.fixture
def peer_site(
    issuer: str,
    pki: TestPki,
    site: Site,  # whose people are granted their roles
    make_site: Callable[[AuthSettings], Site],
    auth_settings: AuthSettings,
) -> Site:
    """The whole site, with the peer as its Pro Santé Connect."""
    return make_site(auth_settings.model_copy(update={"psc": settings_of(issuer, pki)}))


def thumb(issuer: str, pki: TestPki, person: Person, decision: str) -> None:
    """Answer on the phone of *person*."""
    place = str(httpx.URL(issuer).copy_with(path="/wallet/phone"))
    with http.client(trust=pki.trust, settings=HttpSettings()) as wire:
        answer = wire.get(place, params={"person": person.ps_idnat, "decision": decision})
    assert answer.status_code == 200, answer.text


def sign_in_at(url: str, trust: Path) -> dict[str, str]:
    """Walk through the provider as a browser that picks Dr A; return the callback's query."""
    context = ssl.create_default_context(cafile=str(trust))
    with httpx.Client(verify=context, trust_env=False) as browser:
        answer = browser.get(url)
        for _hop in range(8):
            location = answer.headers.get("location", "")
            if location.startswith(CALLBACK):
                return query_of(location)
            target = httpx.URL(str(answer.request.url)).join(location)
            if target.path.startswith("/wallet/"):
                target = target.copy_set_param("person", RADIOLOGIST_A.sub)
            answer = browser.get(target)
    raise AssertionError(f"no callback: {answer.status_code} {answer.text[:300]}")


def fresh_secrets() -> Secrets:
    return Secrets(cookies.fresh(), cookies.fresh(), cookies.fresh() + cookies.fresh())


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 01.01")
def test_a_certified_provider_signs_our_radiologist_in(client: PscClient, pki: TestPki) -> None:
    secrets = fresh_secrets()
    answer = sign_in_at(client.authorization_url(secrets), pki.trust)
    assert answer["state"] == secrets.state
    client.check_issuer(answer.get("iss"))
    sign_in = client.sign_in(answer["code"], secrets)
    assert sign_in.claims["acr"] == "eidas1"
    identity = userinfo.parse(sign_in.userinfo)
    assert identity.rpps == "99700993001"
    assert urlsplit(client.logout_url(sign_in.token, "x")).path.endswith("/logout")


def test_the_peer_refuses_a_foreign_verifier_and_a_code_served_twice(
    client: PscClient, pki: TestPki
) -> None:
    secrets = fresh_secrets()
    answer = sign_in_at(client.authorization_url(secrets), pki.trust)
    other = Secrets(secrets.state, secrets.nonce, cookies.fresh())
    with pytest.raises(OidcRefused) as caught:
        client.sign_in(answer["code"], other)
    assert caught.value.reason == "token_invalid_grant"
    client.sign_in(answer["code"], secrets)
    with pytest.raises(OidcRefused):
        client.sign_in(answer["code"], secrets)


def signed_in(client: PscClient, pki: TestPki) -> Tokens:
    secrets = fresh_secrets()
    answer = sign_in_at(client.authorization_url(secrets), pki.trust)
    tokens = client.sign_in(answer["code"], secrets).tokens
    assert tokens is not None
    return tokens


def test_the_peer_renews_our_tokens_and_refuses_the_spent_one(
    client: PscClient, pki: TestPki
) -> None:
    tokens = signed_in(client, pki)
    renewed = client.refresh(tokens.refresh or "", sub=RADIOLOGIST_A.sub)
    assert renewed.access != tokens.access
    with pytest.raises(OidcRefused) as caught:
        client.refresh(tokens.refresh or "", sub=RADIOLOGIST_A.sub)
    assert caught.value.reason == "token_invalid_grant"


def test_the_peer_tells_what_a_token_is_worth(client: PscClient, pki: TestPki) -> None:
    access = signed_in(client, pki).access
    told = client.introspect(access)
    assert (told["active"], told["client_id"]) == (True, "ris-core")
    assert client.provider.post("revocation_endpoint", {"token": access}).status_code == 200
    assert client.introspect(access)["active"] is False


def test_the_peer_runs_the_decoupled_flow(client: PscClient, issuer: str, pki: TestPki) -> None:
    asked = ask(client, ps_idnat=SECRETARY.ps_idnat, binding_message="07", channel=Channel.MOBILE)
    assert (asked.expires_in_s, asked.interval_s) == (120, 5)  # this provider tells no interval
    assert poll(client, asked.auth_req_id) == Waiting()
    thumb(issuer, pki, SECRETARY, "approve")
    tokens = poll(client, asked.auth_req_id)
    assert isinstance(tokens, Tokens)
    signed = accept(client, tokens)
    assert signed.userinfo["SubjectNameID"] == SECRETARY.ps_idnat
    with pytest.raises(OidcRefused) as caught:
        poll(client, asked.auth_req_id)
    assert caught.value.reason == "invalid_grant"


def test_the_peer_refuses_what_the_decoupled_flow_forbids(
    client: PscClient, issuer: str, pki: TestPki
) -> None:
    wanted = {"ps_idnat": SECRETARY.ps_idnat, "channel": Channel.CARD}
    with pytest.raises(OidcRefused) as caught:
        ask(client, binding_message="7", **wanted)  # type: ignore[arg-type]
    assert caught.value.reason == "ciba_invalid_binding_message"
    with pytest.raises(CibaUserUnknown):
        ask(client, ps_idnat=REQUESTER.ps_idnat, binding_message="07", channel=Channel.CARD)
    asked = ask(client, binding_message="99", **wanted)  # type: ignore[arg-type]
    thumb(issuer, pki, SECRETARY, "refuse")
    with pytest.raises(OidcRefused) as refused:
        poll(client, asked.auth_req_id)
    assert refused.value.reason == "access_denied"


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 04.01")
@pytest.mark.rem("SC.PSC.01")
def test_a_phone_signs_in_at_our_site_through_the_peer(
    peer_site: Site, issuer: str, pki: TestPki
) -> None:
    kiosk = peer_site.browser()
    body = {"ps_idnat": RADIOLOGIST_A.ps_idnat[1:], "channel": "MOBILE"}
    started = kiosk.application.post("/auth/psc/ciba", json=body).json()
    place = f"/auth/psc/ciba/{started['id']}"
    due = "update ciba_request set next_poll_at = now()"
    peer_site.change(due)
    assert kiosk.application.post(place).json()["state"] == "PENDING"
    thumb(issuer, pki, RADIOLOGIST_A, "approve")
    peer_site.change(due)
    assert kiosk.application.post(place).json()["state"] == "SESSION_OPEN"
    me = kiosk.application.get("/v1/session").json()
    assert (me["ps_idnat"], me["acr"]) == (RADIOLOGIST_A.ps_idnat, "eidas1")
    peer_site.change("update ris_session set psc_access_expires_at = now()")
    confirmed = kiosk.application.post("/v1/session/psc", headers=kiosk.csrf())
    assert confirmed.json() == {"psc_state": "ACTIVE"}


def test_a_token_that_the_peer_gave_another_software_opens_our_api_until_revoked(
    peer_site: Site, issuer: str, pki: TestPki
) -> None:
    wire = http.client(trust=pki.trust, settings=HttpSettings())
    other = PscClient(settings_of(issuer, pki, HOST_RIS), wire)
    access = signed_in(other, pki).access
    headers = {"Authorization": f"Bearer {access}"}
    api = peer_site.browser().application
    me = api.get("/v1/session", headers=headers)
    assert (me.status_code, me.json()["ps_idnat"]) == (200, RADIOLOGIST_A.ps_idnat)
    other.provider.post("revocation_endpoint", {"token": access})
    other.close()
    peer_site.desk.bearer._known.clear()
    assert api.get("/v1/session", headers=headers).json()["code"] == "token_invalid"
