"""The journal of refused sign-ins: each its line within the brake's budget, one line for the rest.

The only place that writes what an anonymous caller was refused. Whom to refuse is elsewhere.
"""

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ris.auth.brake import Brake, BrakeSettings, Summary
from ris.core import audit
from ris.core.audit import Actor
from ris.core.db import Database


class RefusalJournal:
    """Traces refusals, each in a transaction of its own."""

    def __init__(self, database: Database, settings: BrakeSettings) -> None:
        self._database = database
        self._brake = Brake(settings, self._count)

    def trace(self, action: str, reason: str, actor: Actor) -> None:
        """Write one refusal, or count it when its origin has used its budget up."""
        if self._brake.admits(action, reason, actor.origin_ip):
            with self._database.transaction() as session:
                audit.record(session, action, actor=actor, outcome="failure", reason=reason)

    def flush(self) -> None:
        """Write now what was only counted."""
        self._brake.flush()

    def _count(self, told: Summary) -> None:
        """Write one window's count; it may be the end of the process, so nothing is raised."""
        detail = {
            "count": told.count,
            "origins": told.origins,
            "kinds": dict(told.kinds),
            "since": told.since.isoformat(timespec="seconds"),
        }
        actor = Actor(origin_ip=told.origin)
        try:
            with self._database.transaction() as session:
                audit.record(
                    session,
                    "auth.refusals_counted",
                    actor=actor,
                    outcome="failure",
                    reason="flood",
                    detail=detail,
                )
        except SQLAlchemyError as error:
            structlog.get_logger().error("auth.count_lost", error=type(error).__name__, **detail)
