"""From any spelling of a requirement number to the canonical ids (rem.md §3.3).

For people only (CLI, API): code and tests use canonical ids. Spellings come from the catalogue's
aliases and from four rules; nothing is guessed beyond them.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Final

from ris.rem.catalogue import load
from ris.rem.tags import UnknownRequirement

_SHORT: Final = re.compile(r"(?:RIS\.?)?(?P<domain>[A-Z]+)\.?(?P<number>\d{1,2})")
_RENAMED: Final = {"CRI": "CRR", "DPM": "DMP"}


@dataclass(frozen=True, slots=True)
class Match:
    """The canonical ids one spelling means (many for a grouped number), and what to beware of."""

    ids: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def normalise(text: str) -> Match:
    """Return what *text* means; raises `UnknownRequirement` when no rule gives a known id.

    Case and blanks do not matter and the last number is padded to two digits.
    """
    key = _key(text)
    spellings = _spellings()
    if found := spellings.get(key):
        return Match(found, _warnings(text, key, found))
    if short := _short(key):
        return Match((short,), _warnings(text, key, (short,)))
    if found := spellings.get(f"RIS.{key}"):
        warning = f"{text} : préfixe RIS. manquant, lu comme RIS.{key}"
        return Match(found, (warning,))
    raise UnknownRequirement(f"{text!r} is no known requirement number")


def _warnings(text: str, key: str, found: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    for prefix in ("RIS.", "SC."):
        others = _spellings().get(prefix + key, found)
        if set(others) != set(found):
            notes.append(f"{prefix}{text} est un autre numéro : {', '.join(others)}")
    if "DPM" in key:
        notes.append("DPM est une faute de frappe connue pour DMP")
    if len(found) > 1:
        notes.append(f"{text} regroupe {len(found)} exigences de la vague 1")
    return tuple(notes)


def _short(key: str) -> str | None:
    """`INS1`, `INS.01`, `RISINS01`, `CRI.02` → the wave-1 id, when it exists."""
    if not (found := _SHORT.fullmatch(key)):
        return None
    domain = _RENAMED.get(found["domain"], found["domain"]).removeprefix("RIS")
    wanted = f"RIS.{domain}.{found['number'].zfill(2)}"
    return wanted if wanted in load() else None


def _key(text: str) -> str:
    bare = re.sub(r"\s+", "", text).upper()
    return re.sub(r"\d+$", lambda number: number[0].zfill(2), bare)


@cache
def _spellings() -> dict[str, tuple[str, ...]]:
    """Every catalogued spelling → ids. A canonical id is never another row's alias."""
    table: dict[str, list[str]] = defaultdict(list)
    canonical = {_key(requirement): requirement for requirement in load()}
    for requirement in load().values():
        for name in (requirement.id, *requirement.aliases):
            if canonical.get(_key(name), requirement.id) == requirement.id:
                table[_key(name)].append(requirement.id)
    return {key: tuple(dict.fromkeys(ids)) for key, ids in table.items()}
