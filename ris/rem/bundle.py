"""The evidence bundle for a reviewer: the last full run's files and one index page a profile.

Only copies and lists. Screens, videos and third-party documents cannot be made here: they stay
open boxes of the checklist, so the bundle never claims more than it proves (engineering.md §8.2).
"""

import shutil
from pathlib import Path
from typing import Final

from ris.rem import satisfies
from ris.rem.catalogue import PROFILES
from ris.rem.matrix import Entry
from ris.rem.runs import EVIDENCE, RESULTS

_HEAD: Final = """# Éléments de preuve : {name}

Empreintes SHA-256, test d'origine, version et heure UTC de chaque fichier : `../manifest.json`.
Case cochée : fichier produit par les tests. Case vide : preuve à fournir par l'éditeur ou un tiers.
"""


class NoFullRun(FileNotFoundError):
    """No full test run was recorded: there is nothing to bundle."""


@satisfies("LOC-TRC-02")
def write_bundle(entries: list[Entry], root: Path, out: Path) -> None:
    """Copy the evidence of the last full run of *root* to the new folder *out* and index it.

    Raises `NoFullRun`, or `FileExistsError` when *out* exists.
    """
    if not (root / RESULTS).is_file():
        raise NoFullRun("no full test run recorded in var/evidence")
    shutil.copytree(root / EVIDENCE, out)
    for name, code in PROFILES.items():
        rows = [entry for entry in entries if _belongs(entry, code)]
        if rows:
            (out / code).mkdir(exist_ok=True)
            text = "\n".join([_HEAD.format(name=name), *(_lines(entry, code) for entry in rows)])
            (out / code / "index.md").write_text(text, encoding="utf-8")


def _belongs(entry: Entry, code: str) -> bool:
    official = entry.requirement.wave == "va1"
    return entry.requirement.profile_code == code and (official or bool(entry.evidence))


def _lines(entry: Entry, code: str) -> str:
    row = entry.requirement
    parts = [f"## {row.id} {row.title}\n", f"État : {entry.state}. Preuve demandée : {row.proof}\n"]
    folder = f"{(EVIDENCE / code).as_posix()}/"
    names = [path.removeprefix(folder) for path in entry.evidence]
    parts += [f"- [x] [{name}]({name})" for name in names]
    if not names or row.external or "creenshot" in row.proof or "ideo" in row.proof:
        parts.append("- [ ] preuve demandée ci-dessus, à fournir")
    return "\n".join(parts) + "\n"
