"""Matricule and key: rem.md §11.1 and the vectors of the conformance folder."""

import csv
from pathlib import Path

import pytest

from ris.identity.errors import InsKeyInvalid, InsOidUnknown, InsTestOid
from ris.identity.matricule import is_valid, key_of, nature_of, oid_problem, require_valid
from ris.identity.values import NIA, NIR, NIR_DEMO, NIR_TEST, Ins


@pytest.mark.parametrize(
    ("number", "key"),
    [("2790351215189", "89"), ("2770763220829", "10"), ("2550699999999", "34")],
)
def test_the_key_of_the_catalogue_vectors(number: str, key: str) -> None:
    assert key_of(number) == key
    assert is_valid(number + key)
    assert require_valid(number + key) == number + key


@pytest.mark.parametrize(
    "matricule",
    ["279035121518988", "223042545611404", "27903512151898", "", "2790351215189890",
     "253072C07300443", "2790351215189 89", "27903512151898A"],
)  # fmt: skip
def test_a_wrong_key_length_or_shape_is_refused(matricule: str) -> None:
    assert not is_valid(matricule)
    with pytest.raises(InsKeyInvalid):
        require_valid(matricule)


@pytest.mark.parametrize("number", ["297022A020778", "160012B020777"])
def test_corsican_departments_count_as_19_and_18(number: str) -> None:
    digits = number.replace("2A", "19").replace("2B", "18")
    assert int(digits) % 97 + int(key_of(number)) == 97


def test_the_public_vectors_agree(conformance: Path) -> None:
    with (conformance / "ins" / "vectors" / "matricule_key.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert is_valid(row["matricule15"]) is (row["valid"] == "1"), row


@pytest.mark.parametrize(
    ("oid", "production", "expected"),
    [
        (NIR, True, None),
        (NIA, True, None),
        (NIR_TEST, True, InsTestOid),
        (NIR_DEMO, True, InsTestOid),
        (NIR_TEST, False, None),
        ("1.2.250.1.213.1.4.2", False, InsOidUnknown),
        ("", True, InsOidUnknown),
    ],
)
def test_test_authorities_are_refused_in_production(
    oid: str, production: bool, expected: type | None
) -> None:
    assert oid_problem(oid, production=production) is expected


def test_staff_read_the_nature_not_the_oid() -> None:
    assert nature_of(Ins("279035121518989", NIR_TEST)) == "NIR"
    assert nature_of(Ins("109076322088835", NIA)) == "NIA"
