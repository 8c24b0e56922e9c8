"""The threat model is whole: every flow under the six letters, every defence with a living test."""

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "threat-model.md"
ROW = re.compile(r"^\| (F\d+)-([A-Z]\d?) \| ([STRIDE]) \| (.+) \| (.+) \| (.+) \|$")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows() -> list[tuple[str, str, str]]:
    """(flow, STRIDE letter, tests cell) of every line that begins like a threat."""
    lines = [one for one in DOCUMENT.read_text("utf-8").splitlines() if one.startswith("| F")]
    found = [ROW.match(line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if match is None] == []
    return [(one[1], one[3], one[6]) for one in found if one]


@cache
def defined_in(path: str) -> frozenset[str]:
    """The test functions that a file defines."""
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    )


def test_every_flow_of_the_drawing_is_looked_at_under_the_six_letters() -> None:
    drawn = set(re.findall(r"-- (F\d+) --", DOCUMENT.read_text("utf-8")))
    seen = {(flow, letter) for flow, letter, _tests in rows()}
    assert len(drawn) == 13
    assert seen == {(flow, letter) for flow in drawn for letter in "STRIDE"}


def test_every_threat_points_to_tests_that_exist() -> None:
    for flow, letter, cell in rows():
        named = NAMED.findall(cell)
        assert named, (flow, letter)
        assert [test for test in named if test[1] not in defined_in(test[0])] == [], (flow, letter)
