"""The term of a copy: a pure date, at the edges of months, years and summer time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.core.clock import PARIS
from ris.identity.copies.retention import purge_at

AWARE = st.integers(946684800, 4102444800).map(lambda s: datetime.fromtimestamp(s, UTC))


@pytest.mark.rem("RIS.INS.58")
@pytest.mark.parametrize(
    ("last", "months", "term"),
    [
        ("2024-02-29T10:30", 60, "2029-02-28T10:30"),
        ("2024-02-29T10:30", 48, "2028-02-29T10:30"),
        ("2024-02-28T10:30", 60, "2029-02-28T10:30"),
        ("2023-12-31T23:59", 60, "2028-12-31T23:59"),
        ("2024-08-31T08:00", 1, "2024-09-30T08:00"),
        ("2024-12-15T08:00", 1, "2025-01-15T08:00"),
        ("2024-01-15T08:00", 6, "2024-07-15T08:00"),
    ],
)
def test_the_term_is_the_same_hour_in_paris_months_later(last: str, months: int, term: str) -> None:
    told = datetime.fromisoformat(last).replace(tzinfo=PARIS)
    assert purge_at(told, months).isoformat()[:16] == term
    assert purge_at(told.astimezone(UTC), months) == purge_at(told, months)


@given(AWARE, st.integers(1, 60))
def test_no_term_comes_before_28_days_a_month_nor_after_31(last: datetime, months: int) -> None:
    kept = purge_at(last, months) - last
    hour = timedelta(hours=1)
    assert timedelta(days=28 * months) - hour <= kept <= timedelta(days=31 * months) + hour


@given(AWARE, st.timedeltas(timedelta(days=1), timedelta(days=900)))
def test_a_later_activity_never_brings_the_term_forward(last: datetime, later: timedelta) -> None:
    assert purge_at(last + later, 60) >= purge_at(last, 60)
