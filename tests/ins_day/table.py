"""The table of the INS test day, printed at the end of a run and kept beside its evidence.

A pytest plugin: it listens to the tests marked `ins_day`, in this process or in workers. What a
line is stands in `lines.py`; which tests ran at all is judged by `tests.plugin_rem`.
"""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console
from rich.table import Table

from ris.rem.runs import EVIDENCE
from tests.ins_day.lines import LINES
from tests.plugin_rem import BENCH

MARK: Final = "ins_day"
SEEN: Final = pytest.StashKey[list[str]]()
WIDTH: Final = 150
_WORST: Final = ("failed", "skipped", "passed")
_SAID: Final = {"passed": "conforme", "failed": "NON CONFORME", "skipped": "non joué"}


@dataclass
class Row:
    """What the tests of one line gave: outcome by test, what was seen, the evidence filed."""

    outcomes: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """The worst of its tests."""
        return next(one for one in _WORST if one in self.outcomes.values())

    def add(self, nodeid: str, outcome: str, told: dict[str, Any]) -> None:
        """Take one phase of one test."""
        known = {outcome, self.outcomes.get(nodeid, "passed")}
        self.outcomes[nodeid] = next(one for one in _WORST if one in known)
        self.seen += [text for text in told["seen"] if text not in self.seen]
        self.evidence += [path for path in told["evidence"] if path not in self.evidence]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(line): the line of the INS test day it plays")
    config.pluginmanager.register(Recorder(config), "ins-day-recorder")


class Recorder:
    """Gathers the rows of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.rows: dict[int, Row] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        mark = item.get_closest_marker(MARK)
        if mark is not None:
            filed = self.config.stash[BENCH].evidence.get(item.nodeid)
            told = {
                "line": mark.args[0],
                "seen": item.stash.get(SEEN, []),
                "evidence": [one.path for one in filed.artefacts] if filed else [],
            }
            report.user_properties.append((MARK, told))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, told in report.user_properties:
            if name == MARK and isinstance(told, dict):
                row = self.rows.setdefault(told["line"], Row())
                row.add(report.nodeid, report.outcome, told)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.rows:
            return
        text = printed(self.rows)
        terminalreporter.write_line("")
        terminalreporter.write_line(text)
        folder = Path(self.config.rootpath / EVIDENCE)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ins-day.txt").write_text(text + "\n", encoding="utf-8")
        told = json.dumps(list(as_json(self.rows)), ensure_ascii=False, indent=1)
        (folder / "ins-day.json").write_text(told + "\n", encoding="utf-8")


def printed(rows: dict[int, Row]) -> str:
    """Return the table and its count as text."""
    table = Table(title="Journée de test INS", show_lines=True)
    for head in ("n°", "scénarios", "vu", "résultat", "preuves"):
        table.add_column(head, no_wrap=head == "n°", overflow="fold")
    for number, row in sorted(rows.items()):
        first = row.evidence[0] if row.evidence else "aucune"
        more = f" (+ {len(row.evidence) - 1})" if len(row.evidence) > 1 else ""
        table.add_row(
            str(number), " ".join(LINES[number].scenarios), " ; ".join(row.seen) or "rien",
            _SAID[row.outcome], f"{first}{more}",
        )  # fmt: skip
    passed = sum(row.outcome == "passed" for row in rows.values())
    out = StringIO()
    console = Console(file=out, width=WIDTH, color_system=None)
    console.print(table)
    console.print(f"{passed} lignes conformes sur {len(LINES)} ({len(rows)} jouées)")
    return out.getvalue().rstrip()


def as_json(rows: dict[int, Row]) -> Iterator[dict[str, Any]]:
    """Give one object a line, all 40 of them."""
    for number, line in LINES.items():
        row = rows.get(number)
        yield {
            "line": number,
            "scenarios": line.full,
            "expected": line.expected,
            "seen": row.seen if row else [],
            "outcome": row.outcome if row else "absent",
            "tests": row.outcomes if row else {},
            "evidence": row.evidence if row else [],
        }
