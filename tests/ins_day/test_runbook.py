"""The runbook itself: every line of the day is played, under its scenario numbers, and told."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.ins_day as room
from ris.rem.catalogue import load
from ris.rem.scanner import scan
from tests.ins_day.lines import LINES
from tests.ins_day.table import Row, as_json, printed

ROOT = Path(__file__).parents[2]


def played() -> Iterator[tuple[int, str]]:
    """The line and the node id, without parameters, of each test of the day."""
    for found in pkgutil.iter_modules(room.__path__, "tests.ins_day."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            marks = getattr(value, "pytestmark", []) if name.startswith("test_") else []
            for mark in marks:
                if mark.name == "ins_day":
                    yield mark.args[0], f"tests/ins_day/{found.name.split('.')[-1]}.py::{name}"


def test_the_forty_lines_are_played_under_all_their_scenarios() -> None:
    shown: dict[str, set[str]] = {}
    for tag in scan(ROOT).tests:
        shown.setdefault(tag.nodeid, set()).add(tag.scenario or "")
    by_line: dict[int, set[str]] = {}
    for number, nodeid in played():
        by_line.setdefault(number, set()).update(shown[nodeid])
    assert list(LINES) == list(range(1, 41))
    missing = {
        number: set(line.full) - by_line.get(number, set())
        for number, line in LINES.items()
        if set(line.full) - by_line.get(number, set())
    }
    assert missing == {}


def test_each_test_of_the_day_is_named_by_its_first_scenario() -> None:
    for number, nodeid in played():
        name = nodeid.rpartition("::")[2].removeprefix("test_")
        starts = {one.replace(".", "_") for one in LINES[number].scenarios}
        assert any(name.startswith(start) for start in starts) or name.startswith("44_01"), nodeid


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
