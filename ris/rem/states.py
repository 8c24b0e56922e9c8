"""The coverage state of a requirement: computed, never typed (rem.md §10.4).

Pure rules over the catalogue, the scanned tags and the last full run.
"""

from collections.abc import Collection, Mapping
from typing import Final, Literal

from ris.rem import satisfies
from ris.rem.catalogue import PROFILES, Requirement
from ris.rem.runs import Result

State = Literal["covered", "partial", "external", "untested", "missing", "not applicable"]
STATES: Final[tuple[State, ...]] = (
    "covered",
    "external",
    "partial",
    "untested",
    "missing",
    "not applicable",
)
ALL_PROFILES: Final = frozenset(PROFILES.values())


@satisfies("LOC-TRC-01")
def state_of(
    requirement: Requirement,
    *,
    coded: bool,
    results: Mapping[str, Result],
    profiles: Collection[str] = ALL_PROFILES,
) -> State:
    """Return the state of *requirement*.

    *coded*: a symbol carries its tag. *results*: tests of the last full run by node id (failed
    and skipped ones never help). *profiles*: the codes claimed; G is always claimed. A
    préconisation that nobody coded is not chosen, hence not applicable.
    """
    if requirement.profile_code not in {"G", *profiles}:
        return "not applicable"
    if not coded:
        return "missing" if requirement.kind == "exigence" else "not applicable"
    tests = [one for one in results.values() if _marked(one, requirement)]
    passed = [one for one in tests if one.outcome == "passed"]
    if not passed:
        return "untested"
    failed = any(one.outcome == "failed" for one in tests)
    if failed or not all(_shown(requirement, one, passed) for one in _scenarios(requirement)):
        return "partial"
    return "external" if requirement.external else "covered"


def _marked(result: Result, requirement: Requirement) -> bool:
    return any(mark.id == requirement.id for mark in result.marks)


def _scenarios(requirement: Requirement) -> tuple[str | None, ...]:
    return requirement.scenarios or (None,)


def _shown(requirement: Requirement, scenario: str | None, passed: list[Result]) -> bool:
    """A passing test carries the scenario and filed evidence for it; without one, any test does."""
    return any(
        artefact.id == requirement.id and scenario in (None, artefact.scenario)
        for result in passed
        for artefact in result.artefacts
    )
