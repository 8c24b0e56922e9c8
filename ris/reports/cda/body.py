"""The body of a level 1 document: one PDF/A-1, in base64 (cda.md §4.1)."""

from base64 import b64encode

from ris.core.xml import Element
from ris.reports.cda.vocabulary import node


def pdf_body(pdf: bytes) -> Element:
    """Return the `component` that embeds *pdf*."""
    text = node(
        "text", b64encode(pdf).decode("ascii"), mediaType="application/pdf", representation="B64"
    )
    return node("component", node("nonXMLBody", text))
