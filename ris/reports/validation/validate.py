"""Validation of files: our rules, XSD and schematrons on a CDA, the structural check on its PDF.

Product feature `ris reports validate FILE… --kit DIR`; also run by the worker when configured.
"""

from collections.abc import Iterable
from pathlib import Path

from ris.core.xml import UnsafeXml
from ris.rem import satisfies
from ris.reports.cda.read import embedded_pdf
from ris.reports.errors import NotAReport
from ris.reports.validation.blind_spots import blind_spot_findings
from ris.reports.validation.findings import Finding, tidy
from ris.reports.validation.pdfa import pdf_findings
from ris.reports.validation.schematron import schematron_findings
from ris.reports.validation.xsd import schema_findings


@satisfies("RIS.DOC.01", "RIS.DOC.02")
def validate(document: bytes, kit: Path | None, *, source: str = "") -> list[Finding]:
    """Return every finding on one document: a PDF, or a CDA with the PDF it may embed.

    Without *kit*, schema and schematrons do not run. Raises `NotConfigured` when a tool or a file
    of the kit is missing.
    """
    if document.startswith(b"%PDF"):
        return pdf_findings(document, source=source)
    try:
        found = blind_spot_findings(document, source=source)
        found += _official(document, kit, source) if kit else []
        pdf = embedded_pdf(document)
    except (UnsafeXml, NotAReport) as error:
        return [Finding(source, "cda", error.code, "/", error.detail)]
    return tidy([*found, *(pdf_findings(pdf, source=source) if pdf is not None else ())])


def validate_files(paths: Iterable[Path], kit: Path | None) -> list[Finding]:
    """Return the findings on *paths*, file by file."""
    return [
        finding for path in paths for finding in validate(path.read_bytes(), kit, source=str(path))
    ]


def _official(document: bytes, kit: Path, source: str) -> list[Finding]:
    return [
        *schema_findings(document, kit, source=source),
        *schematron_findings(document, kit, source=source),
    ]
