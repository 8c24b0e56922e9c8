"""The RPPS of every user looked up again in the Annuaire Santé, at least every two years (IE.30).

It informs and never shuts a door: names are refreshed, who left the directory becomes an alert.
No transaction is open while the Annuaire is asked.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from ris.auth.administration import alerts
from ris.auth.administration.model import AlertKind
from ris.auth.directory.service import Directory
from ris.auth.directory.values import DirectoryEntry
from ris.auth.model import Account, AccountStatus
from ris.auth.settings import AnnuaireSettings
from ris.core import audit, clock
from ris.core.db import Database
from ris.core.errors import NotConfigured, Permanent, RemoteError
from ris.rem import satisfies

EVERY_S: Final = 86_400
_MONTH: Final = timedelta(days=30)  # a little less than one, so that a limit in months is kept
_AT_ONCE: Final = 200
_log = structlog.get_logger()


@satisfies("RIS.ANN.02", "SC.SSI/IE.30")
def run(database: Database, directory: Directory, settings: AnnuaireSettings) -> int:
    """Look up the users not looked up for `recheck_months`; return how many were.

    An Annuaire that cannot be reached ends the round: the next one takes it up.
    """
    begun = clock.now()
    with database.transaction() as session:
        due = _due(session, settings.recheck_months * _MONTH)
    done = 0
    for account_id, rpps in due:
        try:
            found = directory.find(rpps, renew=True)
        except Permanent as error:
            _log.warning("directory_renewal_refused", code=error.code)
            continue
        except (RemoteError, NotConfigured) as error:
            _log.warning("directory_renewal_stopped", code=error.code)
            break
        if any(entry.fetched_at < begun for entry in found):
            break  # the old copy serves: the Annuaire does not answer
        with database.transaction() as session:
            _settle(session, account_id, found)
        done += 1
    return done


def _due(session: Session, period: timedelta) -> list[tuple[UUID, str]]:
    checked = Account.directory_checked_at
    query = select(Account.id, Account.rpps).where(
        Account.rpps.is_not(None),
        Account.status != AccountStatus.CLOSED,
        or_(checked.is_(None), checked < clock.now() - period),
    )
    rows = session.execute(query.order_by(checked.asc().nulls_first(), Account.id).limit(_AT_ONCE))
    return [(account_id, rpps) for account_id, rpps in rows if rpps]


def _settle(session: Session, account_id: UUID, found: list[DirectoryEntry]) -> None:
    """Note the look-up; names were refreshed when the answer was stored (`service.store`)."""
    now = clock.now()
    session.execute(
        update(Account).where(Account.id == account_id).values(directory_checked_at=now)
    )
    kind = None
    if not found:
        kind = AlertKind.DIRECTORY_UNKNOWN
    elif not any(entry.active for entry in found):
        kind = AlertKind.DIRECTORY_INACTIVE
    if kind is not None:
        alerts.raise_one(session, account_id, kind)
    audit.record(
        session, "auth.directory_checked", target=("account", account_id), detail={"alert": kind}
    )
