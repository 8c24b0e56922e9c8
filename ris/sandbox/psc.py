"""A strict stand-in of Pro Santé Connect: discovery, wallet page, code flow, userinfo, logout.

Written from the wire specification (auth.md §3), it refuses what PSC refuses; it knows nothing of
the product. Differences kept on purpose: opaque access token, no refresh, no CIBA.
"""

import base64
import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import unquote_plus, urlencode

from cryptography import x509
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel

from ris.core import clock
from ris.sandbox.psc_people import PEOPLE, Person
from ris.sandbox.psc_tokens import LIFE_S, Evil, Signer, id_claims

REALM: Final = "/auth/realms/esante-wallet"
PROTOCOL: Final = f"{REALM}/protocol/openid-connect"
WALLET: Final = "/wallet/auth"
_CODE_LIFE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """One service registered at the provider; addresses are compared exactly.

    With *certificate_unit* the client is `tls_client_auth` (RFC 8705): its secret no longer serves,
    it shows a certificate whose `OU` is that Struct_IdNat, and its access tokens are bound to it.
    """

    client_id: str
    secret: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...] = ()
    certificate_unit: str = ""


class _TokenForm(BaseModel):
    grant_type: str = ""
    code: str = ""
    client_id: str = ""
    redirect_uri: str = ""
    code_verifier: str = ""


@dataclass
class _Code:
    person: Person
    request: Mapping[str, str]
    at: datetime
    used: bool = False
    access_tokens: list[str] = field(default_factory=list)


