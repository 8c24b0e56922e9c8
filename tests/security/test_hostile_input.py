"""Hostile requests: whatever is sent, the answer is ours (4xx), and nothing is half written."""

import base64
import json
import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

import httpx
import pydicom
import pytest
from fastapi.routing import iter_route_contexts
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian
from sqlalchemy import text

from ris.auth.rights import Role
from tests.security import job
from tests.security.product import Product

NASTY = {
    "nul": "avant\x00après",
    "control": "a\x01\x02\x0b\x0c\x1b[31mb\x7f",
    "newlines": "a\r\nBcc: tous@exemple.fr\r\n\r\ncorps",
    "cdata": "]]><script>alert(1)</script><!DOCTYPE a>&amp;&lt;",
    "emoji": "🩻👩‍⚕️ e\u0301",
    "rtl": "\u202efdp.tropar\u202c \u2066\u2069",
    "noncharacter": "\ufffe\uffff\U0001fffe\ufeff",
    "sql": "'; drop table patient; -- %s %(a)s {0} $1",
    "typst": '#read("/etc/passwd") #sys.inputs $x$ ``` \\u{41} [[ ]] @ref <l>',
}
WRONG: dict[str, Any] = {
    "list": [],
    "null": None,
    "number": 10**400,
    "nested": {"a": {"b": [{"c": None}]}},
}


def clean(answer: httpx.Response) -> bool:
    """An answer of ours: no defect, and an error always explains itself."""
    kind = answer.headers.get("content-type", "")
    told = ("application/problem+json", "application/fhir+json; fhirVersion=4.0")
    explained = answer.status_code < 400 or kind in told
    switched_off = answer.status_code == 503 and answer.json()["code"].endswith("NOT_CONFIGURED")
    return (answer.status_code < 500 or switched_off) and explained


def routes(product: Product) -> list[tuple[str, str]]:
    found = []
    for route in iter_route_contexts(product.app.routes):
        for method in (route.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            path = str(route.path).replace("{attribute}", "douteuse")
            found.append((method, path))
    return sorted(found)


def test_no_body_shape_is_a_defect_for_who_may_send_it(product: Product) -> None:
    zero = "00000000-0000-7000-8000-000000000000"
    people = [
        product.signed_in(role)
        for role in (Role.RADIOLOGIST, Role.SECRETARY, Role.IDENTITY_OFFICER, Role.ADMIN_SECURITY)
    ]
    faults = []
    for method, path in routes(product):
        if path.endswith("/logout"):
            continue
        place = "/".join(zero if part.startswith("{") else part for part in path.split("/"))
        for client in people:
            for name, body in WRONG.items():
                content = json.dumps(body).encode()
                headers = {"Content-Type": "application/json", "If-Match": '"1"'}
                answer = client.request(method, place, content=content, headers=headers)
                if not clean(answer):
                    faults.append((method, path, name, answer.status_code, answer.text))
                if answer.status_code == 403:
                    break
            else:
                break
    assert not faults


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"[" * 200_000, "application/json"),
        (b'{"a":' * 100_000, "application/json"),
        (b'{"\\ud800": 1}', "application/json"),
        (b'{"birth_family": "\\ud800"}', "application/json"),
        (b"\xff\xfe{}", "application/json"),
        (b'{"phone": NaN, "address": Infinity}', "application/json"),
        (b'{"phone": ' + b"9" * 6000 + b"}", "application/json"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "text/xml"),
        (b"a=b", "application/x-www-form-urlencoded"),
        (b"--x\r\ngarbage", "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data"),
        (b"{}", "text/plain"),
        (b"{}", "a; charset=\xe9"),
        (b"", "application/json"),
    ],
)
def test_a_body_nobody_can_read_is_refused(
    desk: httpx.Client, content: bytes, kind: str | bytes
) -> None:
    headers = [(b"content-type", kind.encode("latin-1") if isinstance(kind, str) else kind)]
    answer = desk.post("/v1/patients", content=content, headers=headers)
    assert answer.status_code in (400, 415, 422)
    assert clean(answer)


