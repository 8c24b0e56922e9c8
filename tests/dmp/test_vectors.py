"""The DMP wire formats against independent vectors and independent verifiers."""

import base64
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from lxml import etree
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier

from ris.auth.values import Authentication
from ris.core.errors import Lost
from ris.core.soap import SoapFault
from ris.core.xml import canonical, parse, serialise
from ris.core.xmldsig import RSA_SHA1, RSA_SHA256, inclusive
from ris.dmp import answers, existence, metadata, mtom, submission, vihf
from ris.dmp.errors import ConfigMissing, InsMismatch
from ris.dmp.errors_table import classify
from ris.dmp.lot_signature import SignedPart, document_digest, sign_lot
from ris.identity.values import NIR_TEST, Ins
from ris.reports.cda.build import build_n1
from ris.reports.content import Visibility
from ris.sandbox.dmp.signatures import verify_lot
from ris.sandbox.pki import TestPki
from tests.dmp.bench import CABINET_A, DOCTOR_A, PDF, report, settings

NAMES = ("iti41_cr_imagerie", "iti41_cr_imagerie_invisible_patient", "iti41_cr_imagerie_rplc")
AT = datetime(2026, 3, 5, 9, 31, tzinfo=UTC)
SIGNED_IN = Authentication(AT - timedelta(hours=2), "PSC_CODE")


@pytest.fixture(scope="module")
def synthetic(conformance: Path) -> Path:
    return conformance / "dmp/synthetic"


@pytest.fixture(scope="module")
def samples(conformance: Path) -> Path:
    return conformance / "dmp/ihe-samples"


def synthetic_message(synthetic: Path, name: str) -> mtom.Message:
    kind = 'multipart/related; boundary="----=_RISREF_0001"; start="<root@ris.example>"'
    return mtom.parse(kind, (synthetic / f"{name}.mime").read_bytes())


def a_lot(pki: TestPki, *visibility: Visibility, replaced: str | None = None) -> submission.Lot:
    chosen = settings("https://dmp")
    cda = build_n1(report(), PDF)
    entry = metadata.describe(cda, visibility, chosen)
    own = metadata.submission_set(entry, chosen, unique_id="2.25.5", submitted_at="20260305093100")
    certificate, key = pki.organisation(CABINET_A.struct_idnat, "SIGN").load()
    parts = [SignedPart(entry.unique_id, cda)]
    signature = sign_lot("2.25.5", parts, signed_at=AT, certificate=certificate, key=key)
    described = metadata.signature_entry(entry, own, signature, "2.25.6")
    return submission.Lot(own, entry, described, cda, signature, replaced)


def signed_vihf(pki: TestPki) -> tuple[etree._Element, x509.Certificate]:
    certificate, key = pki.organisation(CABINET_A.struct_idnat, "SIGN").load()
    patient = "255069999999934^^^&1.2.250.1.213.1.4.10&ISO^NH"
    sender = vihf.sender_of(DOCTOR_A, patient, SIGNED_IN)
    draft = vihf.assertion(
        sender, settings("https://dmp"), certificate, issued_at=AT, assertion_id="_1"
    )
    return vihf.signed(draft, certificate, key), certificate


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_messages_are_read_to_the_byte(synthetic: Path, name: str) -> None:
    expected = json.loads((synthetic / "expected_digests.json").read_text())[name]
    message = synthetic_message(synthetic, name)
    document, signature = message.parts.values()
    assert (len(document), len(signature)) == (expected["doc_size"], expected["sig_size"])
    digest = document_digest(SignedPart("1.2", document))
    assert digest == expected["doc_c14n_sha1_b64"]


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_lot_signatures_verify(synthetic: Path, name: str) -> None:
    document, content = synthetic_message(synthetic, name).parts.values()
    signature = parse(content)
    manifest = signature.find(".//{*}Manifest")
    properties = signature.find(".//{*}SignedProperties")
    info = signature.find("{*}SignedInfo")
    assert manifest is not None
    assert properties is not None
    assert info is not None
    declared = [each.text for each in info.iterfind("{*}Reference/{*}DigestValue")]
    assert declared == [RSA_SHA1.digest(inclusive(each)) for each in (manifest, properties)]
    listed = [each.text for each in manifest.iterfind("{*}Reference/{*}DigestValue")]
    assert listed == ["AA==", document_digest(SignedPart("1.2", document))]
    verify(synthetic, signature, inclusive(info), SHA1())


