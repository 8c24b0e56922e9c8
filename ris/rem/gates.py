"""The traceability gates of rem.md §10.5 that sources alone can answer.

A requirement that is missing or untested does not fail a gate: it is shown as such, never hidden.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ris.rem import catalogue, satisfies
from ris.rem.export import ans_csv
from ris.rem.idfile import TARGET, ids_source
from ris.rem.matrix import Entry, build
from ris.rem.render import drift
from ris.rem.scanner import Scan, scan

TOO_VAGUE: Final = 15
WAVE1: Final = {
    "INS": 58, "MSS": 25, "CRR": 7, "DMP": 7, "DOC": 6, "ANN": 5, "TBB": 3, "AUTH": 2,
    "PSC": 1, "INTRA": 1, "AC": 1, "PORT": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: *problems* fail the build, *warnings* are only shown."""

    number: int
    title: str
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@satisfies("LOC-TRC-01")
def gates(root: Path) -> list[Gate]:
    """Judge the sources under *root* by the eight gates of rem.md §10.5."""
    sources = scan(root)
    entries = build(root)
    return [
        Gate(1, "identifiants et scénarios connus", (*sources.problems, *_scenarios(sources))),
        Gate(2, "exigences codées et testées", warnings=_open(entries)),
        Gate(3, "étiquettes précises", warnings=_vague(sources)),
        Gate(4, "chaque paquet dit ce qu'il sert", _silent_packages(root, sources)),
        Gate(5, "chaque route dit ce qu'elle sert", tuple(sources.untagged_routes)),
        Gate(6, "catalogue cohérent", _catalogue()),
        Gate(7, "aucun identifiant LOC- dans l'export", _local_in_export(entries)),
        Gate(8, "matrice à jour", tuple(drift(entries, root))),
    ]


def _scenarios(sources: Scan) -> tuple[str, ...]:
    listed = {one for row in catalogue.load().values() for one in row.scenarios}
    return tuple(
        f"{tag.path}:{tag.line} : scénario inconnu {tag.scenario}"
        for tag in sources.tests
        if tag.scenario is not None and tag.scenario not in listed
    )


def _open(entries: list[Entry]) -> tuple[str, ...]:
    """What is still to do: no code, no test, or listed scenarios that no test carries."""
    official = [entry for entry in entries if entry.requirement.wave == "va1"]
    return tuple(
        f"{entry.requirement.id} : {entry.state}{_untried(entry)}"
        for entry in official
        if entry.state in ("missing", "untested", "partial")
    )


def _untried(entry: Entry) -> str:
    carried = {tag.scenario for tag in entry.tests}
    left = [one for one in entry.requirement.scenarios if one not in carried]
    return f" (scénarios sans test : {', '.join(left)})" if left and entry.code else ""


def _vague(sources: Scan) -> tuple[str, ...]:
    functions = Counter(tag.id for tag in sources.code)
    return tuple(
        f"{requirement} : {number} fonctions"
        for requirement, number in sorted(functions.items())
        if number > TOO_VAGUE
    )


def _silent_packages(root: Path, sources: Scan) -> tuple[str, ...]:
    names = (path.relative_to(root).as_posix() for path in sorted(root.glob("ris/*/__init__.py")))
    return tuple(f"{name} : __rem__ absent" for name in names if name not in sources.packages)


def _catalogue() -> tuple[str, ...]:
    try:
        rows = catalogue.read(catalogue.SOURCE.read_text(encoding="utf-8")).values()
    except ValueError as error:
        return (f"ris/rem/catalogue.csv : {error}",)
    problems = []
    if Counter(row.domain for row in rows if row.wave == "va1") != WAVE1:
        problems.append("ris/rem/catalogue.csv : le compte de la vague 1 n'est plus de 117")
    if TARGET.read_text(encoding="utf-8") != ids_source():
        problems.append("ris/rem/ids.py : lancer ris rem ids")
    return tuple(problems)


def _local_in_export(entries: list[Entry]) -> tuple[str, ...]:
    return ("l'export montre un identifiant LOC-",) if "LOC-" in ans_csv(entries) else ()
