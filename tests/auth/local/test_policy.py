"""Passwords, one-time codes and delays: the pure rules of local sign-in."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from pydantic import ValidationError

from ris.auth.local import codes, passwords, policy
from ris.auth.local.model import Purpose
from ris.auth.local.settings import LocalSettings
from tests.auth.local.conftest import HASHER, NOBODY

SETTINGS = LocalSettings()
NOW = datetime(2026, 3, 2, 9, 0, 10, tzinfo=UTC)


@pytest.mark.rem("SC.SSI/IE.36")
@pytest.mark.parametrize(
    ("password", "purpose", "lacks"),
    [
        ("Rayons-inventes7", Purpose.ADMINISTRATION, 0),
        ("Rayons-invente7", Purpose.ADMINISTRATION, 0),
        ("Rayons-inven-7", Purpose.ADMINISTRATION, 1),
        ("Rayonsinventes77", Purpose.ADMINISTRATION, 1),
        ("rayons-inventes7", Purpose.ADMINISTRATION, 1),
        ("RAYONS-INVENTES7", Purpose.ADMINISTRATION, 1),
        ("Rayons-inventess", Purpose.ADMINISTRATION, 1),
        ("rayons", Purpose.ADMINISTRATION, 2),
        ("Rayons-inven", Purpose.EMERGENCY, 0),
        ("Rayons-inve", Purpose.EMERGENCY, 1),
        ("rayonsinvent", Purpose.EMERGENCY, 1),
        ("Alba.Rx-inventee-7", Purpose.ADMINISTRATION, 1),
    ],
)
def test_a_password_has_the_length_and_the_classes_of_its_use(
    password: str, purpose: Purpose, lacks: int
) -> None:
    rules = policy.rules_of(purpose, SETTINGS)
    assert len(policy.weaknesses(password, "alba.rx", rules)) == lacks


@pytest.mark.parametrize(
    "below",
    [
        {"administration": {"min_length": 14}},
        {"administration": {"classes": 3}},
        {"ordinary": {"min_length": 11}},
        {"expires_days": 366},
        {"lock_after": 6},
    ],
)
def test_a_site_may_be_stricter_and_never_below_the_catalogue(below: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LocalSettings.model_validate(below)


def test_the_fifth_failure_locks_and_each_further_one_doubles_the_wait() -> None:
    waits = [policy.delay(failures, SETTINGS) for failures in range(4, 8)]
    assert waits == [None, *(timedelta(seconds=s) for s in (60, 120, 240))]
    assert policy.delay(5000, SETTINGS) == timedelta(days=1)


@pytest.mark.parametrize("typed", ["ALBA.RX", " alba.rx ", "\uff41lba.rx"])
def test_a_login_has_one_spelling(typed: str) -> None:
    assert policy.login_of(typed) == "alba.rx"


@pytest.mark.parametrize("typed", ["ab", "1alba", "alba rx", "élise", "a" * 33, "Passw0rd!", ""])
def test_what_is_no_login(typed: str) -> None:
    assert not policy.is_login(typed)


def test_a_code_is_good_for_one_step_before_and_after_and_no_more() -> None:
    secret = codes.fresh()
    phone = pyotp.parse_uri(codes.address(secret, "alba.rx"))
    assert isinstance(phone, pyotp.TOTP)
    step = int(NOW.timestamp()) // 30
    for drift in (-1, 0, 1):
        assert codes.step_of(secret, phone.at((step + drift) * 30), NOW) == step + drift
    for drift in (-2, 2):
        assert codes.step_of(secret, phone.at((step + drift) * 30), NOW) is None
    assert codes.step_of(None, phone.at(NOW), NOW) is None


def test_a_password_is_the_same_however_its_accents_were_typed() -> None:
    kept = passwords.hashed("Échelle-de-gris-7")
    assert passwords.matches(kept, "E\u0301chelle-de-gris-7")
    assert not passwords.matches(kept, "Echelle-de-gris-7")
    assert not passwords.matches(None, "x")  # what the hash of nobody is of, in these tests
    assert kept.startswith("$argon2id$")


def test_a_hash_costs_what_rfc_9106_asks_where_memory_is_short() -> None:
    assert not HASHER.check_needs_rehash(NOBODY)
    assert (HASHER.memory_cost, HASHER.time_cost, HASHER.parallelism) == (65536, 3, 4)
