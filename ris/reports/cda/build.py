"""From one `ReportContent` to CDA bytes: level 1 around its PDF, level 3 structured.

Content is checked first; only sound content becomes XML. No clock, no randomness: same content,
same bytes.
"""

from ris.core.xml import Element, serialise
from ris.rem import satisfies
from ris.reports.cda.body import pdf_body
from ris.reports.cda.check import require_sound
from ris.reports.cda.header import header
from ris.reports.cda.structured import structured_body
from ris.reports.cda.vocabulary import node
from ris.reports.content import Level, ReportContent


@satisfies("RIS.DOC.02")
def build_n1(content: ReportContent, pdf: bytes) -> bytes:
    """Return the level 1 CDA that embeds *pdf* (CI-SIS Structuration Minimale, cda.md §3 and §4.1).

    Raises `ContentRefused` with every problem of *content*.
    """
    require_sound(content)
    return serialise(_document(content, Level.N1, pdf_body(pdf)))


def build_n3(content: ReportContent) -> bytes:
    """Return the level 3 CDA of *content* (IMG-CR-IMG 2024.01). Raises `ContentRefused`."""
    require_sound(content)
    return serialise(_document(content, Level.N3, structured_body(content)))


def _document(content: ReportContent, level: Level, body: Element) -> Element:
    return node("ClinicalDocument", *header(content, level), body)
