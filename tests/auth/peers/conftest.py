"""Two independent providers, one after the other, before our client and before the whole site."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType

import httpx
import pytest

from ris.auth import cookies
from ris.auth.psc.client import PscClient, Secrets, SignIn
from ris.auth.settings import AuthSettings
from ris.core import http
from ris.core.crypto import Credential
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import RADIOLOGIST_A, Person
from tests.auth.browser import Browser
from tests.auth.conftest import Site
from tests.peers import oidc_provider, openid
from tests.peers.keycloak import launcher as keycloak
from tests.peers.openid import Arrival, OpenIdPeer

BROWSERS = HttpSettings(total_timeout_s=60)


NPM = pytest.param(oidc_provider, id="oidc-provider", marks=pytest.mark.peer)
KEYCLOAK = pytest.param(
    keycloak,
    id="keycloak",
    # its first start takes minutes on a small machine
    marks=[pytest.mark.interop, pytest.mark.timeout(600)],
)


# an absent Keycloak is one skip, that of the test which wants no other (`test_decoupled.py`)
@pytest.fixture(scope="session", params=[NPM] if keycloak.missing() else [NPM, KEYCLOAK])
def peer(
    request: pytest.FixtureRequest, pki: TestPki, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenIdPeer]:
    """The provider, listening; skipped when it is absent."""
    kind: ModuleType = request.param
    if reason := kind.missing():
        pytest.skip(reason)
    with kind.running(pki, tmp_path_factory.mktemp("peer")) as made:
        yield made


ClientOf = Callable[..., PscClient]


@pytest.fixture
def client_of(peer: OpenIdPeer, pki: TestPki) -> Iterator[ClientOf]:
    """A maker of our client, as one of the software the peer knows."""
    with ExitStack() as stack:

        def make(client_id: str = openid.OURS, credential: Credential | None = None) -> PscClient:
            wire = http.client(trust=pki.trust, credential=credential, settings=BROWSERS)
            stack.callback(wire.close)
            return PscClient(openid.registration(peer, pki.trust, client_id), wire)

        yield make


@pytest.fixture
def client(client_of: ClientOf) -> PscClient:
    """Our client, by its secret."""
    return client_of()


@dataclass(frozen=True)
class Holder:
    """A person before a browser of his own, at the peer's pages."""

    person: Person
    peer: OpenIdPeer
    browser: httpx.Client

    def go(self, address: str) -> Arrival:
        """Walk through the pages at *address* until sent home."""
        return openid.walk(self.browser, address, self.peer.typed_by(self.person))

    def sign_in(self, client: PscClient) -> SignIn:
        """Sign in at *client*, a software of ours."""
        made = fresh_secrets()
        query = self.go(client.authorization_url(made)).query
        assert "code" in query, query
        assert query["state"] == made.state
        client.check_issuer(query.get("iss"))
        return client.sign_in(query["code"], made)


@pytest.fixture
def holder(peer: OpenIdPeer, pki: TestPki) -> Iterator[Holder]:
    """Dr A and a browser that has seen nothing yet."""
    with http.client(trust=pki.trust, settings=BROWSERS) as browser:
        yield Holder(RADIOLOGIST_A, peer, browser)


def fresh_secrets() -> Secrets:
    """Return the secrets of one attempt."""
    return Secrets(cookies.fresh(), cookies.fresh(), cookies.fresh() + cookies.fresh())


@pytest.fixture
def peer_site(
    peer: OpenIdPeer,
    pki: TestPki,
    site: Site,  # whose people are granted their roles
    make_site: Callable[[AuthSettings], Site],
    auth_settings: AuthSettings,
) -> Site:
    """The whole site, with the peer as its Pro Santé Connect."""
    settings = openid.registration(peer, pki.trust)
    return make_site(auth_settings.model_copy(update={"psc": settings}))


class PeerBrowser(Browser):
    """The browser of Dr A, whose wallet is the peer."""

    def __init__(self, site: Site, peer: OpenIdPeer) -> None:
        super().__init__(site.url, site.trust)
        self.wallet.timeout = httpx.Timeout(60)
        self.holder = Holder(RADIOLOGIST_A, peer, self.wallet)

    def enter(self, path: str = "/auth/psc/login") -> tuple[httpx.Response, Arrival]:
        """Sign in at our site; return its answer, and the passage at the peer."""
        arrival = self.holder.go(self.begin(path))
        return self.come_back(arrival.address), arrival


@pytest.fixture
def dr_a(peer_site: Site, peer: OpenIdPeer) -> Iterator[PeerBrowser]:
    """Dr A before the whole site."""
    browser = PeerBrowser(peer_site, peer)
    yield browser
    browser.close()
