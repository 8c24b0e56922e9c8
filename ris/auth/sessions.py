"""Server-side sessions: opened after a sign-in, resumed at each request, locked, closed.

The browser holds a random id, the database its hash. The states and delays are the rules of
`session_states.py`; what a sign-in does to former sessions is in `session_opening.py`. No cookie
and no HTTP here.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ris.auth import cookies, session_states, session_trace, situations
from ris.auth.errors import NotAuthenticated, OidcStateInvalid, SessionExpired, SessionLocked
from ris.auth.local import life as local_life
from ris.auth.model import Account, AccountStatus, CloseReason, RisSession, Situation
from ris.auth.psc import link as psc_link
from ris.auth.psc.client import SignIn
from ris.auth.session_states import Delays, Life, SessionState, Standing
from ris.auth.settings import AuthSettings
from ris.auth.workstations import idle_of
from ris.core import audit, clock, ids
from ris.core.audit import Actor
from ris.core.crypto import Sealer
from ris.rem import satisfies

_TOUCH: Final = timedelta(seconds=15)
_AMR: Final = 16  # RFC 8176 registers about as many methods


@dataclass(frozen=True, slots=True)
class Live:
    """A session, where it stands, its account and its chosen situation."""

    row: RisSession
    account: Account
    situation: Situation | None
    standing: Standing


def open_session(
    session: Session,
    account: Account,
    listed: Sequence[Situation],
    sign_in: SignIn,
    *,
    sealer: Sealer,
    ip: str | None = None,
    workstation: str | None = None,
    keep_situation: UUID | None = None,
    native_challenge: str | None = None,
) -> tuple[RisSession, str]:
    """Open a session for *account* and return it with the secret for the cookie.

    The situation is chosen alone when only one is usable (AUTH-63); *keep_situation* is the one of
    the same person's former session. With *native_challenge* the secret is only the one-time code
    of `deliver`.
    """
    token = cookies.fresh()
    row = RisSession(
        id=ids.new(),
        token_hash=cookies.digest(token),
        account_id=account.id,
        native_challenge=native_challenge,
        workstation=workstation,
    )
    _situate(session, row, listed, keep_situation)
    _prove(row, sign_in, sealer, ip)
    session.add(row)
    session.flush()
    return row, token


def reopen(
    session: Session,
    row: RisSession,
    listed: Sequence[Situation],
    sign_in: SignIn,
    *,
    sealer: Sealer,
    ip: str | None = None,
) -> str:
    """Lift the lock of *row* for the person who signed in again; return the new secret.

    The situation and the absolute end stay, the proof is the new one; the former cookie is dead.
    """
    token, row.locked_at, row.last_seen_at = cookies.fresh(), None, clock.now()
    row.token_hash = cookies.digest(token)
    _situate(session, row, listed, row.situation_id)
    _prove(row, sign_in, sealer, ip)
    session.flush()
    return token


def deliver(session: Session, code: str, challenge: str, now: datetime) -> tuple[RisSession, str]:
    """Give a waiting session to the application that began it, once (RFC 8252 §7.3, RFC 7636).

    *challenge* is the S256 of the verifier it brings. Returns the session and its new secret.
    Raises OidcStateInvalid.
    """
    query = select(RisSession).where(RisSession.token_hash == cookies.digest(code))
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None or row.native_challenge is None:
        raise OidcStateInvalid("native_code_unknown")
    if now - row.created_at > session_states.DELIVERY:
        raise OidcStateInvalid("native_code_expired")
    if row.closed_at is not None:
        raise OidcStateInvalid("native_code_unknown")
    if not hmac.compare_digest(row.native_challenge.encode(), challenge.encode()):
        raise OidcStateInvalid("native_verifier")
    token = cookies.fresh()
    row.token_hash, row.native_challenge = cookies.digest(token), None
    session.flush()
    return row, token


@satisfies("SC.SSI/IE.39")
def resume(session: Session, token: str, settings: AuthSettings) -> Live:
    """Return the session of a cookie's *token*; an open one is noted as used.

    A situation that ended since it was chosen is acted in no more: another must be chosen. What
    time alone did to it is written: commit, then `refuse_unusable`. Raises NotAuthenticated, or
    SessionExpired for an account that may no longer act.
    """
    row = find(session, token)
    if row is None:
        raise NotAuthenticated
    account = session.get_one(Account, row.account_id)
    now = clock.now()
    standing = settle(session, row, settings, now)
    if standing.state is not SessionState.CLOSED and account.status != AccountStatus.ACTIVE:
        raise SessionExpired
    usable = standing.state in (SessionState.ACTIVE, SessionState.NEEDS_SITUATION)
    if usable and now - row.last_seen_at > _TOUCH:
        _touch(session, row, now)
    return Live(row, account, _chosen(session, row), standing)


def _touch(session: Session, row: RisSession, now: datetime) -> None:
    """Note the use, unless another request is changing the session: nobody waits for that."""
    free = select(RisSession.id).where(RisSession.id == row.id).with_for_update(skip_locked=True)
    noted = update(RisSession).where(RisSession.id.in_(free)).values(last_seen_at=now)
    session.execute(noted, execution_options={"synchronize_session": False})


def refuse_unusable(standing: Standing, *, even_locked: bool = False) -> None:
    """Raise SessionExpired when it is closed, SessionLocked when locked unless *even_locked*."""
    if standing.state is SessionState.CLOSED:
        raise SessionExpired
    if standing.state is SessionState.LOCKED and not even_locked:
        raise SessionLocked("Reconnectez-vous pour la retrouver.")


def _chosen(session: Session, row: RisSession) -> Situation | None:
    """Return the situation of a session, None once it is over (AUTH-66)."""
    situation = session.get(Situation, row.situation_id) if row.situation_id else None
    if situation is None or situations.in_force(situation, clock.now()):
        return situation
    row.situation_id = None
    row.needs_situation = bool(situations.current(session, row.account_id))
    return None


def settle(session: Session, row: RisSession, settings: AuthSettings, now: datetime) -> Standing:
    """Write and trace what time alone did to *row*, its lock or its end; return its standing."""
    seen = standing(row, settings, now)
    locks = seen.state is SessionState.LOCKED and row.locked_at is None
    if seen.reason is None and not locks:
        return seen
    session.refresh(row, with_for_update=True)  # one of the requests at once writes it
    seen = standing(row, settings, now)
    if seen.reason is not None:
        close(session, row, seen.reason)
        session_trace.closed(session, row, session_trace.holder(session, row))
    elif seen.state is SessionState.LOCKED and row.locked_at is None:
        row.locked_at = seen.locked_since
        session_trace.locked(session, row, "idle", session_trace.holder(session, row))
    return seen


def standing(row: RisSession, settings: AuthSettings, now: datetime) -> Standing:
    """Return where *row* stands by the rules of its workstation."""
    life = Life(
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        locked_at=row.locked_at,
        closed_at=row.closed_at,
        needs_situation=row.needs_situation,
        psc_ended=row.psc_ended_at is not None,
        undelivered=row.native_challenge is not None,
    )
    delays = Delays(
        idle=idle_of(settings.workstations, row.workstation, settings.idle_lock_s),
        locked=timedelta(seconds=settings.locked_close_s),
        absolute=local_life.longest(row.method, settings),
    )
    return session_states.standing(life, delays, now)


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
    if not situations.in_force(situation, clock.now()):
        raise situations.unknown()
    token = cookies.fresh()
    row.token_hash = cookies.digest(token)
    row.situation_id, row.needs_situation = situation.id, False
    session.flush()
    return token


def lock(session: Session, row: RisSession, actor: Actor) -> None:
    """Lock *row* because its person asks; the cookie then only serves to leave or to come back."""
    if row.locked_at is None:
        row.locked_at = clock.now()
        session_trace.locked(session, row, "user", actor)


def others_of(
    session: Session, row: RisSession, settings: AuthSettings
) -> list[tuple[RisSession, Standing]]:
    """Return the other sessions of the same person that are not over, newest first."""
    now = clock.now()
    query = select(RisSession).where(
        RisSession.account_id == row.account_id,
        RisSession.id != row.id,
        RisSession.closed_at.is_(None),
    )
    found = [(one, standing(one, settings, now)) for one in session.scalars(query)]
    left = [pair for pair in found if pair[1].state is not SessionState.CLOSED]
    return sorted(left, key=lambda pair: pair[0].created_at, reverse=True)


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
    ordered = query.order_by(RisSession.id).with_for_update()
    ended = list(session.scalars(ordered, execution_options={"populate_existing": True}))
    for row in ended:
        close(session, row, reason)
    for row in ended:
        session_trace.closed(session, row, actor)
    return ended


def lock_account(session: Session, account_id: UUID) -> None:
    """Let one transaction at a time open or end sessions of an account, and read it anew."""
    query = select(Account).where(Account.id == account_id).with_for_update(key_share=True)
    session.scalars(query, execution_options={"populate_existing": True}).one()


def context_of(identifier: UUID) -> bytes:
    """Return the sealing context of a session's id_token."""
    return b"ris.session.id_token.v1|" + identifier.bytes


