"""The pytest plugin, run for real on small projects: what makes a run full, and what it leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FIRST = """
import pytest

@pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.01")
@pytest.mark.rem("RIS.INS.15", scenario="INS/va1.28.01")
def test_one(evidence):
    evidence.add("01", "answer.xml", "<a/>")

@pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.02")
def test_two(evidence):
    evidence.add("01", "answer.xml", "<b/>")
    assert FINE

def test_three(): ...
"""
OTHER = '@__import__("pytest").mark.rem("RIS.INS.01")\ndef test_four(): ...\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "pyproject.toml": (
            '[tool.pytest.ini_options]\ntestpaths = ["tests"]\naddopts = "--strict-markers"\n'
        ),
        "tests/conftest.py": 'pytest_plugins = ["tests.plugin_rem"]\n',
        "tests/test_first.py": FIRST.replace("FINE", "True"),
        "tests/test_other.py": OTHER,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run(project: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "xdist",
        *arguments,
    ]
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environment["PYTHONPATH"] = str(REPOSITORY)
    finished = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    return finished.stdout + finished.stderr


def recorded(project: Path) -> dict[str, dict[str, object]] | None:
    path = project / "var/evidence/results.json"
    if not path.is_file():
        return None
    tests = json.loads(path.read_text(encoding="utf-8"))["tests"]
    return {test["nodeid"].partition("::")[2]: test for test in tests}


@pytest.mark.rem("LOC-TRC-02")
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_full_run_is_recorded_with_its_evidence(project: Path, workers, evidence) -> None:
    output = run(project, *workers)
    assert "rem: full run recorded" in output
    tests = recorded(project)
    assert tests is not None
    assert {name: test["outcome"] for name, test in tests.items()} == {
        "test_one": "passed",
        "test_two": "passed",
        "test_four": "passed",
    }
    assert tests["test_one"]["rem"] == ["RIS.INS.15", "RIS.INS.16"]
    assert [path.name for path in (project / "var").iterdir()] == ["evidence"]
    files = sorted(path.name for path in (project / "var/evidence").rglob("*.xml"))
    assert files == [
        "INS_va1.28.01.01-answer.xml",
        "INS_va1.31.01.01-answer.xml",
        "INS_va1.31.02.01-answer.xml",
    ]
    manifest = json.loads((project / "var/evidence/manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["files"]) == 3
    evidence.add("01", "manifest.json", manifest)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "one"),
        ("-m", "rem"),
        ("tests/test_first.py",),
        ("tests/test_first.py::test_one",),
        ("--rem", "RIS.INS.16"),
        ("--deselect", "tests/test_first.py::test_one"),
        ("--ignore", "tests/test_other.py"),
        ("-n", "2", "-k", "one"),
    ],
    ids=" ".join,
)
def test_a_partial_run_is_never_recorded(project: Path, arguments: tuple[str, ...]) -> None:
    assert "rem: partial run" in run(project, *arguments)
    assert recorded(project) is None


def test_a_partial_run_leaves_the_last_full_run_as_it_was(project: Path) -> None:
    run(project)
    before = (project / "var/evidence/results.json").read_bytes()
    run(project, "-k", "one")
    assert (project / "var/evidence/results.json").read_bytes() == before
    assert (project / "var/evidence-partial/RI/RIS.INS.16").is_dir()


def test_a_file_that_skips_itself_is_no_reason_to_call_a_run_partial(project: Path) -> None:
    text = f'__import__("pytest").importorskip("nothing_of_the_kind")\n{OTHER}'
    (project / "tests/test_other.py").write_text(text, encoding="utf-8")
    assert "rem: full run recorded" in run(project)
    tests = recorded(project)
    assert tests is not None
    assert "test_four" not in tests


def test_a_failing_test_is_recorded_as_failed(project: Path) -> None:
    (project / "tests/test_first.py").write_text(FIRST.replace("FINE", "False"), encoding="utf-8")
    assert "rem: full run recorded" in run(project)
    tests = recorded(project)
    assert tests is not None
    assert tests["test_two"]["outcome"] == "failed"


def test_a_failing_teardown_makes_the_test_failed(project: Path) -> None:
    (project / "tests/test_other.py").write_text(
        "import pytest\n@pytest.fixture\ndef bad():\n    yield\n    raise ValueError\n"
        '@pytest.mark.rem("RIS.INS.01")\ndef test_four(bad): ...\n',
        encoding="utf-8",
    )
    run(project)
    tests = recorded(project)
    assert tests is not None
    assert tests["test_four"]["outcome"] == "failed"


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
@pytest.mark.parametrize(
    ("broken", "option"),
    [("import nothing_of_the_kind\n", "-v"), ("import os\ndef test_x(): os._exit(1)\n", "-n1")],
    ids=["collection error", "worker crash"],
)
def test_a_run_that_broke_is_never_recorded(
    project: Path, broken: str, option: str, workers: tuple[str, ...]
) -> None:
    (project / "tests/test_broken.py").write_text(broken, encoding="utf-8")
    run(project, option, *workers)
    assert recorded(project) is None


def test_a_run_stopped_at_the_first_failure_is_never_recorded(project: Path) -> None:
    (project / "tests/test_first.py").write_text(FIRST.replace("FINE", "False"), encoding="utf-8")
    assert "did not run" in run(project, "-x")
    assert recorded(project) is None


def test_tests_are_selected_by_any_spelling_of_a_number(project: Path) -> None:
    output = run(project, "--rem", "INS/va1.28", "-vv")
    assert "test_one PASSED" in output
    assert "test_two" not in output
    assert "3 deselected" in output


def test_an_unknown_number_on_a_test_stops_the_run(project: Path) -> None:
    (project / "tests/test_other.py").write_text(OTHER.replace(".01", ".99"), encoding="utf-8")
    assert "RIS.INS.99" in run(project)
    assert recorded(project) is None
