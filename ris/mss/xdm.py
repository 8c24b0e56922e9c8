"""Writing an IHE_XDM volume: layout, index, readme, METADATA.XML (mss.md §10.1-10.2).

Pure and deterministic: same input, same bytes. Reading one is `xdm_reader.py`.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Final

from ris.auth.values import Structure
from ris.core.xml import serialise
from ris.reports.ebrim import Medium, submit_objects
from ris.reports.xds import DocumentEntry, Submission, SubmissionSet

SUBSET: Final = "IHE_XDM/SUBSET01"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FILE_MODE: Final = 0o644 << 16
_UNIX: Final = 3


@dataclass(frozen=True, slots=True)
class Emitter:
    """Who made the volume: the structure, and the application that wrote it."""

    structure: Structure
    application: str
    version: str
    editor: str


def build(
    documents: Sequence[tuple[DocumentEntry, bytes]], submission: SubmissionSet, emitter: Emitter
) -> bytes:
    """Return the zip of *documents*; each entry already describes its very bytes (hash, size)."""
    entries = tuple(
        replace(entry, uri=f"DOC{number:05d}.XML", entry_id=f"Document{number:02d}")
        for number, (entry, _) in enumerate(documents, 1)
    )
    metadata = serialise(submit_objects(Submission(submission, entries), Medium.XDM))
    files = {f"{SUBSET}/METADATA.XML": metadata}
    for entry, (_, data) in zip(entries, documents, strict=True):
        files[f"{SUBSET}/{entry.uri}"] = data
    tree = ["README.TXT", "INDEX.HTM", *files]
    volume = {"INDEX.HTM": _index(emitter), "README.TXT": _readme(emitter, tree), **files}
    return _zip(volume)


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = _FILE_MODE
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=6)
    return buffer.getvalue()


def _index(emitter: Emitter) -> bytes:
    sender = escape(_line(emitter.structure))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr"><head><title>IHE XDM</title>'
        f"</head><body><h1>Documents de santé</h1><p>Émetteur : {sender}</p>"
        '<p><a href="README.TXT">Lisez-moi</a></p></body></html>\r\n'
    ).encode()


def _readme(emitter: Emitter, tree: Sequence[str]) -> bytes:
    sections = (
        ("Emetteur", [_line(emitter.structure)]),
        ("Application", [f"{emitter.application} {emitter.version}, {emitter.editor}"]),
        ("Instructions", ["Ouvrir cette archive avec un logiciel de professionnel de santé."]),
        ("Arborescence", list(tree)),
    )
    lines = [line for title, content in sections for line in (f"{title} :", *_indent(content), "")]
    return "\r\n".join(lines).encode()


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _line(structure: Structure) -> str:
    place = structure.address
    town = f"{place.postal_code} {place.city}".strip()
    return ", ".join(part for part in (structure.name, *place.lines, town, structure.phone) if part)
