"""The scanner: reads literal tags without importing, and says what is wrong with the others."""

from pathlib import Path
from textwrap import dedent

import pytest

from ris.rem.scanner import Scan, scan


@pytest.fixture
def tree(tmp_path: Path):
    def write(code: str = "", tests: str = "", package: str = "") -> Scan:
        for name, text in (
            ("ris/identity/rules.py", code),
            ("ris/identity/__init__.py", package),
            ("tests/identity/test_rules.py", tests),
        ):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return scan(tmp_path)

    return write


def test_functions_methods_and_classes_are_found_with_their_place(tree) -> None:
    found = tree(
        """
        @satisfies("RIS.INS.15", "RIS.INS.16")
        def refuse(): ...

        @rem.satisfies("RIS.INS.01")
        class Traits:
            @satisfies("RIS.INS.29")
            async def lock(self): ...

        try:
            @satisfies("RIS.INS.37")
            def gate(): ...
        except ImportError:
            pass
        """
    )
    assert found.problems == []
    assert [(tag.id, tag.symbol) for tag in found.code] == [
        ("RIS.INS.15", "refuse"),
        ("RIS.INS.16", "refuse"),
        ("RIS.INS.01", "Traits"),
        ("RIS.INS.29", "Traits.lock"),
        ("RIS.INS.37", "gate"),
    ]
    assert found.code[0].path == "ris/identity/rules.py"
    assert found.code[0].line == 3


def test_a_package_tag_says_what_it_serves_and_is_no_code(tree) -> None:
    found = tree(package='__rem__: Final[tuple[str, ...]] = ("RIS.INS.01",)\n')
    assert found.packages == {"ris/identity/__init__.py": ("RIS.INS.01",)}
    assert found.code == []


def test_tests_are_found_with_their_node_id_and_scenario(tree) -> None:
    found = tree(
        tests="""
        @pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.01-02")
        @pytest.mark.rem("RIS.INS.15")
        def test_a(): ...

        @pytest.mark.rem("RIS.INS.01")
        class TestB:
            def test_c(self): ...

        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.rem("RIS.INS.02"))])
        def test_d(x): ...
        """
    )
    assert found.problems == []
    place = "tests/identity/test_rules.py::"
    assert [(tag.id, tag.scenario, tag.nodeid) for tag in found.tests] == [
        ("RIS.INS.16", "INS/va1.31.01", f"{place}test_a"),
        ("RIS.INS.16", "INS/va1.31.02", f"{place}test_a"),
        ("RIS.INS.15", None, f"{place}test_a"),
        ("RIS.INS.01", None, f"{place}TestB::test_c"),
        ("RIS.INS.02", None, f"{place}test_d"),
    ]


def test_a_module_wide_mark_reaches_every_test(tree) -> None:
    found = tree(tests='pytestmark = [pytest.mark.rem("RIS.INS.03")]\ndef test_a(): ...\n')
    assert [(tag.id, tag.nodeid[-6:]) for tag in found.tests] == [("RIS.INS.03", "test_a")]


@pytest.mark.rem("LOC-TRC-01")
@pytest.mark.parametrize(
    ("code", "word"),
    [
        ('@satisfies("RIS.INS.99")\ndef f(): ...', "inconnu"),
        ('@satisfies("INS/va1.31")\ndef f(): ...', "inconnu"),
        ("@satisfies(NAME)\ndef f(): ...", "non littéral"),
        ("@satisfies(*NAMES)\ndef f(): ...", "non littéral"),
        ('@satisfies(id="RIS.INS.01")\ndef f(): ...', "ne prend que"),
        ('f = satisfies("RIS.INS.01")(g)', "décorateur"),
        ("from ris.rem import satisfies as s", "autre nom"),
        ("def f(:", "illisible"),
        ("__rem__ = NAMES", "littéral"),
        ('__rem__ = ("RIS.INS.99",)', "inconnu"),
    ],
)
def test_a_wrong_tag_in_code_is_a_problem(tree, code: str, word: str, evidence) -> None:
    problems = tree(code).problems
    assert any(word in problem for problem in problems)
    assert problems[0].startswith("ris/identity/rules.py:")
    evidence.add("01", "refused.json", {"code": code, "problems": problems})


@pytest.mark.parametrize(
    ("test", "word"),
    [
        ('@pytest.mark.rem("RIS.INS.99")\ndef test_a(): ...', "inconnu"),
        ("@pytest.mark.rem(ID)\ndef test_a(): ...", "non littéral"),
        ('@pytest.mark.rem("RIS.INS.16", scenario=S)\ndef test_a(): ...', "non littéral"),
        ('@pytest.mark.rem("RIS.INS.16", proof="01")\ndef test_a(): ...', "inconnu"),
        ("@pytest.mark.rem\ndef test_a(): ...", "sans identifiant"),
        ('@pytest.mark.rem("RIS.INS.16")\ndef helper(): ...', "hors d'un test"),
    ],
)
def test_a_wrong_mark_on_a_test_is_a_problem(tree, test: str, word: str) -> None:
    assert any(word in problem for problem in tree(tests=test).problems)


def test_a_route_must_say_what_it_serves_even_if_nothing(tree) -> None:
    assert tree('@router.get("/a")\n@satisfies()\ndef a(): ...').untagged_routes == []
    assert tree('@router.post("/a")\ndef a(): ...').untagged_routes
    assert tree('@satisfies()\n@router.put("/a")\ndef a(): ...').untagged_routes
    assert tree('@cache.get("/a")\ndef a(): ...').untagged_routes == []


def test_scanning_imports_nothing(tree) -> None:
    assert tree('raise SystemExit\n@satisfies("RIS.INS.01")\ndef f(): ...').code
