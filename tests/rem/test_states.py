"""Coverage states: computed from code, passing tests and filed evidence, and nothing else."""

import json
from pathlib import Path

import pytest

from ris.rem.bundle import NoFullRun, write_bundle
from ris.rem.catalogue import load
from ris.rem.evidence import Evidence, Mark
from ris.rem.matrix import build, counts
from ris.rem.render import check_json, documents, drift
from ris.rem.runs import Part, Result, keep
from ris.rem.states import state_of

CODE = '@satisfies("RIS.INS.16")\ndef refuse(): ...\n'
SCENARIOS = ("INS/va1.31.01", "INS/va1.31.02", "INS/va1.31.03")
TEST = "".join(
    f'@pytest.mark.rem("RIS.INS.16", scenario="{one}")\ndef test_{number}(): ...\n'
    for number, one in enumerate(SCENARIOS)
)
PLACE = "tests/test_refuse.py::test_"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree whose RIS.INS.16 is covered by three passing tests with evidence."""
    (tmp_path / "ris").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "ris/refuse.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "tests/test_refuse.py").write_text(TEST, encoding="utf-8")
    record(tmp_path)
    return tmp_path


def record(root: Path, requirement: str = "RIS.INS.16", **changes: str | None) -> None:
    """Record a full run; *changes* maps a scenario's last digit to an outcome or no test at all."""
    staging, results = root / "var/run", {}
    for number, scenario in enumerate(load()[requirement].scenarios or (None,)):
        outcome = changes.get(f"s{number + 1}", "passed")
        if outcome is None:
            continue
        mark = Mark(requirement, scenario)
        filed = Evidence(staging, f"{PLACE}{number}", (mark,))
        if outcome != "no evidence":
            filed.add("01", "answer.txt", f"answer {number}")
        passed = "passed" if outcome == "no evidence" else outcome
        results[filed.test] = Result(filed.test, passed, (mark,), tuple(filed.artefacts))
    staging.mkdir(parents=True, exist_ok=True)
    keep(Part(collected=set(results), results=results), staging, root)


def state(root: Path, requirement: str = "RIS.INS.16") -> str:
    return next(e.state for e in build(root) if e.requirement.id == requirement)


@pytest.mark.rem("LOC-TRC-01")
def test_code_tests_and_evidence_for_every_scenario_make_it_covered(root: Path, evidence) -> None:
    assert state(root) == "covered"
    row = next(r for r in check_json(build(root))["requirements"] if r["id"] == "RIS.INS.16")
    assert row["code"] == ["ris/refuse.py:2 refuse"]
    assert row["tests"] == [f"{PLACE}{number}" for number in range(3)]
    assert row["evidence"][0] == "var/evidence/RI/RIS.INS.16/INS_va1.31.01.01-answer.txt"
    evidence.add("01", "row.json", row)


def test_without_its_code_tag_it_is_missing_whatever_the_tests_say(root: Path) -> None:
    (root / "ris/refuse.py").write_text("def refuse(): ...\n", encoding="utf-8")
    assert state(root) == "missing"


def test_a_package_tag_alone_is_missing(root: Path) -> None:
    (root / "ris/refuse.py").write_text('__rem__ = ("RIS.INS.16",)\n', encoding="utf-8")
    assert state(root) == "missing"


def test_code_alone_is_untested(root: Path) -> None:
    record(root, s1=None, s2=None, s3=None)
    assert state(root) == "untested"


@pytest.mark.parametrize("outcome", [None, "failed", "skipped", "no evidence"])
def test_one_scenario_not_shown_makes_it_partial(root: Path, outcome: str | None) -> None:
    record(root, s2=outcome)
    assert state(root) == "partial"


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_tests_that_all_fail_or_skip_count_as_no_test(root: Path, outcome: str) -> None:
    record(root, s1=outcome, s2=outcome, s3=outcome)
    assert state(root) == "untested"


def test_a_failing_test_beside_the_passing_ones_spoils_the_coverage(tmp_path: Path) -> None:
    row = load()["RIS.MSS.16"]
    marks = (Mark("RIS.MSS.16"),)
    filed = Evidence(tmp_path, "a", marks)
    filed.add("01", "mail.eml", "Subject: x")
    results = {"a": Result("a", "passed", marks, tuple(filed.artefacts))}
    assert state_of(row, coded=True, results=results) == "covered"
    results["b"] = Result("b", "failed", marks)
    assert state_of(row, coded=True, results=results) == "partial"