def verify(synthetic: Path, signature: etree._Element, content: bytes, algorithm: Any) -> None:
    pem = (synthetic / "synthetic_sign_cert.pem").read_bytes()
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, RSAPublicKey)
    value = base64.b64decode(signature.findtext("{*}SignatureValue", ""))
    key.verify(value, content, PKCS1v15(), algorithm)


def test_our_lot_signature_has_the_reference_shape(synthetic: Path, pki: TestPki) -> None:
    theirs = parse((synthetic / "cr_1001_signature_part.xml").read_bytes())
    ours = parse(a_lot(pki).signature_bytes)
    assert list(paths(ours)) == list(paths(theirs))


def test_our_lot_signature_is_reproducible_and_independent_of_comments(pki: TestPki) -> None:
    assert a_lot_signature(pki) == a_lot_signature(pki)
    assert document_digest(SignedPart("1", b"<!--a--><a/>")) != document_digest(
        SignedPart("1", b"<a/>")
    )


def a_lot_signature(pki: TestPki) -> bytes:
    certificate, key = pki.organisation(CABINET_A.struct_idnat, "SIGN").load()
    parts = [SignedPart("1.2.3", b"<a/>"), SignedPart("1.2.4", b"\x00raw", is_xml=False)]
    return sign_lot("2.25.5", parts, signed_at=AT, certificate=certificate, key=key)


@pytest.mark.parametrize("suite", ["sha1", "sha256"])
def test_both_suites_verify(pki: TestPki, suite: Any) -> None:
    certificate, key = pki.organisation(CABINET_A.struct_idnat, "SIGN").load()
    parts = [
        SignedPart("1.2.3", b"<!--c--><a>\xc3\xa9</a>"),
        SignedPart("1.2.4", b"\x00", is_xml=False),
    ]
    document = sign_lot(
        "2.25.5", parts, signed_at=AT, certificate=certificate, key=key, suite=suite
    )
    contents = {part.unique_id: part.content for part in parts}
    assert verify_lot(document, "2.25.5", contents, pki.believes) == certificate


def test_our_vihf_verifies_with_signxml_inside_the_message_that_leaves(pki: TestPki) -> None:
    assertion, certificate = signed_vihf(pki)
    sent = parse(serialise(vihf.security_header(assertion)))
    inside = sent[0]
    only = SignatureConfiguration(
        signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
    )
    result = XMLVerifier().verify(
        inside, x509_cert=certificate, id_attribute="ID", expect_config=only
    )
    assert result.signed_xml.get("ID") == "_1"


def test_our_vihf_has_the_reference_shape(synthetic: Path, pki: TestPki) -> None:
    theirs = parse((synthetic / "vihf_indirecte_signed.xml").read_bytes())
    ours, _ = signed_vihf(pki)
    assert list(paths(ours)) == list(paths(theirs))


def test_the_reference_vihf_digest_is_ours(synthetic: Path) -> None:
    theirs = parse((synthetic / "vihf_indirecte_signed.xml").read_bytes())
    expected = theirs.findtext(".//{*}DigestValue")
    bare = deepcopy(theirs)
    bare.remove(bare[1])
    assert RSA_SHA256.digest(canonical(bare)) == expected
    signature = theirs[1]
    verify(synthetic, signature, canonical(signature[0]), SHA256())


def test_a_doctor_without_savoir_faire_cannot_be_named_in_a_vihf() -> None:
    with pytest.raises(ConfigMissing):
        vihf.sender_of(replace(DOCTOR_A, specialty=""), "x", SIGNED_IN)


def test_a_doctor_without_structure_cannot_be_named_in_a_vihf() -> None:
    with pytest.raises(ConfigMissing):
        vihf.sender_of(replace(DOCTOR_A, structure=None), "x", SIGNED_IN)


