"""The whole site with an independent provider as its Pro Santé Connect: enter, step up, leave."""

import time
from typing import Any

import httpx
import pytest

from ris.auth.model import CloseReason
from ris.core.audit import broken_links
from tests.auth.conftest import Site
from tests.auth.peers.conftest import ClientOf, PeerBrowser
from tests.peers import openid
from tests.peers.openid import OpenIdPeer


def leave(browser: PeerBrowser) -> str:
    answer = browser.application.post("/v1/session/logout", headers=browser.csrf())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["psc_logout_url"])


def confirm(browser: PeerBrowser) -> dict[str, Any]:
    """Ask whether the person is still signed in at the provider."""
    answer: dict[str, Any] = browser.application.post(
        "/v1/session/psc", headers=browser.csrf()
    ).json()
    return answer


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 01.01")
@pytest.mark.rem("SC.PSC.01")
def test_a_radiologist_signs_in_at_our_site(peer_site: Site, dr_a: PeerBrowser) -> None:
    answer, arrival = dr_a.enter("/auth/psc/login?next=/exams%3Fday%3Dtoday")
    assert (answer.status_code, answer.headers["location"]) == (303, "/exams?day=today")
    assert arrival.asked == 1
    me = dr_a.application.get("/v1/session").json()
    assert (me["role"], me["state"], me["acr"]) == ("RADIOLOGIST", "ACTIVE", "eidas1")
    assert [place["struct_idnat"] for place in me["situations"]] == ["499700993001004"]
    assert dr_a.come_back(arrival.address).status_code == 400  # served once
    with peer_site.database.transaction() as session:
        assert list(broken_links(session)) == []


def test_a_request_stripped_of_its_challenge_is_refused_there_and_traced_here(
    peer_site: Site, dr_a: PeerBrowser
) -> None:
    asked = httpx.URL(dr_a.begin()).copy_remove_param("code_challenge")
    arrival = dr_a.holder.go(str(asked.copy_remove_param("code_challenge_method")))
    answer = dr_a.come_back(arrival.address)
    assert (answer.status_code, answer.json()["code"]) == (400, "oidc_error")
    assert [one.reason for one in peer_site.trace("auth.login_failed")] == ["invalid_request"]


def test_a_sensitive_act_wants_the_person_again_and_then_works(
    peer_site: Site, dr_a: PeerBrowser
) -> None:
    dr_a.enter()
    peer_site.change("update ris_session set auth_time = now() - interval '1 hour'")
    refused = dr_a.application.post("/v1/sign", headers=dr_a.csrf())
    assert refused.json()["code"] == "psc_step_up_required"
    answer, arrival = dr_a.enter(refused.json()["login"])
    assert (answer.status_code, arrival.asked) == (303, 1)
    assert dr_a.application.post("/v1/sign", headers=dr_a.csrf()).status_code == 200
    assert peer_site.trace("auth.login_success")[-1].detail["step_up"] is True


@pytest.mark.rem("SC.SSI/IE.38")
def test_leaving_ends_the_session_at_the_provider_too(dr_a: PeerBrowser) -> None:
    dr_a.enter()
    page = dr_a.come_back(dr_a.holder.go(leave(dr_a)).address)
    assert "aussi déconnecté de Pro Santé Connect" in page.text
    assert dr_a.application.get("/v1/session").status_code == 401
    _, arrival = dr_a.enter()
    assert arrival.asked == 1  # not silently back


def test_an_id_token_that_ended_still_ends_the_session_at_the_provider(
    dr_a: PeerBrowser, peer: OpenIdPeer
) -> None:
    with openid.short_lives(peer):
        dr_a.enter()
    time.sleep(1.5)
    page = dr_a.come_back(dr_a.holder.go(leave(dr_a)).address)
    assert "aussi déconnecté de Pro Santé Connect" in page.text
    _, arrival = dr_a.enter()
    assert arrival.asked == 1


def test_a_person_gone_from_the_provider_must_come_back_there_but_works_on_here(
    peer_site: Site, dr_a: PeerBrowser, client_of: ClientOf, peer: OpenIdPeer
) -> None:
    peer.tell_logouts(openid.OURS, "")
    dr_a.enter()
    assert confirm(dr_a) == {"psc_state": "ACTIVE"}
    other = client_of(openid.OTHER)
    dr_a.holder.go(other.logout_url(dr_a.holder.sign_in(other).token, "x"))
    assert confirm(dr_a)["code"] == "psc_reauth_required"
    assert dr_a.application.get("/v1/session").json()["state"] == "ACTIVE"
    assert len(peer_site.trace("auth.psc_link_ended")) == 1


def test_the_provider_ends_our_session_when_the_person_leaves_another_software(
    peer_site: Site, dr_a: PeerBrowser, client_of: ClientOf, peer: OpenIdPeer
) -> None:
    peer.tell_logouts(openid.OURS, f"{peer_site.url}/auth/psc/backchannel-logout")
    dr_a.enter()
    other = client_of(openid.OTHER)
    signed = dr_a.holder.sign_in(other)
    assert signed.tokens is not None
    bearer = {"Authorization": f"Bearer {signed.tokens.access}"}
    api = peer_site.browser().application
    assert api.get("/v1/session", headers=bearer).status_code == 200
    assert dr_a.application.get("/v1/session").status_code == 200
    dr_a.holder.go(other.logout_url(signed.token, "x"))
    assert peer_site.trace("auth.psc_logout_refused") == []
    assert dr_a.application.get("/v1/session").json()["code"] == "session_expired"
    assert api.get("/v1/session", headers=bearer).json()["code"] == "token_invalid"
    closed = peer_site.trace("auth.session_closed")
    assert [one.reason for one in closed] == [CloseReason.PSC_LOGOUT]


def test_our_own_logout_told_back_to_us_changes_nothing(
    peer_site: Site, dr_a: PeerBrowser, peer: OpenIdPeer
) -> None:
    peer.tell_logouts(openid.OURS, f"{peer_site.url}/auth/psc/backchannel-logout")
    dr_a.enter()
    dr_a.holder.go(leave(dr_a))
    assert peer_site.trace("auth.psc_logout_refused") == []
    closed = peer_site.trace("auth.session_closed")
    assert [one.reason for one in closed] == [CloseReason.LOGOUT]


def test_a_token_the_provider_gave_another_software_opens_our_api_until_revoked(
    peer_site: Site, dr_a: PeerBrowser, client_of: ClientOf
) -> None:
    other = client_of(openid.OTHER)
    tokens = dr_a.holder.sign_in(other).tokens
    assert tokens is not None
    headers = {"Authorization": f"Bearer {tokens.access}"}
    api = peer_site.browser().application
    me = api.get("/v1/session", headers=headers)
    assert (me.status_code, me.json()["ps_idnat"]) == (200, dr_a.holder.person.ps_idnat)
    other.provider.post("revocation_endpoint", {"token": tokens.access})
    peer_site.desk.bearer._known.clear()
    assert api.get("/v1/session", headers=headers).json()["code"] == "token_invalid"
