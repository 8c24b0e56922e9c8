"""Our client's code flow, refresh and introspection before independent providers."""

import time
from datetime import timedelta

import pytest

from ris.auth import cookies
from ris.auth.errors import AcrTooLow, OidcRefused, PscProtocolError
from ris.auth.psc import userinfo
from ris.auth.psc.client import PscClient, Secrets, SignIn, Tokens
from ris.core import clock
from tests.auth.peers.conftest import ClientOf, Holder, fresh_secrets
from tests.peers import openid


def tokens_of(sign_in: SignIn) -> Tokens:
    assert sign_in.tokens is not None
    return sign_in.tokens


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 01.01")
def test_an_independent_provider_signs_our_radiologist_in(
    client: PscClient, holder: Holder
) -> None:
    sign_in = holder.sign_in(client)
    assert (sign_in.claims["acr"], sign_in.claims["aud"]) == ("eidas1", "ris-core")
    identity = userinfo.parse(sign_in.userinfo)
    assert (identity.rpps, identity.family) == ("99700993001", "ONDEFICTIVE")
    places = [activity.structure.value for activity in identity.situations()]
    assert places == ["499700993001004"]
    tokens = tokens_of(sign_in)
    assert 100 < (tokens.access_expires_at - clock.now()).total_seconds() <= 120
    assert abs((clock.now() - sign_in.auth_time).total_seconds()) < 60


def test_a_level_below_the_one_we_ask_is_refused(client: PscClient, holder: Holder) -> None:
    client.settings = client.settings.model_copy(update={"acr_values": "eidas2"})
    with pytest.raises(AcrTooLow) as caught:
        holder.sign_in(client)
    assert caught.value.reason == "id_token_acr_low"


def test_a_foreign_verifier_and_a_code_served_twice_are_refused(
    client: PscClient, holder: Holder
) -> None:
    secrets = fresh_secrets()
    code = holder.go(client.authorization_url(secrets)).query["code"]
    other = Secrets(secrets.state, secrets.nonce, cookies.fresh() + cookies.fresh())
    with pytest.raises(OidcRefused) as caught:
        client.sign_in(code, other)
    assert caught.value.reason == "token_invalid_grant"
    code = holder.go(client.authorization_url(secrets)).query["code"]
    client.sign_in(code, secrets)
    with pytest.raises(OidcRefused) as caught:
        client.sign_in(code, secrets)
    assert caught.value.reason == "token_invalid_grant"


def test_tokens_are_renewed_and_a_spent_refresh_token_is_refused(
    client: PscClient, holder: Holder
) -> None:
    sign_in = holder.sign_in(client)
    tokens, sub = tokens_of(sign_in), sign_in.claims["sub"]
    renewed = client.refresh(tokens.refresh or "", sub=sub)
    assert renewed.access != tokens.access
    assert renewed.refresh not in {None, tokens.refresh}
    assert client.userinfo(renewed.access)["sub"] == sub
    with pytest.raises(OidcRefused) as caught:
        client.refresh(tokens.refresh or "", sub=sub)
    assert caught.value.reason == "token_invalid_grant"


def test_the_provider_tells_what_a_token_is_worth(client: PscClient, holder: Holder) -> None:
    access = tokens_of(holder.sign_in(client)).access
    told = client.introspect(access)
    assert (told["active"], told["client_id"]) == (True, "ris-core")
    assert client.provider.post("revocation_endpoint", {"token": access}).status_code == 200
    assert client.introspect(access)["active"] is False


def test_a_signed_userinfo_is_verified_and_read(client_of: ClientOf, holder: Holder) -> None:
    other = client_of(openid.OTHER)
    sign_in = holder.sign_in(other)
    assert sign_in.userinfo["SubjectNameID"] == holder.person.ps_idnat
    raw = other.provider.get("userinfo_endpoint", tokens_of(sign_in).access)
    assert raw.headers["content-type"].partition(";")[0] == "application/jwt"


def test_a_second_sign_in_is_silent_and_a_step_up_asks_the_person_again(
    client: PscClient, holder: Holder
) -> None:
    first = holder.sign_in(client)
    secrets = fresh_secrets()
    silent = holder.go(client.authorization_url(secrets))
    assert silent.asked == 0
    again = client.sign_in(silent.query["code"], secrets)
    assert (again.auth_time, again.claims["acr"]) == (first.auth_time, "eidas1")
    while clock.now().timestamp() < int(first.auth_time.timestamp()) + 1:
        time.sleep(0.05)  # auth_time counts in seconds
    secrets = fresh_secrets()
    fresh = holder.go(client.authorization_url(secrets, step_up=True))
    assert fresh.asked >= 1
    assert (
        client.sign_in(fresh.query["code"], secrets, since=clock.now()).auth_time > first.auth_time
    )


def test_an_authentication_older_than_the_step_up_is_refused(
    client: PscClient, holder: Holder
) -> None:
    first = holder.sign_in(client)
    secrets = fresh_secrets()
    code = holder.go(client.authorization_url(secrets)).query["code"]
    since = first.auth_time + timedelta(seconds=client.settings.leeway_s + 1)
    with pytest.raises(PscProtocolError) as caught:
        client.sign_in(code, secrets, since=since)
    assert caught.value.reason == "id_token_auth_time"
