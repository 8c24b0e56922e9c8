"""The datamatrix INS read: parsed, compared, proposed; trusted never (ins.md §7.1, R-DMX-01/03)."""

import json
import struct
import sys
import time
import zlib
from contextlib import suppress
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Name
from PIL import Image
from sqlalchemy import select

from ris.auth.rights import Role
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.core.errors import Invalid
from ris.identity.errors import ScanUnreadable
from ris.identity.matricule import key_of
from ris.identity.paper import datamatrix, pages, scan
from ris.identity.values import NIA, NIR, NIR_TEST, Ins
from ris.reports.cda.build import build_n3
from ris.reports.cda.read import CdaPatient, read
from ris.reports.pdf.datamatrix import payload
from ris.reports.pdf.render import render
from tests.identity.conftest import Desk
from tests.identity.test_routes import MATRICULE, create, qualified, recovered, show
from tests.reports.sample import MATRICULE as INS_OF_SAMPLE
from tests.reports.sample import PATIENT as SAMPLE
from tests.reports.sample import content

Json = dict[str, Any]
HEAD = "IS01" + "0" * 22
GS = "\x1d"
PAPER = (
    f"{HEAD}S1{MATRICULE}S2{NIR_TEST}S3DOMINIQUE MARIE-LOUISE{GS}S4PAT-TROIS{GS}"
    "S5FS628-03-1979S751215"
)


def drawn(text: str, kind: str = "PNG", *, width: int = 1240) -> bytes:
    """A page with the symbol of *text* on it."""
    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    page = Image.new("L", (width, 1000), 255)
    page.paste(Image.fromarray(symbol.to_image(scale=4)), (80, 120))
    out = BytesIO()
    page.save(out, kind, quality=80)
    return out.getvalue()


def as_pdf(*pages: str) -> bytes:
    """What a scanner makes of pages that bear these symbols: a PDF of JPEG images."""
    first, *others = [Image.open(BytesIO(drawn(text, "JPEG"))) for text in pages]
    out = BytesIO()
    first.save(out, "PDF", save_all=True, append_images=others, resolution=150)
    return out.getvalue()


def parsed(api: httpx.Client, text: str) -> httpx.Response:
    return api.post("/datamatrix/parse", json={"text": text})


def scanned(api: httpx.Client, content: bytes) -> httpx.Response:
    return api.post("/datamatrix/scan", content=content)


def test_the_public_vectors_are_read_and_written_back(conformance: Path) -> None:
    path = conformance / "ins" / "vectors" / "datamatrix.json"
    for vector in json.loads(path.read_text(encoding="utf-8")):
        claim = datamatrix.read(vector["payload"], production=False)
        told, expected = claim.given.typed, vector["expect"]
        assert claim.ins == Ins(expected["matricule"], expected["oid"])
        assert (told.birth_family, told.birth_given_names) == (expected["nom"], expected["prenoms"])
        assert (told.sex, told.birth_date) == (expected["sexe"], expected["date_naissance"])
        assert told.birth_place == (expected["lieu"] or "99999")
        assert claim.alerts == ()
        if expected["lieu"]:
            assert payload(patient_of(claim), claim.ins) == vector["payload"]


def patient_of(claim: datamatrix.Claim) -> CdaPatient:
    told = claim.given.typed
    return CdaPatient(
        ipp="1", ins=claim.ins, birth_family=told.birth_family, used_family="", used_given="",
        birth_given_names=told.birth_given_names, first_birth_given=told.first_birth_given,
        birth_date=date.fromisoformat(told.birth_date), sex=told.sex, birth_place=told.birth_place,
    )  # fmt: skip


_NAME = st.lists(st.text("ABGS", min_size=1, max_size=10), min_size=1, max_size=4).map(" ".join)


