"""The mutants aim at what is there: a module or a test that moved would be played no more."""

import ast

import pytest

from tests.mutation.__main__ import IDENTITY, LANE, PLACES, ROOT, SERVED, TESTS
from tests.mutation.explained import EXPLAINED


@pytest.mark.parametrize("module", LANE)
def test_each_module_of_the_lane_its_tests_and_its_places_exist(module: str) -> None:
    tree = ast.parse((ROOT / IDENTITY / module).read_text(encoding="utf-8"))
    functions = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
    assert set(PLACES.get(module, ())) <= functions
    assert [name for name in LANE[module] if not (ROOT / TESTS / name).is_file()] == []


def test_what_is_said_of_a_module_is_said_of_one_in_the_lane() -> None:
    assert {*PLACES, *SERVED} <= LANE.keys()
    assert {module for module, *_ in EXPLAINED} <= {IDENTITY + module for module in LANE}
