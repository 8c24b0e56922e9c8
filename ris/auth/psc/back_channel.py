"""Back-channel logout: what a `logout_token` must say, and which sessions it ends.

OpenID Connect Back-Channel Logout 1.0 §2.4–2.6. No HTTP and no closing here (`service.py`).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.jwk import KeySet
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth.ciba.model import SeenLogout
from ris.auth.errors import LogoutRefused, PscProtocolError
from ris.auth.model import RisSession
from ris.auth.psc import id_token

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_OLDEST: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LogoutMessage:
    """A verified message: the session at PSC, or the person, that is over."""

    jti: str
    sid: str | None
    sub: str | None


def verified(
    token: str, expected: id_token.Expected, keys: Callable[[str], KeySet], now: datetime
) -> LogoutMessage:
    """Return what *token* orders; raises LogoutRefused with its reason."""
    try:
        claims = id_token.verified(token, keys, "logout")
    except PscProtocolError as error:
        raise LogoutRefused(error.reason) from error
    if claims.get("iss") != expected.issuer:
        raise LogoutRefused("logout_iss")
    audience = claims.get("aud")
    if expected.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise LogoutRefused("logout_aud")
    _check_times(claims, expected.leeway_s, now)
    if "nonce" in claims:
        raise LogoutRefused("logout_nonce")
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        raise LogoutRefused("logout_events")
    jti, sid, sub = (_text(claims, name) for name in ("jti", "sid", "sub"))
    if jti is None:
        raise LogoutRefused("logout_jti")
    if sid is None and sub is None:
        raise LogoutRefused("logout_subject")
    return LogoutMessage(jti, sid, sub)


def refuse_seen(session: Session, message: LogoutMessage) -> None:
    """Note the message; raises LogoutRefused when it was already obeyed."""
    hashed = hashlib.sha256(message.jti.encode()).digest()
    noted = insert(SeenLogout).values(jti_hash=hashed).on_conflict_do_nothing()
    if session.execute(noted.returning(SeenLogout.jti_hash)).scalar_one_or_none() is None:
        raise LogoutRefused("logout_replayed")


def sessions_of(session: Session, message: LogoutMessage) -> list[RisSession]:
    """Return the open sessions concerned: of this PSC session if told, else of this person."""
    query = select(RisSession).where(RisSession.closed_at.is_(None))
    if message.sid is not None:
        query = query.where(RisSession.psc_sid == message.sid)
    if message.sub is not None:
        query = query.where(RisSession.psc_sub == message.sub)
    return list(session.scalars(query.with_for_update()))


def _check_times(claims: Mapping[str, Any], leeway_s: int, now: datetime) -> None:
    instant = now.timestamp()
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float):
        raise LogoutRefused("logout_iat")
    if not instant - _OLDEST.total_seconds() <= issued <= instant + leeway_s:
        raise LogoutRefused("logout_iat")
    if isinstance(expires, int | float) and expires + leeway_s <= instant:
        raise LogoutRefused("logout_expired")


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
