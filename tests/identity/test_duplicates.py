"""Suspected duplicates: a score, its reasons, and what a person says of a pair."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.auth.rights import Role
from ris.identity.duplicates.likeness import THRESHOLD, one_letter_apart, score
from ris.identity.values import Sex, Traits
from tests.identity.conftest import Desk
from tests.identity.test_merge import merged
from tests.identity.test_routes import create, show, validated

ANNE = Traits("DURAND", ("ANNE",), "ANNE", date(1950, 3, 4), Sex.FEMALE, "75114")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "same_birth_family"),
        ({"birth_family": "DURANT"}, "similar_birth_family"),
        ({"birth_family": "ANNE", "first_birth_given": "DURAND"}, "names_swapped"),
        ({"birth_family": "MARTIN", "used_family": "DURAND"}, "same_used_family"),
        ({"first_birth_given": "ANNA"}, "similar_first_given"),
        ({"birth_place": "99999"}, "same_first_given"),
    ],
)
def test_one_person_written_twice_is_suspected(change: dict[str, str], reason: str) -> None:
    found = score(ANNE, replace(ANNE, **change))  # type: ignore[arg-type]
    assert found.points >= THRESHOLD
    assert reason in found.reasons


@pytest.mark.parametrize(
    "change",
    [
        {"birth_family": "MARTIN", "birth_place": "69383"},
        {"birth_family": "MARTIN", "first_birth_given": "LOUISE"},
        {"first_birth_given": "PAUL", "sex": Sex.MALE},
    ],
)
def test_two_persons_born_the_same_day_are_not(change: dict[str, str]) -> None:
    assert score(ANNE, replace(ANNE, **change)).points < THRESHOLD  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("DURAND", "DURANT", True),
        ("DURAND", "DURAN", True),
        ("DURAND", "DUURAND", True),
        ("DURAND", "DRUAND", True),
        ("DURAND", "DURAND", False),
        ("DURAND", "DARANT", False),
        ("DURAND", "MARTIN", False),
        ("", "A", True),
    ],
)
def test_one_letter_apart(one: str, other: str, *, apart: bool) -> None:
    assert one_letter_apart(one, other) is apart


@given(st.text("AB", max_size=5), st.text("AB", max_size=5))
def test_likeness_does_not_depend_on_who_comes_first(one: str, other: str) -> None:
    assert one_letter_apart(one, other) == one_letter_apart(other, one)
    first, second = replace(ANNE, birth_family=one), replace(ANNE, birth_family=other)
    assert score(first, second) == score(second, first)


def test_a_suspect_is_shown_until_it_is_merged_or_called_another_person(desk: Desk) -> None:
    api = desk()
    patient, twin, namesake = validated(api), create(api), create(api, birth_family="PAT-TROIZ")
    create(api, birth_family="AUTRE", first_birth_given="LUC", sex="M", birth_place="69383")
    path = f"/patients/{patient['id']}/duplicates"
    shown = api.get(path).json()
    assert [row["patient_id"] for row in shown] == [twin["id"], namesake["id"]]
    assert shown[0]["score"] == 100
    assert "similar_birth_family" in shown[1]["reasons"]
    body, tag = {"state": "HOMA", "reason": "deux sœurs"}, {"If-Match": '"0"'}
    clerk = desk(Role.SECRETARY)
    assert clerk.put(f"{path}/{namesake['id']}", json=body, headers=tag).status_code == 403
    assert api.put(f"{path}/{namesake['id']}", json=body).status_code == 428
    decided = api.put(f"{path}/{namesake['id']}", json=body, headers=tag)
    assert (decided.json()["state"], decided.headers["etag"]) == ("HOMA", '"1"')
    assert api.put(f"{path}/{namesake['id']}", json=body, headers=tag).status_code == 412
    homonyms = [show(api, one) for one in (patient, namesake)]
    assert [one["attributes"] for one in homonyms] == [["homonyme"]] * 2
    assert [one["status"] for one in homonyms] == ["validée", "provisoire"]
    proven = api.put(f"{path}/{twin['id']}", json={"state": "DOUA"}, headers=tag)
    assert proven.status_code == 200
    assert [row["state"] for row in api.get(path).json()] == ["DOUA"]
    himself = api.put(f"{path}/{patient['id']}", json=body, headers=tag)
    assert himself.json()["code"] == "MERGE_REFUSED"
    assert merged(api, patient, twin).status_code == 201
    assert api.get(path).json() == []