@given(
    number=st.from_regex(r"[12][0-9]{4}(?:2[AB]|[0-8][0-9])[0-9]{6}", fullmatch=True),
    oid=st.sampled_from([NIR, NIA, NIR_TEST]),
    given_names=_NAME,
    family=_NAME,
    sex=st.sampled_from("FM"),
    born=st.dates(min_value=date(1900, 1, 1)),
    place=st.from_regex(r"[0-9]{5}", fullmatch=True),
)
def test_what_is_printed_reads_back_whatever_the_names(
    *, number: str, oid: str, given_names: str, family: str, sex: str, born: Any, place: str
) -> None:
    ins = Ins(number + key_of(number), oid)
    patient = CdaPatient(
        ipp="1", ins=ins, birth_family=family, birth_given_names=given_names,
        first_birth_given=given_names.split(maxsplit=1)[0], used_family="", used_given="",
        birth_date=born, sex=sex, birth_place=place,
    )  # fmt: skip
    claim = datamatrix.read(payload(patient, ins), production=False)
    told = claim.given.typed
    assert claim.ins == ins
    assert (told.birth_family, told.birth_given_names) == (family, given_names)
    assert (told.birth_date[-5:], told.sex, told.birth_place) == (f"{born:%m-%d}", sex, place)


@given(st.text(max_size=200) | st.text("IS01234567<GS>\x1d-AB", max_size=120).map(HEAD.__add__))
@settings(max_examples=400)
def test_no_text_is_a_defect(text: str) -> None:
    with suppress(Invalid):
        datamatrix.read(text, production=True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "DMX_HEADER"),
        ("DC" + PAPER[2:], "DMX_HEADER"),
        ("IS0", "DMX_HEADER"),
        ("IS02" + PAPER[4:], "DMX_VERSION"),
        (PAPER.replace("S5F", "S9F"), "DMX_FIELD"),
        (PAPER + "S5F", "DMX_FIELD"),
        (PAPER[:-2], "DMX_FIELD"),
        (PAPER.replace("S5F", ""), "DMX_INCOMPLETE"),
        (HEAD, "DMX_INCOMPLETE"),
        (PAPER.replace("PAT", "ÉLO"), "DMX_HEADER"),
    ],
)
def test_each_fault_of_the_text_has_its_code(desk: Desk, text: str, code: str) -> None:
    answer = parsed(desk(), text)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("change", "production", "alert"),
    [
        ((MATRICULE, MATRICULE[:-1] + "8"), False, "INS_KEY_INVALID"),
        ((NIR_TEST, "1.2.250.1.213.1.4.99"), False, "INS_OID_UNKNOWN"),
        ((NIR_TEST, NIR_TEST), True, "INS_TEST_OID"),
        (("28-03-1979", "00-00-1979"), False, "FEED_DATE_INTERPRETED"),
    ],
)
def test_a_matricule_at_fault_is_left_out_and_the_traits_are_kept(
    change: tuple[str, str], alert: str, *, production: bool
) -> None:
    claim = datamatrix.read(PAPER.replace(*change), production=production)
    assert alert in claim.alerts
    assert (claim.ins is None) is alert.startswith("INS_")
    assert claim.given.typed.birth_family == "PAT-TROIS"


def test_a_date_without_day_nor_month_is_proposed_whole_and_said_to_be(desk: Desk) -> None:
    told = parsed(desk(), PAPER.replace("28-03-1979", "00-00-1979")).json()
    assert (told["traits"]["birth_date"], told["traits"]["birth_date_raw"]) == (
        "1979-12-31",
        "1979-00-00",
    )