def test_nobody_makes_the_server_parse_a_huge_body_before_saying_who_he_is(
    product: Product,
) -> None:
    huge = b'{"a": [' + b"1," * 600_000 + b"1]}"
    deep = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    kind = {"Content-Type": "application/json"}
    with httpx.Client(base_url=product.url, trust_env=False, timeout=30) as nobody:
        for path in ("/v1/patients", "/auth/psc/ciba", "/auth/native/session", "/v1/orders"):
            assert nobody.post(path, content=huge, headers=kind).status_code == 413, path
            assert nobody.post(path, content=deep, headers=kind).status_code in (400, 401, 422), (
                path
            )
        form = {"logout_token": "x" * 1_100_000}
        assert nobody.post("/auth/psc/backchannel-logout", data=form).status_code == 413


def test_a_body_beyond_the_cap_is_refused_declared_or_not(desk: httpx.Client) -> None:
    big = b"x" * (10 * 1024 * 1024 + 1)
    assert desk.post("/v1/patients", content=big).status_code == 413
    chunks = (b"x" * 1_000_000 for _ in range(11))
    assert desk.post("/v1/patients", content=chunks).status_code == 413


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_no_text_is_a_defect_from_the_patient_to_the_frozen_report(
    product: Product, desk: httpx.Client, doctor: httpx.Client, nasty: str
) -> None:
    """Each text either refused or carried to the end: signed, read, sent."""
    refused = desk.post("/v1/patients", json={**job.TRAITS, "birth_family": nasty})
    assert refused.status_code == 422
    address = {"lines": [nasty], "postal_code": "75000", "city": nasty, "country": nasty}
    record = job.patient(desk)
    tag = {"If-Match": f'"{record["version"]}"'}
    edit = {"address": address, "phone": nasty[:30], "billing_number": nasty[:15], "reason": nasty}
    answers = [
        desk.patch(f"/v1/patients/{record['id']}", json=edit, headers=tag),
        desk.get("/v1/patients", params={"ipp": nasty[:32]}),
        desk.get("/v1/patients", params={"birth_date": "1979-03-28", "name": nasty[:2]}),
        desk.get("/v1/directory", params={"name": nasty}),
        desk.get("/v1/dashboard", params={"struct_idnat": nasty}),
        doctor.get("/v1/deliveries", params={"after": nasty}),
        desk.post("/v1/patients/search", json={"matricule": nasty}),
        doctor.post(
            f"/v1/patients/{record['id']}/dmp-opposition",
            json={"scope": "patient", "reason": nasty},
        ),
    ]
    coded = {"code": nasty[:20], "label": nasty}
    refused = desk.post("/v1/orders", json=job.order_of(record, procedure=coded, location=coded))
    assert refused.status_code == 422
    labels = {part: {**job.PROCEDURE[part], "label": nasty} for part in ("procedure", "location")}
    order = job.order_of(record, reason=nasty, order_number=nasty, **labels)
    answers.append(desk.post("/v1/orders", json=order))
    assert [one.text for one in answers if not clean(one)] == []
    ordered = answers[-1].json() if answers[-1].status_code == 201 else job.exam(desk, record)
    ordered = job.examined(desk, ordered)
    report = job.draft(doctor, ordered, title=nasty, sections=dict.fromkeys(job.SECTIONS, nasty))
    signed = job.sign(doctor, report)
    assert signed.status_code in (201, 422), signed.text
    if signed.status_code == 422:
        return
    for artefact in ("n1", "n3", "pdf"):
        read = doctor.get(f"/v1/reports/{report['id']}/versions/1/{artefact}")
        assert read.status_code == 200
    from ris.core import xml

    xml.parse(doctor.get(f"/v1/reports/{report['id']}/versions/1/n3").content, document=True)


@pytest.mark.parametrize(
    "when",
    [
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e300", "-62135596800", 10**18,
        "2026-01-01T00:00:00",
    ],
)  # fmt: skip
def test_an_impossible_appointment_is_refused_not_kept(desk: httpx.Client, when: object) -> None:
    record = job.patient(desk)
    answer = desk.post("/v1/orders", json=job.order_of(record, scheduled_at=when))
    assert answer.status_code == 422
    assert desk.get(f"/v1/patients/{record['id']}/exams").json() == []


