"""XDS metadata read from a CDA, and their ebRIM form."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ris.core.xml import parse, serialise
from ris.reports.content import Visibility
from ris.reports.ebrim import HAS_MEMBER, RIM, Medium, submit_objects
from ris.reports.xds import (
    DocumentEntry,
    IdType,
    MetadataError,
    Submission,
    SubmissionSet,
    cx,
    utc,
    xcn,
    xon,
)
from ris.reports.xds_source import confidentiality, document_entry

RIM_NS = {"r": RIM}


@pytest.fixture
def n1(conformance: Path) -> bytes:
    return (conformance / "cda/vectors/min_n1.xml").read_bytes()


def a_set(entry: DocumentEntry) -> SubmissionSet:
    return SubmissionSet(
        unique_id="2.25.900",
        source_id="1.2.250.1.213.99999.1",
        patient_id=entry.patient_id,
        submission_time="20240311150000",
        author=entry.authors[0],
        title=entry.title,
    )


def schema(conformance: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(conformance / "dmp/xsd/IHE/lcm.xsd"))


def codes(root: etree._Element, owner: str) -> set[tuple[str, str]]:
    found = root.xpath(f"//r:Classification[@classifiedObject='{owner}']", namespaces=RIM_NS)
    return {
        (each.get("classificationScheme", ""), each.get("nodeRepresentation", "")) for each in found
    }


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("20260305103000+0100", "20260305093000"),
        ("20260705103000+0200", "20260705083000"),
        ("20261025023000+0200", "20261025003000"),
        ("20261025023000+0100", "20261025013000"),
        ("20260101003000+0100", "20251231233000"),
        ("20260305", "20260305"),
        ("20260705103000", "20260705083000"),
        ("202607051030+0200", "20260705083000"),
        ("20260705103000.123+0200", "20260705083000"),
    ],
)
def test_any_cda_time_becomes_utc(local: str, expected: str) -> None:
    assert utc(local) == expected


@pytest.mark.parametrize("wrong", ["", "hier", "20261340103000+0100", "2026-03-05"])
def test_a_time_that_is_not_one_is_refused(wrong: str) -> None:
    with pytest.raises(MetadataError):
        utc(wrong)


def test_a_day_can_be_padded_to_seconds_by_choice() -> None:
    assert utc("20260305", pad=True) == "20260305000000"


@given(st.text(alphabet="AZé'-^&|~\\<> \t", max_size=20), st.text(alphabet="b^&~|\\", max_size=9))
def test_names_never_change_the_number_of_fields(one: str, two: str) -> None:
    assert xcn("899900000017", one, two).count("^") == 13 - 1
    assert xon(one, two).count("^") == 10 - 1
    assert xon(one, two).count("&") == 2
    assert cx(one, "1.2", IdType.INS).count("&") == 2


def test_an_internal_identifier_is_typed_ei() -> None:
    assert xcn("3750803447/42", "A", "B").endswith("^D^^^EI")


def test_the_entry_is_read_from_the_n1_header(n1: bytes) -> None:
    entry = document_entry(n1, source_id="1.2.250.1.213.99999.1")
    assert entry.unique_id == "2.25.301"
    assert entry.patient_id == "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert entry.source_patient_id == "RIS-000042^^^&1.2.250.1.213.99999.1.1&ISO^PI"
    assert entry.source_patient_info == (
        "PID-5|PAT-TROIS^DOMINIQUE^^^^^L",
        "PID-7|19790328",
        "PID-8|F",
    )
    assert entry.creation_time == "20240311144500"
    assert (entry.service_start, entry.service_stop) == ("20240311140000", "20240311142000")
    expected = "801234560801^TESTRADIO^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    assert entry.legal_authenticator == entry.authors[0].person == expected
    assert entry.authors[0].institution.endswith("&ISO^IDNST^^^1750803447")
    assert (entry.class_code.code, entry.type_code.code) == ("10", "18748-4")
    assert entry.format_code.code == "urn:ihe:iti:xds-sd:pdf:2008"
    assert (entry.facility.code, entry.practice_setting.code) == ("SA08", "AMBULATOIRE")
    assert {code.code for code in entry.events} == {"24727-0", "ACQH003", "CT", "774007"}
    assert [each.rpartition(":")[2] for each in entry.reference_ids] == [
        "accession", "order", "studyInstanceUID",
    ]  # fmt: skip
    assert (entry.hash, entry.size) == (hashlib.sha1(n1).hexdigest(), len(n1))


def test_an_n3_document_has_the_imaging_format(conformance: Path) -> None:
    entry = document_entry((conformance / "cda/vectors/min_n3.xml").read_bytes())
    assert entry.format_code.code == "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"


def test_without_ins_in_the_document_the_patient_is_the_local_one(n1: bytes) -> None:
    without = n1.replace(b'<id root="1.2.250.1.213.1.4.10" extension="279035121518989"/>', b"")
    entry = document_entry(without)
    assert entry.patient_id == entry.source_patient_id
    assert entry.patient_id.endswith("&ISO^PI")


@pytest.mark.parametrize("missing", [b"<title>", b"<legalAuthenticator>", b"<languageCode "])
def test_a_header_without_what_a_registry_needs_is_refused(n1: bytes, missing: bytes) -> None:
    tag = missing.strip(b"<> ")
    with pytest.raises(MetadataError):
        document_entry(n1.replace(b"<" + tag, b"<x").replace(b"</" + tag, b"</x"))


@pytest.mark.rem("RIS.DMP.07", scenario="DMP/va1.10.01")
def test_the_restrictions_are_added_to_normal_in_the_metadata(n1: bytes) -> None:
    entry = document_entry(n1, visibility=frozenset(Visibility))
    assert [code.code for code in entry.confidentiality] == [
        "N", "MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX",
    ]  # fmt: skip
    assert {code.system for code in entry.confidentiality[1:]} == {"1.2.250.1.213.1.1.4.13"}
    assert [code.code for code in confidentiality(())] == ["N"]


@pytest.mark.parametrize("medium", list(Medium))
def test_the_request_is_valid_ebrim(n1: bytes, conformance: Path, medium: Medium) -> None:
    entry = document_entry(n1, uri="DOC00001.XML", visibility=frozenset(Visibility))
    request = parse(serialise(submit_objects(Submission(a_set(entry), (entry,)), medium)))
    schema(conformance).assertValid(request)
    member = request.xpath(f"//r:Association[@associationType='{HAS_MEMBER}']", namespaces=RIM_NS)
    assert [(each.get("sourceObject"), each.get("targetObject")) for each in member] == [
        ("SubmissionSet01", "Document01")
    ]


@pytest.mark.parametrize("name", ["init-qualified", "init-not-qualified", "replace"])
def test_the_xdm_metadata_says_what_the_reference_archive_says(
    conformance: Path, name: str
) -> None:
    folder = conformance / "mss/xdm" / name
    theirs = parse((folder / "METADATA.XML").read_bytes())
    with zipfile.ZipFile(folder / "IHE_XDM.zip") as archive:
        cda = archive.read("IHE_XDM/SUBSET01/DOC00001.XML")
    entry = document_entry(cda, uri="DOC00001.XML")
    ours = submit_objects(Submission(a_set(entry), (entry,)), Medium.XDM)

    def slots(root: etree._Element) -> dict[str, list[str]]:
        found = root.xpath("//r:ExtrinsicObject/r:Slot", namespaces=RIM_NS)
        return {
            each.get("name", ""): each.xpath(".//r:Value/text()", namespaces=RIM_NS)
            for each in found
        }

    mine = slots(ours)
    assert {key: mine.get(key) for key in slots(theirs)} == slots(theirs)
    assert codes(theirs, "Document01") <= codes(ours, "Document01")
    assert codes(theirs, "SubmissionSet01") == codes(ours, "SubmissionSet01")
