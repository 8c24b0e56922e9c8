"""Client authentication by certificate, as the espace de confiance wants it (RFC 8705, A20)."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ris.auth import cookies
from ris.auth.ciba.states import Channel
from ris.auth.ciba.wire import accept, ask, poll
from ris.auth.errors import OidcRefused, PscProtocolError
from ris.auth.psc.client import PscClient, Secrets, SignIn, Tokens
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings, PscSettings
from ris.core import http
from ris.core.crypto import Credential, Keyring, Sealer
from ris.core.db import Database
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider, RegisteredClient
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.psc_wallet import pick
from ris.sandbox.server import serve
from tests.auth.browser import query_of

UNIT, CALLBACK = "499700993001004", "https://ris.test/cb"
OTHER_UNIT = "499700993019014"
ClientOf = Callable[[Credential | None], PscClient]


@pytest.fixture
def provider(pki: TestPki) -> Iterator[PscProvider]:
    """A provider that wants our certificate, at addresses of their own for certificate holders."""
    made = PscProvider(RegisteredClient("ris", "unused", (CALLBACK,), certificate_unit=UNIT))
    with (
        serve(made.app, tls=pki.server()) as front,
        serve(made.app, tls=pki.server(), client_ca=pki.trust, client_cert="optional") as certified,
    ):
        made.base_url, made.mtls_url = front.url, certified.url
        yield made


@pytest.fixture
def client_of(provider: PscProvider, pki: TestPki) -> Iterator[ClientOf]:
    """Our client, presenting the certificate given."""
    with ExitStack() as stack:

        def make(credential: Credential | None) -> PscClient:
            settings = PscSettings(
                issuer=provider.issuer,
                client_id="ris",
                client_auth="tls_client_auth",
                redirect_uri=CALLBACK,
            )
            wire = http.client(trust=pki.trust, credential=credential, settings=HttpSettings())
            stack.callback(wire.close)
            return PscClient(settings, wire)

        yield make


def sign_in(client: PscClient, pki: TestPki) -> SignIn:
    secrets = Secrets(cookies.fresh(), cookies.fresh(), cookies.fresh() * 2)
    with http.client(trust=pki.trust, settings=HttpSettings()) as browser:
        url = client.authorization_url(secrets)
        back = pick(browser, url, RADIOLOGIST_A.ps_idnat)
    return client.sign_in(query_of(back)["code"], secrets)


def test_the_certificate_of_the_structure_authenticates_us_at_the_alias_only(
    client_of: ClientOf, provider: PscProvider, pki: TestPki
) -> None:
    client = client_of(pki.organisation(UNIT, "AUTH_CLI"))
    signed = sign_in(client, pki)
    assert signed.userinfo["SubjectNameID"] == RADIOLOGIST_A.ps_idnat
    for name in ("token_endpoint", "userinfo_endpoint", "introspection_endpoint"):
        assert client.provider._backchannel(name).startswith(provider.mtls_url)
    for name in ("authorization_endpoint", "end_session_endpoint", "jwks_uri"):
        assert client.provider.endpoint(name).startswith(provider.base_url)


def test_a_browser_is_never_sent_to_an_alias(
    client_of: ClientOf, provider: PscProvider, pki: TestPki
) -> None:
    provider.announced["mtls_endpoint_aliases"] = {
        "authorization_endpoint": f"{provider.mtls_url}/certified-page"
    }
    client = client_of(pki.organisation(UNIT, "AUTH_CLI"))
    url = client.authorization_url(Secrets("s", "n", "v" * 43))
    assert url.startswith(f"{provider.base_url}/wallet/auth?")


def test_no_certificate_or_another_structure_s_is_refused(
    client_of: ClientOf, pki: TestPki
) -> None:
    for credential in (None, pki.organisation(OTHER_UNIT, "AUTH_CLI")):
        with pytest.raises(OidcRefused) as caught:
            sign_in(client_of(credential), pki)
        assert caught.value.reason == "token_invalid_client"


def test_a_bound_token_is_worth_nothing_without_its_certificate(
    client_of: ClientOf, pki: TestPki
) -> None:
    ours = client_of(pki.organisation(UNIT, "AUTH_CLI"))
    tokens = sign_in(ours, pki).tokens
    assert tokens is not None
    assert ours.userinfo(tokens.access)["SubjectNameID"] == RADIOLOGIST_A.ps_idnat
    assert ours.introspect(tokens.access)["active"] is True
    assert len(ours.introspect(tokens.access)["cnf"]["x5t#S256"]) == 43
    for credential in (None, pki.organisation(OTHER_UNIT, "AUTH_CLI")):
        thief = client_of(credential)
        with pytest.raises(PscProtocolError) as caught:
            thief.userinfo(tokens.access)
        assert caught.value.reason == "userinfo_refused"
        with pytest.raises(PscProtocolError):
            thief.introspect(tokens.access)


def test_refresh_and_the_decoupled_flow_use_the_certificate_too(
    client_of: ClientOf, provider: PscProvider, pki: TestPki
) -> None:
    ours = client_of(pki.organisation(UNIT, "AUTH_CLI"))
    signed = sign_in(ours, pki)
    assert signed.tokens is not None
    renewed = ours.refresh(signed.tokens.refresh or "", sub=RADIOLOGIST_A.sub)
    assert renewed.access != signed.tokens.access
    asked = ask(ours, ps_idnat=RADIOLOGIST_A.ps_idnat, binding_message="42", channel=Channel.CARD)
    provider.phones.decide(RADIOLOGIST_A.ps_idnat, approve=True)
    answer = poll(ours, asked.auth_req_id)
    assert isinstance(answer, Tokens)
    assert accept(ours, answer).method == "PSC_CIBA"


def test_a_certificate_replaced_on_disk_authenticates_us_with_no_restart(
    provider: PscProvider, pki: TestPki, database: Database, tmp_path: Path
) -> None:
    own = Credential(tmp_path / "psc.pem", tmp_path / "psc.key")

    def put(source: Credential) -> None:
        shutil.copy(source.certificate, own.certificate)
        shutil.copy(source.key, own.key)

    put(pki.organisation(OTHER_UNIT, "AUTH_CLI"))
    told = PscSettings(
        issuer=provider.issuer, client_id="ris", client_auth="tls_client_auth",
        redirect_uri=CALLBACK, trust=pki.trust, certificate=own.certificate, key=own.key,
    )  # fmt: skip
    sealer = Sealer(Keyring.generate(tmp_path / "ring.json"))
    desk = SignInDesk.build(
        AuthSettings(psc=told), database=database, sealer=sealer, environment="test"
    )
    with closing(desk):
        with pytest.raises(OidcRefused):
            sign_in(desk.psc, pki)
        put(pki.organisation(UNIT, "AUTH_CLI"))
        assert sign_in(desk.psc, pki).userinfo["SubjectNameID"] == RADIOLOGIST_A.ps_idnat
