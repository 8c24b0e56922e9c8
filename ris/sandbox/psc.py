"""A strict stand-in of Pro Santé Connect, as a browser sees it: discovery, wallet page, logout.

Written from the wire specification (auth.md §3), it refuses what PSC refuses; it knows nothing of
the product. Difference kept on purpose: opaque access tokens. What programs call is in
`psc_endpoints.py`.
"""

import html
import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from ris.core import clock
from ris.sandbox import psc_lies
from ris.sandbox.psc_endpoints import REALM, Code, RegisteredClient, TokenEndpoints, page
from ris.sandbox.psc_people import PEOPLE, Person
from ris.sandbox.psc_tokens import Evil, sid_of

__all__ = ["PROTOCOL", "REALM", "WALLET", "PscProvider", "RegisteredClient"]

PROTOCOL: Final = f"{REALM}/protocol/openid-connect"
WALLET: Final = "/wallet/auth"
PHONE: Final = "/wallet/phone"


class PscProvider(TokenEndpoints):
    """The provider: `app` to serve, `base_url` to set once it listens, `evil` to misbehave.

    *announced* changes the discovery document; *forgets_state* sends the browser back from logout
    without its state, as PSC has been seen to do.
    """

    def __init__(self, client: RegisteredClient, people: tuple[Person, ...] = PEOPLE) -> None:
        super().__init__(client, people)
        self.app = FastAPI(openapi_url=None)
        self.announced: dict[str, object] = {}
        self.forgets_state = False
        self._pending: dict[str, Mapping[str, str]] = {}
        self._routes()

    def _routes(self) -> None:
        def add(method: str, path: str, handler: Callable[..., object]) -> None:
            self.app.add_api_route(path, handler, methods=[method], response_model=None)

        add("GET", f"{REALM}/.well-known/wallet-openid-configuration", self.discovery)
        add("GET", f"{PROTOCOL}/certs", self.certs)
        add("GET", WALLET, self.authorize)
        add("POST", f"{WALLET}/login", self.wallet)
        add("POST", f"{PROTOCOL}/token", self.token)
        add("GET", f"{PROTOCOL}/userinfo", self.userinfo)
        add("GET", f"{PROTOCOL}/logout", self.logout)
        add("POST", f"{PROTOCOL}/token/introspect", self.introspect)
        add("POST", f"{PROTOCOL}/revoke", self.revoke)
        add("POST", f"{PROTOCOL}/ext/ciba/auth", self.ciba)
        add("POST", PHONE, self.phone)

    def discovery(self) -> dict[str, object] | Response:
        """Return the wallet document; like PSC's, it lists HS256 and useless acr values."""
        if self.evil is Evil.HUGE_DISCOVERY:
            return psc_lies.huge()
        told = f"{self.base_url}{PROTOCOL}"
        back = {
            "token_endpoint": "token",
            "userinfo_endpoint": "userinfo",
            "introspection_endpoint": "token/introspect",
            "revocation_endpoint": "revoke",
            "backchannel_authentication_endpoint": "ext/ciba/auth",
        }
        certified = f"{self.mtls_url or self.base_url}{PROTOCOL}"
        document: dict[str, object] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.base_url}{WALLET}",
            "jwks_uri": f"{told}/certs",
            "end_session_endpoint": f"{told}/logout",
            "acr_values_supported": ["0", "0"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "backchannel_token_delivery_modes_supported": ["poll", "ping"],
            "backchannel_logout_supported": True,
            "authorization_response_iss_parameter_supported": True,
            "mtls_endpoint_aliases": {name: f"{certified}/{at}" for name, at in back.items()},
        }
        document |= {name: f"{told}/{at}" for name, at in back.items()}
        if self.evil is Evil.OTHER_ISSUER_ANNOUNCED:
            document["issuer"] = f"{self.issuer}-other"
        if self.evil is Evil.CLEAR_TEXT_ENDPOINT:
            document["token_endpoint"] = f"{told}/token".replace("https:", "http:")
        return document | self.announced

    def certs(self) -> Response:
        """Return the published keys."""
        self.calls.append("certs")
        if self.evil is Evil.JWKS_500:
            return Response(status_code=500)
        if self.evil is Evil.HUGE_JWKS:
            return psc_lies.huge()
        return JSONResponse(self.signer.public())

    def authorize(self, request: Request) -> Response:
        """Check the request and show the wallet; an unknown client or address never redirects."""
        asked = dict(request.query_params)
        if asked.get("client_id") != self._client.client_id:
            return page("Client inconnu", 400)
        if asked.get("redirect_uri") not in self._client.redirect_uris:
            return page("redirect_uri non enregistrée", 400)
        if problem := _request_problem(asked):
            return self._back(asked, error="invalid_request", error_description=problem)
        interaction = secrets.token_urlsafe(16)
        self._pending[interaction] = asked
        choices = "".join(
            f'<button name="person" value="{html.escape(one.ps_idnat)}">'
            f"{html.escape(one.given)} {html.escape(one.family)}</button>"
            for one in self._people.values()
        )
        return page(
            f'<form method="post" action="{WALLET}/login">'
            f'<input type="hidden" name="interaction" value="{interaction}">{choices}'
            '<button name="person" value="">Refuser</button></form>'
        )

    def wallet(
        self, interaction: Annotated[str, Form()], person: Annotated[str, Form()] = ""
    ) -> Response:
        """Receive the holder's choice (empty: refused) and send the browser back, once."""
        asked = self._pending.pop(interaction, None)
        if asked is None:
            return page("Connexion expirée", 400)
        holder = self._people.get(person)
        if holder is None:
            return self._back(asked, error="access_denied")
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(holder, asked, clock.now())
        return self._back(asked, code=code, session_state=secrets.token_hex(8))

    def logout(
        self, id_token_hint: str = "", post_logout_redirect_uri: str = "", state: str = ""
    ) -> Response:
        """Close the provider's session; without a hint, only a confirmation page."""
        if not id_token_hint:
            return page("Confirmez la déconnexion")
        if post_logout_redirect_uri not in self._client.post_logout_redirect_uris:
            return page("post_logout_redirect_uri non enregistrée", 400)
        self.grants.close(sid_of(id_token_hint))
        suffix = f"?{urlencode({'state': state})}" if state and not self.forgets_state else ""
        return RedirectResponse(post_logout_redirect_uri + suffix, 302)

    def _back(self, asked: Mapping[str, str], **answer: str) -> Response:
        told = answer | {"iss": self.issuer}
        if "state" in asked:
            told["state"] = asked["state"]
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told)}", 302)


def _request_problem(asked: Mapping[str, str]) -> str | None:
    """Return what is wrong with an authorization request, or None."""
    if asked.get("response_type") != "code":
        return "response_type"
    if asked.get("scope") != "openid scope_all":
        return "scope"
    if asked.get("acr_values") != "eidas1":
        return "acr_values"
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
        return "code_challenge"
    short = (name for name in ("state", "nonce") if len(asked.get(name, "")) < 22)
    return next(short, None)
