"""The traceability matrix: requirement × code × tests × evidence × state (rem.md §10.1).

Puts the catalogue, the scan and the last full run together. How it looks is `render.py`.
"""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ris.rem import satisfies
from ris.rem.catalogue import Requirement, load
from ris.rem.runs import EVIDENCE, Result, last_full_run
from ris.rem.scanner import CodeTag, Scan, TestTag, scan
from ris.rem.states import ALL_PROFILES, STATES, State, state_of

SOURCES: Final = Path(__file__).parents[2]
PUBLISHED: Final = Path("docs/requirements.json")
PACKAGED: Final = Path(__file__).with_name("requirements.json")
"""Where a wheel carries the published matrix (pyproject `force-include`)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the matrix. *evidence* holds paths from the root of the sources."""

    requirement: Requirement
    state: State
    code: tuple[CodeTag, ...]
    tests: tuple[TestTag, ...]
    evidence: tuple[str, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """Where a reviewer reads the code: `path#symbol`, without line numbers."""
        return tuple(dict.fromkeys(f"{tag.path}#{tag.symbol}" for tag in self.code))

    @property
    def nodeids(self) -> tuple[str, ...]:
        """The tests marked with this requirement, each once."""
        return tuple(dict.fromkeys(tag.nodeid for tag in self.tests))


@satisfies("LOC-TRC-01")
def build(root: Path, *, profiles: Collection[str] = ALL_PROFILES) -> list[Entry]:
    """Return one entry per catalogue row for the sources under *root*, in catalogue order.

    Without a recorded full run (a clean checkout), state and evidence are those last published
    in `docs/requirements.json`, except that what lost its code or its tests is judged anew.
    """
    sources = scan(root)
    results = last_full_run(root)
    former = {} if results is not None else published(root / PUBLISHED)
    return [
        _entry(requirement, sources, results or {}, former.get(requirement.id), profiles)
        for requirement in load().values()
    ]


def published(path: Path) -> dict[str, Entry]:
    """Return the entries of a published matrix (JSON) by id; empty when there is no such file."""
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))["requirements"]
    return {row["id"]: _published(row) for row in rows if row["id"] in load()}


def counts(entries: list[Entry]) -> dict[str, int]:
    """Return how many of the 117 wave-1 requirements are in each state."""
    found = Counter(entry.state for entry in entries if entry.requirement.wave == "va1")
    return {state: found[state] for state in STATES}


def _published(row: dict[str, Any]) -> Entry:
    """Rebuild an entry; line numbers are not published and read as 0."""
    places = (place.partition("#") for place in row["code"])
    tests = ((test["nodeid"], test["scenario"]) for test in row["tests"])
    return Entry(
        requirement=load()[row["id"]],
        state=row["state"],
        code=tuple(CodeTag(row["id"], path, 0, symbol) for path, _, symbol in places),
        tests=tuple(
            TestTag(row["id"], scenario, nodeid.partition("::")[0], 0, nodeid)
            for nodeid, scenario in tests
        ),
        evidence=tuple(row["evidence"]),
    )


def _entry(
    requirement: Requirement,
    sources: Scan,
    results: dict[str, Result],
    former: Entry | None,
    profiles: Collection[str],
) -> Entry:
    code = tuple(tag for tag in sources.code if tag.id == requirement.id)
    tests = tuple(tag for tag in sources.tests if tag.id == requirement.id)
    state = state_of(requirement, coded=bool(code), results=results, profiles=profiles)
    evidence = tuple(
        sorted(
            (EVIDENCE / artefact.path).as_posix()
            for result in results.values()
            if result.outcome == "passed"
            for artefact in result.artefacts
            if artefact.id == requirement.id
        )
    )
    if former and state == "untested" and tests:
        state, evidence = former.state, former.evidence
    return Entry(requirement, state, code, tests, evidence)
