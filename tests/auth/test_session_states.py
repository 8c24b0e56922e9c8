"""The machine of a session, row by row of its table. Pure: no database, no clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from pydantic import ValidationError

from ris.auth.session_states import (
    CloseReason,
    Delays,
    Life,
    OnSignIn,
    SessionState,
    on_sign_in,
    proves_presence,
    standing,
)
from ris.auth.settings import AuthSettings
from ris.auth.workstations import Workstation, idle_of, is_shared

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DELAYS = Delays(
    idle=timedelta(minutes=10), locked=timedelta(minutes=30), absolute=timedelta(hours=4)
)
FRESH = Life(created_at=START, last_seen_at=START)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.rem("SC.SSI/IE.39")
@pytest.mark.parametrize(
    ("life", "after", "state", "reason"),
    [
        (FRESH, timedelta(), SessionState.ACTIVE, None),
        (FRESH, 10 * MINUTE, SessionState.ACTIVE, None),
        (FRESH, 10 * MINUTE + SECOND, SessionState.LOCKED, None),
        (FRESH, 40 * MINUTE, SessionState.LOCKED, None),
        (FRESH, 40 * MINUTE + SECOND, SessionState.CLOSED, CloseReason.LOCKED_TOO_LONG),
        (replace(FRESH, needs_situation=True), MINUTE, SessionState.NEEDS_SITUATION, None),
        (replace(FRESH, needs_situation=True), 11 * MINUTE, SessionState.LOCKED, None),
        (replace(FRESH, locked_at=START + MINUTE), MINUTE, SessionState.LOCKED, None),
        (replace(FRESH, locked_at=START), 30 * MINUTE, SessionState.LOCKED, None),
        (
            replace(FRESH, locked_at=START),
            30 * MINUTE + SECOND,
            SessionState.CLOSED,
            CloseReason.LOCKED_TOO_LONG,
        ),
        (
            replace(FRESH, last_seen_at=START + 239 * MINUTE),
            240 * MINUTE,
            SessionState.ACTIVE,
            None,
        ),
        (
            replace(FRESH, last_seen_at=START + 240 * MINUTE),
            240 * MINUTE + SECOND,
            SessionState.CLOSED,
            CloseReason.EXPIRED,
        ),
        (replace(FRESH, closed_at=START), timedelta(), SessionState.CLOSED, None),
        (replace(FRESH, undelivered=True), MINUTE, SessionState.ACTIVE, None),
        (
            replace(FRESH, undelivered=True),
            MINUTE + SECOND,
            SessionState.CLOSED,
            CloseReason.EXPIRED,
        ),
    ],
)
def test_a_state_follows_from_instants_alone(
    life: Life, after: timedelta, state: SessionState, reason: CloseReason | None
) -> None:
    found = standing(life, DELAYS, START + after)
    assert (found.state, found.reason) == (state, reason)
    assert (found.locked_since is not None) == (state is SessionState.LOCKED)


def test_an_idle_lock_counts_from_the_end_of_the_delay_not_from_its_discovery() -> None:
    found = standing(FRESH, DELAYS, START + 39 * MINUTE)
    assert found.locked_since == START + 10 * MINUTE


def test_a_session_used_after_its_lock_stays_locked() -> None:
    used = replace(FRESH, locked_at=START, last_seen_at=START + 5 * MINUTE)
    assert standing(used, DELAYS, START + 6 * MINUTE).state is SessionState.LOCKED


def test_the_end_of_the_link_with_psc_is_a_flag_on_any_state() -> None:
    for life in (FRESH, replace(FRESH, locked_at=START), replace(FRESH, closed_at=START)):
        assert not standing(life, DELAYS, START).psc_expired
        assert standing(replace(life, psc_ended=True), DELAYS, START).psc_expired


def test_only_the_same_person_finds_a_locked_session_again() -> None:
    expected = {
        (SessionState.ACTIVE, True): OnSignIn.CLOSE_RENEWED,
        (SessionState.NEEDS_SITUATION, True): OnSignIn.CLOSE_RENEWED,
        (SessionState.LOCKED, True): OnSignIn.UNLOCK,
        (SessionState.CLOSED, True): OnSignIn.NOTHING,
        (SessionState.ACTIVE, False): OnSignIn.CLOSE_OTHER_PERSON,
        (SessionState.NEEDS_SITUATION, False): OnSignIn.CLOSE_OTHER_PERSON,
        (SessionState.LOCKED, False): OnSignIn.CLOSE_OTHER_PERSON,
        (SessionState.CLOSED, False): OnSignIn.NOTHING,
    }
    for state, same in product(SessionState, (True, False)):
        assert on_sign_in(state, same_person=same) is expected[state, same]


def test_a_proof_older_than_the_lock_proves_no_presence() -> None:
    leeway = 10 * SECOND
    assert proves_presence(START - 10 * SECOND, START, leeway=leeway)
    assert not proves_presence(START - 11 * SECOND, START, leeway=leeway)


def test_a_workstation_has_its_own_delay_or_the_common_one() -> None:
    known = {"ACCUEIL-1": Workstation(idle_lock_s=300, shared=True), "CONSOLE": Workstation()}
    assert idle_of(known, "ACCUEIL-1", 600) == 5 * MINUTE
    for name in ("CONSOLE", "unknown", "", None):
        assert idle_of(known, name, 600) == 10 * MINUTE
        assert not is_shared(known, name)
    assert is_shared(known, "ACCUEIL-1")


@pytest.mark.parametrize("name", ["", "-x", "a b", "é", "a" * 65, "a/b", "a\n"])
def test_a_workstation_s_name_is_plain(name: str) -> None:
    with pytest.raises(ValidationError):
        AuthSettings(workstations={name: Workstation()})
