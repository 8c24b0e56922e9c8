"""What one test run showed: each process writes its part, a full run is merged and kept.

A partial run never reaches `results.json` (engineering.md §6.3), so it can mark nothing covered.
Judging coverage from the results is `ris/rem/states.py`.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from ris import __version__
from ris.rem.evidence import Artefact, Mark

EVIDENCE: Final = Path("var/evidence")
RESULTS: Final = EVIDENCE / "results.json"
PARTIAL: Final = Path("var/evidence-partial")


@dataclass(frozen=True, slots=True)
class Result:
    """One test of the run: *outcome* is passed, failed or skipped; marks and artefacts as told."""

    nodeid: str
    outcome: str
    marks: tuple[Mark, ...] = ()
    artefacts: tuple[Artefact, ...] = ()


@dataclass
class Part:
    """What one process saw: every test it *collected*, the *results* it ran, what went wrong.

    *skipped* names the files that skipped themselves whole (`importorskip`).
    """

    collected: set[str] = field(default_factory=set)
    results: dict[str, Result] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    deselected: int = 0
    errors: int = 0

    def write(self, path: Path) -> None:
        """Write this part as JSON at *path*."""
        path.parent.mkdir(parents=True, exist_ok=True)
        value = {
            "collected": sorted(self.collected),
            "results": [asdict(result) for result in self.results.values()],
            "skipped": sorted(self.skipped),
            "deselected": self.deselected,
            "errors": self.errors,
        }
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Part":
        """Read a part written by another process."""
        value = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            collected=set(value["collected"]),
            results={row["nodeid"]: _result(row) for row in value["results"]},
            skipped=set(value["skipped"]),
            deselected=value["deselected"],
            errors=value["errors"],
        )


def merge(parts: Iterable[Part]) -> Part:
    """Add up the parts of the processes of one run; each test ran in one of them."""
    total = Part()
    for part in parts:
        total.collected |= part.collected
        total.results |= part.results
        total.skipped |= part.skipped
        total.deselected += part.deselected
        total.errors += part.errors
    return total


def why_partial(run: Part, marked: Iterable[str]) -> str:
    """Return why *run* is no full run, or "" (engineering.md §6.3).

    Full: collection had no error, nothing was deselected, every collected test reported, and
    every test that the sources mark with `rem` (*marked*, without parameters) was collected or
    stands in a file that skipped itself.
    """
    if run.errors:
        return f"{run.errors} collection errors"
    if run.deselected:
        return f"{run.deselected} tests deselected"
    if not run.collected:
        return "no test collected"
    if left := run.collected - run.results.keys():
        return f"{len(left)} collected tests did not run"
    expected = {test for test in marked if test.partition("::")[0] not in run.skipped}
    if left := expected - {nodeid.partition("[")[0] for nodeid in run.collected}:
        return f"{len(left)} marked tests not collected, such as {min(left)}"
    return ""


def keep(run: Part, staging: Path, root: Path) -> None:
    """Make *run* the last full run of *root*: its evidence replaces the former, with an index."""
    rows = sorted(run.results.values(), key=lambda result: result.nodeid)
    about = {"version": __version__, "commit": _commit(root)}
    artefacts = [artefact.as_json() for row in rows for artefact in row.artefacts]
    _write(staging / "manifest.json", {**about, "files": artefacts})
    tests = [_as_json(row) for row in rows if row.marks]
    _write(staging / RESULTS.name, {**about, "total": len(rows), "tests": tests})
    target = root / EVIDENCE
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging.rename(target)


def last_full_run(root: Path) -> dict[str, Result] | None:
    """Return the marked tests of the last full run by node id, or None before the first one.

    Evidence whose file is gone or no longer has its recorded sha256 is left out.
    """
    path = root / RESULTS
    if not path.is_file():
        return None
    rows = json.loads(path.read_text(encoding="utf-8"))["tests"]
    found = (_result(row, root / EVIDENCE) for row in rows)
    return {result.nodeid: result for result in found}


def _result(row: dict[str, Any], root: Path | None = None) -> Result:
    artefacts = (Artefact(**value) for value in row["artefacts"])
    return Result(
        nodeid=row["nodeid"],
        outcome=row["outcome"],
        marks=tuple(Mark(**mark) for mark in row["marks"]),
        artefacts=tuple(one for one in artefacts if root is None or _intact(one, root)),
    )


def _intact(artefact: Artefact, root: Path) -> bool:
    path = root / artefact.path
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == artefact.sha256


def _as_json(result: Result) -> dict[str, Any]:
    return {**asdict(result), "rem": [mark.id for mark in result.marks]}


def _write(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _commit(root: Path) -> str:
    """Return the commit checked out at *root*, `+` when the tree differs, "" without git."""
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    if head.returncode:
        return ""
    clean = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=root, check=False)
    return head.stdout.strip() + ("+" if clean.returncode else "")
