"""The circuit breaker: its rules, and one row that every process shares."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from ris.core import breaker
from ris.core.breaker import Policy, open_for, state_of

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICY = Policy(failures=2, open_s=60, max_s=200)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, None), (1, None), (2, 60), (3, 120), (4, 200), (99, 200)]
)
def test_it_opens_longer_and_longer_up_to_a_limit(failures: int, seconds: float | None) -> None:
    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert open_for(failures, POLICY) == wanted


def test_it_is_half_open_once_the_wait_is_over() -> None:
    assert state_of(None, AT) == "closed"
    assert state_of(AT + timedelta(seconds=1), AT) == "open"
    assert state_of(AT, AT) == "half_open"


def test_calls_in_the_air_when_it_opened_do_not_lengthen_it(session: Session) -> None:
    assert not breaker.failed(session, "one", AT, AT, POLICY)
    assert breaker.failed(session, "one", AT, AT, POLICY)
    before = breaker.endpoint(session, "one", AT)
    assert breaker.failed(session, "one", AT - timedelta(seconds=1), AT, POLICY)
    assert breaker.endpoint(session, "one", AT) == before


def test_endpoints_do_not_know_each_other(session: Session) -> None:
    for _ in range(2):
        breaker.failed(session, "one", AT, AT, POLICY)
    assert breaker.admit(session, "one", AT, POLICY) == AT + timedelta(seconds=60)
    assert breaker.admit(session, "two", AT, POLICY) is None
    assert [one.name for one in breaker.endpoints(session, AT)] == ["one"]
    assert breaker.succeeded(session, "one") == AT
    assert breaker.succeeded(session, "one") is None
    assert breaker.admit(session, "one", AT, POLICY) is None
