"""Structural check of PDF/A-1b (extra `validation`): *necessary, not sufficient*.

Each rule is named by its ISO 19005-1 clause and veraPDF test number (engineering.md §5.2); only
veraPDF says that a file conforms. The rules are in `pdfa_file`, `pdfa_graphics`, `pdfa_document`.
"""

from io import BytesIO

from ris.core.errors import NotConfigured
from ris.reports.validation.findings import Finding, tidy


def pdf_findings(pdf: bytes, *, source: str = "") -> list[Finding]:
    """Return one finding per clause that *pdf* breaks.

    Raises `NotConfigured` when the extra `validation` is not installed.
    """
    try:
        import pikepdf  # noqa: PLC0415 - an optional extra

        from ris.reports.validation import (  # noqa: PLC0415
            pdfa_document,
            pdfa_file,
            pdfa_graphics,
        )
    except ImportError as error:
        raise NotConfigured("Installez l'extra « validation » (pikepdf).") from error
    broken = list(pdfa_file.broken(pdf))
    try:
        with pikepdf.open(BytesIO(pdf)) as opened:
            broken += pdfa_document.broken(opened)
            broken += pdfa_graphics.broken(opened)
    except pikepdf.PdfError:
        broken.append(("6.1.1", "Le fichier n'est pas un PDF lisible."))
    return tidy(Finding(source, "pdfa", clause, "/", message) for clause, message in broken)
