"""The wire of the decoupled sign-in (CIBA, poll mode): ask, then ask whether it was answered.

auth.md §3.6, OpenID CIBA Core 1.0. No table, no account, no clock of our own (`desk.py`).
"""

from dataclasses import dataclass, field
from typing import Final

from ris.auth.ciba.states import Channel
from ris.auth.errors import CibaUserUnknown, OidcRefused, PscProtocolError
from ris.auth.psc.client import PscClient, SignIn, Tokens
from ris.auth.psc.provider import Document, error_code, json_object
from ris.core.errors import NotConfigured

GRANT: Final = "urn:openid:params:grant-type:ciba"
METHOD: Final = "PSC_CIBA"
_DEFAULT_INTERVAL_S: Final = 5
LONGEST_S: Final = 600
# without the additions of the ANS its text alone tells (26.5); PSC's own code is `unknown_user_id`
_UNKNOWN_TO_KEYCLOAK: Final = ("invalid_request", "invalid user")


@dataclass(frozen=True, slots=True)
class Asked:
    """PSC took the request: how long it lives and how often it may be asked about (seconds)."""

    auth_req_id: str = field(repr=False)
    expires_in_s: int
    interval_s: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The person has not answered yet; *slower* asks for five more seconds between polls."""

    slower: bool = False


def ask(psc: PscClient, *, ps_idnat: str, binding_message: str, channel: Channel) -> Asked:
    """Make the phone or the card of *ps_idnat* ask its holder.

    *binding_message* is two digits, shown on both sides. Raises CibaUserUnknown, NotConfigured
    (PSC has not activated CIBA for us), OidcRefused, PscProtocolError or PscUnavailable.
    """
    modes = psc.provider.document().get("backchannel_token_delivery_modes_supported")
    if not isinstance(modes, list) or "poll" not in modes:
        raise NotConfigured("Pro Santé Connect n'annonce pas la connexion découplée (CIBA).")
    form = {
        "scope": psc.settings.scope,
        "acr_values": psc.settings.acr_values,
        "login_hint": ps_idnat,
        "binding_message": binding_message,
        "channel": channel.value,
    }
    response = psc.provider.post("backchannel_authentication_endpoint", form)
    body = json_object(response, "ciba_malformed")
    if response.status_code != 200:
        raise _refusal(body)
    identifier = body.get("auth_req_id")
    if not isinstance(identifier, str) or not identifier:
        raise PscProtocolError("ciba_malformed")
    return Asked(
        identifier,
        _seconds(body.get("expires_in"), 120, LONGEST_S),
        _seconds(body.get("interval"), _DEFAULT_INTERVAL_S, LONGEST_S),
    )


def poll(psc: PscClient, auth_req_id: str) -> Waiting | Tokens:
    """Ask once whether the person answered.

    Raises OidcRefused whose reason is PSC's own code (`access_denied`, `expired_token`,
    `invalid_grant`…), PscProtocolError or PscUnavailable.
    """
    try:
        return psc.redeem({"grant_type": GRANT, "auth_req_id": auth_req_id})
    except OidcRefused as error:
        code = error.reason.removeprefix("token_")
        if code == "authorization_pending":
            return Waiting()
        if code == "slow_down":
            return Waiting(slower=True)
        raise OidcRefused(code) from error


def accept(psc: PscClient, tokens: Tokens) -> SignIn:
    """Return who *tokens* are about; the checks are the web flow's, but for the nonce."""
    return psc.accept(tokens, psc.expected(nonce=None), method=METHOD)


def _refusal(body: Document) -> Exception:
    code = error_code(body)
    plain_keycloak = (code, body.get("error_description")) == _UNKNOWN_TO_KEYCLOAK
    if code == "unknown_user_id" or plain_keycloak:
        return CibaUserUnknown("unknown_user_id")
    if code == "unauthorized_client":
        return NotConfigured("Pro Santé Connect n'a pas activé CIBA pour ce logiciel.")
    return OidcRefused(f"ciba_{code}")


def _seconds(told: object, otherwise: int, most: int) -> int:
    usable = isinstance(told, int | float) and 0 <= told <= most
    return int(told) if usable else otherwise  # type: ignore[call-overload]
