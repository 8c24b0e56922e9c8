"""What the sandbox provider signs, and every way it may be told to lie (auth.md §12).

Only tokens. Which request deserves one is in `psc.py`.
"""

import base64
import hashlib
import hmac
import json
import secrets
from enum import StrEnum
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, RSAKey
from joserfc.jws import JWSRegistry

from ris.core import clock
from ris.sandbox.psc_people import Person

LIFE_S: Final = 120


class Evil(StrEnum):
    """A way of misbehaving; a client must fail closed on each."""

    WRONG_ISS = "wrong_iss"
    WRONG_AUD = "wrong_aud"
    WRONG_AZP = "wrong_azp"
    WRONG_NONCE = "wrong_nonce"
    WRONG_AT_HASH = "wrong_at_hash"
    ALG_NONE = "alg_none"
    ALG_HS256 = "alg_hs256"
    FORGED = "forged"
    UNKNOWN_KID = "unknown_kid"
    EXPIRED = "expired"
    OLD_IAT = "old_iat"
    NO_ACR = "no_acr"
    LOW_ACR = "low_acr"
    OLD_AUTH_TIME = "old_auth_time"
    NOT_A_JWT = "not_a_jwt"
    OTHER_SUB = "other_sub"
    OTHER_NAME_ID = "other_name_id"
    USERINFO_HTML = "userinfo_html"
    NO_SUBJECT = "no_subject"
    TOKEN_503 = "token_503"  # noqa: S105 - the name of a misbehaviour
    SLOW = "slow"
    OTHER_ISSUER_ANNOUNCED = "other_issuer_announced"
    CLEAR_TEXT_ENDPOINT = "clear_text_endpoint"
    JWKS_500 = "jwks_500"
    HUGE_USERINFO = "huge_userinfo"
    NO_EXPIRY = "no_expiry"
    REFRESH_OTHER_SUB = "refresh_other_sub"
    OTHER_PERSON = "other_person"
    HS256_PUBLIC_KEY = "hs256_public_key"
    CRIT_HEADER = "crit_header"
    NO_KID = "no_kid"
    OWN_KEY_SET = "own_key_set"
    WITHDRAWN_KEY = "withdrawn_key"
    TWO_ISS = "two_iss"
    NESTED_CLAIMS = "nested_claims"
    HUGE_ID_TOKEN = "huge_id_token"  # noqa: S105
    FUTURE_IAT = "future_iat"
    FUTURE_AUTH_TIME = "future_auth_time"
    ABSURD_AUTH_TIME = "absurd_auth_time"
    NO_SUB = "no_sub"
    NO_NONCE = "no_nonce"
    REPLAYED = "replayed"
    NO_ID_TOKEN = "no_id_token"  # noqa: S105
    NOT_BEARER = "not_bearer"
    TOKEN_HTML = "token_html"  # noqa: S105
    TOKEN_REDIRECT = "token_redirect"  # noqa: S105
    HUGE_TOKEN = "huge_token"  # noqa: S105
    DRIP = "drip"
    HUGE_JWKS = "huge_jwks"
    HUGE_DISCOVERY = "huge_discovery"
    NESTED_USERINFO = "nested_userinfo"
    MANY_OTHER_IDS = "many_other_ids"
    MANY_ACTIVITIES = "many_activities"
    USERINFO_401 = "userinfo_401"
    USERINFO_JWT_FORGED = "userinfo_jwt_forged"
    USERINFO_JWT_NONE = "userinfo_jwt_none"
    USERINFO_JWT_OTHER_ISS = "userinfo_jwt_other_iss"
    USERINFO_JWT_OTHER_AUD = "userinfo_jwt_other_aud"


_BY_ANOTHER: Final = frozenset({Evil.FORGED, Evil.UNKNOWN_KID, Evil.OWN_KEY_SET})


