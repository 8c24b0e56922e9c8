"""What time alone ends: sessions past their last hour, sign-ins nobody finished.

Called now and then by the worker. An expired session is refused long before (`sessions.py`); here
its PSC tokens are dropped and its end traced.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ris.auth import sessions
from ris.auth.ciba.model import CibaRequest, SeenLogout
from ris.auth.local import life
from ris.auth.local.model import LocalGuard
from ris.auth.model import CloseReason, LoginAttempt, RisSession
from ris.auth.settings import AuthSettings
from ris.core import audit, clock
from ris.core.db import Database
from ris.rem import satisfies

EVERY_S: Final = 900
_KEPT: Final = timedelta(days=1)
_TRIES_KEPT: Final = timedelta(days=30)
_AT_ONCE: Final = 500


def run(database: Database, settings: AuthSettings) -> None:
    """Sweep in a transaction of its own."""
    with database.transaction() as session:
        sweep(session, settings)


@satisfies("SC.MSS/CONF.28")
def sweep(session: Session, settings: AuthSettings) -> int:
    """Close the sessions that reached their end and forget unfinished sign-ins of a day ago.

    Returns how many sessions were closed. Their tokens do not outlive them.
    """
    now = clock.now()
    over = select(RisSession).where(
        RisSession.closed_at.is_(None),
        life.over(RisSession.method, RisSession.created_at, settings, now),
    )
    ended = list(session.scalars(over.limit(_AT_ONCE).with_for_update(skip_locked=True)))
    for row in ended:
        sessions.close(session, row, CloseReason.EXPIRED)
    for table, dated in (
        (LoginAttempt, LoginAttempt.created_at),
        (CibaRequest, CibaRequest.created_at),
        (SeenLogout, SeenLogout.seen_at),
    ):
        session.execute(delete(table).where(dated < now - _KEPT))
    session.execute(delete(LocalGuard).where(LocalGuard.last_at < now - _TRIES_KEPT))
    for row in ended:
        audit.record(
            session,
            "auth.session_closed",
            reason=CloseReason.EXPIRED,
            target=("ris_session", row.id),
        )
    return len(ended)
