"""One test's artefacts, filed where the catalogue wants them (rem.md §10.3).

Path: `<root>/<profile>/<ID>/<scenario, / as _>.<proof>-<name>`. Which tests ran and whether
they passed is `ris/rem/runs.py`.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ris import __version__
from ris.rem.catalogue import load
from ris.rem.fictitious import refuse_real_matricules


@dataclass(frozen=True, slots=True)
class Mark:
    """What one `rem` marker claims: an id and, if listed, a scenario number."""

    id: str
    scenario: str | None = None


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file of evidence; *path* is relative to the evidence root, *written* is UTC ISO 8601."""

    id: str
    scenario: str | None
    proof: str
    path: str
    sha256: str
    test: str
    version: str
    written: str

    def as_json(self) -> dict[str, Any]:
        """Return the entry of the index."""
        return asdict(self)


@dataclass
class Evidence:
    """The `evidence` fixture of one test: files what the test hands in under each of its marks."""

    root: Path
    test: str
    marks: Sequence[Mark]
    artefacts: list[Artefact] = field(default_factory=list)

    def add(self, proof: str, name: str, data: bytes | str | dict[str, Any]) -> None:
        """File *data* as proof number *proof* (two digits) of every mark of this test.

        A dict is written as JSON. Raises `RealLookingMatricule`, or `ValueError` when the test
        carries no `rem` marker or the file name has a path in it.
        """
        if not self.marks:
            raise ValueError("evidence needs a rem marker on the test")
        if not re.fullmatch(r"\d{2}", proof) or not re.fullmatch(r"[\w.-]+", name):
            raise ValueError("proof is two digits, name a plain file name")
        content = _content(data)
        refuse_real_matricules(content)
        for mark in self.marks:
            self._file(mark, proof, name, content)

    def _file(self, mark: Mark, proof: str, name: str, content: bytes) -> None:
        path = evidence_path(mark, proof, _for_parameters(name, self.test))
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.artefacts.append(
            Artefact(
                id=mark.id,
                scenario=mark.scenario,
                proof=proof,
                path=str(path),
                sha256=hashlib.sha256(content).hexdigest(),
                test=self.test,
                version=__version__,
                written=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )


def evidence_path(mark: Mark, proof: str, name: str) -> Path:
    """Return the relative path of one proof; without a scenario the id stands for it."""
    profile = load()[mark.id].profile_code
    requirement, scenario = file_name(mark.id), file_name(mark.scenario or mark.id)
    return Path(profile) / requirement / f"{scenario}.{proof}-{name}"


def file_name(number: str) -> str:
    """Return an id or scenario number as a file name: `/` and blanks become `_`."""
    return re.sub(r"[/ ]", "_", number)


def _content(data: bytes | str | dict[str, Any]) -> bytes:
    if isinstance(data, dict):
        data = json.dumps(data, ensure_ascii=False, indent=2, default=str)
    return data.encode("utf-8") if isinstance(data, str) else data


def _for_parameters(name: str, test: str) -> str:
    """Keep the files of a parametrised test apart: `answer.xml` → `answer-no-sex.xml`."""
    _, bracket, parameters = test.partition("[")
    if not bracket:
        return name
    slug = re.sub(r"[^\w-]+", "-", parameters.rstrip("]")).strip("-")[:60]
    stem, dot, extension = name.rpartition(".")
    return f"{stem or extension}-{slug}{dot}{extension if stem else ''}"
