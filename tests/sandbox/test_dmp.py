"""The sandbox DMP refuses what the real one would: one spoiled message for each reason."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from lxml import etree

from ris.core import clock, ids
from ris.core.http import context
from ris.core.xml import Element
from ris.dmp import mtom, vihf
from ris.dmp.lot_signature import SignedPart, sign_lot
from ris.reports.cda.build import build_n1
from ris.sandbox.dmp import DmpSandbox
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve
from tests.dmp.bench import CABINET_A, CABINET_B, DOCTOR_B, HOMOLOGATION, INS, PDF, report
from tests.sandbox.dmp_message import LATE, TD21, Sender, attribute, changed, drop


@pytest.fixture(scope="module")
def sandbox(pki: TestPki) -> DmpSandbox:
    return DmpSandbox(pki.believes, patients=[INS], homologations=frozenset({HOMOLOGATION}))


@pytest.fixture(scope="module")
def sender(pki: TestPki, sandbox: DmpSandbox) -> Iterator[Sender]:
    tls = pki.server()
    with serve(
        sandbox.app, tls=tls, client_ca=pki.trust, client_cert="required", crl=pki.crl
    ) as running:
        yield Sender(pki, running.url)


def test_a_sound_lot_is_registered(sender: Sender, sandbox: DmpSandbox) -> None:
    lot = sender.lot()
    assert sender.send(lot) == "OK"
    assert sandbox.registry.by_unique_id(lot.report.unique_id) is not None
    last = sandbox.submissions[-1]
    assert f"OU={CABINET_A.struct_idnat}" in last.client_subject
    assert lot.report_bytes in last.body


@pytest.mark.parametrize("kind", ["none", "rogue", "expired"])
def test_without_a_trusted_client_certificate_there_is_no_conversation(
    sender: Sender, pki: TestPki, kind: str
) -> None:
    credential = {"none": None, "rogue": pki.rogue(), "expired": pki.expired()}[kind]
    tls = context(trust=pki.trust, credential=credential)
    with httpx.Client(verify=tls, trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.post(f"{sender.url}/repository", content=b"")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("wsa:MessageID", "wsa:Other"),
        ("wsa:To", "wsa:Other"),
        ("wsa:ReplyTo", "wsa:Other"),
        (' soap:mustUnderstand="true"', ""),
    ],
)
def test_addressing_headers_are_required(sender: Sender, before: str, after: str) -> None:
    lot = sender.lot()
    root = changed(sender.root(lot), before, after)
    assert sender.send(lot, root=root) == "MessageAddressingHeaderRequired"


def test_an_action_of_another_service_is_refused(sender: Sender) -> None:
    assert sender.send(sender.lot(), path="registry") == "ActionNotSupported"


def _second(assertion: Element) -> None:
    assertion.insert(0, assertion[1])


def _audience(assertion: Element) -> None:
    assertion.insert(2, etree.SubElement(assertion, f"{{{vihf.SAML}}}Conditions"))


def _no_specialty(assertion: Element) -> None:
    roles = assertion.findall(f".//{{{vihf.SAML}}}Attribute[@Name='{ROLE}']/*")
    parent = roles[1].getparent()
    assert parent is not None
    parent.remove(roles[1])


def _signed_in_at(text: str) -> Callable[[Element], None]:
    return lambda assertion: assertion[2].set("AuthnInstant", text)


def _just_after_its_issue(assertion: Element) -> None:
    issued = datetime.fromisoformat(assertion.get("IssueInstant", ""))
    later = issued + timedelta(seconds=1)
    _signed_in_at(later.strftime("%Y-%m-%dT%H:%M:%SZ"))(assertion)


ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_second, id="order"),
        pytest.param(_audience, id="audience"),
        pytest.param(_no_specialty, id="no specialty"),
        pytest.param(attribute("VIHF_Version", "1.0"), id="version"),
        pytest.param(attribute("Authentification_Mode", "DIRECTE"), id="mode"),
        pytest.param(attribute("Secteur_Activite", "SA07"), id="sector"),
        pytest.param(attribute("Ressource_URN", "urn:other"), id="resource"),
        pytest.param(attribute(RESOURCE, "279035121518989"), id="patient"),
        pytest.param(attribute("LPS_ID_HOMOLOGATION_DMP", "0"), id="homologation"),
        pytest.param(attribute("Identifiant_Structure", CABINET_B.struct_idnat), id="structure"),
        pytest.param(
            lambda a: drop(a, "s:AttributeStatement/s:Attribute[@Name='LPS_Nom']"), id="name"
        ),
        pytest.param(_just_after_its_issue, id="signed in after the issue"),
        pytest.param(_signed_in_at("2026-01-05T10:00:00+01:00"), id="sign-in not in UTC"),
        pytest.param(_signed_in_at(""), id="no sign-in"),
        pytest.param(lambda a: setattr(a[2][0][0], "text", "urn:x"), id="context"),
        pytest.param(lambda a: a.set("ID", "1a"), id="not an NCName"),
        pytest.param(lambda a: a.set("Version", "1.1"), id="SAML version"),
        pytest.param(lambda a: a[0].set("Format", "x"), id="issuer format"),
        pytest.param(lambda a: setattr(a[0], "text", "CN=x"), id="issuer"),
        pytest.param(lambda a: setattr(a[1][0], "text", "99"), id="user"),
    ],
)
def test_a_vihf_that_says_wrong_things_is_refused(
    sender: Sender, edit: Callable[[Element], None]
) -> None:
    lot = sender.lot()
    assertion = sender.assertion(lot, edit=edit)
    assert sender.send(lot, root=sender.root(lot, assertion)) == "DMPInvalidVIHF"


@pytest.mark.parametrize("late", [LATE, -LATE])
def test_a_vihf_out_of_time_is_refused(sender: Sender, late: object) -> None:
    lot = sender.lot()
    assertion = sender.assertion(lot, at=clock.now() + late)  # type: ignore[operator]
    assert sender.send(lot, root=sender.root(lot, assertion)) == "DMPInvalidVIHF"


@pytest.mark.parametrize(
    "spoil",
    [
        attribute("Secteur_Activite", "SA01^1.2.250.1.71.4.2.4"),
        lambda assertion: drop(assertion, "{http://www.w3.org/2000/09/xmldsig#}Signature"),
    ],
)
def test_a_vihf_altered_after_its_signature_is_refused(
    sender: Sender, spoil: Callable[[Element], None]
) -> None:
    lot = sender.lot()
    assertion = sender.assertion(lot, spoil=spoil)
    assert sender.send(lot, root=sender.root(lot, assertion)) == "DMPInvalidVIHF"


def test_a_vihf_signed_with_the_authentication_key_is_refused(sender: Sender, pki: TestPki) -> None:
    lot = sender.lot()
    wrong = pki.organisation(CABINET_A.struct_idnat, "AUTH_CLI")
    root = sender.root(lot, sender.assertion(lot, signer=wrong))
    assert sender.send(lot, root=root) == "DMPInvalidCertificate"


def test_the_structure_of_the_tls_certificate_must_be_that_of_the_vihf(
    sender: Sender, pki: TestPki
) -> None:
    other = pki.organisation(CABINET_B.struct_idnat, "AUTH_CLI")
    assert sender.send(sender.lot(), credential=other) == "DMPInvalidVIHF"


def test_the_reinforced_indirect_mode_cannot_feed(sender: Sender) -> None:
    lot = sender.lot()
    edit = attribute("Authentification_Mode", "INDIRECTE_RENFORCEE")
    root = sender.root(lot, sender.assertion(lot, edit=edit))
    assert sender.send(lot, root=root) == "DMPAccessDeniedByRightsService"


def test_documents_in_line_are_refused(sender: Sender) -> None:
    lot = sender.lot()
    root = sender.root(lot)
    start, end = root.index(b"<xop:Include"), root.index(b"</xds:Document>")
    assert sender.send(lot, root=root[:start] + b"AAAA" + root[end:]) == "DMPInvalidRequest"
    assert sender.post(f'application/soap+xml; action="{TD21}"', root) == "DMPInvalidRequest"


def test_parts_and_metadata_must_correspond(sender: Sender) -> None:
    lot = sender.lot()
    root = sender.root(lot)
    assert sender.send(lot, parts={}) == "XDSMissingDocument"
    extra = {**lot.parts(), "other@ris": b"x"}
    assert sender.send(lot, root=root, parts=extra) == "XDSMissingDocumentMetadata"
    wrong_case = changed(root, '<xds:Document id="Document01"', '<xds:Document id="document01"')
    assert sender.send(lot, root=wrong_case) == "XDSMissingDocument"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ('name="hash"><rim:ValueList><rim:Value>', 'name="hash"><rim:ValueList><rim:Value>0',
         "XDSRepositoryMetadataError"),
        ('name="size"><rim:ValueList><rim:Value>', 'name="size"><rim:ValueList><rim:Value>1',
         "XDSRepositoryMetadataError"),
        ("^IDNST^^^499700991013001", "^IDNST^^^499700991021012", "XDSRegistryMetadataError"),
        ('nodeRepresentation="N"', 'nodeRepresentation="R"', "XDSRegistryMetadataError"),
        ("AssociationType:signs", "AssociationType:other", "XDSRegistryMetadataError"),
        ('name="creationTime"', 'name="creationtime"', "XDSRegistryMetadataError"),
        (">fr-FR<", "><", "XDSRegistryMetadataError"),
        ("FICTIF-A^Alix", "FICTIF-A^", "XDSRegistryMetadataError"),
        (">Original<", ">Reference<", "XDSRegistryMetadataError"),
        ("urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "urn:uuid:0", "XDSRegistryMetadataError"),
    ],
)  # fmt: skip
def test_metadata_that_are_wrong_are_refused(
    sender: Sender, before: str, after: str, code: str
) -> None:
    lot = sender.lot()
    assert sender.send(lot, root=changed(sender.root(lot), before, after)) == code


def test_elements_out_of_the_schema_order_are_refused(sender: Sender) -> None:
    lot = sender.lot()
    root = sender.root(lot)
    title = root[root.index(b"<rim:Name>") : root.index(b"</rim:Name>") + len(b"</rim:Name>")]
    moved = root.replace(title, b"", 1).replace(
        b"</rim:RegistryPackage>", title + b"</rim:RegistryPackage>"
    )
    assert sender.send(lot, root=moved) == "XDSRegistryMetadataError"


def test_the_same_lot_twice_is_a_duplicate(sender: Sender) -> None:
    lot = sender.lot()
    assert sender.send(lot) == "OK"
    assert sender.send(lot) == "XDSDuplicateUniqueIdInRegistry"


def test_other_bytes_under_a_known_identifier_are_refused(sender: Sender) -> None:
    first = report()
    assert sender.send(sender.lot(cda=build_n1(first, PDF))) == "OK"
    assert sender.send(sender.lot(cda=build_n1(first, PDF + b"2"))) == "XDSNonIdenticalHash"


def test_the_same_identifier_twice_in_a_message_is_refused(sender: Sender) -> None:
    lot = sender.lot()
    twice = replace(lot, signature=replace(lot.signature, unique_id=lot.report.unique_id))
    assert sender.send(twice) == "XDSRegistryDuplicateUniqueIdInMessage"


def test_an_unknown_patient_is_refused(sender: Sender) -> None:
    lot = sender.lot(cda=changed(build_n1(report(), PDF), "279035121518989", "255069999999934"))
    assert sender.send(lot) == "XDSUnknownPatientId"


def test_a_patient_that_differs_between_the_parts_of_a_message_is_refused(sender: Sender) -> None:
    lot = sender.lot()
    other = replace(lot.signature, patient_id="255069999999934^^^&1.2.250.1.213.1.4.10&ISO^NH")
    assert sender.send(replace(lot, signature=other)) == "XDSPatientIdDoesNotMatch"


def test_a_local_patient_identifier_is_refused(sender: Sender) -> None:
    lot = sender.lot()
    ins = 'value="279035121518989^^^&amp;1.2.250.1.213.1.4.10&amp;ISO^NH"'
    local = 'value="RIS-000042^^^&amp;1.2.250.1.213.99999.1.1&amp;ISO^PI"'
    root = changed(sender.root(lot), ins, local)
    assert sender.send(lot, root=root) in ("XDSPatientIdDoesNotMatch", "XDSUnknownPatientId")


@pytest.mark.parametrize("field", ["unique_id", "creation_time"])
def test_metadata_that_contradict_the_document_are_refused(sender: Sender, field: str) -> None:
    lot = sender.lot()
    value = ids.new_oid() if field == "unique_id" else "20200101000000"
    entry = replace(lot.report, **{field: value})
    certificate, key = sender.sign.load()
    signature = sign_lot(
        lot.submission_set.unique_id, [SignedPart(entry.unique_id, lot.report_bytes)],
        signed_at=clock.now(), certificate=certificate, key=key,
    )  # fmt: skip
    spoiled = sender.with_signature(replace(lot, report=entry), signature)
    assert sender.send(spoiled) == "XDSRepositoryMetadataError"


def test_a_document_about_somebody_else_is_refused(sender: Sender) -> None:
    lot = sender.lot()
    other = changed(lot.report_bytes, "279035121518989", "255069999999934")
    entry = sender.lot(cda=other).report
    certificate, key = sender.sign.load()
    signature = sign_lot(
        lot.submission_set.unique_id, [SignedPart(entry.unique_id, other)],
        signed_at=clock.now(), certificate=certificate, key=key,
    )  # fmt: skip
    described = replace(entry, patient_id=lot.report.patient_id)
    spoiled = sender.with_signature(replace(lot, report=described, report_bytes=other), signature)
    assert sender.send(spoiled) == "XDSRepositoryMetadataError"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("AA==", "AB=="),
        ("2.25.", "2.26."),
        ("IHEManifest", "IHEManifesto"),
        ("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12.1.1"),
        ("http://uri.etsi.org/01903/v1.1.1#", "http://uri.etsi.org/01903/v1.3.2#"),
        ("SignaturePolicyImplied", "SignaturePolicyOther"),
        ("<SignatureValue>", "<SignatureValue>AA"),
        ("<X509SerialNumber", "<X509SerialNumbers"),
    ],
)
def test_a_lot_signature_that_does_not_hold_is_refused(
    sender: Sender, before: str, after: str
) -> None:
    lot = sender.lot()
    spoiled = lot.signature_bytes
    for ours, theirs in ((before, after), (before.replace("<", "</"), after.replace("<", "</"))):
        spoiled = spoiled.replace(ours.encode(), theirs.encode())
    assert spoiled != lot.signature_bytes
    assert sender.send(sender.with_signature(lot, spoiled)) == "XDSRegistryMetadataError"


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_a_document_altered_after_the_signature_is_refused(sender: Sender, position: float) -> None:
    lot = sender.lot()
    where = int(len(lot.report_bytes) * position)
    flipped = bytearray(lot.report_bytes)
    while not chr(flipped[where]).isalpha():
        where += 1
    flipped[where] ^= 0x20
    truthful = replace(
        lot,
        report=replace(lot.report, hash="", size=len(flipped)),
        report_bytes=bytes(flipped),
    )
    assert sender.send(truthful) in ("XDSRegistryMetadataError", "XDSRepositoryMetadataError")


def test_a_lot_without_signature_is_refused(sender: Sender) -> None:
    lot = sender.lot()
    plain = replace(lot.signature, format_code=lot.report.format_code)
    assert sender.send(replace(lot, signature=plain)) == "XDSRegistryMetadataError"


def test_a_lot_signed_by_a_colleague_or_a_stranger_is_refused(sender: Sender, pki: TestPki) -> None:
    colleague = pki.organisation(CABINET_B.struct_idnat, "SIGN")
    assert sender.send(sender.lot(signer=colleague)) == "XDSRegistryMetadataError"
    stranger = pki.rogue(CABINET_A.struct_idnat)
    assert sender.send(sender.lot(signer=stranger)) == "DMPInvalidCertificate"


def test_a_report_written_by_a_colleague_is_refused(sender: Sender) -> None:
    lot = sender.lot(cda=build_n1(report(DOCTOR_B), PDF))
    assert sender.send(lot) == "XDSRegistryMetadataError"


def test_replacing_what_is_unknown_or_already_replaced_is_refused(
    sender: Sender, sandbox: DmpSandbox
) -> None:
    first = sender.lot()
    assert sender.send(first) == "OK"
    entry = sandbox.registry.by_unique_id(first.report.unique_id)
    assert entry is not None
    unknown = replace(sender.lot(), replaced_entry=f"urn:uuid:{ids.new()}")
    assert sender.send(unknown) == "XDSReplaceFailed"
    by_unique_id = replace(sender.lot(), replaced_entry=first.report.unique_id)
    assert sender.send(by_unique_id) == "XDSDocumentUniqueIdError"
    assert sender.send(replace(sender.lot(), replaced_entry=entry.entry_uuid)) == "OK"
    again = replace(sender.lot(), replaced_entry=entry.entry_uuid)
    assert sender.send(again) == "XDSRegistryDeprecatedDocumentError"


def test_a_truncated_message_is_refused(sender: Sender) -> None:
    lot = sender.lot()
    content_type, body = mtom.build(sender.root(lot), lot.parts(), action=TD21)
    assert sender.post(content_type, body[:-20]) == "DMPInvalidRequest"