class Signer:
    """The provider's keys: one published, one never."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "sandbox-1", "use": "sig", "alg": "RS256"})
        self._former = self._key
        self._hidden = RSAKey.generate_key(2048, {"kid": "hidden", "use": "sig", "alg": "RS256"})

    def public(self) -> dict[str, Any]:
        """Return the JWK set."""
        return {"keys": [dict(self._key.as_dict(private=False))]}

    def rotate(self) -> None:
        """Replace the published key by a fresh one of another kid."""
        self._former = self._key
        kid = f"sandbox-{secrets.token_hex(4)}"
        self._key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})

    def token(self, claims: dict[str, Any], *, evil: Evil | None, client_secret: str) -> str:
        """Return *claims* signed RS256, or in the wrong way *evil* asks for."""
        payload = written(claims, evil)
        kid = self._key.kid or ""
        if evil is Evil.NOT_A_JWT:
            return "not-a-token"
        if evil is Evil.ALG_NONE:
            head = {"alg": "none", "kid": kid}
            return f"{_b64(json.dumps(head).encode())}.{_b64(payload)}."
        if evil is Evil.ALG_HS256:
            shared = OctKey.import_key(client_secret)
            return jws.serialize_compact({"alg": "HS256", "kid": kid}, payload, shared)
        if evil is Evil.HS256_PUBLIC_KEY:
            return self._by_public_key(kid, payload)
        header: dict[str, Any] = {"alg": "RS256", "kid": kid}
        lies: dict[Evil | None, dict[str, Any]] = {
            Evil.UNKNOWN_KID: {"kid": "nobody-knows"},
            Evil.CRIT_HEADER: {"crit": ["exp"], "exp": 1},
            Evil.OWN_KEY_SET: {"jku": "https://evil.test/keys"},
            Evil.WITHDRAWN_KEY: {"kid": self._former.kid},
        }
        header |= lies.get(evil, {})
        if evil is Evil.NO_KID:
            del header["kid"]
        key = self._hidden if evil in _BY_ANOTHER else self._key
        key = self._former if evil is Evil.WITHDRAWN_KEY else key
        return _signed(header, payload, key)

    def _by_public_key(self, kid: str, payload: bytes) -> str:
        """Return a token whose HMAC key is the PEM that everybody may read (CVE-2015-9235)."""
        head = _b64(json.dumps({"alg": "HS256", "kid": kid}).encode())
        signed = f"{head}.{_b64(payload)}".encode()
        secret = self._key.as_pem(private=False)
        return f"{signed.decode()}.{_b64(hmac.digest(secret, signed, 'sha256'))}"


def id_claims(
    person: Person,
    *,
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str,
    evil: Evil | None,
    sid: str,
    acr: str | None = "eidas1",
) -> dict[str, Any]:
    """Return the id_token claims of *person*, altered as *evil* asks."""
    now = int(clock.now().timestamp())
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": client_id,
        "azp": client_id,
        "sub": person.sub,
        "iat": now,
        "exp": now + LIFE_S,
        "auth_time": now,
        "nonce": nonce,
        "acr": acr,
        "authMode": "CARD",
        "session_state": sid,
        "sid": sid,
        "jti": secrets.token_hex(8),
        "at_hash": _b64(hashlib.sha256(access_token.encode()).digest()[:16]),
        "SubjectNameID": person.ps_idnat,
    }
    lies: dict[Evil, dict[str, Any]] = {
        Evil.WRONG_ISS: {"iss": f"{issuer}-other"},
        Evil.WRONG_AUD: {"aud": "somebody-else"},
        Evil.WRONG_AZP: {"aud": [client_id, "x"], "azp": "x"},
        Evil.WRONG_NONCE: {"nonce": "replayed"},
        Evil.WRONG_AT_HASH: {"at_hash": _b64(bytes(16))},
        Evil.EXPIRED: {"iat": now - 200, "exp": now - 60},
        Evil.OLD_IAT: {"iat": now - 3600},
        Evil.NO_ACR: {"acr": None},
        Evil.LOW_ACR: {"acr": "password"},
        Evil.OLD_AUTH_TIME: {"auth_time": now - 3600},
        Evil.NO_EXPIRY: {"exp": None},
        Evil.FUTURE_IAT: {"iat": now + 3600, "exp": now + 7200},
        Evil.FUTURE_AUTH_TIME: {"auth_time": now + 10 * 365 * 86_400},
        Evil.ABSURD_AUTH_TIME: {"auth_time": 1e300},
        Evil.NO_SUB: {"sub": None},
        Evil.NO_NONCE: {"nonce": None},
        Evil.REFRESH_OTHER_SUB: {"sub": f"{person.sub}0"},
    }
    altered = claims | (lies.get(evil, {}) if evil else {})
    return {name: value for name, value in altered.items() if value is not None}


def written(claims: dict[str, Any], evil: Evil | None) -> bytes:
    """Return the JSON of *claims*, or what no dictionary can say."""
    text = json.dumps(claims)
    if evil is Evil.TWO_ISS:
        text = f'{{"iss": "https://evil.test", {text[1:]}'
    if evil is Evil.NESTED_CLAIMS:
        text = f'{text[:-1]}, "deep": {"[" * 10_000}{"]" * 10_000}}}'
    if evil is Evil.HUGE_ID_TOKEN:
        text = f'{text[:-1]}, "huge": "{"x" * 60_000}"}}'
    return text.encode()


def _signed(header: dict[str, Any], payload: bytes, key: RSAKey) -> str:
    """Return a compact RS256 token, whatever its header says."""
    signed = f"{_b64(json.dumps(header).encode())}.{_b64(payload)}".encode()
    signature = JWSRegistry.algorithms["RS256"].sign(signed, key)
    return f"{signed.decode()}.{_b64(signature)}"


def logout_claims(*, issuer: str, client_id: str, sub: str | None, sid: str) -> dict[str, Any]:
    """Return the claims of a back-channel logout message (OIDC Back-Channel Logout §2.4)."""
    now = int(clock.now().timestamp())
    claims = {
        "iss": issuer,
        "aud": client_id,
        "iat": now,
        "exp": now + LIFE_S,
        "jti": secrets.token_hex(8),
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        "sub": sub,
        "sid": sid,
    }
    return {name: value for name, value in claims.items() if value is not None}


def sid_of(hint: str) -> str:
    """Return the session a logout hint speaks of; empty when it is no token of ours."""
    try:
        claims = json.loads(jws.extract_compact(hint.encode()).payload)
    except (JoseError, ValueError):
        return ""
    return str(claims.get("sid", ""))


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
