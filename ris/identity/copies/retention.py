"""When a copy must go: a date, from the last activity and a number of months. Pure."""

import calendar
from datetime import datetime

from ris.core.clock import PARIS
from ris.rem import satisfies


@satisfies("RIS.INS.58")
def purge_at(last_activity: datetime, months: int) -> datetime:
    """Return the instant from which a copy must be erased: same hour in Paris, *months* later.

    A day that the month does not have becomes its last one: 29 February + 60 months is
    28 February (rem.md §9.6). *last_activity* is aware.
    """
    local = last_activity.astimezone(PARIS)
    years, month = divmod(local.month - 1 + months, 12)
    year, month = local.year + years, month + 1
    day = min(local.day, calendar.monthrange(year, month)[1])
    return local.replace(year=year, month=month, day=day)