@pytest.mark.parametrize("replaced", [None, "urn:uuid:11111111-2222-4333-8444-555555555555"])
def test_the_iti_41_body_is_valid_xds(
    conformance: Path, pki: TestPki, replaced: str | None
) -> None:
    schema = etree.XMLSchema(etree.parse(conformance / "dmp/xsd/IHE/XDS.b_DocumentRepository.xsd"))
    body = parse(serialise(submission.provide_and_register(a_lot(pki, replaced=replaced))))
    for include in body.findall(f".//{{{mtom.XOP}}}Include"):
        parent = include.getparent()
        assert parent is not None
        parent.remove(include)
        parent.text = "AAAA"
    schema.assertValid(body)


def test_the_other_bodies_are_valid(conformance: Path, pki: TestPki) -> None:
    folder = conformance / "dmp/xsd/IHE"
    query = etree.XMLSchema(etree.parse(folder / "query.xsd"))
    query.assertValid(parse(serialise(submission.reference_query("1.2.3"))))
    lcm = etree.XMLSchema(etree.parse(folder / "lcm.xsd"))
    own = a_lot(pki).submission_set
    lcm.assertValid(parse(serialise(submission.status_update(own, "urn:uuid:0"))))


@pytest.mark.parametrize("name", ["td2.1_request", "td3.3c_request", "td0.2_request"])
def test_everything_the_official_samples_hold_is_in_our_messages(
    conformance: Path, pki: TestPki, name: str
) -> None:
    lot = a_lot(pki)
    body = {
        "td2.1_request": submission.provide_and_register(lot),
        "td3.3c_request": submission.status_update(lot.submission_set, "urn:uuid:0"),
        "td0.2_request": existence.request(
            Ins("255069999999934", NIR_TEST), settings("https://dmp"), message="1", at=AT
        ),
    }[name]
    ours = set(fingerprint(body))
    wanted = json.loads((conformance / f"dmp/fingerprints/{name}.json").read_text())
    missing = []
    for item in wanted:
        if "/Body/" not in item["path"] or "/Description" in item["path"]:  # optional comments
            continue
        path = item["path"].partition("/Body")[2]
        attributes = frozenset(a for a in item["attrs"] if not _free(a))
        if not any(p == path and attributes <= a for p, a in ours):
            missing.append((path, sorted(attributes)))
    assert missing == []


def _free(attribute: str) -> bool:
    """Say whether an attribute of the samples may differ: values of that message, not the rule."""
    name, _, value = attribute.partition("=")
    own = name in ("root", "nodeRepresentation", "displayName") or value == "UTF8"
    return own and value not in ("", "10", "N")


def fingerprint(body: etree._Element) -> Iterator[tuple[str, frozenset[str]]]:
    for element in body.iter(etree.Element):
        chain = [*reversed([etree.QName(each).localname for each in element.iterancestors()])]
        path = "/" + "/".join([*chain, etree.QName(element).localname])
        named = {etree.QName(key).localname: value for key, value in element.attrib.items()}
        listed = {*named, *(f"{key}={value}" for key, value in named.items())}
        yield path, frozenset(listed)


def paths(root: etree._Element) -> Iterator[str]:
    for element in root.iter(etree.Element):
        names = [etree.QName(each).localname for each in (element, *element.iterancestors())]
        algorithm = element.get("Algorithm") or element.get("Name") or ""
        yield "/".join(reversed(names)) + algorithm


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("resp_duplicate_uniqueid.xml", "XDSDuplicateUniqueIdInRegistry", "duplicate"),
        ("resp_registry_busy.xml", "XDSRegistryBusy", "transient"),
    ],
)
def test_the_reference_answers_are_classified(
    synthetic: Path, name: str, code: str, expected: str
) -> None:
    body = answers.open_answer(
        "application/soap+xml", (synthetic / name).read_bytes(), "urn:uuid:rel"
    )
    assert [each.code for each in answers.registry_errors(body)] == [code]
    assert classify(code) == expected


def test_a_reference_success_is_one_only_for_its_own_request(synthetic: Path) -> None:
    content = (synthetic / "resp_success.xml").read_bytes()
    body = answers.open_answer("application/soap+xml", content, "urn:uuid:rel")
    assert answers.check_registry(body, {}) == ()
    with pytest.raises(Lost):
        answers.open_answer("application/soap+xml", content, "urn:uuid:another")


@pytest.mark.parametrize("page", [b"<html>ok</html>", b"", b"ok", b"<!DOCTYPE a><a/>"])
def test_a_page_is_not_an_answer(page: bytes) -> None:
    with pytest.raises(Lost):
        answers.open_answer("text/html", page, "urn:uuid:rel")


