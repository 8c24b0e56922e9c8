"""What time alone does: sessions left unused or past their last hour, sign-ins nobody finished.

Called now and then by the worker. Such a session is refused long before (`sessions.py`); here its
lock or its end is traced and its PSC tokens are dropped.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, and_, delete, or_, select
from sqlalchemy.orm import Session

from ris.auth import sessions
from ris.auth.ciba.model import CibaRequest, SeenLogout
from ris.auth.local import life
from ris.auth.local.model import LocalGuard
from ris.auth.model import LoginAttempt, RisSession
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


@satisfies("SC.MSS/CONF.28", "SC.SSI/IE.39")
def sweep(session: Session, settings: AuthSettings) -> int:
    """Lock and close the sessions whose time has come, forget unfinished sign-ins of a day ago.

    Returns how many sessions were closed. Their tokens do not outlive them.
    """
    now = clock.now()
    ended = 0
    with audit.together(session):
        for row in session.scalars(_due(settings, now)).all():
            ended += sessions.settle(session, row, settings, now).reason is not None
    for table, dated in (
        (LoginAttempt, LoginAttempt.created_at),
        (CibaRequest, CibaRequest.created_at),
        (SeenLogout, SeenLogout.seen_at),
    ):
        session.execute(delete(table).where(dated < now - _KEPT))
    session.execute(delete(LocalGuard).where(LocalGuard.last_at < now - _TRIES_KEPT))
    return ended


def _due(settings: AuthSettings, now: datetime) -> Select[RisSession]:
    """Return the open sessions that time may have locked or ended, longest unused first."""
    own = (one.idle_lock_s for one in settings.workstations.values())
    shortest = min([settings.idle_lock_s, *(idle for idle in own if idle is not None)])
    may_be = or_(
        life.over(RisSession.method, RisSession.created_at, settings, now),
        RisSession.native_challenge.is_not(None),
        RisSession.locked_at < now - timedelta(seconds=settings.locked_close_s),
        and_(
            RisSession.locked_at.is_(None),
            RisSession.last_seen_at < now - timedelta(seconds=shortest),
        ),
    )
    found = select(RisSession).where(RisSession.closed_at.is_(None), may_be)
    return found.order_by(RisSession.last_seen_at).limit(_AT_ONCE).with_for_update(skip_locked=True)