def _situate(
    session: Session, row: RisSession, listed: Sequence[Situation], wanted: UUID | None
) -> None:
    """Choose *wanted* if it may still be, else the only candidate, else leave it to the person."""
    candidates = situations.candidates(session, listed)
    kept = [one for one in candidates if one.id == wanted]
    chosen = (kept or candidates)[0] if kept or len(candidates) == 1 else None
    row.situation_id = chosen.id if chosen else None
    row.needs_situation = chosen is None and len(candidates) > 1


def _prove(row: RisSession, sign_in: SignIn, sealer: Sealer, ip: str | None) -> None:
    """Write how the person was authenticated: the proof of level, and the link with PSC."""
    claims = sign_in.claims
    amr = claims.get("amr")
    row.ip = ip
    row.method = sign_in.method
    row.acr = str(claims.get("acr", ""))
    row.auth_mode = _text(claims.get("authMode")) or ""
    told = [_text(item) for item in amr[:_AMR]] if isinstance(amr, list) else []
    row.amr = [item for item in told if item]
    row.auth_time = sign_in.auth_time
    row.psc_session_state = _text(claims.get("session_state"))
    row.psc_sid = _text(claims.get("sid")) or _text(claims.get("session_state"))
    row.psc_sub = _text(claims.get("sub"))
    row.id_token_sealed = _sealed(sign_in.token, row.id, sealer)
    psc_link.keep(row, sign_in.tokens, sealer)


def _sealed(id_token: str, identifier: UUID, sealer: Sealer) -> bytes | None:
    """Return the sealed id_token, None for a sign-in that PSC took no part in."""
    return sealer.seal(id_token.encode(), context_of(identifier)) if id_token else None


def _text(value: object) -> str | None:
    return value[:128] if isinstance(value, str) and value and value.isprintable() else None