QUERIES: list[tuple[str, dict[str, str]]] = [
    ("/v1/reports", {"since": "2026-01-01T00:00:00"}),
    ("/v1/reports", {"until": "0001-01-01T00:00:00+14:00"}),
    ("/v1/reports", {"since": "1e12"}),
    ("/v1/reports", {"since": "9999-12-31T23:59:59-14:00"}),
    ("/v1/deliveries", {"after": base64.b64encode(b"[" * 9000).decode()}),
    ("/v1/deliveries", {"after": base64.b64encode(b'["2026-01-01", "x"]').decode()}),
    (
        "/v1/deliveries",
        {"after": base64.b64encode(json.dumps(["2026-01-01", str(0) * 32]).encode()).decode()},
    ),
    ("/v1/deliveries", {"after": base64.b64encode(b"[1, 2, 3]").decode()}),
    ("/v1/deliveries", {"limit": "99999999999999999999"}),
    ("/v1/patients", {"birth_date": "99999-01-01"}),
    ("/v1/dashboard", {"rpps": "١٢٣٤٥٦٧٨٩٠١"}),
    ("/v1/rem/" + "%00/../../etc/passwd", {}),
    ("/v1/reports/../../etc/passwd", {}),
    ("/v1/reports/%2e%2e%2fetc/versions/1/pdf", {}),
    ("/v1/reports/00000000-0000-7000-8000-000000000000/versions/" + "9" * 5000 + "/pdf", {}),
    ("/auth/psc/callback", {"code": "\x00", "state": "\x00", "error": "a\r\nb"}),
    ("/auth/psc/callback", {"state": "x" * 9000}),
    ("/auth/psc/login", {"next": "//evil.example/\r\nSet-Cookie: a=b"}),
    ("/auth/psc/login", {"next": "/\x00" + "x" * 9000}),
]


def test_no_query_is_a_defect(doctor: httpx.Client) -> None:
    for path, query in QUERIES:
        answer = doctor.get(path, params=query)
        assert answer.status_code < 500, (path, query, answer.text)
        assert "\n" not in answer.headers.get("location", "")
        assert "evil.example" not in answer.headers.get("location", "").partition("?")[0]


def test_no_if_match_is_a_defect(desk: httpx.Client) -> None:
    path = f"/v1/patients/{job.patient(desk)['id']}"
    body = {"professional": True, "patient": True}
    for value in ("²", '"²"', "9" * 6000, '"-1"', "*", '"1", "2"', "'1'", ""):
        headers = [(b"if-match", value.encode("latin-1"))]
        for answer in (
            desk.put(f"{path}/mss-refusals", json=body, headers=headers),
            desk.patch(path, json={"phone": "1"}, headers=headers),
        ):
            assert answer.status_code in (412, 428), (value, answer.text)


def test_an_order_for_nobody_is_refused_and_leaves_nothing(
    product: Product, desk: httpx.Client
) -> None:
    nobody = {"id": "00000000-0000-7000-8000-000000000000"}
    answer = desk.post("/v1/orders", json=job.order_of(nobody))
    assert (answer.status_code, answer.json()["code"]) == (404, "PATIENT_NOT_FOUND")
    with product.runtime.database.transaction() as session:
        assert session.execute(text("select count(*) from imaging_order")).scalar_one() == 0


def test_an_opposition_names_a_report_of_that_very_patient(
    product: Product, desk: httpx.Client, doctor: httpx.Client
) -> None:
    record, other = job.patient(desk), job.patient(desk)
    report = job.draft(doctor, job.exam(desk, other))
    for patient, named in (
        (record["id"], report["id"]),
        (record["id"], "00000000-0000-7000-8000-000000000000"),
        ("00000000-0000-7000-8000-000000000000", report["id"]),
    ):
        body = {"scope": "report", "report_id": named, "reason": "motif"}
        answer = doctor.post(f"/v1/patients/{patient}/dmp-opposition", json=body)
        assert answer.status_code == 404


def test_a_replayed_key_with_another_body_is_refused(
    desk: httpx.Client, doctor: httpx.Client
) -> None:
    report = job.ready(desk, doctor)
    key = {"Idempotency-Key": "abc"}
    job.got(job.sign(doctor, report, **key), 201)
    path = f"/v1/reports/{report['id']}/deliveries"
    answer = doctor.post(path, json={"rpps": "99700993043"}, headers=key)
    assert answer.json()["code"] == "IDEMPOTENCY_MISMATCH"


