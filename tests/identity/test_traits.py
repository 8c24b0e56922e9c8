"""Entry rules of traits: names, dates, places, mandatory fields (RIS.INS.01, .11, .12)."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ris.identity.errors import TraitsRefused
from ris.identity.traits import TypedTraits, first_given_in, read_traits, sendable
from ris.rem.evidence import Evidence

TODAY = date(2026, 11, 22)
TYPED = TypedTraits(
    birth_family="D'ARTAGNAN",
    first_birth_given="MARIE-ANNE",
    birth_date="1980-02-29",
    sex="F",
    birth_place="2A004",
)


def refused(**fields: str) -> dict[str, str]:
    with pytest.raises(TraitsRefused) as caught:
        read_traits(replace(TYPED, **fields), today=TODAY)
    return {error["pointer"]: error["code"] for error in caught.value.extensions["errors"]}


@pytest.mark.rem("RIS.INS.12", scenario="INS/va1.22.01")
def test_the_five_traits_are_enough() -> None:
    traits = read_traits(TYPED, today=TODAY)
    assert traits.birth_given_names == ("MARIE-ANNE",)
    assert (traits.used_family, traits.used_given) == ("", "")


@pytest.mark.rem("RIS.INS.11", scenario="INS/va1.21.01")
@pytest.mark.parametrize(
    "field", ["birth_family", "first_birth_given", "birth_date", "sex", "birth_place"]
)
def test_each_of_the_five_traits_is_mandatory(field: str) -> None:
    assert refused(**{field: ""}) == {f"/{field}": "MISSING"}


@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.02")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.02")
@pytest.mark.parametrize(
    "name", ["D'ARTAGNAN", "SAINT-JEAN DE LUZ", "DUPONT--DURAND", "A" * 54, "A" * 100]
)
def test_hyphen_apostrophe_space_and_100_characters_are_accepted(
    name: str, evidence: Evidence
) -> None:
    stored = read_traits(replace(TYPED, birth_family=name), today=TODAY).birth_family
    assert stored == name
    evidence.add("01", "accepted.json", {"typed": name, "stored": stored})


@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.02")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.02")
@pytest.mark.parametrize(
    "name", ["Élodie", "ÉLODIE", "Dupont", "DUPONT2", "D’ARTAGNAN", "--", "A_B"]
)
def test_lower_case_accents_and_digits_are_refused_from_users(
    name: str, evidence: Evidence
) -> None:
    errors = refused(birth_family=name)
    assert errors == {"/birth_family": "NAME_CHARACTERS"}
    evidence.add("02", "refused.json", {"typed": name, "errors": errors})


def test_101_characters_are_refused() -> None:
    assert refused(birth_family="A" * 101) == {"/birth_family": "NAME_TOO_LONG"}


@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.03")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.03")
@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("1980-13-01", "DATE_MONTH"),
        ("1980-00-01", "DATE_MONTH"),
        ("1980-01-32", "DATE_DAY"),
        ("1980-01-00", "DATE_DAY"),
        ("1981-02-29", "DATE_UNREAL"),
        ("2027-01-01", "DATE_OUT_OF_RANGE"),
        ("01/02/1980", "DATE_FORMAT"),
        ("1980-2-1", "DATE_FORMAT"),
    ],
)
def test_an_impossible_birth_date_is_refused(typed: str, code: str, evidence: Evidence) -> None:
    errors = refused(birth_date=typed)
    assert errors == {"/birth_date": code}
    evidence.add("01", "refused.json", {"typed": typed, "errors": errors})


@pytest.mark.parametrize("place", ["5121", "512150", "PARIS", "2C004", "1A004", "2a004", "51 15"])
def test_a_birthplace_is_a_cog_code(place: str) -> None:
    assert refused(birth_place=place) == {"/birth_place": "PLACE_CODE"}


@pytest.mark.parametrize("place", ["51215", "2A004", "2B020", "99352", "99999", "97105"])
def test_cog_codes_are_accepted(place: str) -> None:
    assert read_traits(replace(TYPED, birth_place=place), today=TODAY).birth_place == place


def test_every_fault_is_told_at_once() -> None:
    assert set(refused(birth_family="", sex="X", birth_place="1")) == {
        "/birth_family",
        "/sex",
        "/birth_place",
    }


def test_the_list_must_begin_with_the_first_given_name() -> None:
    wrong = refused(birth_given_names="LOUISE MARIE-ANNE")
    assert wrong == {"/birth_given_names": "FIRST_GIVEN_NOT_IN_LIST"}
    right = read_traits(replace(TYPED, birth_given_names="MARIE-ANNE LOUISE"), today=TODAY)
    assert right.birth_given_names == ("MARIE-ANNE", "LOUISE")


def test_first_given_vectors(conformance: Path) -> None:
    with (conformance / "ins" / "vectors" / "first_given.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        listed = tuple(row["liste_prenoms"].split())
        found = first_given_in(listed, row["candidate_first_given"])
        assert (found or "") == row["stored"], row


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("D'ARTAGNAN", True), ("DUPONT--DURAND", True), ("'T SERCLAES", False), ("A- B", False)],
)
def test_what_insi_accepts_in_a_query(name: str, accepted: bool) -> None:
    assert sendable(name) is accepted
