"""The pytest side of traceability: marker `rem`, fixture `evidence`, option `--rem`, results.

Every process records what it saw; the controller merges the parts and, for a full run only,
replaces `var/evidence/` (the rule is `ris.rem.runs.why_partial`). A partial run leaves its
artefacts in `var/evidence-partial/` and marks nothing covered.
"""

import os
import shutil
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from ris.rem.catalogue import scenarios_in
from ris.rem.evidence import Evidence, Mark
from ris.rem.normaliser import normalise
from ris.rem.runs import PARTIAL, Part, Result, keep, merge, why_partial
from ris.rem.scanner import scan
from ris.rem.tags import UnknownRequirement, known

STAGING: Final = "rem_staging"
BENCH: Final = pytest.StashKey["Recorder"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rem", action="append", default=[], metavar="ID", help="run the tests of a requirement"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "rem(*ids, scenario=None): the REM requirements this test shows"
    )
    recorder = Recorder(config)
    config.stash[BENCH] = recorder
    config.pluginmanager.register(recorder, "rem-recorder")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = {one for text in config.getoption("--rem") for one in normalise(text).ids}
    for item in items:
        try:
            known(tuple(mark.id for mark in marks_of(item)))
        except UnknownRequirement as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from error
    if not wanted:
        return
    dropped = [item for item in items if wanted.isdisjoint(m.id for m in marks_of(item))]
    items[:] = [item for item in items if item not in dropped]
    config.hook.pytest_deselected(items=dropped)


def marks_of(item: pytest.Item) -> tuple[Mark, ...]:
    """The `rem` marks of a test, nearest first, each once; a range of scenarios is many marks."""
    found = (
        Mark(requirement, scenario)
        for marker in item.iter_markers("rem")
        for requirement in marker.args
        for scenario in scenarios_in(marker.kwargs.get("scenario") or "") or (None,)
    )
    return tuple(dict.fromkeys(found))


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """File proofs of every `rem` mark of this test: `evidence.add("01", "answer.xml", data)`."""
    recorder = request.config.stash[BENCH]
    item = request.node
    filed = Evidence(recorder.staging, item.nodeid, marks_of(item))
    recorder.evidence[item.nodeid] = filed
    return filed


class Recorder:
    """Records one process of the run; the controller merges the parts when the session ends."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.root = config.rootpath
        worker: dict[str, Any] = getattr(config, "workerinput", {})
        self.is_worker = bool(worker)
        name = worker.get(STAGING) or f"evidence-run-{uuid.uuid4().hex[:8]}"
        self.staging = Path(self.root / "var" / name)
        self.part = Part()
        self.evidence: dict[str, Evidence] = {}
        self.marks: dict[str, tuple[Mark, ...]] = {}
        self.workers: set[str] = set()
        self.closing_line = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[STAGING] = self.staging.name
        self.workers.add(node.gateway.id)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.part.errors += report.failed
        if report.skipped:
            self.part.skipped.add(report.nodeid)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.part.deselected += len(items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.marks = {item.nodeid: marks_of(item) for item in session.items}
        self.part.collected = set(self.marks)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        former = self.part.results.get(item.nodeid)
        seen = {report.outcome, former.outcome if former else "passed"}
        worst = next(one for one in ("failed", "skipped", "passed") if one in seen)
        self._record(item.nodeid, worst)
        return report

    def _record(self, nodeid: str, outcome: str) -> None:
        filed = self.evidence.get(nodeid)
        self.part.results[nodeid] = Result(
            nodeid=nodeid,
            outcome=outcome,
            marks=self.marks.get(nodeid, ()),
            artefacts=tuple(filed.artefacts) if filed else (),
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if self.is_worker:
            self.part.write(self.staging / "parts" / f"{os.environ['PYTEST_XDIST_WORKER']}.json")
            return
        if self.config.option.collectonly:
            return
        run, reason = self._whole_run()
        if reason:
            _merge_tree(self.staging, self.root / PARTIAL)
            self.closing_line = f"rem: partial run ({reason}); coverage states unchanged"
        else:
            keep(run, self.staging, self.root)
            self.closing_line = "rem: full run recorded in var/evidence/results.json"

    def _whole_run(self) -> tuple[Part, str]:
        paths = sorted((self.staging / "parts").glob("*.json"))
        run = merge(Part.read(path) for path in paths) if self.workers else self.part
        run.errors += len(self.workers) - len(paths)
        shutil.rmtree(self.staging / "parts", ignore_errors=True)
        marked = {tag.nodeid for tag in scan(self.root).tests}
        return run, why_partial(run, marked)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.closing_line:
            terminalreporter.write_line(self.closing_line)


def _merge_tree(source: Path, target: Path) -> None:
    if source.exists():
        shutil.copytree(source, target, dirs_exist_ok=True)
        shutil.rmtree(source)
