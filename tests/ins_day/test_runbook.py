"""The runbook itself: every line of the day is played, under its scenario numbers, and told."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tests.ins_day as room
from ris.rem.catalogue import load, scenarios_in
from tests.ins_day.lines import LINES
from tests.ins_day.table import Row, as_json, printed


@dataclass(frozen=True)
class Play:
    """One test of the day: its line, its name, the scenarios it is marked with."""

    line: int
    name: str
    scenarios: frozenset[str]


def plays() -> Iterator[Play]:
    """The tests of the day, read from their marks."""
    for found in pkgutil.iter_modules(room.__path__, "tests.ins_day."):
        for name, value in vars(importlib.import_module(found.name)).items():
            marks = getattr(value, "pytestmark", []) if name.startswith("test_") else []
            shown = frozenset(one for mark in marks for one in scenarios(mark))
            for mark in marks:
                if mark.name == "ins_day":
                    yield Play(mark.args[0], name, shown)


def scenarios(mark: pytest.Mark) -> Iterator[str]:
    """The scenarios of a `rem` mark, or of those on the cases of a parametrised test."""
    if mark.name == "rem":
        yield from scenarios_in(mark.kwargs.get("scenario") or "")
    elif mark.name == "parametrize":
        for case in mark.args[1]:
            for inner in getattr(case, "marks", ()):
                yield from scenarios(getattr(inner, "mark", inner))


def test_the_forty_lines_are_played_under_all_their_scenarios() -> None:
    by_line: dict[int, set[str]] = {}
    for play in plays():
        by_line.setdefault(play.line, set()).update(play.scenarios)
    assert list(LINES) == list(range(1, 41))
    missing = {
        number: set(line.full) - by_line.get(number, set()) for number, line in LINES.items()
    }
    assert {number: left for number, left in missing.items() if left} == {}


def test_each_test_of_the_day_is_named_by_its_first_scenario() -> None:
    for play in plays():
        name = play.name.removeprefix("test_")
        starts = tuple(one[:5].replace(".", "_") for one in LINES[play.line].scenarios)
        assert name.startswith(starts), play.name


def test_no_test_of_the_day_looks_behind_the_api() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not names & {"sql", "database", "transaction", "execute"}, path.name


@pytest.mark.parametrize("number", LINES)
def test_the_scenarios_of_a_line_are_in_the_catalogue(number: int) -> None:
    known = {one for requirement in load().values() for one in requirement.scenarios}
    assert set(LINES[number].full) <= known


def test_the_table_says_the_worst_of_the_tests_of_a_line() -> None:
    rows = {23: Row(), 24: Row()}
    told = {"line": 23, "seen": ["provisoire"], "evidence": ["RI/RIS.INS.43/a.json"]}
    rows[23].add("one", "passed", told)
    rows[24].add("two", "passed", {**told, "seen": ["refus"], "evidence": []})
    rows[24].add("two", "failed", {**told, "seen": ["refus"], "evidence": []})
    text = printed(rows)
    assert "08.01" in text
    assert "provisoire" in text
    assert "NON CONFORME" in text
    assert "1 lignes conformes sur 40 (2 jouées)" in text
    outcomes = {one["line"]: one["outcome"] for one in as_json(rows)}
    assert (outcomes[23], outcomes[24], outcomes[1]) == ("passed", "failed", "absent")
