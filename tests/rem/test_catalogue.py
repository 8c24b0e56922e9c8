"""The catalogue: 117 wave-1 numbers, frozen, strict about what enters."""

from collections import Counter
from dataclasses import FrozenInstanceError

import pytest

from ris.rem import catalogue
from ris.rem.catalogue import EXTERNAL, load, read, scenarios_in, wave1
from ris.rem.gates import WAVE1

TEXT = catalogue.SOURCE.read_text(encoding="utf-8")


@pytest.mark.rem("LOC-TRC-01")
def test_wave_1_has_117_numbers_115_exigences_and_2_preconisations(evidence) -> None:
    rows = wave1().values()
    assert len(rows) == 117
    assert Counter(row.kind for row in rows) == {"exigence": 115, "préconisation": 2}
    domains = Counter(row.domain for row in rows)
    assert domains == WAVE1
    evidence.add("01", "catalogue.json", {"total": len(rows), "domains": dict(domains)})


def test_the_two_preconisations_are_the_deletion_notice_and_the_flow_detail() -> None:
    found = {row.id for row in wave1().values() if row.kind == "préconisation"}
    assert found == {"RIS.MSS.16", "RIS.TBB.02"}


def test_profiles_hold_the_numbers_of_the_specification() -> None:
    found = Counter(row.profile_code for row in wave1().values())
    assert found == {"G": 75, "RI": 36, "SCM": 3, "MAN": 1, "MZ": 1, "CNI": 1}


def test_other_rows_are_never_counted_as_wave_1() -> None:
    waves = Counter(row.wave for row in load().values())
    assert waves == {"va1": 117, "cited": 21, "va2": 39, "local": 12}
    assert load()["SC.PSC.01"].wave == "va2"
    assert load()["LOC-TRC-01"].wave == "local"


def test_the_18_numbers_with_an_external_proof_are_wave_1_numbers() -> None:
    assert len(EXTERNAL) == 18
    assert wave1().keys() >= EXTERNAL
    said = {
        row.id
        for row in wave1().values()
        if any(word in row.proof for word in ("CNDA", "est-space", "ccess the DMP service"))
    }
    assert said | {"RIS.PSC.01"} == EXTERNAL


def test_a_requirement_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        load()["RIS.INS.01"].title = "x"  # type: ignore[misc]


def test_every_row_says_where_it_comes_from() -> None:
    assert all(row.provenance and row.paraphrase and row.title for row in load().values())


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("INS/va1.31.01-03", ("INS/va1.31.01", "INS/va1.31.02", "INS/va1.31.03")),
        ("INS/va1.44.01.01-02", ("INS/va1.44.01.01", "INS/va1.44.01.02")),
        ("INS/va1.54.01-02 (shared)", ("INS/va1.54.01", "INS/va1.54.02")),
        ("MSS/va1.02.01; MSS/va1.13.01", ("MSS/va1.02.01", "MSS/va1.13.01")),
        ("PSC 01.01-03.01", ("PSC 01.01", "PSC 02.01", "PSC 03.01")),
        ("DOC/va1.01.01", ("DOC/va1.01.01",)),
        ("", ()),
    ],
)
def test_scenario_lists_are_spelled_out(text: str, numbers: tuple[str, ...]) -> None:
    assert scenarios_in(text) == numbers


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RIS.INS.02,", "RIS.INS.01,"),
        ("RIS.INS.02,", "INS/va1.36,"),
        (",exigence,Fine-grained rights on INSi", ",obligation,Fine-grained rights on INSi"),
        ("RIS.INS.06,verbatim-id", "RIS.INS.06,guessed"),
        ("id,id_status", "number,id_status"),
        (",other,V[card]\n", ",other,\n"),
        (",Opérateur Mailiz,", ",Opérateur,"),
    ],
)
def test_a_wrong_row_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=r"twice|canonical|unknown|columns|provenance"):
        read(TEXT.replace(old, new, 1))