def test_evidence_removed_or_altered_after_the_run_no_longer_counts(root: Path) -> None:
    path = root / "var/evidence/RI/RIS.INS.16/INS_va1.31.02.01-answer.txt"
    former = path.read_text(encoding="utf-8")
    path.write_text("edited by hand", encoding="utf-8")
    assert state(root) == "partial"
    path.write_text(former, encoding="utf-8")
    assert state(root) == "covered"
    path.unlink()
    assert state(root) == "partial"


def test_an_external_proof_is_pending_never_covered(root: Path) -> None:
    (root / "ris/refuse.py").write_text('@satisfies("RIS.DOC.02")\ndef cda(): ...\n')
    record(root, "RIS.DOC.02")
    assert state(root, "RIS.DOC.02") == "external"
    record(root, "RIS.DOC.02", s1="no evidence")
    assert state(root, "RIS.DOC.02") == "partial"


def test_a_profile_that_is_off_and_a_preconisation_not_chosen_do_not_apply(root: Path) -> None:
    found = {e.requirement.id: e.state for e in build(root, profiles={"G"})}
    assert found["RIS.INS.16"] == "not applicable"
    assert found["RIS.TBB.02"] == "not applicable"
    assert found["RIS.TBB.01"] == "missing"


def test_counts_are_of_the_117_only(root: Path) -> None:
    found = counts(build(root))
    assert sum(found.values()) == 117
    assert (found["covered"], found["missing"]) == (1, 114)


def test_the_documents_are_the_same_twice_and_hold_no_line_number(root: Path) -> None:
    first, second = documents(build(root)), documents(build(root))
    assert first == second
    (root / "ris/refuse.py").write_text("# moved\n\n" + CODE, encoding="utf-8")
    assert documents(build(root)) == first
    text = next(iter(first.values()))
    assert "[`ris/refuse.py#refuse`](../ris/refuse.py)" in text


def test_drift_is_seen_for_code_tests_and_states(root: Path) -> None:
    assert len(drift(build(root), root)) == 3
    publish(root)
    assert drift(build(root), root) == []
    record(root, s1=None)
    assert drift(build(root), root)


def test_a_clean_checkout_keeps_published_states_but_sees_lost_code_and_tests(root: Path) -> None:
    publish(root)
    (root / "var/evidence/results.json").unlink()
    assert state(root) == "covered"
    assert drift(build(root), root) == []
    (root / "tests/test_refuse.py").write_text("", encoding="utf-8")
    assert state(root) == "untested"
    (root / "ris/refuse.py").write_text("", encoding="utf-8")
    assert state(root) == "missing"


@pytest.mark.rem("LOC-TRC-02")
def test_the_bundle_lists_what_is_proved_and_what_is_still_to_provide(
    root: Path, tmp_path: Path, evidence
) -> None:
    out = tmp_path / "bundle"
    write_bundle(build(root), root, out)
    index = (out / "RI/index.md").read_text(encoding="utf-8")
    listed = "RIS.INS.16/INS_va1.31.01.01-answer.txt"
    assert f"- [x] [{listed}]({listed})" in index
    assert (out / "RI" / listed).is_file()
    assert (out / "manifest.json").is_file()
    missing = index.partition("## RIS.INS.11")[2].partition("## RIS.INS.12")[0]
    assert "- [ ]" in missing
    assert "[x]" not in missing
    evidence.add("01", "index.md", index)


def test_there_is_no_bundle_before_a_full_run(root: Path, tmp_path: Path) -> None:
    (root / "var/evidence/results.json").unlink()
    with pytest.raises(NoFullRun):
        write_bundle(build(root), root, tmp_path / "bundle")


def publish(root: Path) -> None:
    (root / "docs").mkdir(exist_ok=True)
    for path, text in documents(build(root)).items():
        (root / path).write_text(text, encoding="utf-8")


def test_the_json_of_check_has_exactly_the_agreed_form(root: Path) -> None:
    report = json.loads(json.dumps(check_json(build(root))))
    assert set(report) == {"counts", "requirements"}
    assert len(report["requirements"]) == 117
    keys = {"id", "state", "profile", "code", "tests", "evidence"}
    assert all(set(row) == keys for row in report["requirements"])
