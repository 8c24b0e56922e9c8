"""The pure rules: the life of an account, the separation of roles, what is an alert."""

import itertools

import pytest

from ris.auth.administration.alerts import told_kinds
from ris.auth.administration.model import AlertKind
from ris.auth.administration.separation import ADMINISTRATION, crosses, together
from ris.auth.administration.states import Act, after
from ris.auth.model import AccountStatus
from ris.auth.rights import Role

_S, _A = AccountStatus, Act
DOCTOR, STUDENT, TECHNOLOGIST = ("10", "C"), ("10", "E"), ("98", "C")


def test_only_these_acts_change_a_status() -> None:
    allowed = {
        (status, act): after(status, act, has_role=True)
        for status, act in itertools.product(_S, _A)
        if after(status, act, has_role=True)
    }
    assert allowed == {
        (_S.PENDING, _A.ACTIVATE): _S.ACTIVE,
        (_S.ACTIVE, _A.SUSPEND): _S.SUSPENDED,
        (_S.SUSPENDED, _A.REACTIVATE): _S.ACTIVE,
        (_S.CLOSED, _A.REACTIVATE): _S.ACTIVE,
        (_S.PENDING, _A.CLOSE): _S.CLOSED,
        (_S.ACTIVE, _A.CLOSE): _S.CLOSED,
        (_S.SUSPENDED, _A.CLOSE): _S.CLOSED,
    }


def test_a_request_refused_and_taken_up_again_is_a_request() -> None:
    assert after(_S.CLOSED, _A.REACTIVATE, has_role=False) is _S.PENDING


@pytest.mark.rem("SC.SSI/IAM.92")
@pytest.mark.rem("SC.SSI/GEN.16")
def test_no_plain_grant_goes_from_care_to_administration_or_back() -> None:
    care = set(Role) - ADMINISTRATION
    for former, wanted in itertools.product(care, ADMINISTRATION):
        assert crosses(former, wanted)
        assert crosses(wanted, former)
    for former, wanted in itertools.product(care, care):
        assert not crosses(former, wanted)
    assert not crosses(Role.ADMIN_TECH, Role.ADMIN_SECURITY)
    assert not any(crosses(None, wanted) for wanted in Role)


@pytest.mark.rem("SC.SSI/GEN.16")
def test_nobody_gives_rights_and_reviews_who_gave_them() -> None:
    assert crosses(Role.ADMIN_SECURITY, Role.AUDITOR)
    assert crosses(Role.AUDITOR, Role.ADMIN_SECURITY)
    assert not together(Role.AUDITOR, [Role.RADIOLOGIST, Role.ADMIN_SECURITY])
    assert not together(Role.ADMIN_SECURITY, [Role.AUDITOR])
    assert together(Role.ADMIN_SECURITY, [Role.RADIOLOGIST])
    assert together(Role.AUDITOR, [Role.ADMIN_TECH])


@pytest.mark.parametrize(
    ("before", "now", "activities", "kinds"),
    [
        ([], [DOCTOR], True, set()),
        ([DOCTOR], [DOCTOR], True, set()),
        ([DOCTOR], [DOCTOR, TECHNOLOGIST], True, set()),
        ([DOCTOR], [TECHNOLOGIST], True, {AlertKind.PROFESSION_CHANGED}),
        ([DOCTOR, TECHNOLOGIST], [DOCTOR], True, {AlertKind.PROFESSION_CHANGED}),
        ([DOCTOR], [STUDENT], True, {AlertKind.BECAME_STUDENT}),
        ([STUDENT], [STUDENT], True, set()),
        ([DOCTOR], [DOCTOR], False, {AlertKind.NO_ACTIVITY}),
        ([DOCTOR], [], False, {AlertKind.PROFESSION_CHANGED, AlertKind.NO_ACTIVITY}),
    ],
)
def test_what_an_administrator_is_told(
    before: list[tuple[str, str]],
    now: list[tuple[str, str]],
    activities: bool,
    kinds: set[AlertKind],
) -> None:
    assert told_kinds(before, now, activities=activities) == kinds