def test_the_reference_fault_is_a_matter_of_certificate(synthetic: Path) -> None:
    content = (synthetic / "fault_invalid_certificate.xml").read_bytes()
    with pytest.raises(SoapFault) as caught:
        answers.open_answer("application/soap+xml", content, "urn:uuid:rel")
    assert classify(answers.fault_code(caught.value)) == "config"


def test_the_reference_existence_answers_are_read(synthetic: Path) -> None:
    ours = Ins("255069999999934", NIR_TEST)
    active = parse((synthetic / "td02_active_mes.xml").read_bytes())[0][0]
    assert existence.read(active, ours) == existence.Existence(True, "active", True)
    absent = parse((synthetic / "td02_not_found.xml").read_bytes())[0][0]
    assert existence.read(absent, ours) == existence.Existence(False)
    with pytest.raises(InsMismatch):
        existence.read(active, Ins("279035121518989", NIR_TEST))


@pytest.mark.parametrize("name", ["nist_pnr_Xop.txt", "nist_pnr_encodedURL.txt"])
def test_the_messages_of_other_makers_are_read(samples: Path, name: str) -> None:
    body = (samples / name).read_bytes()
    boundary = body.strip().splitlines()[0].strip().removeprefix(b"--").decode()
    message = mtom.parse(f'multipart/related; boundary="{boundary}"', crlf(body))
    includes = parse(message.root).findall(f".//{{{mtom.XOP}}}Include")
    assert includes
    assert all(mtom.content_id(each.get("href", "")) in message.parts for each in includes)


def crlf(body: bytes) -> bytes:
    return body if b"\r\n" in body else body.replace(b"\n", b"\r\n")


@given(
    st.lists(
        st.binary(max_size=400)
        | st.sampled_from([b"\r\n--", b"\r\n", b"\x00", b"--\r\n\r\n", b"\r\n\r\n--x--\r\n"]),
        min_size=1,
        max_size=4,
    )
)
@examples(suppress_health_check=[HealthCheck.too_slow])
def test_mtom_keeps_every_byte(contents: list[bytes]) -> None:
    parts = {f"part{number}@ris": content for number, content in enumerate(contents)}
    message = mtom.parse(*mtom.build(b"<root/>", parts, action="a"))
    assert message.root == b"<root/>"
    assert message.parts == parts


def test_a_large_part_travels_whole() -> None:
    content = bytes(range(256)) * 40_000
    message = mtom.parse(*mtom.build(b"<r/>", {"a@b": content}, action="a"))
    assert message.parts["a@b"] == content


@pytest.mark.parametrize("wrong", [b"", b"--x\r\n\r\na", b"--x\r\nA: b\r\n--x--\r\n"])
def test_a_broken_multipart_is_refused(wrong: bytes) -> None:
    with pytest.raises(mtom.MalformedMultipart):
        mtom.parse('multipart/related; boundary="x"', wrong)


def test_the_ccam_system_of_the_metadata_is_a_setting(pki: TestPki) -> None:
    cda = build_n1(report(), PDF)
    usual = metadata.describe(cda, (), settings("https://dmp"))
    other = metadata.describe(cda, (), settings("https://dmp", ccam_system="1.2.250.1.213.2.5"))
    assert ("ACQH003", "1.2.250.1.215.300.1") in {(each.code, each.system) for each in usual.events}
    assert ("ACQH003", "1.2.250.1.213.2.5") in {(each.code, each.system) for each in other.events}


def test_the_reinforced_mode_is_refused_as_a_feeding_mode() -> None:
    with pytest.raises(ValueError, match="INDIRECTE"):
        settings("https://dmp", feed="INDIRECTE_RENFORCEE")


def test_minors_are_judged_on_the_day_of_the_sending() -> None:
    hidden = (Visibility.HIDDEN_FROM_GUARDIANS,)
    metadata.check_visibility(hidden, datetime(2008, 11, 23, tzinfo=UTC).date(), clock_day())
    with pytest.raises(metadata.VisibilityInvalid):
        metadata.check_visibility(hidden, datetime(2008, 11, 22, tzinfo=UTC).date(), clock_day())


def clock_day() -> Any:
    return datetime(2026, 11, 22, tzinfo=UTC).date()
