"""Client authentication by certificate, as the espace de confiance wants it (RFC 8705)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ris.auth import cookies
from ris.auth.errors import OidcRefused
from ris.auth.psc import PscClient, Secrets, SignIn
from ris.auth.settings import PscSettings
from ris.core import http
from ris.core.crypto import Credential
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider, RegisteredClient
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.psc_wallet import pick
from ris.sandbox.server import serve
from tests.auth.browser import query_of

UNIT, CALLBACK = "499700993001004", "https://ris.test/cb"
SignInWith = Callable[[Credential | None], SignIn]


@pytest.fixture
def sign_in_with(pki: TestPki) -> Iterator[SignInWith]:
    """Signs Dr A in at a provider that wants certificates, presenting the one given."""
    provider = PscProvider(RegisteredClient("ris", "unused", (CALLBACK,), certificate_unit=UNIT))
    trust: Path = pki.trust

    def run(credential: Credential | None) -> SignIn:
        settings = PscSettings(
            issuer=provider.issuer,
            client_id="ris",
            client_auth="tls_client_auth",
            redirect_uri=CALLBACK,
        )
        wire = http.client(trust=trust, credential=credential, settings=HttpSettings())
        with wire:
            client = PscClient(settings, wire)
            secrets = Secrets(cookies.fresh(), cookies.fresh(), cookies.fresh() * 2)
            back = pick(wire, client.authorization_url(secrets), RADIOLOGIST_A.ps_idnat)
            return client.sign_in(query_of(back)["code"], secrets)

    with serve(
        provider.app, tls=pki.server(), client_ca=pki.trust, client_cert="optional"
    ) as running:
        provider.base_url = running.url
        yield run


def test_the_certificate_of_the_structure_authenticates_us(
    sign_in_with: SignInWith, pki: TestPki
) -> None:
    sign_in = sign_in_with(pki.organisation(UNIT, "AUTH_CLI"))
    assert sign_in.userinfo["SubjectNameID"] == RADIOLOGIST_A.ps_idnat


def test_no_certificate_or_another_structure_s_is_refused(
    sign_in_with: SignInWith, pki: TestPki
) -> None:
    for credential in (None, pki.organisation("499700993019014", "AUTH_CLI")):
        with pytest.raises(OidcRefused) as caught:
            sign_in_with(credential)
        assert caught.value.reason == "token_invalid_client"
