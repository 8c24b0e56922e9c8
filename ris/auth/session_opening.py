"""What a sign-in does to sessions: the one its browser had, the limits, then the new one.

Every method of sign-in comes through here. The account's row is locked, so that two sign-ins at
once cannot pass a limit together. Accounts and proofs are judged before (`service.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import accounts, session_states, session_trace, sessions
from ris.auth.errors import SessionLimit, StepUpRequired
from ris.auth.model import Account, CloseReason, RisSession, Situation
from ris.auth.psc.client import SignIn
from ris.auth.session_states import OnSignIn, SessionState
from ris.auth.settings import AuthSettings
from ris.auth.workstations import is_shared
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.crypto import Sealer

_ENDS: Final = {
    OnSignIn.CLOSE_RENEWED: CloseReason.RENEWED,
    OnSignIn.CLOSE_OTHER_PERSON: CloseReason.OTHER_PERSON,
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A person who has just proved who he is: his account, situations, proof and origin.

    *former* is the secret of the browser's present session; `origin.workstation` the name the
    browser told. With *native_challenge* the session waits for an installed application.
    """

    account: Account
    listed: Sequence[Situation]
    sign_in: SignIn
    origin: Actor
    former: str = ""
    native_challenge: str | None = None
    detail: Mapping[str, object] | None = None


def open_for(session: Session, arrival: Arrival, settings: AuthSettings, sealer: Sealer) -> str:
    """Open the session of *arrival*, or unlock the one he left; trace; return its secret.

    Raises AccountSuspended, SessionLimit, or StepUpRequired when a shared workstation wants the
    lock lifted by a new authentication.
    """
    account, origin = arrival.account, arrival.origin
    sessions.lock_account(session, account.id)
    accounts.usable(session, account.id)
    with audit.together(session):
        old = sessions.find(session, arrival.former)
        if old is not None:
            session.refresh(old, with_for_update=True)  # its person may be leaving at this instant
        fate = _fate(session, old, account, arrival.sign_in, settings)
        if old is not None:
            origin = replace(origin, workstation=origin.workstation or old.workstation)
        if old is not None and fate is OnSignIn.UNLOCK:
            return _unlock(session, old, arrival, sealer, origin)
        if old is not None and fate in _ENDS:
            end(session, old, _ENDS[fate], origin)
        _make_room(session, account, settings, origin)
        same = old is not None and old.account_id == account.id
        row, token = sessions.open_session(
            session,
            account,
            arrival.listed,
            arrival.sign_in,
            sealer=sealer,
            ip=origin.origin_ip,
            workstation=origin.workstation,
            keep_situation=old.situation_id if old and same else None,
            native_challenge=arrival.native_challenge,
        )
        _trace(session, "auth.login_success", row, arrival, origin)
    return token


def take_over(
    session: Session, row: RisSession, former: str, settings: AuthSettings, origin: Actor
) -> None:
    """End the session an installed application had, for *row* that it has just fetched.

    The same person keeps his situation. Raises StepUpRequired as `open_for`.
    """
    old = sessions.find(session, former)
    account = session.get_one(Account, row.account_id)
    fate = _fate(session, old, account, row, settings)
    if old is None or fate is OnSignIn.NOTHING:
        return
    end(session, old, _ENDS.get(fate, CloseReason.RENEWED), origin)
    kept = session.get(Situation, old.situation_id) if old.situation_id else None
    same = fate is not OnSignIn.CLOSE_OTHER_PERSON
    if same and row.needs_situation and kept is not None and kept.ended_at is None:
        row.situation_id, row.needs_situation = kept.id, False


def end(session: Session, row: RisSession, reason: CloseReason, origin: Actor) -> None:
    """Close *row* and trace it as its person's, at *origin*."""
    sessions.close(session, row, reason)
    session_trace.closed(session, row, session_trace.holder(session, row, origin))


def _fate(
    session: Session,
    old: RisSession | None,
    account: Account,
    proved: SignIn | RisSession,
    settings: AuthSettings,
) -> OnSignIn:
    """Return what becomes of the browser's former session *old*."""
    if old is None:
        return OnSignIn.NOTHING
    found = sessions.settle(session, old, settings, clock.now())
    fate = session_states.on_sign_in(found.state, same_person=old.account_id == account.id)
    shared = is_shared(settings.workstations, old.workstation)
    if fate is OnSignIn.UNLOCK and shared and found.locked_since is not None:
        leeway = timedelta(seconds=settings.psc.leeway_s)
        if not session_states.proves_presence(proved.auth_time, found.locked_since, leeway=leeway):
            raise StepUpRequired(login="/auth/psc/login?step_up=true")
    return fate


def _unlock(
    session: Session, row: RisSession, arrival: Arrival, sealer: Sealer, origin: Actor
) -> str:
    token = sessions.reopen(
        session, row, arrival.listed, arrival.sign_in, sealer=sealer, ip=origin.origin_ip
    )
    _trace(session, "auth.session_unlock", row, arrival, origin)
    return token


def _make_room(session: Session, account: Account, settings: AuthSettings, origin: Actor) -> None:
    """Apply the policy of concurrent sessions, the account's row being locked.

    One session per workstation; then at most `sessions_per_account`, the oldest making room or
    the new one being refused. What time has ended does not count.
    """
    now = clock.now()
    query = select(RisSession).where(
        RisSession.account_id == account.id, RisSession.closed_at.is_(None)
    )
    left = []
    for row in list(session.scalars(query.order_by(RisSession.created_at, RisSession.id))):
        if sessions.settle(session, row, settings, now).state is SessionState.CLOSED:
            continue
        if origin.workstation is not None and row.workstation == origin.workstation:
            end(session, row, CloseReason.SAME_WORKSTATION, origin)
        else:
            left.append(row)
    most = settings.sessions_per_account
    excess = left[: len(left) - most + 1] if most and len(left) >= most else []
    if excess and settings.session_overflow == "refuse":
        raise SessionLimit(most)
    for row in excess:
        end(session, row, CloseReason.LIMIT, origin)


def _trace(session: Session, action: str, row: RisSession, arrival: Arrival, origin: Actor) -> None:
    audit.record(
        session,
        action,
        actor=session_trace.proof(accounts.actor_of(arrival.account, origin), row),
        target=("ris_session", row.id),
        detail={"situations": len(arrival.listed), **(arrival.detail or {})},
    )
