"""What an introspected access token must say before anyone is let in (auth.md §3.7, RFC 7662).

Pure: claims, expectations, certificate and instant come as arguments. Each refusal has a reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ris.auth.errors import AcrTooLow, TokenRefused
from ris.auth.psc import id_token, token_binding
from ris.auth.settings import BearerSettings

Claims = Mapping[str, Any]
_NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who an access token speaks for, and how he proved it.

    *client* is the software that obtained it; *bound* tells a token tied to a certificate;
    *auth_time* is the epoch when PSC does not tell: never recent enough for a sensitive act;
    *session_state* is its session at PSC, which a recent Keycloak calls `sid` alone.
    """

    subject_name_id: str
    sub: str
    client: str
    acr: str
    auth_time: datetime
    expires_at: datetime
    session_state: str | None
    bound: bool


def judge(
    claims: Claims,
    expected: id_token.Expected,
    rules: BearerSettings,
    *,
    certificate: bytes | None,
    now: datetime,
) -> Bearer:
    """Return the bearer of an introspected token.

    Raises TokenRefused (`token_inactive`, `_iss`, `_client`, `_aud`, `_type`, `_expired`,
    `_scope`, `_subject`, `_binding`) or AcrTooLow.
    """
    if claims.get("active") is not True:
        raise TokenRefused("token_inactive")
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("token_iss")
    client = _client(claims, expected, rules)
    if str(claims.get("typ") or claims.get("token_type") or "").lower() != "bearer":
        raise TokenRefused("token_type")
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or expires <= now.timestamp():
        raise TokenRefused("token_expired")
    if not rules.scopes <= set(str(claims.get("scope", "")).split()):
        raise TokenRefused("token_scope")
    subject, sub = claims.get("SubjectNameID"), claims.get("sub")
    if not isinstance(subject, str) or not isinstance(sub, str) or not 0 < len(subject) <= 64:
        raise TokenRefused("token_subject")
    if not token_binding.holds(claims, certificate):
        raise TokenRefused("token_binding")
    try:
        id_token.check_acr(claims, expected)
    except AcrTooLow as error:
        raise AcrTooLow(error.reason.replace("id_token", "token")) from error
    state = claims.get("sid") or claims.get("session_state")
    return Bearer(
        subject_name_id=subject,
        sub=sub,
        client=client,
        acr=str(claims.get("acr") or ""),
        auth_time=id_token.authenticated_at(claims, otherwise=_NEVER, now=now),
        expires_at=datetime.fromtimestamp(min(expires, now.timestamp() + 14400), UTC),
        session_state=state if isinstance(state, str) else None,
        bound=token_binding.is_bound(claims),
    )


def _client(claims: Claims, expected: id_token.Expected, rules: BearerSettings) -> str:
    """Return the software the token was issued to, when it is one of those we believe."""
    client = claims.get("azp") or claims.get("client_id")
    if not isinstance(client, str) or client not in rules.clients:
        raise TokenRefused("token_client")
    audience = claims.get("aud")
    told = audience if isinstance(audience, list) else [audience]
    ours = rules.clients | {expected.client_id}
    if audience is not None and ours.isdisjoint(one for one in told if isinstance(one, str)):
        raise TokenRefused("token_aud")
    return client