def test_the_paper_of_a_qualified_patient_finds_his_record(desk: Desk, database: Database) -> None:
    api = desk()
    patient = qualified(api)
    told = parsed(api, PAPER).json()
    assert told["ins"] == {"oid": NIR_TEST, "nature": "NIR"}
    (match,) = told["matches"]
    assert (match["patient"]["id"], match["same_ins"]) == (patient["id"], True)
    assert match["patient"]["ins"]["matricule"] == MATRICULE
    compared = {row["field"]: row["difference"] for row in match["comparison"]}
    assert compared["birth_family"] == "equal"
    with database.transaction() as session:
        events = list(session.scalars(select(AuditEvent).order_by(AuditEvent.seq)))
    assert [event.action for event in events][-2:] == ["identity.datamatrix_read", "ins.read"]
    assert MATRICULE not in str([event.detail for event in events])


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
def test_a_paper_raises_no_status_and_gives_no_matricule_to_a_record_not_qualified(
    desk: Desk, evidence: Any
) -> None:
    api = desk()
    patient = recovered(api)
    other = create(api, used_family="AUTRE")
    answer = parsed(api, PAPER)
    assert MATRICULE not in answer.text
    matches = answer.json()["matches"]
    assert [one["patient"]["id"] for one in matches] == [patient["id"], other["id"]]
    assert [one["same_ins"] for one in matches] == [True, False]
    assert [show(api, one)["status"] for one in (patient, other)] == ["récupérée", "provisoire"]
    evidence.add("01", "proposal.json", answer.json())


def test_the_paper_of_an_unknown_patient_prefills_a_creation(desk: Desk) -> None:
    api = desk()
    told = parsed(api, PAPER).json()
    assert (told["matches"], told["errors"]) == ([], [])
    prefilled = {k: v for k, v in told["traits"].items() if k != "birth_date_raw"}
    made = create(api, **prefilled)
    assert (made["status"], made["ins"]) == ("provisoire", None)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "PDF"])
def test_a_scanned_page_is_read_as_the_hand_scanner_does(desk: Desk, kind: str) -> None:
    api = desk()
    page = as_pdf(PAPER) if kind == "PDF" else drawn(PAPER, kind)
    answer = scanned(api, page)
    assert answer.status_code == 200, answer.text
    assert answer.json() == parsed(api, PAPER).json()


def test_two_persons_on_one_page_are_not_chosen_between(desk: Desk) -> None:
    answer = scanned(desk(), as_pdf(PAPER, PAPER.replace("S5F", "S5M")))
    assert (answer.status_code, answer.json()["code"]) == (422, "DMX_SEVERAL")


def test_another_datamatrix_on_the_page_is_passed_over(desk: Desk) -> None:
    assert scanned(desk(), as_pdf("]GTIN 0123", PAPER)).json()["ins"]["oid"] == NIR_TEST


def test_a_report_of_our_own_is_read_though_its_symbol_is_drawn(desk: Desk) -> None:
    printed = render(read(build_n3(content())))
    assert b"/DCTDecode" not in printed
    told = scanned(desk(), printed)
    assert told.status_code == 200, told.text
    (symbol,) = scan.symbols(printed)
    assert f"S1{INS_OF_SAMPLE}" in symbol
    assert told.json()["traits"]["birth_family"] == SAMPLE.traits.birth_family


def test_only_the_first_pages_of_a_pdf_are_read(desk: Desk) -> None:
    assert scan.symbols(as_pdf(*["]x"] * 3, PAPER)) == ("]x", PAPER)
    assert scan.symbols(as_pdf(*["]x"] * 4, PAPER)) == ("]x",)


def encrypted() -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(as_pdf(PAPER))) as opened:
        opened.save(out, encryption=pikepdf.Encryption(user="a", owner="b"))
    return out.getvalue()


