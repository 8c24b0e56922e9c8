"""The normaliser: the table of rem.md §3.3, and its neighbours."""

import pytest

from ris.rem.catalogue import load
from ris.rem.normaliser import normalise
from ris.rem.tags import UnknownRequirement

TABLE = [
    ("RIS.INS.16", {"RIS.INS.16"}),
    ("RIS.INS.1", {"RIS.INS.01"}),
    ("INS 1", {"RIS.INS.01"}),
    ("INS.01", {"RIS.INS.01"}),
    ("INS1", {"RIS.INS.01"}),
    ("INS/va1.31", {"RIS.INS.16"}),
    ("SC.INS/va1.31", {"RIS.INS.16"}),
    ("RIS.CRI/va1.02", {"RIS.CRR.02"}),
    ("CRI/va1.02", {"RIS.CRR.02"}),
    ("CRR.02", {"RIS.CRR.02"}),
    ("INS/va1.60", {f"RIS.INS.{n}" for n in range(32, 37)}),
    ("MSS/va1.30", {"RIS.MSS.16"}),
    ("RIS.MSS/va1.30", {"RIS.MSS.24"}),
    ("RIS.DPM.02", {"RIS.DMP.02"}),
    ("SC.PSC.01", {"SC.PSC.01"}),
]


@pytest.mark.parametrize(("text", "ids"), TABLE)
def test_each_spelling_of_the_table_gives_its_number(text: str, ids: set[str]) -> None:
    assert set(normalise(text).ids) == ids


@pytest.mark.parametrize("text", ["INS/va1.99", "RIS.INS.59", "", "SC.INS/va1.99", "XYZ.01", "0"])
def test_an_unknown_number_is_an_error(text: str) -> None:
    with pytest.raises(UnknownRequirement):
        normalise(text)


@pytest.mark.parametrize("text", ["ins/VA1.31", " INS / va1.31 ", "ris.ins.16", "Ins 16"])
def test_case_and_blanks_do_not_matter(text: str) -> None:
    assert normalise(text).ids == ("RIS.INS.16",)


def test_the_two_meanings_of_va1_30_are_kept_apart_with_a_warning() -> None:
    socle, corridor = normalise("MSS/va1.30"), normalise("RIS.MSS/va1.30")
    assert any("RIS.MSS.24" in warning for warning in socle.warnings)
    assert corridor.warnings == ()


def test_a_corridor_number_without_its_prefix_is_read_with_a_warning() -> None:
    match = normalise("INS/va1.67")
    assert match.ids == ("RIS.INS.55",)
    assert len(match.warnings) == 1


def test_one_number_claimed_by_two_sheets_gives_both() -> None:
    match = normalise("INS/va1.57")
    assert match.ids == ("RIS.INS.38", "RIS.INS.39")
    assert match.warnings


def test_a_wave_2_number_never_becomes_a_wave_1_number() -> None:
    for requirement in load().values():
        if requirement.wave == "va2":
            assert normalise(requirement.id).ids == (requirement.id,)
    assert normalise("PSC.01").ids == ("RIS.PSC.01",)
    assert normalise("PSC.01").warnings


def test_every_canonical_id_is_itself_without_warning() -> None:
    for requirement in load():
        match = normalise(requirement)
        assert (match.ids, match.warnings) == ((requirement,), ())


def test_every_alias_leads_back_to_its_row() -> None:
    for requirement in load().values():
        for alias in requirement.aliases:
            assert requirement.id in normalise(alias).ids
