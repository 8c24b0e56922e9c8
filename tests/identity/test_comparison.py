"""Birth dates that were interpreted beside what INSi says: compared as told, then as interpreted.

The other rows of the comparison are in `test_guards.py` and `test_rules.py`.
"""

from dataclasses import replace
from datetime import date

import pytest

from ris.identity.insi.comparison import TraitComparison, compare
from ris.identity.insi.values import InsiTraits
from ris.identity.values import Sex, Traits

LOCAL = Traits("PAT-UN", ("ANNE",), "ANNE", date(1950, 12, 31), Sex.FEMALE, "99352")
INSI = InsiTraits(
    birth_family="PAT-UN", given_names="ANNE", sex="F", birth_date="1950-00-00", birth_place="99352"
)


def row(insi: str, raw: str, field: str = "birth_date", local: Traits = LOCAL) -> TraitComparison:
    rows = compare(local, replace(INSI, birth_date=insi), raw)
    return next(one for one in rows if one.field == field)


@pytest.mark.parametrize(
    ("insi", "raw", "difference", "shown"),
    [
        ("1950-00-00", "1950-00-00", "equal", "00/00/1950"),
        ("1950-00-00", "", "minor", "31/12/1950"),
        ("1950-13-00", "1950-00-00", "minor", "31/12/1950"),
        ("1950-12-00", "1950-00-00", "major", "31/12/1950"),
        ("1950-11-00", "1950-00-00", "major", "31/12/1950"),
        ("1951-00-00", "1950-00-00", "major", "31/12/1950"),
        ("1950-12-31", "1950-00-00", "equal", "31/12/1950"),
        ("1950-12-30", "1950-00-00", "major", "31/12/1950"),
        ("1950-12-30", "", "major", "31/12/1950"),
        ("", "", "major", "31/12/1950"),
    ],
)
def test_an_interpreted_date_is_compared_as_it_was_told_then_as_it_was_read(
    insi: str, raw: str, difference: str, shown: str
) -> None:
    found = row(insi, raw)
    assert (found.difference, found.local) == (difference, shown)


def test_nothing_told_is_never_taken_for_what_insi_leaves_empty() -> None:
    assert [one.difference for one in compare(LOCAL, replace(INSI, birth_date=""))] == [
        "equal", "equal", "equal", "major", "equal", "equal",
    ]  # fmt: skip
    assert row("XX", "").difference == "major"


def test_only_the_date_is_read_so() -> None:
    other = replace(LOCAL, birth_family="AUTRE", birth_place="75114", sex=Sex.MALE)
    for field, difference in (
        ("birth_family", "major"),
        ("sex", "major"),
        ("birth_place", "minor"),
    ):
        assert row("1950-00-00", "1950-00-00", field, other).difference == difference