def dicom(exam: dict[str, Any], record: dict[str, Any], **changes: object) -> bytes:
    image = pydicom.dcmread(BytesIO(job.images(exam, record)[0]))
    for name, value in changes.items():
        element = pydicom.DataElement(name, pydicom.datadict.dictionary_VR(name), "")
        element._value = value
        image[name] = element
    out = BytesIO()
    with warnings.catch_warnings(action="ignore"):
        image.save_as(out)
    return out.getvalue()


def bomb(exam: dict[str, Any], record: dict[str, Any]) -> bytes:
    """A deflated file: 100 KB that unpack to 100 MB."""
    image = pydicom.dcmread(BytesIO(job.images(exam, record)[0]))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = image.SOPClassUID
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    out = BytesIO()
    out.write(b"\0" * 128 + b"DICM")
    pydicom.filewriter.write_file_meta_info(out, meta)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    size = 100_000_000
    out.write(packer.compress(struct.pack("<HH2sHI", 0x0009, 0x0001, b"OB", 0, size)))
    for _ in range(size // 1_000_000):
        out.write(packer.compress(bytes(1_000_000)))
    out.write(packer.flush())
    return out.getvalue()


def test_a_dicom_bomb_is_refused_before_it_unpacks(desk: httpx.Client) -> None:
    record = job.patient(desk)
    exam = job.exam(desk, record)
    answer = job.upload(desk, exam, [bomb(exam, record)])
    assert answer.json()["code"] == "NOT_DICOM"


@pytest.mark.parametrize(
    "changes",
    [
        {"SeriesNumber": "abc"},
        {"TimezoneOffsetFromUTC": "nimporte"},
        {"TimezoneOffsetFromUTC": "+9999"},
        {"StudyDate": "00010101", "TimezoneOffsetFromUTC": "+1400"},
        {"StudyTime": "997799"},
        {"SpecificCharacterSet": "NOT_A_CHARSET"},
        {"SpecificCharacterSet": "ISO 2022 IR 6\\x\\y"},
        {"SeriesDescription": "nul\x00dedans\x0b"},
        {"StationName": "a" * 60000},
        {"Modality": "CT\\MR"},
        {"ImageType": ""},
        {"AccessionNumber": "'; drop table exam; --"},
    ],
    ids=str,
)
def test_no_header_of_an_image_is_a_defect(desk: httpx.Client, changes: dict[str, object]) -> None:
    record = job.patient(desk)
    exam = job.exam(desk, record)
    answer = job.upload(desk, exam, [dicom(exam, record, **changes)])
    assert clean(answer), answer.text
    assert clean(desk.get(f"/v1/exams/{exam['id']}"))


def test_a_cut_or_garbled_image_is_refused(desk: httpx.Client) -> None:
    record = job.patient(desk)
    exam = job.exam(desk, record)
    whole = job.images(exam, record)[0]
    for cut in (0, 1, 131, 132, 133, 200, 300, 500, 900):
        changed = bytes(byte ^ 0xA5 for byte in whole[cut : cut + 64])
        garbled = whole[:cut] + changed + whole[cut + 64 :]
        for data in [whole[:cut], *([garbled] if cut > 128 else [])]:  # the preamble is free text
            answer = job.upload(desk, exam, [data])
            assert answer.status_code in (400, 409, 422), (cut, answer.text)


def test_a_refused_image_leaves_the_exam_as_it_was(desk: httpx.Client) -> None:
    record = job.patient(desk)
    exam = job.exam(desk, record)
    assert job.upload(desk, exam, [b"x", job.images(exam, record)[0]]).status_code == 422
    assert desk.get(f"/v1/exams/{exam['id']}").json()["status"] == exam["status"]


@pytest.mark.parametrize("name", ["\\ud800", "CABINET\\u0007A", "CABINET\\u0000A", "A\\u0085B"])
def test_the_name_of_a_structure_is_a_line_that_every_document_can_hold(
    administrator: httpx.Client, name: str
) -> None:
    answer = administrator.post(
        "/v1/structures",
        content=f'{{"struct_idnat": "499700993001004", "name": "{name}"}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert administrator.get("/v1/structures").json() == []
