"""The catalogue in the column layout of an official REM sheet (rem.md §2.1), for reviewers.

Official wave-1 numbers only, in our own words: no `LOC-` id and no official sentence.
"""

import csv
import io
import re
from typing import Final

from ris.rem.catalogue import Requirement
from ris.rem.evidence import file_name
from ris.rem.matrix import Entry

MAX_PROOFS: Final = 10
HEAD: Final = (
    "Exigence conditionnelle OUI/NON", "Profil", "ID Section", "Section", "Bloc", "Fonction",
    "Nature de l'exigence", "N° exigence", "Énoncé", "N° scénario", "Scénario de conformité",
)  # fmt: skip
PROOF_HEAD: Final = tuple(
    title
    for number in range(1, MAX_PROOFS + 1)
    for title in (f"N° preuve {number}", f"Preuve {number}")
)
_CONDITION: Final = re.compile(r"(if|when|only if|where)\b", re.IGNORECASE)


def ans_csv(entries: list[Entry]) -> str:
    """Return the CSV (semicolons, as spreadsheets in French read it), a row per scenario."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([*HEAD, *PROOF_HEAD])
    for entry in entries:
        if entry.requirement.wave == "va1":
            writer.writerows(_rows(entry))
    return out.getvalue()


def is_conditional(requirement: Requirement) -> bool:
    """Column 1: an optional profile, or a statement that starts with a condition."""
    return requirement.profile_code != "G" or bool(_CONDITION.match(requirement.paraphrase))


def _rows(entry: Entry) -> list[list[str]]:
    requirement = entry.requirement
    nature = "EXIGENCE" if requirement.kind == "exigence" else "PRECONISATION"
    about = [
        "OUI" if is_conditional(requirement) else "NON",
        requirement.profile,
        requirement.domain,
        requirement.section,
        "",
        "",
        nature,
        requirement.id,
        requirement.paraphrase,
    ]
    return [
        [*about, scenario or "", _tests(entry, scenario), *_proofs(entry, scenario)]
        for scenario in requirement.scenarios or (None,)
    ]


def _tests(entry: Entry, scenario: str | None) -> str:
    found = (tag.nodeid for tag in entry.tests if scenario in (None, tag.scenario))
    return " ".join(dict.fromkeys(found))


def _proofs(entry: Entry, scenario: str | None) -> list[str]:
    """Return the pairs number, file of this scenario (at most ten), padded with blanks."""
    prefix = file_name(scenario or entry.requirement.id) + "."
    cells: list[str] = []
    for path in entry.evidence:
        name = path.rpartition("/")[2]
        if name.startswith(prefix) and len(cells) < 2 * MAX_PROOFS:
            proof = name[len(prefix) :].partition("-")[0]
            cells += [f"{scenario or entry.requirement.id}.{proof}", path]
    return cells + [""] * (2 * MAX_PROOFS - len(cells))
