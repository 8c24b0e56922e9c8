"""The journal of refused sign-ins: each its line within the brake's budget, one line for the rest.

The only place that writes what an anonymous caller was refused. Whom to refuse is elsewhere.
"""

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ris.auth.brake import Brake, BrakeSettings, Summary
from ris.auth.enrolment import aftermath
from ris.core import audit
from ris.core.audit import Actor
from ris.core.db import Database
from ris.core.errors import RisError


class RefusalJournal:
    """Traces refusals, each in a transaction of its own."""

    def __init__(self, database: Database, settings: BrakeSettings) -> None:
        self._database = database
        self._brake = Brake(settings, self._count)

    def refused(self, action: str, error: RisError, actor: Actor) -> None:
        """Write a refusal with what it leaves, or count it when its origin's budget is used up.

        Of a person whose identity was proved, what it leaves is always written.
        """
        reason = str(getattr(error, "reason", error.code))
        if aftermath.lasts(error) or self._brake.admits(action, reason, actor.origin_ip):
            with self._database.transaction() as session:
                aftermath.note(session, error, actor)
                audit.record(session, action, actor=actor, outcome="failure", reason=reason)

    def trace(self, action: str, reason: str, actor: Actor) -> None:
        """Write, or count, a refusal that is no error of ours and leaves nothing."""
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
