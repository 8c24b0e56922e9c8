"""What only programs call at the sandbox provider: token, userinfo, introspection, CIBA.

The client is authenticated each time, by its secret or its certificate. What a browser sees, and
the discovery document, are in `psc.py`.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import unquote_plus

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from ris.core import clock
from ris.sandbox import psc_lies
from ris.sandbox.psc_ciba import GRANT, Phones
from ris.sandbox.psc_grants import REFRESH_LIFE, Grants, PscSession, thumbprint
from ris.sandbox.psc_people import PEOPLE, Person
from ris.sandbox.psc_tokens import LIFE_S, Evil, Signer, id_claims, logout_claims

REALM: Final = "/auth/realms/esante-wallet"
_CODE_LIFE: Final = timedelta(seconds=60)


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


Sent = Annotated[dict[str, str], Depends(_form)]


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


@dataclass
class Code:
    """An authorization code: who it is about, the request it answers, what came of it."""

    person: Person
    request: Mapping[str, str]
    at: datetime
    used: bool = False
    session: PscSession | None = None


class TokenEndpoints:
    """The endpoints without a browser, and the state of the provider.

    *evil* makes it misbehave; *introspected* changes the introspection; *calls* tells what was
    asked; *mtls_url* is where certificate holders are sent.
    """

    def __init__(self, client: RegisteredClient, people: tuple[Person, ...] = PEOPLE) -> None:
        self.base_url = ""
        self.evil: Evil | None = None
        self.slow_s = 0.0
        self.acr: str | None = "eidas1"
        self.mtls_url = ""
        self.calls: list[str] = []
        self.introspected: dict[str, object] = {}
        self.thumbprint_as_ci_sis = False
        self.signer = Signer()
        self.grants = Grants(LIFE_S)
        self.phones = Phones()
        self._client = client
        self._people = {person.ps_idnat: person for person in people}
        self._codes: dict[str, Code] = {}
        self._former: dict[str, object] | None = None

    @property
    def issuer(self) -> str:
        """Return the issuer: not on the path of the authorization endpoint."""
        return f"{self.base_url}{REALM}"

    def token(self, request: Request, form: Sent) -> Response:
        """Give tokens for a code, a refresh token or an answered phone, to our client only."""
        grant = form.get("grant_type", "")
        self.calls.append("token" if grant == "authorization_code" else grant)
        if self.evil is Evil.TOKEN_503:
            return Response(status_code=503)
        if self.evil is Evil.SLOW:
            time.sleep(self.slow_s)
        if not self._known(request, form):
            return error("invalid_client", 401)
        bond = self._presented(request) if self._client.certificate_unit else ""
        if grant == "authorization_code":
            redeemed = self._redeem(form, bond)
        elif grant == "refresh_token":
            redeemed = self._refresh(form)
        elif grant == GRANT:
            redeemed = self._answered(form, bond)
        else:
            return error("unsupported_grant_type")
        if isinstance(redeemed, str):
            return error(redeemed)
        told = self._issue(*redeemed)
        lie = psc_lies.token_answer(self.evil, told, self._former, self.slow_s)
        if lie is not None:
            return lie
        self._former = told
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    def userinfo(self, request: Request) -> Response:
        """Return the claims of the bearer of a live access token."""
        self.calls.append("userinfo")
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        held = self.grants.of_access(token) if kind == "Bearer" else None
        if held is None or held[0].thumbprint not in ("", self._presented(request)):
            return error("invalid_token", 401)
        person = held[0].person
        claims = person.userinfo()
        ours = self._client.client_id
        lie = psc_lies.userinfo_answer(self.evil, claims, self.signer, self.issuer, ours)
        return JSONResponse(claims) if lie is None else lie

    def introspect(self, request: Request, form: Sent) -> Response:
        """Say what a token is worth (RFC 7662); the name only for an access token."""
        self.calls.append("introspect")
        if not self._known(request, form):
            return error("invalid_client", 401)
        held = self.grants.of_access(form.get("token", ""))
        session = held[0] if held else self.grants.of_refresh(form.get("token", ""))
        if session is None:
            return JSONResponse({"active": False} | self.introspected)
        claims: dict[str, object] = {
            "active": True,
            "iss": self.issuer,
            "sub": session.person.sub,
            "azp": session.client_id,
            "client_id": session.client_id,
            "typ": "Bearer" if held else "Refresh",
            "exp": int(held[1].timestamp()) if held else int(clock.now().timestamp()) + 1800,
            "iat": int(clock.now().timestamp()),
            "auth_time": int(session.at.timestamp()),
            "session_state": session.sid,
            "scope": "openid scope_all",
            "acr": self.acr,
        }
        if held:
            claims["SubjectNameID"] = session.person.ps_idnat
        if session.thumbprint:
            claims["cnf"] = {"x5t#S256": session.thumbprint}
        return JSONResponse(
            {name: value for name, value in (claims | self.introspected).items() if value != ""}
        )

    def revoke(self, request: Request, form: Sent) -> Response:
        """Take a token back (RFC 7009)."""
        if not self._known(request, form):
            return error("invalid_client", 401)
        self.grants.revoke(form.get("token", ""))
        return Response(status_code=200)

    def ciba(self, request: Request, form: Sent) -> Response:
        """Put a sign-in request on a phone or a card."""
        self.calls.append("ciba")
        if not self._known(request, form):
            return error("invalid_client", 401)
        answer = self.phones.ask(form, self._people)
        if answer == "unknown_user_id":
            return JSONResponse(self.phones.unknown, 400)
        return error(answer) if isinstance(answer, str) else JSONResponse(answer)

    def phone(self, form: Sent) -> Response:
        """The holder's thumb: `person`, `decision` (`approve`, else refused)."""
        self.phones.decide(form.get("person", ""), approve=form.get("decision") == "approve")
        return Response(status_code=204)

    def logout_token(self, session: PscSession, *, by_sub: bool = False, **changes: object) -> str:
        """Return the back-channel message that ends *session*; *changes* alter its claims."""
        claims = logout_claims(
            issuer=self.issuer,
            client_id=self._client.client_id,
            sub=session.person.sub,
            sid=session.sid,
        )
        if by_sub:
            del claims["sid"]
        altered = {name: value for name, value in (claims | changes).items() if value is not None}
        return self.signer.token(altered, evil=self.evil, client_secret=self._client.secret)

    def token_for(
        self, person: Person, client_id: str, certificate: bytes | None = None
    ) -> tuple[str, PscSession]:
        """Return an access token as another client would have got it, bound to *certificate*."""
        bond = self._thumbprint(certificate) if certificate else ""
        session = self.grants.open(person, client_id, bond)
        self.grants.refresh(session)
        return self.grants.access(session), session

    def _redeem(self, form: Mapping[str, str], bond: str) -> tuple[PscSession, str | None] | str:
        """Use up a code; a replay ends the session that came of it (RFC 6749 §4.1.2)."""
        known = self._codes.get(form.get("code", ""))
        if known is None or clock.now() - known.at > _CODE_LIFE:
            return "invalid_grant"
        if known.used:
            if known.session is not None:
                known.session.ended = True
            return "invalid_grant"
        known.used = True
        same_address = known.request["redirect_uri"] == form.get("redirect_uri")
        proved = known.request["code_challenge"] == _challenge(form.get("code_verifier", ""))
        if not (same_address and proved):
            return "invalid_grant"
        known.session = self.grants.open(known.person, self._client.client_id, bond)
        return known.session, known.request["nonce"]

    def _refresh(self, form: Mapping[str, str]) -> tuple[PscSession, str | None] | str:
        session = self.grants.of_refresh(form.get("refresh_token", ""))
        return (session, None) if session else "invalid_grant"

    def _answered(self, form: Mapping[str, str], bond: str) -> tuple[PscSession, str | None] | str:
        person = self.phones.poll(form.get("auth_req_id", ""))
        if isinstance(person, str):
            return person
        if self.evil is Evil.OTHER_PERSON:
            person = next(one for one in self._people.values() if one is not person)
        return self.grants.open(person, self._client.client_id, bond), None

    def _issue(self, session: PscSession, nonce: str | None) -> dict[str, object]:
        access = self.grants.access(session)
        claims = id_claims(
            session.person,
            issuer=self.issuer,
            client_id=self._client.client_id,
            nonce=nonce,
            access_token=access,
            evil=self.evil,
            sid=session.sid,
            acr=self.acr,
        )
        return {
            "access_token": access,
            "expires_in": self.grants.life_s,
            "refresh_token": self.grants.refresh(session),
            "refresh_expires_in": int(REFRESH_LIFE.total_seconds()),
            "token_type": "Bearer",
            "id_token": self.signer.token(
                claims, evil=self.evil, client_secret=self._client.secret
            ),
            "session_state": session.sid,
            "scope": "openid scope_all",
            "not-before-policy": 0,
        }

    def _known(self, request: Request, form: Mapping[str, str]) -> bool:
        """Authenticate our client: its secret in Basic, or its structure's certificate."""
        if not self._client.certificate_unit:
            return self._authenticated(request.headers.get("authorization", ""))
        certificate = _certificate(request)
        if certificate is None or form.get("client_id") != self._client.client_id:
            return False
        units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        return [unit.value for unit in units] == [self._client.certificate_unit]

    def _presented(self, request: Request) -> str:
        certificate = _certificate(request)
        return self._thumbprint(certificate.public_bytes(Encoding.DER)) if certificate else ""

    def _thumbprint(self, certificate: bytes) -> str:
        return thumbprint(certificate, as_ci_sis=self.thumbprint_as_ci_sis)

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


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def error(code: str, status: int = 400) -> JSONResponse:
    """Return an OAuth error."""
    return JSONResponse({"error": code}, status)


def page(body: str, status: int = 200) -> HTMLResponse:
    """Return a page of the wallet."""
    return HTMLResponse(f"<!doctype html><title>Portefeuille</title>{body}", status)


def _certificate(request: Request) -> x509.Certificate | None:
    chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", [])
    return x509.load_pem_x509_certificate(chain[0].encode()) if chain else None
