"""The Pro Santé Connect client: code flow, refresh, userinfo, introspection, logout (auth.md §3).

Only the flows and the checks of what comes back; the wire is `provider.py`, the decoupled flow
`ciba/wire.py`. Accounts, sessions and cookies are elsewhere; no token is kept here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from ris.auth.errors import OidcRefused, PscProtocolError
from ris.auth.psc import id_token
from ris.auth.psc.provider import LARGEST, Provider, error_code, json_object
from ris.auth.settings import PscSettings
from ris.core import clock
from ris.rem import satisfies

_LONGEST_S: Final = 4 * 3600


@dataclass(frozen=True, slots=True)
class Secrets:
    """The three secrets of one login attempt."""

    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave; *refresh* is None when PSC gives none."""

    access: str = field(repr=False)
    access_expires_at: datetime
    refresh: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A verified sign-in: id_token claims, userinfo claims, the id_token itself, the tokens."""

    claims: Mapping[str, Any]
    userinfo: Mapping[str, Any]
    token: str = field(repr=False)
    auth_time: datetime
    tokens: Tokens | None = None
    method: str = "PSC_CODE"


class PscClient:
    """One relying party at one provider. *client* is a verified TLS client of `ris.core.http`."""

    def __init__(self, settings: PscSettings, client: httpx.Client) -> None:
        self.settings = settings
        self.provider = Provider(settings, client)

    def close(self) -> None:
        """Close the connections."""
        self.provider.close()

    @satisfies("SC.PSC.08")
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
            "code_challenge": challenge_of(secrets.code_verifier),
            "code_challenge_method": "S256",
        }
        if step_up:
            parameters |= {"prompt": "login", "max_age": "0"}
        address = httpx.URL(self.provider.endpoint("authorization_endpoint"))
        return str(address.copy_merge_params(parameters))

    def logout_url(self, token: str, state: str) -> str:
        """Return where to send the browser to close the PSC session too (RP-initiated)."""
        parameters = {
            "id_token_hint": token,
            "post_logout_redirect_uri": self.settings.post_logout_redirect_uri,
            "state": state,
        }
        address = httpx.URL(self.provider.endpoint("end_session_endpoint"))
        return str(address.copy_merge_params(parameters))

    def sign_in(self, code: str, secrets: Secrets, *, since: datetime | None = None) -> SignIn:
        """Exchange *code* and return who signed in.

        *since* is the start of a step-up: an older authentication is refused. Raises
        PscProtocolError, AcrTooLow, OidcRefused or PscUnavailable.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
            "code_verifier": secrets.code_verifier,
        }
        tokens = self.redeem(form)
        return self.accept(tokens, self.expected(nonce=secrets.nonce, since=since))

    def redeem(self, form: Mapping[str, str]) -> Tokens:
        """Ask the token endpoint; raises OidcRefused (`token_<error>`) or PscProtocolError."""
        response = self.provider.post("token_endpoint", form)
        body = json_object(response, "token_malformed")
        if response.status_code != 200:
            raise OidcRefused(f"token_{error_code(body)}")
        return _tokens(body, clock.now())

    def accept(
        self, tokens: Tokens, expected: id_token.Expected, *, method: str = "PSC_CODE"
    ) -> SignIn:
        """Return who *tokens* are about, once the id_token and the userinfo agree."""
        token = tokens.id_token
        if token is None:
            raise PscProtocolError("token_malformed")
        claims = id_token.verified(token, self.provider.keys)
        now = clock.now()
        id_token.check(claims, expected, now=now, access_token=tokens.access)
        userinfo = self.userinfo(tokens.access)
        if "sub" not in claims or userinfo.get("sub") != claims["sub"]:
            raise PscProtocolError("userinfo_sub")
        told = claims.get("SubjectNameID")
        if told is not None and told != userinfo.get("SubjectNameID"):
            raise PscProtocolError("userinfo_subject_name_id")
        at = id_token.authenticated_at(claims, otherwise=now, now=now)
        return SignIn(claims, userinfo, token, at, tokens, method)

    def refresh(self, token: str, *, sub: str) -> Tokens:
        """Return fresh tokens of the same person (AUTH-11).

        An id_token that comes with them must be of the same subject (OIDC Core §12.2). Raises what
        `redeem` raises; `token_invalid_grant` means that PSC's session is over.
        """
        tokens = self.redeem({"grant_type": "refresh_token", "refresh_token": token})
        if tokens.id_token is not None:
            claims = id_token.verified(tokens.id_token, self.provider.keys)
            expected = replace(self.expected(nonce=None), absent_acr_tolerated=True)
            id_token.check(claims, expected, now=clock.now(), access_token=tokens.access)
            if claims.get("sub") != sub:
                raise PscProtocolError("refresh_sub")
        return tokens

    def userinfo(self, access: str, *, client: str = "") -> Mapping[str, Any]:
        """Return the claims of the bearer of *access*; raises PscProtocolError.

        *client* is the software the token was given to, us unless said: a signed answer names it.
        """
        response = self.provider.get("userinfo_endpoint", access)
        if response.status_code != 200:
            raise PscProtocolError("userinfo_refused")
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind == "application/json":
            return json_object(response, "userinfo_malformed")
        if kind != "application/jwt":
            raise PscProtocolError("userinfo_content_type")
        told = response.text.strip()
        claims = id_token.verified(told, self.provider.keys, "userinfo", most=LARGEST)
        if claims.get("iss") != self.settings.issuer:
            raise PscProtocolError("userinfo_iss")
        wanted = client or self.settings.client_id
        audience = claims.get("aud", wanted)
        if wanted not in (audience if isinstance(audience, list) else [audience]):
            raise PscProtocolError("userinfo_aud")
        return claims

    def introspect(self, token: str) -> Mapping[str, Any]:
        """Return what PSC says of an access token (RFC 7662); raises PscProtocolError."""
        response = self.provider.post("introspection_endpoint", {"token": token})
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if response.status_code != 200 or kind != "application/json":
            raise PscProtocolError("introspection_refused")
        return json_object(response, "introspection_malformed")

    def check_issuer(self, told: str | None) -> None:
        """Refuse a callback whose `iss` is another's (RFC 9207, mix-up)."""
        if told is not None and told != self.settings.issuer:
            raise PscProtocolError("callback_iss")

    def expected(self, *, nonce: str | None, since: datetime | None = None) -> id_token.Expected:
        """Return what an id_token must say now; without *nonce* none is compared."""
        chosen = self.settings
        return id_token.Expected(
            issuer=chosen.issuer,
            client_id=chosen.client_id,
            nonce=nonce,
            least_acr=chosen.acr_values,
            leeway_s=chosen.leeway_s,
            absent_acr_tolerated=chosen.absent_acr_tolerated,
            authenticated_since=since,
        )


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE *verifier* (RFC 7636 §4.2)."""
    return str(create_s256_code_challenge(verifier))  # type: ignore[no-untyped-call]


def _tokens(body: Mapping[str, Any], now: datetime) -> Tokens:
    access, refresh, told = (body.get(n) for n in ("access_token", "refresh_token", "id_token"))
    life = body.get("expires_in")
    if not isinstance(access, str) or not access:
        raise PscProtocolError("token_malformed")
    if str(body.get("token_type", "")).lower() != "bearer":
        raise PscProtocolError("token_type")
    seconds = min(life, _LONGEST_S) if isinstance(life, int | float) and life > 0 else 0
    return Tokens(
        access,
        now + timedelta(seconds=seconds),
        refresh if isinstance(refresh, str) and refresh else None,
        told if isinstance(told, str) else None,
    )
