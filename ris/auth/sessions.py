"""Server-side sessions: opened after a sign-in, resumed at each request, closed (auth.md §6).

The browser holds a random id, the database its hash. Idle and absolute ends follow from instants
alone, so a locked session cannot come back by itself. No cookie and no HTTP here.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import cookies, situations
from ris.auth.errors import NotAuthenticated, OidcStateInvalid, SessionExpired, SessionLocked
from ris.auth.model import Account, AccountStatus, CloseReason, RisSession, Situation
from ris.auth.psc import link as psc_link
from ris.auth.psc.client import SignIn
from ris.auth.settings import AuthSettings
from ris.core import audit, clock, ids
from ris.core.audit import Actor
from ris.core.crypto import Sealer

_TOUCH: Final = timedelta(seconds=15)
_DELIVERY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Live:
    """A session that may be used now, with its account and its chosen situation."""

    row: RisSession
    account: Account
    situation: Situation | None


def open_session(
    session: Session,
    account: Account,
    listed: Sequence[Situation],
    sign_in: SignIn,
    *,
    sealer: Sealer,
    ip: str | None = None,
    keep_situation: UUID | None = None,
    native_challenge: str | None = None,
) -> tuple[RisSession, str]:
    """Open a session for *account* and return it with the secret for the cookie.

    The situation is chosen alone when only one is usable (AUTH-63); *keep_situation* is the one of
    the same person's former session. With *native_challenge* the secret is only the one-time code
    of `deliver`.
    """
    token, identifier, claims = cookies.fresh(), ids.new(), sign_in.claims
    candidates = situations.candidates(listed)
    kept = [one for one in candidates if one.id == keep_situation]
    chosen = (kept or candidates)[0] if kept or len(candidates) == 1 else None
    amr = claims.get("amr")
    row = RisSession(
        id=identifier,
        token_hash=cookies.digest(token),
        account_id=account.id,
        situation_id=chosen.id if chosen else None,
        needs_situation=chosen is None and len(candidates) > 1,
        method=sign_in.method,
        acr=str(claims.get("acr", "")),
        auth_mode=str(claims.get("authMode", "")),
        amr=[str(item) for item in amr] if isinstance(amr, list) else [],
        auth_time=sign_in.auth_time,
        psc_session_state=_text(claims.get("session_state")),
        psc_sid=_text(claims.get("sid")) or _text(claims.get("session_state")),
        psc_sub=_text(claims.get("sub")),
        native_challenge=native_challenge,
        id_token_sealed=_sealed(sign_in.token, identifier, sealer),
        ip=ip,
    )
    psc_link.keep(row, sign_in.tokens, sealer)
    session.add(row)
    session.flush()
    return row, token


def deliver(session: Session, code: str, challenge: str, now: datetime) -> tuple[RisSession, str]:
    """Give a waiting session to the application that began it, once (RFC 8252 §7.3, RFC 7636).

    *challenge* is the S256 of the verifier it brings. Returns the session and its new secret.
    Raises OidcStateInvalid.
    """
    query = select(RisSession).where(RisSession.token_hash == cookies.digest(code))
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None or row.native_challenge is None or row.closed_at is not None:
        raise OidcStateInvalid("native_code_unknown")
    if now - row.created_at > _DELIVERY:
        raise OidcStateInvalid("native_code_expired")
    if not hmac.compare_digest(row.native_challenge.encode(), challenge.encode()):
        raise OidcStateInvalid("native_verifier")
    token = cookies.fresh()
    row.token_hash, row.native_challenge = cookies.digest(token), None
    session.flush()
    return row, token


def resume(session: Session, token: str, settings: AuthSettings) -> Live:
    """Return the session of a cookie's *token* and note that it is used.

    Raises NotAuthenticated, SessionExpired or SessionLocked.
    """
    row = find(session, token)
    if row is None:
        raise NotAuthenticated
    account = session.get_one(Account, row.account_id)
    refuse_unusable(row, settings, clock.now())
    if account.status != AccountStatus.ACTIVE:
        raise SessionExpired
    if clock.now() - row.last_seen_at > _TOUCH:
        row.last_seen_at = clock.now()
    situation = session.get(Situation, row.situation_id) if row.situation_id else None
    return Live(row, account, situation)


def refuse_unusable(row: RisSession, settings: AuthSettings, now: datetime) -> None:
    """Raise SessionExpired when closed or too old, SessionLocked when idle for too long."""
    if row.closed_at is not None or now - row.created_at > timedelta(seconds=settings.absolute_s):
        raise SessionExpired
    if now - row.last_seen_at > timedelta(seconds=settings.idle_lock_s):
        raise SessionLocked


def find(session: Session, token: str) -> RisSession | None:
    """Return the session row of a cookie's *token*, whatever its state."""
    query = select(RisSession).where(
        RisSession.token_hash == cookies.digest(token), RisSession.native_challenge.is_(None)
    )
    return session.scalars(query).one_or_none() if token else None


def choose(session: Session, row: RisSession, situation_id: UUID) -> str:
    """Set the acting situation and return the new secret: the former cookie opens nothing more.

    Raises NotFound when the situation is not one of this account, or ended.
    """
    situation = situations.owned(session, row.account_id, situation_id)
    if situation.ended_at is not None:
        raise situations.unknown()
    token = cookies.fresh()
    row.token_hash = cookies.digest(token)
    row.situation_id, row.needs_situation = situation.id, False
    session.flush()
    return token


def close(session: Session, row: RisSession, reason: CloseReason) -> None:
    """End a session for good and forget its tokens."""
    if row.closed_at is None:
        row.closed_at, row.close_reason = clock.now(), reason.value
        row.id_token_sealed = None
        psc_link.forget(row)
        session.flush()


def end_all_of(
    session: Session, account_id: UUID, reason: CloseReason, *, actor: Actor = audit.SYSTEM
) -> list[RisSession]:
    """Close every open session of an account, trace each, and return them.

    *actor* is who decides: an administrator, the person, or nobody. The account's row is locked
    first, so that a sign-in at the same instant ends too. Call it before any other trace of the
    same transaction: the journal's lock comes last.
    """
    lock_account(session, account_id)
    query = select(RisSession).where(
        RisSession.account_id == account_id, RisSession.closed_at.is_(None)
    )
    ended = list(session.scalars(query.order_by(RisSession.id).with_for_update()))
    for row in ended:
        close(session, row, reason)
    for row in ended:
        audit.record(
            session,
            "auth.session_closed",
            actor=actor,
            reason=reason,
            target=("ris_session", row.id),
        )
    return ended


def lock_account(session: Session, account_id: UUID) -> None:
    """Let one transaction at a time open or end sessions of an account."""
    query = select(Account.id).where(Account.id == account_id)
    session.execute(query.with_for_update(key_share=True))


def context_of(identifier: UUID) -> bytes:
    """Return the sealing context of a session's id_token."""
    return b"ris.session.id_token.v1|" + identifier.bytes


def _sealed(id_token: str, identifier: UUID, sealer: Sealer) -> bytes | None:
    """Return the sealed id_token, None for a sign-in that PSC took no part in."""
    return sealer.seal(id_token.encode(), context_of(identifier)) if id_token else None


def _text(value: object) -> str | None:
    return value[:128] if isinstance(value, str) and value else None
