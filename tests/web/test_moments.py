"""A number is neither a date nor an instant: `since=2026` is not the year 1970."""

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from ris.web.moments import Day, Instant

NUMBERS = (0, 2026, "2026", "86400", "-1", "1e3", 12.5, "nan")


def test_what_is_written_out_is_taken() -> None:
    assert TypeAdapter(Day).validate_python("2026-01-31") == date(2026, 1, 31)
    told = TypeAdapter(Instant).validate_python("2026-01-31T14:30:00+01:00")
    assert told == datetime(2026, 1, 31, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize("told", NUMBERS)
@pytest.mark.parametrize(("kind", "family"), [(Day, "date_"), (Instant, "datetime_")])
def test_a_number_is_refused_as_any_other_bad_date(kind: object, family: str, told: object) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(told)
    assert refused.value.errors()[0]["type"].startswith(family)
