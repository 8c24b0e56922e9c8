"""The decoupled sign-in (CIBA, poll mode) before independent providers; a test plays the phone."""

import time

import pytest

from ris.auth.ciba.states import Channel
from ris.auth.ciba.wire import METHOD, Asked, Waiting, accept, ask, poll
from ris.auth.errors import CibaUserUnknown, OidcRefused
from ris.auth.psc.client import PscClient, Tokens
from ris.sandbox.psc_people import RADIOLOGIST_A, REQUESTER, SECRETARY
from tests.auth.conftest import Site
from tests.auth.peers.conftest import KEYCLOAK
from tests.peers import openid
from tests.peers.keycloak.launcher import Keycloak
from tests.peers.openid import OpenIdPeer

DIGITS = "07"


def asked(client: PscClient) -> Asked:
    return ask(client, ps_idnat=SECRETARY.ps_idnat, binding_message=DIGITS, channel=Channel.MOBILE)


def answer(client: PscClient, request: Asked) -> Tokens | Waiting:
    """Poll as a client may: no sooner than told, once more when told to slow down."""
    time.sleep(request.interval_s if request.interval_s < 2 else 0)
    return poll(client, request.auth_req_id)


def test_a_phone_that_says_yes_signs_its_holder_in_once(
    client: PscClient, peer: OpenIdPeer
) -> None:
    request = asked(client)
    assert request.expires_in_s == 120
    assert poll(client, request.auth_req_id) == Waiting()
    assert poll(client, request.auth_req_id) == Waiting(slower=peer.slows_down)
    peer.thumb(SECRETARY, DIGITS, approve=True)
    tokens = answer(client, request)
    assert isinstance(tokens, Tokens)
    signed = accept(client, tokens)
    assert signed.userinfo["SubjectNameID"] == SECRETARY.ps_idnat
    assert (signed.claims["acr"], signed.method) == ("eidas1", METHOD)
    renewed = client.refresh(tokens.refresh or "", sub=signed.claims["sub"])
    assert client.userinfo(renewed.access)["SubjectNameID"] == SECRETARY.ps_idnat
    with pytest.raises(OidcRefused) as caught:
        answer(client, request)
    assert caught.value.reason == "invalid_grant"


@pytest.mark.parametrize("peer", [KEYCLOAK], indirect=True)
def test_what_the_phone_must_show_reaches_it(client: PscClient, peer: Keycloak) -> None:
    asked(client)
    shown = peer.phones.shown(SECRETARY.ps_idnat)
    assert (shown["binding_message"], shown["channel"]) == (DIGITS, "MOBILE")
    # Keycloak keeps names of users in small letters
    assert shown["login_hint"].upper() == SECRETARY.ps_idnat
    assert shown["acr_values"] == "eidas1"


def test_a_phone_that_says_no_opens_nothing(client: PscClient, peer: OpenIdPeer) -> None:
    request = asked(client)
    peer.thumb(SECRETARY, DIGITS, approve=False)
    with pytest.raises(OidcRefused) as caught:
        answer(client, request)
    assert caught.value.reason == "access_denied"


def test_a_request_nobody_answers_expires(client: PscClient, peer: OpenIdPeer) -> None:
    with openid.short_lives(peer):
        request = asked(client)
    assert request.expires_in_s == 1
    time.sleep(2)
    with pytest.raises(OidcRefused) as caught:
        poll(client, request.auth_req_id)
    assert caught.value.reason == "expired_token"


def test_a_person_the_provider_does_not_know_is_told_apart(client: PscClient) -> None:
    with pytest.raises(CibaUserUnknown):
        ask(client, ps_idnat=REQUESTER.ps_idnat, binding_message=DIGITS, channel=Channel.CARD)


def test_a_message_that_no_phone_may_show_is_refused(client: PscClient) -> None:
    with pytest.raises(OidcRefused) as caught:
        ask(
            client,
            ps_idnat=SECRETARY.ps_idnat,
            binding_message="de plus près",
            channel=Channel.CARD,
        )
    assert caught.value.reason == "ciba_invalid_binding_message"


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 04.01")
@pytest.mark.rem("SC.PSC.01")
def test_a_phone_signs_in_at_our_site(peer_site: Site, peer: OpenIdPeer) -> None:
    kiosk = peer_site.browser()
    body = {"ps_idnat": RADIOLOGIST_A.ps_idnat[1:], "channel": "MOBILE"}
    started = kiosk.application.post("/auth/psc/ciba", json=body).json()
    place = f"/auth/psc/ciba/{started['id']}"
    due = "update ciba_request set next_poll_at = now()"
    peer_site.change(due)
    assert kiosk.application.post(place).json()["state"] == "PENDING"
    peer.thumb(RADIOLOGIST_A, started["binding_message"], approve=True)
    time.sleep(started["interval_s"] if started["interval_s"] < 2 else 0)
    peer_site.change(due)
    assert kiosk.application.post(place).json()["state"] == "SESSION_OPEN"
    me = kiosk.application.get("/v1/session").json()
    assert (me["ps_idnat"], me["acr"]) == (RADIOLOGIST_A.ps_idnat, "eidas1")
    peer_site.change("update ris_session set psc_access_expires_at = now()")
    confirmed = kiosk.application.post("/v1/session/psc", headers=kiosk.csrf())
    assert confirmed.json() == {"psc_state": "ACTIVE"}
