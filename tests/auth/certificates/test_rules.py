"""Which certificate serves, which ends soon, which is of no use: pure rules."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA384

from ris.auth.certificates import rules
from ris.auth.certificates.settings import PoolSettings
from ris.auth.certificates.values import EXPLAINED, Held, Refusal, State
from ris.core import clock
from ris.sandbox.pki import TestPki
from tests.auth.certificates.making import SCM, A, B, issue, key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THRESHOLDS = (90, 60, 30, 7)
SOON, ENDED = Refusal.NOT_YET_VALID, Refusal.EXPIRED


def held(name: str, start: int, end: int, refusal: Refusal | None = None, usage: str = "X") -> Held:
    days = timedelta(days=1)
    return Held(A, usage, name, NOW + end * days, refusal, NOW + start * days, name)


@pytest.mark.parametrize(
    ("left", "days", "crossed"),
    [
        (timedelta(days=91), 91, None),
        (timedelta(days=90, seconds=86_399), 90, 90),
        (timedelta(days=90), 90, 90),
        (timedelta(days=61), 61, 90),
        (timedelta(days=60), 60, 60),
        (timedelta(days=30), 30, 30),
        (timedelta(days=8), 8, 30),
        (timedelta(days=7, hours=1), 7, 7),
        (timedelta(seconds=1), 0, 7),
        (timedelta(0), 0, 7),
        (-timedelta(seconds=1), -1, 0),
    ],
)
def test_each_threshold_is_crossed_on_its_day(
    left: timedelta, days: int, crossed: int | None
) -> None:
    assert rules.days_left(NOW + left, NOW) == days
    assert rules.alert(NOW + left, NOW, THRESHOLDS) == crossed


def states(*listed: Held) -> dict[str, State]:
    return {one.serial: one.state for one in rules.standing(listed, NOW, THRESHOLDS)}


def test_the_newest_usable_serves_and_the_others_have_their_place() -> None:
    assert states(
        held("ended", -900, -10, ENDED), held("old", -700, 20), held("new", -5, 900),
        held("later", 10, 999, SOON), held("wrong", -1, 900, Refusal.KEY_MISMATCH),
    ) == {
        "ended": State.ARCHIVED, "old": State.SPARE, "new": State.CURRENT, "later": State.NEXT,
        "wrong": State.REFUSED,
    }  # fmt: skip
    assert states(held("ended", -900, -10, ENDED)) == {"ended": State.REFUSED}


def alerts(*listed: Held) -> dict[str, int | None]:
    return {one.serial: one.alert for one in rules.standing(listed, NOW, THRESHOLDS)}


def test_a_successor_in_place_ends_the_alert_unless_it_leaves_a_gap() -> None:
    ending = held("ending", -900, 5)
    assert alerts(ending) == {"ending": 7}
    assert alerts(ending, held("next", 5, 900, SOON))["ending"] is None
    assert alerts(ending, held("next", 6, 900, SOON))["ending"] == 7
    assert alerts(ending, held("other", -10, 4))["ending"] == 7
    assert alerts(ending, held("wrong", -10, 900, Refusal.OTHER_STRUCTURE))["ending"] == 7
    assert alerts(held("ended", -9, -1, ENDED)) == {"ended": 0}
    assert alerts(held("ended", -9, -2, ENDED), held("new", -1, 900))["ended"] is None


def test_what_must_be_put_right_is_never_hidden_by_one_that_serves() -> None:
    good, foreign = held("good", -1, 900), held("foreign", -1, 900, Refusal.OTHER_STRUCTURE)
    waits, ended = held("next", 1, 900, SOON), held("ended", -9, -1, ENDED)
    assert rules.faults([good, foreign, waits, ended]) == [foreign]
    assert rules.faults([waits]) == [waits]
    alone = held("ended", -9, -1, ENDED, usage="SIGN")
    assert rules.faults([good, alone]) == [alone]


@pytest.mark.parametrize(
    ("struct", "made", "asked", "name", "days", "reason"),
    [
        (A, "AUTH_CLI", "AUTH_CLI", "", (-1, 9), None),
        (A, "SIGN", "SIGN", "", (-1, 9), None),
        (A, "INSI", "INSI", "", (-1, 9), None),
        (A, "INSI", "INSI", "INSI-AUTO", (-1, 9), None),
        (A, "INSI_AUTO", "INSI_AUTO", "INSI-MANU", (-1, 9), Refusal.WRONG_NAME),
        (A, "AUTH_CLI", "INSI", "RIS", (-1, 9), Refusal.WRONG_NAME),
        (B, "AUTH_CLI", "AUTH_CLI", "", (-1, 9), Refusal.OTHER_STRUCTURE),
        (A, "SIGN", "AUTH_CLI", "", (-1, 9), Refusal.WRONG_USAGE),
        (A, "AUTH_CLI", "SIGN", "", (-1, 9), Refusal.WRONG_USAGE),
        (A, "AUTH_CLI", "AUTH_CLI", "", (-9, -1), Refusal.EXPIRED),
        (A, "AUTH_CLI", "AUTH_CLI", "", (1, 9), Refusal.NOT_YET_VALID),
        (A, "AUTH_CLI", "INSI", "RIS", (1, 9), Refusal.WRONG_NAME),  # not masked by its dates
    ],
)
def test_a_certificate_serves_its_structure_its_usage_and_its_dates(
    pki: TestPki, *, struct: str, made: str, asked: str, name: str, days: tuple[int, int],
    reason: Refusal | None,
) -> None:  # fmt: skip
    leaf = issue(pki, struct, made, name=name, days=days).leaf
    assert rules.unfit(leaf, A, asked, clock.now()) is reason


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_certificate_that_names_two_structures_serves_neither(pki: TestPki) -> None:
    leaf = issue(pki, A, beside=SCM).leaf
    assert rules.units_of(leaf) == [SCM, A]
    for struct in (A, SCM):
        assert rules.unfit(leaf, struct, "AUTH_CLI", clock.now()) is Refusal.OTHER_STRUCTURE


def test_a_small_key_or_an_old_digest_is_below_the_floor(pki: TestPki) -> None:
    sound = issue(pki).leaf
    assert rules.weak(sound, PoolSettings()) is None
    assert rules.weak(sound, PoolSettings(rsa_bits=3072)) is Refusal.KEY_WEAK
    assert rules.weak(sound, PoolSettings(hashes=frozenset({"sha384"}))) is Refusal.KEY_WEAK
    other = issue(pki, digest=SHA384()).leaf
    assert rules.weak(other, PoolSettings(hashes=frozenset({"sha384"}))) is None
    small = issue(pki, own=key(bits=1024)).leaf
    assert rules.weak(small, PoolSettings()) is Refusal.KEY_WEAK


def test_every_refusal_is_explained() -> None:
    assert set(EXPLAINED) == set(Refusal)
