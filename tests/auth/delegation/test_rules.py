"""Which role needs a delegation, and what one covers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ris.auth.delegation.rules import beyond, covers, needs_delegation
from ris.auth.delegation.values import DelegatedAction, Given, Responsible
from ris.auth.periods import Period, checked
from ris.auth.rights import Role
from ris.core.errors import Invalid

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DAY = timedelta(days=1)
DOCTOR, COLLEAGUE, CLERK = (UUID(int=one) for one in (1, 2, 3))
OWN, OTHER = "499700993001004", "499700993019014"
SEND, RETRY = DelegatedAction.MSS_SEND, DelegatedAction.DELIVERY_RETRY
SIGNED = Responsible(DOCTOR, OWN)
GIVEN = Given(DOCTOR, CLERK, OWN, frozenset({SEND}), Period(NOW - DAY, NOW + DAY))


def test_signing_correcting_and_dmp_control_cannot_be_delegated() -> None:
    assert {str(one) for one in DelegatedAction} == {"mss.send", "delivery.retry"}


def test_only_physicians_and_service_accounts_send_in_their_own_right() -> None:
    alone = {role for role in Role if not needs_delegation(role)}
    assert alone == {Role.RADIOLOGIST, Role.NUCLEAR_PHYSICIAN, Role.INTEGRATOR}


def test_a_delegation_adds_no_right_to_a_role() -> None:
    assert beyond(Role.SECRETARY, DelegatedAction) == []
    assert beyond(Role.TECHNOLOGIST, DelegatedAction) == [RETRY, SEND]


def test_a_delegation_covers_its_action_for_its_giver_and_his_structure() -> None:
    assert covers(GIVEN, SEND, SIGNED, NOW)
    assert not covers(GIVEN, RETRY, SIGNED, NOW)
    assert not covers(GIVEN, SEND, Responsible(COLLEAGUE, OWN), NOW)
    assert not covers(GIVEN, SEND, Responsible(DOCTOR, OTHER), NOW)


@pytest.mark.parametrize(
    ("at", "expected"),
    [(NOW - DAY, True), (NOW - DAY - timedelta(seconds=1), False), (NOW + DAY, False)],
)
def test_a_delegation_lives_between_its_dates(at: datetime, expected: bool) -> None:
    assert covers(GIVEN, SEND, SIGNED, at) is expected


def test_a_revoked_delegation_covers_nothing() -> None:
    assert not covers(replace(GIVEN, revoked_at=NOW), SEND, SIGNED, NOW)


@pytest.mark.parametrize(
    ("since", "until"),
    [(NOW, NOW), (NOW + DAY, NOW), (NOW - 2 * DAY, NOW - DAY), (NOW, NOW + 8 * DAY)],
)
def test_a_period_is_not_empty_nor_over_nor_too_long(since: datetime, until: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        checked(since, until, NOW, timedelta(days=7))
    assert refused.value.code == "PERIOD_INVALID"
    assert checked(NOW, NOW + 7 * DAY, NOW, timedelta(days=7)).until == NOW + 7 * DAY
