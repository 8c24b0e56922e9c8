"""The dates of a right given for a time: one rule for delegations and manual situations. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ris.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Period:
    """From *since*, included, to *until*, not included; both aware."""

    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        """Say whether *at* is inside."""
        return self.since <= at < self.until


def checked(since: datetime, until: datetime, now: datetime, longest: timedelta) -> Period:
    """Return the period from *since* to *until*.

    Raises Invalid (`PERIOD_INVALID`) when it is empty, already over, or longer than *longest*.
    """
    if until <= since or until <= now:
        raise Invalid("La fin doit suivre le début et n'être pas passée.", code="PERIOD_INVALID")
    if until - since > longest:
        raise Invalid(f"Durée maximale : {longest.days} jours.", code="PERIOD_INVALID")
    return Period(since, until)
