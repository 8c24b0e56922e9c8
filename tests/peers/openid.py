"""An independent OpenID provider dressed as Pro Santé Connect: what tests ask of it, how to browse.

Which provider it is and how it starts: `oidc_provider.py` (npm) and `keycloak/`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx
from lxml import html
from pydantic import SecretStr

from ris.auth.settings import PscSettings
from ris.core.crypto import Credential
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import RADIOLOGIST_A, SECRETARY, Person

OURS: Final = "ris-core"
OTHER: Final = "host-ris"  # another software of the site; its userinfo is signed
CERTIFIED: Final = "ris-certified"  # authenticated by its certificate, which binds its tokens
UNIT: Final = "499700993001004"
SUBJECT: Final = f"CN=RIS-AUTH_CLI,OU={UNIT},O=STRUCTURE FICTIVE,C=FR"
SECRET: Final = "peer-secret-of-thirty-two-characters"
HOME: Final = "ris.test"
CALLBACK: Final = f"https://{HOME}/auth/psc/callback"
LOGGED_OUT: Final = f"https://{HOME}/auth/psc/logged-out"
LIVES: Final = {"tokens": 120, "ciba": 120}  # seconds
PEOPLE: Final = (RADIOLOGIST_A, SECRETARY)
_MOST_PAGES: Final = 12


class OpenIdPeer(Protocol):
    """A running provider that knows PEOPLE and the three software above."""

    @property
    def issuer(self) -> str:
        """Its issuer."""

    @property
    def discovery_url(self) -> str:
        """The address of its document."""

    def typed_by(self, person: Person) -> Mapping[str, str]:
        """Return what *person* types on its pages, by name of field."""

    @property
    def slows_down(self) -> bool:
        """Whether it tells a client that polls too soon to slow down."""

    def thumb(self, person: Person, digits: str, *, approve: bool) -> None:
        """Answer on the phone of *person*, where a decoupled sign-in shows *digits*."""

    def tell_logouts(self, client_id: str, address: str) -> None:
        """Register where the provider tells *client_id* that a session is over."""

    def let_live(self, *, tokens: int, ciba: int) -> None:
        """Change how long its access and identity tokens, and decoupled requests, live."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where the browser was sent back to, and on how many pages the person had to answer."""

    address: str
    asked: int

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the address."""
        return dict(httpx.URL(self.address).params)


def registration(peer: OpenIdPeer, trust: Path, client_id: str = OURS) -> PscSettings:
    """Return our settings as *client_id* of *peer*."""
    certified = client_id == CERTIFIED
    return PscSettings(
        issuer=peer.issuer,
        discovery_url=peer.discovery_url,
        client_id=client_id,
        client_auth="tls_client_auth" if certified else "client_secret_basic",
        client_secret=SecretStr("" if certified else SECRET),
        trust=trust,
        redirect_uri=CALLBACK,
        post_logout_redirect_uri=LOGGED_OUT,
    )


def our_certificate(pki: TestPki) -> Credential:
    """Return the certificate that CERTIFIED is registered with."""
    return pki.organisation(UNIT, "AUTH_CLI")


@contextmanager
def short_lives(peer: OpenIdPeer) -> Iterator[None]:
    """Let what *peer* gives meanwhile live one second."""
    peer.let_live(tokens=1, ciba=1)
    try:
        yield
    finally:
        peer.let_live(**LIVES)


def walk(browser: httpx.Client, address: str, typed: Mapping[str, str]) -> Arrival:
    """Follow the provider's redirections and fill in its forms until it sends us home."""
    asked = 0
    answer = browser.get(address)
    for _ in range(_MOST_PAGES):
        if answer.is_redirect:
            target = answer.url.join(answer.headers["location"])
            if target.host == HOME:
                return Arrival(str(target), asked)
            answer = browser.get(target)
            continue
        assert answer.status_code == 200, f"{answer.url}: {answer.status_code} {answer.text[:500]}"
        form = html.fromstring(answer.text, base_url=str(answer.url)).forms[0]
        known = {name: value for name, value in typed.items() if name in form.fields}
        asked += bool(known)
        data = {name: value or "" for name, value in form.fields.items()} | known
        place = answer.url.join(form.action or "")
        if form.method == "GET":
            answer = browser.get(place.copy_merge_params(data))
        else:
            answer = browser.post(place, data=data)
    raise AssertionError(f"never sent home: {answer.status_code} {answer.text[:500]}")
