"""The structural PDF/A-1b check: one broken file per rule; the checker names exactly its clause."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf

from ris.reports.cda.build import build_n3
from ris.reports.cda.read import read
from ris.reports.pdf.render import render
from ris.reports.validation.pdfa import pdf_findings
from tests.reports.sample import content

Break = Callable[[Pdf], object]


@pytest.fixture(scope="module")
def good() -> bytes:
    return render(read(build_n3(content())))


def saved(good: bytes, breaks: Break = lambda _: None, **options: Any) -> bytes:
    with pikepdf.open(BytesIO(good)) as pdf:
        breaks(pdf)
        target = BytesIO()
        pdf.save(target, **options)
        return target.getvalue()


def clauses(pdf: bytes) -> set[str]:
    return {finding.rule for finding in pdf_findings(pdf)}


def stream(pdf: Pdf, data: bytes = b"", **entries: Any) -> Any:
    return pdf.make_indirect(pdf.make_stream(data, **entries))


def image(pdf: Pdf, **entries: Any) -> None:
    made = stream(
        pdf, b"\x00", Type=Name.XObject, Subtype=Name.Image, Width=1, Height=1,
        ColorSpace=Name.DeviceGray, BitsPerComponent=8, **entries,
    )  # fmt: skip
    add_resource(pdf, "/XObject", made)


def form(pdf: Pdf, **entries: Any) -> None:
    made = stream(pdf, Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]), **entries)
    add_resource(pdf, "/XObject", made)


def add_resource(pdf: Pdf, kind: str, value: Any) -> None:
    resources = pdf.pages[0].Resources
    if kind not in resources:
        resources[kind] = Dictionary()
    resources[kind]["/broken"] = value


def state(pdf: Pdf, **entries: Any) -> None:
    add_resource(pdf, "/ExtGState", Dictionary(Type=Name.ExtGState, **entries))


def draw(pdf: Pdf, operators: bytes) -> None:
    pdf.pages[0].contents_add(operators)


def annotate(pdf: Pdf, **entries: Any) -> None:
    made = Dictionary(Type=Name.Annot, Rect=Array([0, 0, 1, 1]), **entries)
    pdf.pages[0].obj["/Annots"] = Array([pdf.make_indirect(made)])


def action(pdf: Pdf, kind: str) -> None:
    pdf.Root["/OpenAction"] = pdf.make_indirect(Dictionary(S=Name(kind)))


def descendants(pdf: Pdf) -> list[Any]:
    fonts = pdf.pages[0].Resources.Font
    return [fonts[name].DescendantFonts[0] for name in fonts.keys()]  # noqa: SIM118


def descriptor_without(key: str) -> Break:
    def breaks(pdf: Pdf) -> None:
        del descendants(pdf)[0].FontDescriptor[key]

    return breaks


def true_type(pdf: Pdf) -> None:
    descendants(pdf)[0].Subtype = Name.CIDFontType2


def subset_type_1(pdf: Pdf) -> None:
    program = stream(pdf, b"font")
    font = Dictionary(
        Type=Name.Font, Subtype=Name.Type1, BaseFont=Name("/ABCDEF+Other"),
        FontDescriptor=Dictionary(Type=Name.FontDescriptor, FontFile=program),
    )  # fmt: skip
    add_resource(pdf, "/Font", pdf.make_indirect(font))


def metadata(change: Callable[[bytes], bytes]) -> Break:
    def breaks(pdf: Pdf) -> None:
        pdf.Root.Metadata.write(change(pdf.Root.Metadata.read_bytes()))

    return breaks


def replaced(before: str, after: str) -> Break:
    return metadata(lambda xmp: xmp.replace(before.encode(), after.encode()))


def info(key: str, value: str) -> Break:
    return lambda pdf: pdf.docinfo.__setitem__(key, value)


def second_intent(pdf: Pdf) -> None:
    profile = pdf.Root.OutputIntents[0].DestOutputProfile
    other = stream(pdf, profile.read_bytes(), N=3)
    pdf.Root.OutputIntents.append(Dictionary(S=Name.GTS_PDFA1, DestOutputProfile=other))


def wrong_components(pdf: Pdf) -> None:
    pdf.pages[0].Resources.ColorSpace["/c1"][1].N = 3


def embedded_file(pdf: Pdf) -> None:
    pdf.Root["/Names"] = Dictionary(EmbeddedFiles=Dictionary(Names=Array([])))


def file_specification(pdf: Pdf) -> None:
    pdf.Root["/Spec"] = pdf.make_indirect(Dictionary(Type=Name.Filespec, EF=Dictionary()))


BROKEN: list[tuple[str, Break]] = [
    ("6.1.7.3", lambda pdf: keep(pdf, stream(pdf, F="out.bin"))),
    ("6.1.11.1", file_specification),
    ("6.1.11.2", embedded_file),
    ("6.1.12", lambda pdf: keep(pdf, Array([2**40]))),
    ("6.1.12", lambda pdf: keep(pdf, Array([pikepdf.String("x" * 70_000)]))),
    ("6.1.12", lambda pdf: keep(pdf, Array([Name("/" + "n" * 200)]))),
    ("6.1.12", lambda pdf: keep(pdf, Array([0] * 9000))),
    ("6.1.12", lambda pdf: draw(pdf, b"q " * 29 + b"Q " * 29)),
    ("6.1.13.1", lambda pdf: pdf.Root.__setitem__("/OCProperties", Dictionary())),
    ("6.2.2.1", lambda pdf: pdf.Root.__delitem__("/OutputIntents")),
    ("6.2.2.2", second_intent),
    ("6.2.3.2.2", wrong_components),
    ("6.2.3.3", lambda pdf: draw(pdf, b"0 0 0 1 k")),
    ("6.2.4.1", lambda pdf: image(pdf, Alternates=Array([]))),
    ("6.2.4.2", lambda pdf: image(pdf, OPI=Dictionary())),
    ("6.2.4.3", lambda pdf: image(pdf, Interpolate=True)),
    ("6.2.5", lambda pdf: form(pdf, PS=stream(pdf))),
    ("6.2.6", lambda pdf: form(pdf, Ref=Dictionary())),
    ("6.2.7", lambda pdf: add_resource(pdf, "/XObject", stream(pdf, Subtype=Name.PS))),
    ("6.2.8", lambda pdf: state(pdf, TR=Name.Identity)),
    ("6.2.8", lambda pdf: state(pdf, TR2=Name.Identity)),
    ("6.3.3.2.1", true_type),
    ("6.3.4.1", descriptor_without("/FontFile3")),
    ("6.3.5.2", subset_type_1),
    ("6.3.5.3", descriptor_without("/CIDSet")),
    ("6.4.1", lambda pdf: image(pdf, SMask=stream(pdf))),
    ("6.4.2", lambda pdf: state(pdf, SMask=Dictionary())),
    ("6.4.3", lambda pdf: form(pdf, Group=Dictionary(S=Name.Transparency))),
    ("6.4.4", lambda pdf: state(pdf, BM=Name.Multiply)),
    ("6.4.5", lambda pdf: state(pdf, CA=0.5)),
    ("6.4.6", lambda pdf: state(pdf, ca=0.5)),
    ("6.5.2", lambda pdf: annotate(pdf, Subtype=Name.Sound, F=4)),
    ("6.5.3", lambda pdf: annotate(pdf, Subtype=Name.Link)),
    ("6.6.1", lambda pdf: action(pdf, "/JavaScript")),
    ("6.6.2", lambda pdf: pdf.Root.__setitem__("/AA", Dictionary())),
    ("6.7.2.1", lambda pdf: pdf.Root.__delitem__("/Metadata")),
    ("6.7.3.1", info("/Title", "Autre")),
    ("6.7.3.2", replaced("DR Jacques TESTRADIO</rdf:li>", "A</rdf:li><rdf:li>B</rdf:li>")),
    ("6.7.3.3", info("/Subject", "Sujet")),
    ("6.7.3.4", info("/Keywords", "mot")),
    ("6.7.3.5", info("/Creator", "Autre")),
    ("6.7.3.6", info("/Producer", "Autre")),
    ("6.7.3.7", info("/CreationDate", "D:20200101000000Z")),
    ("6.7.3.8", info("/ModDate", "D:20200101000000Z")),
    ("6.7.11", replaced("<pdfaid:part>1<", "<pdfaid:part>2<")),
    ("6.9", lambda pdf: pdf.Root.__setitem__("/AcroForm", Dictionary(NeedAppearances=True))),
]


def keep(pdf: Pdf, value: Any) -> None:
    pdf.Root["/Kept"] = pdf.make_indirect(value)


def test_the_unbroken_file_passes_even_saved_again(good: bytes) -> None:
    assert clauses(good) == set()
    assert clauses(saved(good)) == set()


@pytest.mark.parametrize(
    ("clause", "breaks"), BROKEN, ids=[f"{at}-{one[0]}" for at, one in enumerate(BROKEN)]
)
def test_a_broken_object_is_named_by_its_clause(clause: str, breaks: Break, good: bytes) -> None:
    assert clauses(saved(good, breaks)) == {clause}


def test_a_compressed_cross_reference_is_refused(good: bytes) -> None:
    modern = saved(good, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    assert "6.1.4.3" in clauses(modern)


def test_encryption_is_refused(good: bytes) -> None:
    locked = saved(good, encryption=pikepdf.Encryption(owner="x", R=3, aes=False, metadata=False))
    assert "6.1.3.2" in clauses(locked)


@pytest.mark.parametrize(
    ("clause", "before", "after"),
    [
        ("6.1.2.1", b"%PDF-1.4", b"%PDF-1.7"),
        ("6.1.2.2", b"%\x80\x80\x80\x80", b"%abcd"),
        ("6.1.3.1", b"/ID[", b"/Ix["),
        ("6.7.2.2", b"/Subtype/XML", b"/Filter []  "),
    ],
)
def test_a_broken_byte_is_named_by_its_clause(
    clause: str, before: bytes, after: bytes, good: bytes
) -> None:
    assert before in good
    assert clauses(good.replace(before, after)) == {clause}


def test_lzw_compression_is_refused(good: bytes) -> None:
    def pack(pdf: Pdf) -> None:
        keep(pdf, stream(pdf, b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", Filter=Name.LZWDecode))

    asis = {"stream_decode_level": pikepdf.StreamDecodeLevel.none, "compress_streams": False}
    assert clauses(saved(good, pack, **asis)) == {"6.1.10.1"}


def test_bytes_after_the_end_are_refused(good: bytes) -> None:
    assert clauses(good + b"\nmore") == {"6.1.3.3"}
    assert clauses(good + b"\n") == set()


@pytest.mark.parametrize("rubbish", [b"", b"<html>", b"%PDF-1.4\n"])
def test_what_is_no_pdf_is_refused(rubbish: bytes) -> None:
    assert "6.1.1" in clauses(rubbish)
