"""PDF/A-1b rules on the bytes of the file: header, trailer, cross-reference (ISO 19005-1 §6.1)."""

import re
from collections.abc import Iterator
from typing import Final

Broken = tuple[str, str]

_HEADER: Final = re.compile(rb"%PDF-1\.[0-4][\r\n]")
_BINARY: Final = re.compile(rb"%PDF-\d\.\d\r?\n?%[\x80-\xff]{4}")
_END: Final = re.compile(rb"%%EOF(\r\n|\r|\n)?\Z")
_COMPRESSED: Final = re.compile(rb"/Type\s*/(XRef|ObjStm)\b")


def broken(pdf: bytes) -> Iterator[Broken]:
    """Yield `(clause, message)` for each rule that the bytes break."""
    if not _HEADER.match(pdf):
        yield "6.1.2.1", "En-tête absent, décalé ou version supérieure à 1.4."
    if not _BINARY.match(pdf):
        yield "6.1.2.2", "Pas de commentaire binaire après l'en-tête."
    if not _END.search(pdf):
        yield "6.1.3.3", "Des octets suivent la marque de fin de fichier."
    if _COMPRESSED.search(pdf):
        yield "6.1.4.3", "Table de références croisées ou objets compressés."