class PscProvider:
    """The provider: `app` to serve, `base_url` to set once it listens, `evil` to misbehave."""

    def __init__(self, client: RegisteredClient, people: tuple[Person, ...] = PEOPLE) -> None:
        self.base_url = ""
        self.evil: Evil | None = None
        self.slow_s = 0.0
        self.calls: list[str] = []
        self.signer = Signer()
        self.app = FastAPI(openapi_url=None)
        self._client = client
        self._people = {person.ps_idnat: person for person in people}
        self._pending: dict[str, Mapping[str, str]] = {}
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, tuple[Person, datetime]] = {}
        self._routes()

    @property
    def issuer(self) -> str:
        """Return the issuer: not on the path of the authorization endpoint."""
        return f"{self.base_url}{REALM}"

    def _routes(self) -> None:
        def add(method: str, path: str, handler: Callable[..., object]) -> None:
            self.app.add_api_route(path, handler, methods=[method], response_model=None)

        add("GET", f"{REALM}/.well-known/wallet-openid-configuration", self.discovery)
        add("GET", f"{PROTOCOL}/certs", self.signer.public)
        add("GET", WALLET, self.authorize)
        add("POST", f"{WALLET}/login", self.wallet)
        add("POST", f"{PROTOCOL}/token", self.token)
        add("GET", f"{PROTOCOL}/userinfo", self.userinfo)
        add("GET", f"{PROTOCOL}/logout", self.logout)

    def discovery(self) -> dict[str, object]:
        """Return the wallet document; like PSC's, it lists HS256 and useless acr values."""
        told = f"{self.base_url}{PROTOCOL}"
        lie = self.evil is Evil.OTHER_ISSUER_ANNOUNCED
        return {
            "issuer": f"{self.issuer}-other" if lie else self.issuer,
            "authorization_endpoint": f"{self.base_url}{WALLET}",
            "token_endpoint": f"{told}/token",
            "userinfo_endpoint": f"{told}/userinfo",
            "jwks_uri": f"{told}/certs",
            "end_session_endpoint": f"{told}/logout",
            "acr_values_supported": ["0", "0"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def authorize(self, request: Request) -> Response:
        """Check the request and show the wallet; an unknown client or address never redirects."""
        asked = dict(request.query_params)
        if asked.get("client_id") != self._client.client_id:
            return _page("Client inconnu", 400)
        if asked.get("redirect_uri") not in self._client.redirect_uris:
            return _page("redirect_uri non enregistrée", 400)
        if problem := _request_problem(asked):
            return self._back(asked, error="invalid_request", error_description=problem)
        interaction = secrets.token_urlsafe(16)
        self._pending[interaction] = asked
        choices = "".join(
            f'<button name="person" value="{html.escape(one.ps_idnat)}">'
            f"{html.escape(one.given)} {html.escape(one.family)}</button>"
            for one in self._people.values()
        )
        return _page(
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
            return _page("Connexion expirée", 400)
        holder = self._people.get(person)
        if holder is None:
            return self._back(asked, error="access_denied")
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(holder, asked, clock.now())
        return self._back(asked, code=code, session_state=secrets.token_hex(8))

    def token(self, request: Request, form: Annotated[_TokenForm, Form()]) -> Response:
        """Exchange a code: client authenticated, code fresh and unused, same address, verifier."""
        self.calls.append("token")
        if self.evil is Evil.TOKEN_503:
            return Response(status_code=503)
        if self.evil is Evil.SLOW:
            time.sleep(self.slow_s)
        if self._client.certificate_unit:
            known = form.client_id == self._client.client_id and self._certified(request)
        else:
            known = self._authenticated(request.headers.get("authorization", ""))
        if not known:
            return _error("invalid_client", 401)
        if form.grant_type != "authorization_code":
            return _error("unsupported_grant_type")
        redeemed = self._redeem(form.code, form.redirect_uri, form.code_verifier)
        if redeemed is None:
            return _error("invalid_grant")
        return JSONResponse(self._issue(redeemed), headers={"Cache-Control": "no-store"})

    def userinfo(self, request: Request) -> Response:
        """Return the claims of the bearer of a live access token."""
        self.calls.append("userinfo")
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        held = self._access.get(token) if kind == "Bearer" else None
        bound = not self._client.certificate_unit or self._certified(request)
        if held is None or clock.now() > held[1] or not bound:
            return _error("invalid_token", 401)
        claims = held[0].userinfo()
        if self.evil is Evil.USERINFO_HTML:
            return _page("Bienvenue")
        lies: dict[Evil, dict[str, str | None]] = {
            Evil.OTHER_SUB: {"sub": f"{held[0].sub}0"},
            Evil.OTHER_NAME_ID: {"SubjectNameID": "899700993043"},
            Evil.NO_SUBJECT: {"SubjectNameID": None},
        }
        return JSONResponse(claims | (lies.get(self.evil, {}) if self.evil else {}))

    def logout(
        self, id_token_hint: str = "", post_logout_redirect_uri: str = "", state: str = ""
    ) -> Response:
        """Close the provider's session; without a hint, only a confirmation page."""
        if not id_token_hint:
            return _page("Confirmez la déconnexion")
        if post_logout_redirect_uri not in self._client.post_logout_redirect_uris:
            return _page("post_logout_redirect_uri non enregistrée", 400)
        suffix = f"?{urlencode({'state': state})}" if state else ""
        return RedirectResponse(post_logout_redirect_uri + suffix, 302)

    def _redeem(self, code: str, redirect_uri: str, verifier: str) -> _Code | None:
        """Use up a code; a replay revokes what came of it (RFC 6749 §4.1.2)."""
        known = self._codes.get(code)
        if known is None or clock.now() - known.at > _CODE_LIFE:
            return None
        if known.used:
            for token in known.access_tokens:
                self._access.pop(token, None)
            return None
        known.used = True
        same_address = known.request["redirect_uri"] == redirect_uri
        proved = known.request["code_challenge"] == _challenge(verifier)
        return known if same_address and proved else None

    def _issue(self, code: _Code) -> dict[str, object]:
        access = secrets.token_urlsafe(32)
        code.access_tokens.append(access)
        self._access[access] = (code.person, clock.now() + timedelta(seconds=LIFE_S))
        claims = id_claims(
            code.person,
            issuer=self.issuer,
            client_id=self._client.client_id,
            nonce=code.request["nonce"],
            access_token=access,
            evil=self.evil,
        )
        return {
            "access_token": access,
            "expires_in": LIFE_S,
            "token_type": "Bearer",
            "id_token": self.signer.token(
                claims, evil=self.evil, client_secret=self._client.secret
            ),
            "session_state": claims["session_state"],
            "scope": "openid scope_all",
            "not-before-policy": 0,
        }

    def _authenticated(self, header: str) -> bool:
        kind, _, value = header.partition(" ")
        try:
            told = base64.b64decode(value, validate=True).decode()
        except ValueError:
            return False
        name, _, secret = told.partition(":")
        ours = f"{self._client.client_id}:{self._client.secret}"
        given = f"{unquote_plus(name)}:{unquote_plus(secret)}"
        return kind == "Basic" and hmac.compare_digest(given.encode(), ours.encode())

    def _certified(self, request: Request) -> bool:
        chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", [])
        if not chain:
            return False
        subject = x509.load_pem_x509_certificate(chain[0].encode()).subject
        units = subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        return [unit.value for unit in units] == [self._client.certificate_unit]

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


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _error(code: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": code}, status)


def _page(body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><title>Portefeuille</title>{body}", status)
