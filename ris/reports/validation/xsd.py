"""The official CDA XML Schema, run from the configured kit directory (ruling 22)."""

from functools import cache
from pathlib import Path
from typing import Final

from lxml import etree

from ris.core.errors import NotConfigured
from ris.core.xml import parse
from ris.reports.validation.findings import Finding, tidy

ENTRY: Final = Path("infrastructure/cda/CDA_extended.xsd")


def schema_findings(document: bytes, kit: Path, *, source: str = "") -> list[Finding]:
    """Return what the schema of *kit* says against *document*.

    Raises `NotConfigured` when the kit has no schema, `UnsafeXml` for XML that may not be parsed.
    """
    root = parse(document, document=True)
    schema = _schema(kit.resolve())
    if schema.validate(root):
        return []
    return tidy(
        Finding(source, "xsd", error.type_name, f"ligne {error.line}", error.message)
        for error in schema.error_log
    )


@cache
def _schema(kit: Path) -> etree.XMLSchema:
    entry = kit / ENTRY
    if not entry.is_file():
        raise NotConfigured(f"Schéma CDA introuvable sous le répertoire du kit ({ENTRY}).")
    parser = etree.XMLParser(no_network=True, load_dtd=False)
    return etree.XMLSchema(etree.parse(entry, parser))
