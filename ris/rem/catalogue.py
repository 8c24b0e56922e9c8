"""The requirement catalogue: `catalogue.csv` read once into frozen values.

Ids, aliases, scenarios and profiles of rem.md §§3, 5 and 7. Nothing here knows code, tests or
evidence, and no official sentence enters the CSV: paraphrases only.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

Kind = Literal["exigence", "préconisation"]
Wave = Literal["va1", "va2", "cited", "local"]

SOURCE: Final = Path(__file__).with_name("catalogue.csv")
COLUMNS: Final = (
    "id", "id_status", "section", "profile", "kind", "title", "paraphrase", "proof", "module",
    "provenance",
)  # fmt: skip
PROFILES: Final = {
    "Général": "G",
    "Référentiel d'identités": "RI",
    "Envoi manuel par MSS au PS Demandeur": "MAN",
    "Opérateur Mailiz": "MZ",
    "Authentification unipersonnelle RPPS-Rang (SCM)": "SCM",
    "Stockage des copies de titres d'identité": "CNI",
    "Vague 2": "VA2",
}
EXTERNAL: Final = frozenset(
    {"RIS.INS.48", "RIS.INS.49", "RIS.INS.50", "RIS.INS.55", "RIS.INS.56"}
    | {"RIS.DMP.04", "RIS.DMP.05", "RIS.DMP.07", "RIS.PSC.01", "RIS.CRR.07"}
    | {"RIS.DOC.02", "RIS.DOC.03", "RIS.DOC.04", "RIS.DOC.05"}
    | {"RIS.MSS.15", "RIS.MSS.19", "RIS.MSS.20", "RIS.MSS.22"}
)
"""What code alone cannot satisfy: CNDA, PSC agreement, test-space report (rem.md §7.3)."""

_CANONICAL: Final = re.compile(r"(RIS|ECO|SC|EXI)[. ]|LOC-")
_SCENARIO_RANGE: Final = re.compile(r"(?P<base>.*[. ])(?P<first>\d{2})-(?P<last>\d{2})")
_PSC_RANGE: Final = re.compile(r"PSC (\d{2})\.01-(\d{2})\.01")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: official wave 1, wave 2, cited reference or project-local (`LOC-`)."""

    id: str
    id_status: str
    section: str
    profile: str
    kind: str
    title: str
    paraphrase: str
    proof: str
    module: str
    provenance: str
    aliases: tuple[str, ...]
    related: tuple[str, ...]
    scenarios: tuple[str, ...]

    @property
    def wave(self) -> Wave:
        """Which list it belongs to; only `va1` is ever counted in the 117."""
        if self.id.startswith("LOC-"):
            return "local"
        if self.id.startswith("RIS."):
            return "va1"
        return "cited" if self.id.startswith("ECO.") else "va2"

    @property
    def domain(self) -> str:
        """The domain part of the id: INS, MSS, CRR… (`ID Section` of rem.md §2.1)."""
        return re.split(r"[./ -]", self.id)[1]

    @property
    def profile_code(self) -> str:
        """G, RI, MAN, MZ, SCM, CNI (rem.md §5) or VA2."""
        return PROFILES[self.profile]

    @property
    def external(self) -> bool:
        """True when a proof is delivered by a third party (rem.md §7.3)."""
        return self.id in EXTERNAL


@cache
def load() -> dict[str, Requirement]:
    """Return the shipped catalogue by id, in its own order."""
    return read(SOURCE.read_text(encoding="utf-8"))


def read(text: str) -> dict[str, Requirement]:
    """Parse the CSV *text*; `ValueError` for a wrong column, enumeration, id or provenance."""
    rows = csv.DictReader(text.splitlines())
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"columns must be {', '.join(COLUMNS)}")
    found: dict[str, Requirement] = {}
    for row in rows:
        if row["id"] in found:
            raise ValueError(f"{row['id']} appears twice")
        found[row["id"]] = _requirement(row)
    return found


def wave1() -> dict[str, Requirement]:
    """Return the 117 official wave-1 requirements."""
    return {key: value for key, value in load().items() if value.wave == "va1"}


def _requirement(row: dict[str, str]) -> Requirement:
    if not _CANONICAL.match(row["id"]):
        raise ValueError(f"{row['id']}: not a canonical id")
    if row["profile"] not in PROFILES or row["kind"] not in ("exigence", "préconisation"):
        raise ValueError(f"{row['id']}: unknown profile or kind")
    if row["id_status"] not in ("verbatim-id", "sibling-id", "derived"):
        raise ValueError(f"{row['id']}: unknown id_status")
    if not row["provenance"].strip():
        raise ValueError(f"{row['id']}: no provenance")
    names = _part(row["provenance"], "alias")
    canonical = tuple(name for name in names if name.startswith("RIS.") and "/" not in name)
    return Requirement(
        **row,
        aliases=tuple(name for name in names if name not in canonical),
        related=canonical,
        scenarios=scenarios_in("; ".join(_part(row["provenance"], "scn"))),
    )


def _part(provenance: str, label: str) -> tuple[str, ...]:
    """Names after `label:`; wave-2 pointers are not names."""
    for part in provenance.split(" | "):
        key, _, value = part.partition(": ")
        if key == label:
            return tuple(name for name in _names(value) if not name.startswith("wave 2"))
    return ()


def scenarios_in(text: str) -> tuple[str, ...]:
    """Return every scenario number of *text*, written as in `provenance` (rem.md §3.2).

    `INS/va1.01.01-03; INS/va1.56.01 (note)` gives four; PSC numbers scenario, then proof.
    """
    return tuple(one for name in _names(text) for one in _expand(name))


def _names(text: str) -> tuple[str, ...]:
    """Split a provenance list; remarks in brackets are no part of a name."""
    bare = (name.strip() for name in re.sub(r"\([^)]*\)", "", text).split(";"))
    return tuple(name for name in bare if name)


def _expand(text: str) -> tuple[str, ...]:
    if psc := _PSC_RANGE.fullmatch(text):
        return tuple(f"PSC {n:02}.01" for n in range(int(psc[1]), int(psc[2]) + 1))
    if not (found := _SCENARIO_RANGE.fullmatch(text)):
        return (text,)
    numbers = range(int(found["first"]), int(found["last"]) + 1)
    return tuple(f"{found['base']}{number:02}" for number in numbers)
