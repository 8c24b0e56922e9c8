"""Our certificate as our authentication, and tokens bound to it, before independent providers."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ris.auth.ciba.states import Channel
from ris.auth.ciba.wire import accept, ask, poll
from ris.auth.errors import OidcRefused, PscProtocolError
from ris.auth.psc import token_binding
from ris.auth.psc.client import Tokens
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import SECRETARY
from tests.auth.peers.conftest import ClientOf, Holder
from tests.peers import openid
from tests.peers.openid import CERTIFIED, OpenIdPeer


def test_our_certificate_authenticates_us_and_no_other_does(
    client_of: ClientOf, holder: Holder, pki: TestPki
) -> None:
    ours = client_of(CERTIFIED, openid.our_certificate(pki))
    signed = holder.sign_in(ours)
    assert signed.claims["aud"] == CERTIFIED
    for credential in (None, pki.organisation("499700993019014", "AUTH_CLI")):
        with pytest.raises(OidcRefused) as caught:
            holder.sign_in(client_of(CERTIFIED, credential))
        assert caught.value.reason == "token_invalid_client"


def test_a_bound_token_is_worth_nothing_without_its_certificate(
    client_of: ClientOf, holder: Holder, pki: TestPki
) -> None:
    certificate = openid.our_certificate(pki)
    ours = client_of(CERTIFIED, certificate)
    tokens = holder.sign_in(ours).tokens
    assert tokens is not None
    der = certificate.load()[0].public_bytes(Encoding.DER)
    assert token_binding.holds(ours.introspect(tokens.access), der)
    assert token_binding.is_bound(ours.introspect(tokens.access))
    assert ours.userinfo(tokens.access)["SubjectNameID"] == holder.person.ps_idnat
    for credential in (None, pki.organisation("499700993019014", "AUTH_CLI")):
        with pytest.raises(PscProtocolError) as caught:
            client_of(CERTIFIED, credential).userinfo(tokens.access)
        assert caught.value.reason == "userinfo_refused"


def test_refresh_and_the_decoupled_flow_use_the_certificate_too(
    client_of: ClientOf, holder: Holder, peer: OpenIdPeer, pki: TestPki
) -> None:
    ours = client_of(CERTIFIED, openid.our_certificate(pki))
    signed = holder.sign_in(ours)
    assert signed.tokens is not None
    renewed = ours.refresh(signed.tokens.refresh or "", sub=signed.claims["sub"])
    assert ours.userinfo(renewed.access)["SubjectNameID"] == holder.person.ps_idnat
    asked = ask(ours, ps_idnat=SECRETARY.ps_idnat, binding_message="42", channel=Channel.CARD)
    peer.thumb(SECRETARY, "42", approve=True)
    answer = poll(ours, asked.auth_req_id)
    assert isinstance(answer, Tokens)
    assert accept(ours, answer).userinfo["SubjectNameID"] == SECRETARY.ps_idnat
