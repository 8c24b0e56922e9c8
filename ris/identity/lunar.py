"""Birth dates that are no real date (`1950-00-00`): brought to one that can be stored. Pure."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Final

_LUNAR: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class BirthDate:
    """A real date (ISO), and what was said when that was not one."""

    stored: str
    raw: str | None = None


def whole_date(value: str) -> BirthDate:
    """Return the date to store for *value* (`YYYY-MM-DD`), by ins.md R-DAT-01.

    Day unknown or impossible in its month: the first; month unknown: January; neither known, or an
    impossible month: 31 December. A value of another shape comes back as it is, for the entry
    rules to refuse.
    """
    found = _LUNAR.fullmatch(value)
    if found is None:
        return BirthDate(value)
    year, month, day = (int(part) for part in found.groups())
    if year == 0:
        return BirthDate(value)
    if month > 12 or (month == 0 and not 1 <= day <= 31):
        stored = date(year, 12, 31)
    elif month == 0:
        stored = date(year, 1, day)
    else:
        real = 1 <= day <= monthrange(year, month)[1]
        stored = date(year, month, day if real else 1)
    iso = stored.isoformat()
    return BirthDate(iso, None if iso == value else value)
