"""The page `docs/mutants-identity.md`: what was mutated, what lived, why. Text only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.mutation.operators import Mutant

HEAD = """# Mutation testing of the identity guards

Written by `make mutants` (`tests/mutation`): one small wrong at a time in each module below
(comparisons, boolean and set operators, constants, enum members, table entries, removed statements
and returns), then the module's own tests until one fails. Texts that people read, decorators,
annotations and imports are not mutated. A mutant that lives is either equivalent, with the reason
given here, or makes the command fail. A module with fewer played than it has is a run that was cut.

| Module | Mutants | Played | Noticed | of which by time-out | Equivalent | Unexplained |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True)
class Outcome:
    """One mutant played: *alive* when no test noticed, *slow* when it never ended."""

    mutant: Mutant
    alive: bool
    slow: bool


def page(
    found: Sequence[Outcome],
    totals: Mapping[str, int],
    explained: Mapping[tuple[str, str, str], str],
) -> str:
    """Return the page; *totals* says how many mutants each module has, played or not."""
    rows = [
        _row(f"`{m}`", total, [o for o in found if o.mutant.module == m], explained)
        for m, total in totals.items()
    ]
    living = [one.mutant for one in found if one.alive]
    lines = [
        f"- `{one.module}`, `{one.place}`: `{one.change}`: {explained.get(one.key, 'UNEXPLAINED')}"
        for one in living
    ]
    table = "\n".join([*rows, _row("**all**", sum(totals.values()), found, explained)])
    return f"{HEAD}{table}\n\n## The living\n\n" + "\n".join(dict.fromkeys(lines)) + "\n"


def _row(
    name: str,
    total: int,
    played: Sequence[Outcome],
    explained: Mapping[tuple[str, str, str], str],
) -> str:
    alive = [one for one in played if one.alive]
    known = [one for one in alive if one.mutant.key in explained]
    slow = sum(one.slow for one in played)
    noticed = len(played) - len(alive)
    figures = (total, len(played), noticed, slow, len(known), len(alive) - len(known))
    return f"| {name} | " + " | ".join(map(str, figures)) + " |"
