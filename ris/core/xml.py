"""XML from outside and to outside: one hardened parser, one serialiser, canonical forms.

Every module that reads or writes XML goes through here; no namespace of a feature lives here.
"""

from typing import Final

from lxml import etree

from ris.core.errors import Invalid

Element = etree._Element
MEGABYTE: Final = 1_000_000


class UnsafeXml(Invalid):
    """The XML is not well formed, too large, or carries a document type declaration."""

    code = "UNSAFE_XML"
    title = "Document XML refusé"


def parse(data: bytes, *, limit: int = 5 * MEGABYTE, document: bool = False) -> Element:
    """Parse untrusted XML and return its root.

    *document*: a CDA with its PDF inside (huge text nodes, cap 50 MB). Raises `UnsafeXml` on a
    DOCTYPE, whatever it says (dmp.md, engineering.md §4.2).
    """
    if len(data) > (50 * MEGABYTE if document else limit):
        raise UnsafeXml("Document XML trop volumineux.")
    parser = _parser(huge_tree=document)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnsafeXml("Document XML mal formé.") from error
    if len(parser.error_log.filter_from_errors()):  # libxml2 goes on after a bad namespace
        raise UnsafeXml("Document XML mal formé.")
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise UnsafeXml("Une déclaration DOCTYPE n'est pas acceptée.")
    return root


def _parser(*, huge_tree: bool) -> "etree.XMLParser[Element]":
    return etree.XMLParser(
        huge_tree=huge_tree,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
    )


def serialise(root: Element, *, declaration: bool = True) -> bytes:
    """Return the UTF-8 bytes of *root*, never pretty-printed: those bytes are stored and sent."""
    return etree.tostring(root, encoding="UTF-8", xml_declaration=declaration, pretty_print=False)


def canonical(root: Element, *, inclusive_prefixes: tuple[str, ...] = ()) -> bytes:
    """Return the exclusive canonical form (xml-exc-c14n) of *root*, without comments."""
    return etree.tostring(
        root, method="c14n", exclusive=True, with_comments=False,
        inclusive_ns_prefixes=list(inclusive_prefixes) or None,
    )  # fmt: skip


def text_of(root: Element, path: str, namespaces: dict[str, str]) -> str:
    """Return the stripped text or attribute found at XPath *path*, or an empty string."""
    found = root.xpath(path, namespaces=namespaces)
    if isinstance(found, list):
        found = found[0] if found else ""
    value = found if isinstance(found, str) else (getattr(found, "text", None) or "")
    return str(value).strip()
