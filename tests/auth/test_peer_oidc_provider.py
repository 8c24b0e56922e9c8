"""Our PSC client before a real certified provider: npm `oidc-provider` (auth.md §12)."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from ris.auth import cookies, userinfo
from ris.auth.errors import OidcRefused
from ris.auth.psc import PscClient, Secrets
from ris.auth.settings import PscSettings
from ris.core import http
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.auth.browser import query_of

pytestmark = pytest.mark.peer
PEER = Path(__file__).parents[1] / "peers" / "oidc-provider"
CALLBACK = "https://ris.test/auth/psc/callback"
SECRET = "peer-secret-of-thirty-two-characters"


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
        "people": {RADIOLOGIST_A.sub: RADIOLOGIST_A.userinfo()},
        "client": {
            "client_id": "ris-core",
            "client_secret": SECRET,
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": ["https://ris.test/"],
        },
    }
    process = subprocess.Popen(
        [node, "server.js", json.dumps(wanted)],
        cwd=PEER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()
    yield f"https://localhost:{port}/auth/realms/esante-wallet"
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture
def client(issuer: str, pki: TestPki) -> Iterator[PscClient]:
    """Our client, registered at the peer."""
    settings = PscSettings(
        issuer=issuer,
        client_secret=SecretStr(SECRET),
        redirect_uri=CALLBACK,
        post_logout_redirect_uri="https://ris.test/",
    )
    made = PscClient(settings, http.client(trust=pki.trust, settings=HttpSettings()))
    yield made
    made.close()


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
