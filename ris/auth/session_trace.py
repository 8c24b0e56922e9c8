"""What the journal says of sessions: who, by which proof, where; the lock, the end.

Only traces. Call them last in a transaction, or inside `audit.together`.
"""

from dataclasses import replace

from sqlalchemy.orm import Session

from ris.auth import accounts
from ris.auth.model import Account, RisSession
from ris.core import audit
from ris.core.audit import Actor


def proof(actor: Actor, row: RisSession) -> Actor:
    """Return *actor* with the proof of authentication level and the workstation of its session."""
    return replace(
        actor,
        situation_id=row.situation_id,
        auth_method=row.method,
        acr=row.acr,
        auth_time=row.auth_time,
        psc_session_state=row.psc_session_state,
        session_hash=row.token_hash.hex()[:16],
        workstation=row.workstation or actor.workstation,
    )


def holder(session: Session, row: RisSession, origin: Actor | None = None) -> Actor:
    """Return the person of *row* as an actor, at *origin* when somebody asked."""
    account = session.get_one(Account, row.account_id)
    return proof(accounts.actor_of(account, origin), row)


def locked(session: Session, row: RisSession, why: str, actor: Actor) -> None:
    """Trace a lock: *why* is `idle` or `user`."""
    _about(session, "auth.session_lock", row, actor, why)


def closed(session: Session, row: RisSession, actor: Actor) -> None:
    """Trace an end, with the reason written in *row*."""
    _about(session, "auth.session_closed", row, actor, row.close_reason)


def _about(
    session: Session, action: str, row: RisSession, actor: Actor, reason: str | None
) -> None:
    target = ("ris_session", row.id)
    audit.record(session, action, actor=actor, reason=reason, target=target)
