"""`ris rem`: look-ups, export, checks and gates on the real catalogue."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ris.rem.cli import app
from ris.rem.export import HEAD
from ris.rem.gates import gates

runner = CliRunner()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "ris/identity/__init__.py": '__rem__: Final = ("RIS.INS.01",)\n',
        "ris/identity/rules.py": '@satisfies("RIS.INS.16")\ndef refuse(): ...\n',
        "tests/test_rules.py": (
            '@pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.01")\ndef test_refused(): ...\n'
        ),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def call(root: Path, *arguments: str, code: int = 0) -> str:
    result = runner.invoke(app, [*arguments, "--root", str(root)])
    assert result.exit_code == code, result.output
    return result.output


def test_matrix_writes_three_documents_and_check_sees_a_later_change(root: Path) -> None:
    call(root, "matrix", "--check", code=1)
    call(root, "matrix")
    assert sorted(path.suffix for path in (root / "docs").iterdir()) == [".csv", ".json", ".md"]
    call(root, "matrix", "--check")
    (root / "ris/identity/rules.py").write_text("", encoding="utf-8")
    assert "requirements.md" in call(root, "matrix", "--check", code=1)


def test_check_prints_json_and_fails_on_states_not_allowed(root: Path) -> None:
    report = json.loads(call(root, "check", "--json"))
    assert report["counts"]["untested"] == 1
    assert len(report["requirements"]) == 117
    states = ["--require", "missing", "--require", "not applicable"]
    call(root, "check", *states, code=1)
    call(root, "check", *states, "--require", "untested")
    call(root, "check", "--require", "perfect", code=2)


def test_show_takes_any_spelling(root: Path) -> None:
    output = call(root, "show", "ins/va1.31")
    assert output.startswith("RIS.INS.16")
    assert "ris/identity/rules.py#refuse" in output
    assert "tests/test_rules.py::test_refused" in output
    call(root, "show", "RIS.INS.59", code=2)


@pytest.mark.rem("LOC-TRC-01")
def test_the_export_has_the_official_columns_and_no_local_number(root: Path, evidence) -> None:
    output = call(root, "export", "--layout", "ans")
    rows = list(csv.DictReader(io.StringIO(output), delimiter=";"))
    assert tuple(rows[0])[: len(HEAD)] == HEAD
    assert tuple(rows[0])[-2:] == ("N° preuve 10", "Preuve 10")
    assert len({row["N° exigence"] for row in rows}) == 117
    assert "LOC-" not in output
    first = next(row for row in rows if row["N° scénario"] == "INS/va1.31.01")
    assert first["N° exigence"] == "RIS.INS.16"
    assert first["Scénario de conformité"] == "tests/test_rules.py::test_refused"
    assert first["Exigence conditionnelle OUI/NON"] == "OUI"
    evidence.add("01", "rem-ans.csv", output)


def problems(root: Path) -> set[int]:
    return {gate.number for gate in gates(root) if gate.problems}


def test_the_gates_fail_for_each_broken_rule_and_for_nothing_else(root: Path) -> None:
    call(root, "matrix")
    assert problems(root) == set()
    call(root, "gates")
    path = root / "ris/identity/routes.py"
    path.write_text('@router.get("/a")\ndef a(): ...\n', encoding="utf-8")
    assert problems(root) == {5}
    path.write_text('@satisfies("RIS.INS.99")\ndef a(): ...\n', encoding="utf-8")
    assert problems(root) == {1}
    path.unlink()
    (root / "ris/orders").mkdir()
    (root / "ris/orders/__init__.py").write_text("", encoding="utf-8")
    assert problems(root) == {4}
    assert "__rem__ absent" in call(root, "gates", code=1)


def test_a_scenario_that_no_requirement_lists_fails_the_first_gate(root: Path) -> None:
    test = root / "tests/test_rules.py"
    test.write_text(test.read_text(encoding="utf-8").replace("31.01", "31.09"), encoding="utf-8")
    assert problems(root) == {1, 8}


def test_what_is_missing_is_shown_and_does_not_fail_a_gate(root: Path) -> None:
    warnings = next(gate.warnings for gate in gates(root) if gate.number == 2)
    assert "RIS.INS.01 : missing" in warnings
    left = "INS/va1.31.02, INS/va1.31.03"
    assert f"RIS.INS.16 : untested (scénarios sans test : {left})" in warnings


def test_a_tag_on_too_many_functions_is_a_warning(root: Path) -> None:
    code = "".join(f'@satisfies("RIS.INS.16")\ndef f{n}(): ...\n' for n in range(16))
    (root / "ris/identity/rules.py").write_text(code, encoding="utf-8")
    assert next(gate.warnings for gate in gates(root) if gate.number == 3)