def heavy() -> bytes:
    """A PDF of a few kilobytes whose one page asks for a thousand million strokes."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(500, 500))
    inner = pdf.make_stream(b"0 0 m 500 500 l S\n" * 20_000)
    inner.Type, inner.Subtype, inner.BBox = Name.XObject, Name.Form, [0, 0, 500, 500]
    for _ in range(3):
        outer = pdf.make_stream(b"/X Do\n" * 40)
        outer.Type, outer.Subtype, outer.BBox = Name.XObject, Name.Form, [0, 0, 500, 500]
        outer.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(X=inner))
        inner = outer
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(X=inner))
    page.Contents = pdf.make_stream(b"/X Do\n" * 40)
    out = BytesIO()
    pdf.save(out, compress_streams=True)
    return out.getvalue()


def test_a_pdf_too_heavy_to_draw_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_WITHIN_S", 1)
    started = time.monotonic()
    with pytest.raises(ScanUnreadable):
        scan.symbols(heavy())
    assert time.monotonic() - started < 5


def test_a_vast_page_is_drawn_small() -> None:
    out = BytesIO()
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(14_000, 14_000))
    pdf.save(out)
    (page,) = pages.drawn(out.getvalue())
    assert 9_000_000 < page.width * page.height < 10_100_000


def test_what_breaks_the_drawing_breaks_no_more_than_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for status in ("1", "-11"):
        script = f"import os, signal; os.kill(os.getpid(), 11) if {status} < 0 else exit(1)"
        monkeypatch.setattr(pages, "COMMAND", (sys.executable, "-c", script))
        with pytest.raises(ScanUnreadable):
            scan.symbols(b"%PDF-1.7")


def bomb() -> bytes:
    """A PNG of 60,000 × 60,000 points in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def late_profile() -> bytes:
    """A PNG whose colour profile is empty and comes after the image."""
    page = drawn(PAPER)
    head, name, end = page.rpartition(b"\0\0\0\0IEND")
    crc = struct.pack(">I", zlib.crc32(b"iCCP"))
    return head + b"\0\0\0\0iCCP" + crc + name + end


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 415, "SCAN_TYPE_REFUSED"),
        (b"GIF89a" + bytes(50), 415, "SCAN_TYPE_REFUSED"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), 422, "SCAN_UNREADABLE"),
        (drawn(PAPER)[:400], 422, "SCAN_UNREADABLE"),
        (b"\xff\xd8\xff\xe0" + bytes(50), 422, "SCAN_UNREADABLE"),
        (late_profile(), 422, "SCAN_UNREADABLE"),
        (b"%PDF-1.7\nno scan", 422, "SCAN_UNREADABLE"),
        (as_pdf(PAPER)[:2000], 422, "SCAN_UNREADABLE"),
        (encrypted(), 422, "SCAN_UNREADABLE"),
        (as_pdf(" "), 422, "DMX_HEADER"),
        (bomb(), 413, "SCAN_TOO_DETAILED"),
        (bytes(5_000_001), 413, "SCAN_TOO_LARGE"),
        (drawn("hello"), 422, "DMX_HEADER"),
    ],
)
def test_a_hostile_or_empty_page_is_refused_with_its_code(
    desk: Desk, content: bytes, status: int, code: str
) -> None:
    answer = scanned(desk(), content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_page_without_symbol_says_so(desk: Desk) -> None:
    blank = BytesIO()
    Image.new("L", (400, 400), 255).save(blank, "PNG")
    answer = scanned(desk(), blank.getvalue())
    assert (answer.status_code, answer.json()["code"]) == (422, "DMX_NOT_FOUND")


@given(st.binary(max_size=300).map(b"\xff\xd8\xff".__add__))
def test_no_bytes_are_a_defect(content: bytes) -> None:
    with suppress(Invalid):
        scan.symbols(content)


def test_reading_a_datamatrix_wants_the_right_to_see_an_ins(desk: Desk) -> None:
    api = desk(Role.INTERN)
    assert parsed(api, PAPER).status_code == 403
    assert scanned(api, b"x").status_code == 403


def test_paper_is_made_in_one_place_hence_always_with_the_datamatrix() -> None:
    root = Path(__file__).resolve().parents[2] / "ris"
    makers = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "typst.compile" in path.read_text(encoding="utf-8")
    ]
    assert makers == ["reports/pdf/render.py"]
