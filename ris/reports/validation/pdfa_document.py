"""PDF/A-1b rules on the document: streams, limits, intents, metadata, actions (ISO 19005-1)."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from ris.core.xml import Element, UnsafeXml, parse
from ris.reports.validation.pdfa_file import Broken

_XMP: Final = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "pdf": "http://ns.adobe.com/pdf/1.3/",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
}
_ACTIONS: Final = frozenset(
    {"/JavaScript", "/Launch", "/Sound", "/Movie", "/ResetForm", "/ImportData", "/SetState", "/NOP"}
)
_ANNOTATIONS: Final = [
    "/Text",
    "/Link",
    "/FreeText",
    "/Line",
    "/Square",
    "/Circle",
    "/Highlight",
    "/Underline",
    "/Squiggly",
    "/StrikeOut",
    "/Stamp",
    "/Ink",
    "/Popup",
    "/Widget",
    "/PrinterMark",
    "/TrapNet",
]
_TEXTS: Final = (
    ("6.7.3.1", "/Title", "dc:title/rdf:Alt/rdf:li"),
    ("6.7.3.2", "/Author", "dc:creator/rdf:Seq/rdf:li"),
    ("6.7.3.3", "/Subject", "dc:description/rdf:Alt/rdf:li"),
    ("6.7.3.4", "/Keywords", "pdf:Keywords"),
    ("6.7.3.5", "/Creator", "xmp:CreatorTool"),
    ("6.7.3.6", "/Producer", "pdf:Producer"),
)
_DATES: Final = (
    ("6.7.3.7", "/CreationDate", "xmp:CreateDate"),
    ("6.7.3.8", "/ModDate", "xmp:ModifyDate"),
)
_PRINT, _UNSEEN = 4, 1 | 2 | 32  # Print; Invisible, Hidden, NoView (PDF 1.4 §8.4.2)


def broken(pdf: Pdf) -> Iterator[Broken]:
    """Yield `(clause, message)` for each rule that the document breaks."""
    root = pdf.Root
    if "/ID" not in pdf.trailer:
        yield "6.1.3.1", "Le fichier n'a pas d'identifiant (ID)."
    if pdf.is_encrypted:
        yield "6.1.3.2", "Le fichier est chiffré."
    if "/Names" in root and "/EmbeddedFiles" in root.Names:
        yield "6.1.11.2", "Le fichier contient des fichiers joints."
    if "/OCProperties" in root:
        yield "6.1.13.1", "Le fichier a des calques optionnels."
    if "/AcroForm" in root and bool(root.AcroForm.get("/NeedAppearances", False)):
        yield "6.9", "Le formulaire demande de reconstruire ses apparences."
    if "/AA" in root or any("/AA" in page for page in pdf.pages):
        yield "6.6.2", "Des actions se déclenchent toutes seules."
    for one in pdf.objects:
        yield from _object(one)
    for page in pdf.pages:
        yield from _annotations(page.get("/Annots", []))
    yield from _intents(root)
    yield from _metadata(pdf)


def _object(one: Any) -> Iterator[Broken]:
    if isinstance(one, Stream):
        yield from _stream(one)
    if isinstance(one, Stream | Dictionary):
        yield from _limits(one.keys(), 4095, len(list(one.keys())))
        yield from (found for key in one.keys() for found in _value(one[key]))  # noqa: SIM118
        if "/EF" in one:
            yield "6.1.11.1", "Une spécification de fichier embarque un fichier."
        if one.get("/S") in {Name(action) for action in _ACTIONS}:
            yield "6.6.1", "Action interdite."
    elif isinstance(one, Array):
        yield from _value(one)


def _stream(stream: Stream) -> Iterator[Broken]:
    if any(key in stream for key in ("/F", "/FFilter", "/FDecodeParms")):
        yield "6.1.7.3", "Un flux renvoie à un fichier externe."
    filters: Any = stream.get("/Filter", [])
    names = filters if isinstance(filters, Array) else [filters]
    if any(name == Name.LZWDecode for name in names):
        yield "6.1.10.1", "Un flux est compressé en LZW."


def _value(value: Any) -> Iterator[Broken]:
    if isinstance(value, Array):
        yield from _limits((), 8191, len(value))
        yield from (found for one in value if not _indirect(one) for found in _value(one))
    elif isinstance(value, Dictionary) and not _indirect(value):
        yield from _object(value)
    elif isinstance(value, String) and len(bytes(value)) > 65535:
        yield "6.1.12", "Chaîne trop longue."
    elif isinstance(value, int) and not -(2**31) <= value < 2**31:
        yield "6.1.12", "Entier trop grand."
    elif isinstance(value, Name):
        yield from _limits((str(value),), 8191, 0)


def _indirect(value: Any) -> bool:
    return isinstance(value, pikepdf.Object) and value.is_indirect


def _limits(names: Iterable[str], most: int, size: int) -> Iterator[Broken]:
    if size > most or any(len(name.encode()) > 128 for name in names):  # the slash included
        yield "6.1.12", "Limite d'implantation dépassée."


def _annotations(annotations: Any) -> Iterator[Broken]:
    for annotation in annotations:
        if str(annotation.get("/Subtype", "")) not in _ANNOTATIONS:
            yield "6.5.2", "Type d'annotation interdit."
        flags = int(annotation.get("/F", 0))
        if not flags & _PRINT or flags & _UNSEEN:
            yield "6.5.3", "Une annotation n'est pas imprimable ou est cachée."


def _intents(root: Any) -> Iterator[Broken]:
    profiles = [
        intent.DestOutputProfile
        for intent in root.get("/OutputIntents", [])
        if "/DestOutputProfile" in intent
    ]
    sound = (b"prtr", b"mntr"), (b"RGB ", b"CMYK", b"GRAY")
    for profile in profiles:
        icc = profile.read_bytes()
        if icc[12:16] not in sound[0] or icc[16:20] not in sound[1]:
            yield "6.2.2.1", "Profil de sortie inadapté."
    if not profiles:
        yield "6.2.2.1", "Aucun profil de sortie."
    if len({profile.objgen for profile in profiles}) > 1:
        yield "6.2.2.2", "Plusieurs profils de sortie."


def _metadata(pdf: Pdf) -> Iterator[Broken]:
    if "/Metadata" not in pdf.Root:
        yield "6.7.2.1", "Métadonnées XMP absentes."
        return
    if "/Filter" in pdf.Root.Metadata:
        yield "6.7.2.2", "Métadonnées XMP compressées."
    try:
        xmp = parse(pdf.Root.Metadata.read_bytes())
    except UnsafeXml:
        yield "6.7.2.1", "Métadonnées XMP illisibles."
        return
    part, conformance = _said(xmp, "pdfaid:part"), _said(xmp, "pdfaid:conformance")
    if part != ["1"] or conformance not in (["A"], ["B"]):
        yield "6.7.11", "Le fichier ne se déclare pas PDF/A-1."
    for clause, key, path in _TEXTS:
        value = pdf.docinfo.get(key)
        if value is not None and _said(xmp, path) != [str(value)]:
            yield clause, f"{key} diffère des métadonnées XMP."
    for clause, key, path in _DATES:
        value = pdf.docinfo.get(key)
        if value is not None and [_pdf_date(str(value))] != [_iso(one) for one in _said(xmp, path)]:
            yield clause, f"{key} diffère des métadonnées XMP."


def _said(xmp: Element, path: str) -> list[str]:
    elements = xmp.xpath(f"//rdf:Description/{path}/text()", namespaces=_XMP)
    if "/" in path:
        return [str(one) for one in elements]
    attributes = xmp.xpath(f"//rdf:Description/@{path}", namespaces=_XMP)
    return [str(one) for one in (*elements, *attributes)]


def _iso(value: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    return read.replace(microsecond=0) if read.tzinfo else read.replace(tzinfo=UTC)


def _pdf_date(value: str) -> datetime | None:
    digits, zone = value.removeprefix("D:")[:14], value.removeprefix("D:")[14:].replace("'", "")
    try:
        return datetime.strptime(f"{digits}{zone or 'Z'}", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
