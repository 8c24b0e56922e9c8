"""The Pro Santé Connect client: discovery, code flow, userinfo, logout (auth.md §3, §11).

Only the wire and the trust in it. Accounts, sessions and cookies are elsewhere; tokens never leave
this module except the id_token, kept sealed by the session for the logout hint.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ris.auth import id_token
from ris.auth.errors import OidcRefused, PscProtocolError, PscUnavailable
from ris.auth.settings import PscSettings
from ris.core import clock, http
from ris.core.errors import Lost, Transient

_REFRESH: Final = timedelta(days=1)
_RELOAD: Final = timedelta(minutes=1)
_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "end_session_endpoint",
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The three secrets of one login attempt."""

    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """A verified sign-in: id_token claims, userinfo claims, and the id_token itself."""

    claims: Mapping[str, Any]
    userinfo: Mapping[str, Any]
    token: str
    auth_time: datetime


class PscClient:
    """One relying party at one provider. *client* is a verified TLS client of `ris.core.http`."""

    def __init__(self, settings: PscSettings, client: httpx.Client) -> None:
        self.settings = settings
        self._client = client
        self._lock = threading.Lock()
        self._document: Mapping[str, Any] = {}
        self._document_at: datetime | None = None
        self._keys = KeySet([])
        self._keys_at: datetime | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def authorization_url(self, secrets: Secrets, *, step_up: bool = False) -> str:
        """Return where to send the browser; *step_up* asks for a fresh authentication."""
        chosen = self.settings
        parameters = {
            "response_type": "code",
            "client_id": chosen.client_id,
            "redirect_uri": chosen.redirect_uri,
            "scope": chosen.scope,
            "acr_values": chosen.acr_values,
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_challenge": _challenge(secrets.code_verifier),
            "code_challenge_method": "S256",
        }
        if step_up:
            parameters |= {"prompt": "login", "max_age": "0"}
        address = httpx.URL(self._endpoint("authorization_endpoint"))
        return str(address.copy_merge_params(parameters))

    def logout_url(self, token: str, state: str) -> str:
        """Return where to send the browser to close the PSC session too (RP-initiated)."""
        parameters = {
            "id_token_hint": token,
            "post_logout_redirect_uri": self.settings.post_logout_redirect_uri,
            "state": state,
        }
        address = httpx.URL(self._endpoint("end_session_endpoint"))
        return str(address.copy_merge_params(parameters))

    def sign_in(self, code: str, secrets: Secrets, *, since: datetime | None = None) -> SignIn:
        """Exchange *code* and return who signed in.

        *since* is the start of a step-up: an older authentication is refused. Raises
        PscProtocolError, AcrTooLow, OidcRefused or PscUnavailable.
        """
        tokens = self._tokens(code, secrets)
        token, access = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(token, str) or not isinstance(access, str):
            raise PscProtocolError("token_malformed")
        if str(tokens.get("token_type", "")).lower() != "bearer":
            raise PscProtocolError("token_type")
        claims = id_token.verified(token, self._keys_for)
        now = clock.now()
        id_token.check(claims, self._expected(secrets, since), now=now, access_token=access)
        userinfo = self._userinfo(access)
        if "sub" not in claims or userinfo.get("sub") != claims["sub"]:
            raise PscProtocolError("userinfo_sub")
        told = claims.get("SubjectNameID")
        if told is not None and told != userinfo.get("SubjectNameID"):
            raise PscProtocolError("userinfo_subject_name_id")
        return SignIn(claims, userinfo, token, id_token.authenticated_at(claims, otherwise=now))

    def check_issuer(self, told: str | None) -> None:
        """Refuse a callback whose `iss` is another's (RFC 9207, mix-up)."""
        if told is not None and told != self.settings.issuer:
            raise PscProtocolError("callback_iss")

    def _expected(self, secrets: Secrets, since: datetime | None) -> id_token.Expected:
        chosen = self.settings
        return id_token.Expected(
            issuer=chosen.issuer,
            client_id=chosen.client_id,
            nonce=secrets.nonce,
            least_acr=chosen.acr_values,
            leeway_s=chosen.leeway_s,
            absent_acr_tolerated=chosen.absent_acr_tolerated,
            authenticated_since=since,
        )

    def _tokens(self, code: str, secrets: Secrets) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
            "code_verifier": secrets.code_verifier,
        }
        auth: httpx.BasicAuth | None = None
        if self.settings.client_auth == "tls_client_auth":
            form["client_id"] = self.settings.client_id
        else:
            secret = self.settings.client_secret.get_secret_value()
            auth = httpx.BasicAuth(self.settings.client_id, secret)
        request = self._client.build_request("POST", self._endpoint("token_endpoint"), data=form)
        if auth is not None:
            request = next(auth.sync_auth_flow(request))
        response = self._send(request)
        body = _json_object(response, "token_malformed")
        if response.status_code != 200:
            raise OidcRefused(f"token_{_error_code(body)}")
        return body

    def _userinfo(self, access: str) -> Mapping[str, Any]:
        request = self._client.build_request(
            "GET",
            self._endpoint("userinfo_endpoint"),
            headers={"Authorization": f"Bearer {access}"},
        )
        response = self._send(request)
        if response.status_code != 200:
            raise PscProtocolError("userinfo_refused")
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind == "application/json":
            return _json_object(response, "userinfo_malformed")
        if kind != "application/jwt":
            raise PscProtocolError("userinfo_content_type")
        claims = id_token.verified(response.text.strip(), self._keys_for, "userinfo")
        if claims.get("iss") != self.settings.issuer:
            raise PscProtocolError("userinfo_iss")
        return claims

    def _endpoint(self, name: str) -> str:
        document = self._discovery()
        if self.settings.client_auth == "tls_client_auth":
            aliases = document.get("mtls_endpoint_aliases", {})
            return str(aliases.get(name, document[name]))
        return str(document[name])

    def _discovery(self) -> Mapping[str, Any]:
        """Return the wallet document, refreshed daily; its issuer must be the pinned one."""
        with self._lock:
            now = clock.now()
            if self._document_at is None or now - self._document_at > _REFRESH:
                document = self._get(self.settings.discovery, "discovery")
                if document.get("issuer") != self.settings.issuer:
                    raise PscProtocolError("discovery_issuer")
                if any(not isinstance(document.get(name), str) for name in _ENDPOINTS):
                    raise PscProtocolError("discovery_endpoint")
                self._document, self._document_at = document, now
            return self._document

    def _keys_for(self, kid: str) -> KeySet:
        """Return the key set, reloaded once on an unknown *kid*, at most once a minute."""
        address = self._endpoint("jwks_uri")
        with self._lock:
            now = clock.now()
            known = any(key.kid == kid for key in self._keys)
            rested = self._keys_at is None or now - self._keys_at >= _RELOAD
            if not known and rested:
                self._keys_at = now
                try:
                    self._keys = KeySet.import_key_set(self._get(address, "jwks"))  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise PscProtocolError("jwks_malformed") from error
            return self._keys

    def _get(self, address: str, what: str) -> Mapping[str, Any]:
        response = self._send(self._client.build_request("GET", address))
        if response.status_code != 200:
            raise PscProtocolError(f"{what}_refused")
        return _json_object(response, f"{what}_malformed")

    def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return http.call(self._client, request)
        except (Transient, Lost) as error:
            raise PscUnavailable(remote_code=error.remote_code) from error


def _challenge(verifier: str) -> str:
    return str(create_s256_code_challenge(verifier))  # type: ignore[no-untyped-call]


def _error_code(body: Mapping[str, Any]) -> str:
    """Return the OAuth error code when it looks like one; never free text of the service."""
    code = body.get("error")
    return code if isinstance(code, str) and code.isidentifier() else "refused"


def _json_object(response: httpx.Response, reason: str) -> Mapping[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError as error:
        raise PscProtocolError(reason) from error
    if not isinstance(body, dict):
        raise PscProtocolError(reason)
    return body
