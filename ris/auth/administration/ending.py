"""The end of every session of an account, in the transaction that takes the account away.

Tokens brought by API callers need nothing: the account is read anew at each call (`bearer.py`).
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import sessions
from ris.auth.model import CloseReason, RisSession
from ris.core import audit
from ris.core.audit import Actor


def end_sessions(session: Session, account_id: UUID, actor: Actor) -> int:
    """Close the sessions of an account, those not yet handed over too; return how many."""
    query = select(RisSession).where(
        RisSession.account_id == account_id, RisSession.closed_at.is_(None)
    )
    rows = session.scalars(query.order_by(RisSession.id).with_for_update()).all()
    for row in rows:
        sessions.close(session, row, CloseReason.REVOKED)
    for row in rows:
        audit.record(
            session,
            "auth.session_closed",
            actor=actor,
            reason=CloseReason.REVOKED,
            target=("ris_session", row.id),
        )
    return len(rows)
