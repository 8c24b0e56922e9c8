"""The checks of an id_token, in the order of auth.md §3.3, each with its own reason.

Pure: keys, instant and expectations come as arguments. RS256 alone is believed, whatever the
discovery document lists. Nothing here fetches a key or reads a setting.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from authlib.oidc.core.util import create_half_hash
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ris.auth.errors import AcrTooLow, PscProtocolError
from ris.auth.psc.strict_json import json_object

ALGORITHM: Final = "RS256"
OLDEST_ISSUE_S: Final = 300
LONGEST: Final = 32 * 1024
LEEWAY_S: Final = 10
_ABSURD: Final = 2**53
_RANKS: Final = {"eidas1": 1, "eidas2": 2, "eidas3": 3}

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What this very answer must say. *least_acr* is `eidas1`…; *leeway_s* at most 10.

    *nonce* is None where the flow has none: decoupled sign-in, refresh.
    """

    issuer: str
    client_id: str
    nonce: str | None
    least_acr: str
    leeway_s: int = LEEWAY_S
    absent_acr_tolerated: bool = False
    authenticated_since: datetime | None = None


def verified(
    token: str, keys: Callable[[str], KeySet], prefix: str = "id_token", *, most: int = LONGEST
) -> Claims:
    """Return the claims of *token* once its RS256 signature holds.

    *keys* gives the key set to use for a `kid`. Raises PscProtocolError with `<prefix>_too_large`
    (beyond *most* characters), `_malformed`, `_alg`, `_crit`, `_kid_unknown` or `_signature`.
    """
    if len(token) > most:
        raise PscProtocolError(f"{prefix}_too_large")
    header = _header(token, prefix)
    if header.get("alg") != ALGORITHM:
        raise PscProtocolError(f"{prefix}_alg")
    if "crit" in header:  # we understand no extension (RFC 7515 §4.1.11)
        raise PscProtocolError(f"{prefix}_crit")
    kid = header.get("kid")
    known = keys(kid) if isinstance(kid, str) else ()
    found = [key for key in known if key.kid == kid and key.key_type == "RSA"]
    if not found:
        raise PscProtocolError(f"{prefix}_kid_unknown")
    try:
        signed = jws.deserialize_compact(token, found[0], algorithms=[ALGORITHM])
    except (JoseError, ValueError) as error:
        raise PscProtocolError(f"{prefix}_signature") from error
    return json_object(signed.payload or b"", f"{prefix}_malformed")


def check(claims: Claims, expected: Expected, *, now: datetime, access_token: str) -> None:
    """Refuse an id_token that is not for us, not of now, or not strong enough.

    Raises PscProtocolError (`id_token_iss`, `_aud`, `_azp`, `_expired`, `_iat`, `_nonce`,
    `_at_hash`, `_auth_time`) or AcrTooLow.
    """
    if claims.get("iss") != expected.issuer:
        raise PscProtocolError("id_token_iss")
    _check_audience(claims, expected)
    _check_times(claims, expected, now)
    told = str(claims.get("nonce", "")).encode()
    if expected.nonce is not None and not hmac.compare_digest(told, expected.nonce.encode()):
        raise PscProtocolError("id_token_nonce")
    check_acr(claims, expected)
    at_hash = claims.get("at_hash")
    if at_hash is not None and at_hash != _half_hash(access_token):
        raise PscProtocolError("id_token_at_hash")
    _check_auth_time(claims, expected, now)


def authenticated_at(claims: Claims, *, otherwise: datetime, now: datetime) -> datetime:
    """Return the instant of the person's own authentication, never later than *now*.

    *otherwise* when it is not told, or is absurd: an instant to come would never grow old.
    """
    seconds = _number(claims, "auth_time")
    if not 0 < seconds <= now.timestamp() + LEEWAY_S:
        return otherwise
    return min(datetime.fromtimestamp(seconds, UTC), now)


def _check_audience(claims: Claims, expected: Expected) -> None:
    told = claims.get("aud")
    audiences = told if isinstance(told, list) else [told]
    if expected.client_id not in audiences:
        raise PscProtocolError("id_token_aud")
    authorised = claims.get("azp")
    if (len(audiences) > 1 or authorised is not None) and authorised != expected.client_id:
        raise PscProtocolError("id_token_azp")


def _check_times(claims: Claims, expected: Expected, now: datetime) -> None:
    instant = now.timestamp()
    if _number(claims, "exp") + expected.leeway_s <= instant:
        raise PscProtocolError("id_token_expired")
    issued = _number(claims, "iat")
    if not instant - OLDEST_ISSUE_S <= issued <= instant + expected.leeway_s:
        raise PscProtocolError("id_token_iat")


def _check_auth_time(claims: Claims, expected: Expected, now: datetime) -> None:
    """Refuse an instant to come or absurd, and in a step-up one that is old or not told."""
    since = expected.authenticated_since
    if since is None and claims.get("auth_time") is None:
        return
    least = since.timestamp() - expected.leeway_s if since is not None else 1
    if not least <= _number(claims, "auth_time") <= now.timestamp() + expected.leeway_s:
        raise PscProtocolError("id_token_auth_time")


def check_acr(claims: Claims, expected: Expected) -> None:
    """Refuse an authentication level that is absent or below the one asked for (AcrTooLow)."""
    acr = claims.get("acr")
    if acr is None:
        if expected.absent_acr_tolerated:
            return
        raise AcrTooLow("id_token_acr_absent")
    if _RANKS.get(str(acr), 0) < _RANKS[expected.least_acr]:
        raise AcrTooLow("id_token_acr_low")


def _header(token: str, prefix: str) -> Claims:
    try:
        return jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise PscProtocolError(f"{prefix}_malformed") from error


def _half_hash(access_token: str) -> str | None:
    half = create_half_hash(access_token, ALGORITHM)  # type: ignore[no-untyped-call]
    return half.decode() if isinstance(half, bytes) else half


def _number(claims: Claims, name: str) -> float:
    value = claims.get(name)
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and abs(value) < _ABSURD else 0.0  # type: ignore[arg-type]
