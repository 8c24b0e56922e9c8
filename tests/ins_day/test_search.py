"""Lines 8 to 10: finding the record of a patient before creating another."""

from typing import Any

import pytest

from tests.ins_day.acts import create, holders, qualified, recovered, validated
from tests.ins_day.conftest import Line
from tests.ins_day.practice import Desk, Practice

BORN = {8: "1980-02-29", 9: "1980-03-01"}
KNOWN: tuple[dict[str, Any], ...] = (
    {"birth_family": "LE GOFF", "used_family": "D'ALMEIDA", "first_birth_given": "MARIE-ANNE",
     "birth_given_names": "MARIE-ANNE LOUISE", "used_given": "LOU"},
    {"birth_family": "ALMERAS", "first_birth_given": "JEAN", "used_given": "MARIUS"},
    {"birth_family": "MARTIN", "used_family": "LEGER", "first_birth_given": "ZOE"},
)  # fmt: skip


@pytest.fixture(scope="module")
def base(practice: Practice) -> None:
    """Three patients of one birth date, and one born the day before."""
    desk = practice.desk()
    for known in KNOWN:
        create(desk, practice.stranger(), birth_date=BORN[8], **known)
    create(desk, practice.stranger(), birth_date="1980-02-28", **KNOWN[0])


@pytest.mark.ins_day(8)
@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(
    ("letters", "expected", "what"),
    [
        pytest.param({}, {"LE GOFF", "ALMERAS", "MARTIN"}, "date seule",
                     marks=pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.01")),
        pytest.param({"name": "DAL"}, {"LE GOFF"}, "date et nom utilisé",
                     marks=pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.02")),
        pytest.param({"name": "LE G"}, {"LE GOFF", "MARTIN"},
                     "date et nom, de naissance ou utilisé",
                     marks=pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.03")),
        pytest.param({"given": "LOUI"}, {"LE GOFF"}, "date et prénom de la liste",
                     marks=[pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.04"),
                            pytest.mark.rem("RIS.INS.10", scenario="INS/va1.02.04")]),
        pytest.param({"given": "MARI"}, {"LE GOFF", "ALMERAS"},
                     "date et prénom, de naissance ou utilisé",
                     marks=[pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.05"),
                            pytest.mark.rem("RIS.INS.10", scenario="INS/va1.02.05")]),
    ],
)  # fmt: skip
def test_02_01_02_05_the_birth_date_and_first_letters_find_the_patients(  # noqa: PLR0917
    practice: Practice,
    secretary: Desk,
    line: Line,
    letters: dict[str, str],
    expected: set[str],
    what: str,
) -> None:
    found = secretary.get("/v1/patients", birth_date=BORN[8], **letters)["items"]
    assert {one["birth_family"] for one in found} == expected
    assert {one["birth_date"] for one in found} == {BORN[8]}
    line.saw(what)
    shown = [{name: one[name] for name in ("ipp", "birth_family", "used_family")} for one in found]
    line.keep("recherche.json", {"critères": letters, "trouvés": shown})


@pytest.mark.ins_day(8)
@pytest.mark.usefixtures("base")
@pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.01")
@pytest.mark.rem("RIS.INS.10", scenario="INS/va1.02.05")
def test_02_01_letters_that_start_nothing_find_nobody_and_a_name_alone_is_refused(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    for letters in ({"name": "GOFF"}, {"given": "ANNE"}, {"name": "MARIE"}):
        assert secretary.get("/v1/patients", birth_date=BORN[8], **letters)["items"] == []
    for given in ("MARIEA", "MARIE A", "MARIE-A", "LOU", "LOUISE"):
        found = secretary.get("/v1/patients", birth_date=BORN[8], given=given)["items"]
        assert [one["birth_family"] for one in found] == ["LE GOFF"]
    alone = secretary.refused("GET", "/v1/patients", 422, params={"name": "LEG"})
    assert alone["code"] == "SEARCH_TOO_BROAD"
    line.saw("nom seul refusé ; lettres du milieu sans effet")
    line.keep("nom-seul.json", alone)


PUNCTUATED = ({"birth_family": "PETIT-PIERRE"}, {"birth_family": "PETIT PIERRE"},
              {"birth_family": "PETIT--PIERRE"}, {"birth_family": "D'ARTIMON"},
              {"birth_family": "DARTIMON"})  # fmt: skip


@pytest.fixture(scope="module")
def punctuated(practice: Practice) -> None:
    """The same names, written with and without hyphen and apostrophe."""
    for known in PUNCTUATED:
        create(practice.desk(), practice.stranger(), birth_date=BORN[9], **known)


@pytest.mark.ins_day(9)
@pytest.mark.usefixtures("punctuated")
@pytest.mark.parametrize(
    ("typed", "count", "what"),
    [
        pytest.param(("PETIT-PIERRE", "PETIT-P"), 3, "tiret saisi",
                     marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.01")),
        pytest.param(("PETIT PIERRE", "PETITPIERRE"), 3, "tiret absent de la saisie",
                     marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.02")),
        pytest.param(("PETIT--PIERRE", "PETIT--P"), 3, "double tiret saisi",
                     marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.03")),
        pytest.param(("D'ARTIMON", "D’ARTI", "DARTIMON"), 2, "apostrophe saisie ou non",
                     marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.04")),
    ],
)  # fmt: skip
def test_25_01_25_04_hyphens_and_apostrophes_do_not_count(  # noqa: PLR0917
    practice: Practice,
    secretary: Desk,
    line: Line,
    typed: tuple[str, ...],
    count: int,
    what: str,
) -> None:
    seen = {}
    for letters in typed:
        found = secretary.get("/v1/patients", birth_date=BORN[9], name=letters)["items"]
        seen[letters] = sorted(one["birth_family"] for one in found)
        assert len(seen[letters]) == count
    assert len({tuple(names) for names in seen.values()}) == 1
    line.saw(f"trouvés : {what}")
    line.keep("ponctuation.json", seen)


@pytest.mark.ins_day(10)
@pytest.mark.rem("RIS.INS.08", scenario="INS/va1.41.01")
def test_41_01_a_whole_matricule_finds_its_patient_a_wrong_one_is_refused_before_the_search(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    people = practice.person(), practice.person(), practice.person()
    assert holders(secretary, people[0]) == []
    kept = recovered(secretary, people[0]), qualified(secretary, people[1])
    validated(secretary, people[2])
    assert [holders(secretary, one) for one in people] == [[kept[0]["id"]], [kept[1]["id"]], []]
    number = people[0].number
    wrong = f"{number[:13]}{int(number[13:]) % 97 + 1:02d}"
    refusals = []
    for typed in (wrong, number[:14], number[:13], f"{number}1", "", "X" * 15):
        problem = secretary.refused("POST", "/v1/patients/search", 422, json={"matricule": typed})
        refusals.append({"longueur": len(typed), "code": problem["code"]})
    assert {one["code"] for one in refusals[:4]} == {"INS_KEY_INVALID"}
    line.saw("récupérée et qualifiée trouvées ; 13, 14, 16 caractères et clé fausse refusés")
    line.keep("matricule.json", refusals)
