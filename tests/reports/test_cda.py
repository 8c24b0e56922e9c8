"""What the CDA says: header facts, versions, text, and no INS for an unqualified identity."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.core.xml import parse, text_of
from ris.identity.values import INS_OIDS, Attribute, Status
from ris.reports.cda.build import build_n1, build_n3
from ris.reports.cda.read import read
from ris.reports.cda.vocabulary import XPATH, plain
from ris.reports.content import Level, Sections, VersionKind
from ris.reports.errors import NotAReport
from ris.reports.xds_source import document_entry
from tests.plugin_rem import Evidence
from tests.reports.sample import (
    CORRESPONDENT,
    MATRICULE,
    PATIENT,
    REQUESTER,
    content,
    exam,
    second_version,
)

PDF = b"%PDF-1.4 body"


@pytest.mark.rem("RIS.CRR.07", scenario="CRI/va1.07.01")
@pytest.mark.parametrize("xml", [build_n1(content(), PDF), build_n3(content())], ids=["n1", "n3"])
def test_the_type_code_is_18748_4(xml: bytes, evidence: Evidence) -> None:
    evidence.add("01", "compte-rendu.xml", xml)
    root = parse(xml)
    assert text_of(root, "h:code/@code", XPATH) == "18748-4"
    assert text_of(root, "h:code/@codeSystem", XPATH) == "2.16.840.1.113883.6.1"


def test_level_1_has_exactly_three_templates_and_level_3_the_model() -> None:
    templates = [
        parse(xml).xpath("h:templateId/@root", namespaces=XPATH)
        for xml in (build_n1(content(), PDF), build_n3(content()))
    ]
    assert len(templates[0]) == 3
    assert templates[1][-1] == "1.2.250.1.213.1.1.1.45"


@pytest.mark.rem("RIS.DOC.04", scenario="DOC/va1.15.01")
def test_every_recipient_is_named_in_the_header(evidence: Evidence) -> None:
    xml = build_n1(content(recipients=(REQUESTER, CORRESPONDENT)), PDF)
    evidence.add("01", "compte-rendu.xml", xml)
    document = read(xml)
    assert [one.identifier for one in document.recipients] == [
        REQUESTER.ps_idnat, CORRESPONDENT.ps_idnat,
    ]  # fmt: skip


@pytest.mark.rem("RIS.DOC.05", scenario="DOC/va1.17.01")
def test_the_requesters_mssante_address_is_in_the_header(evidence: Evidence) -> None:
    xml = build_n1(content(), PDF)
    evidence.add("01", "compte-rendu.xml", xml)
    document = read(xml)
    assert document.requester is not None
    assert document.requester.mail == REQUESTER.mss_address


@pytest.mark.rem("RIS.DOC.03", scenario="DOC/va1.04.01")
def test_the_ins_of_a_qualified_identity_is_in_the_header(evidence: Evidence) -> None:
    xml = build_n1(content(), PDF)
    evidence.add("02", "compte-rendu.xml", xml)
    assert PATIENT.ins is not None
    role = "h:recordTarget/h:patientRole"
    matricules = parse(xml).xpath(f"{role}/h:id[@root='{PATIENT.ins.oid}']", namespaces=XPATH)
    assert [one.get("extension") for one in matricules] == [MATRICULE]
    assert read(xml).patient.ins == PATIENT.ins


def test_the_identifier_chain_of_the_exam_is_in_the_header() -> None:
    root = parse(build_n1(content(exams=(exam("CT", 1), exam("CR", 2))), PDF))
    orders = "h:inFulfillmentOf/h:order/d:accessionNumber/@extension"
    assert root.xpath(orders, namespaces=XPATH) == ["A261122001", "A261122002"]
    studies = root.xpath("h:documentationOf/h:serviceEvent/h:id", namespaces=XPATH)
    assert [study.get("root") for study in studies] == [
        "1.2.250.1.213.99999.4.20261122.1", "1.2.250.1.213.99999.4.20261122.2",
    ]  # fmt: skip
    assert all(study.get("extension") is None for study in studies)


def test_a_later_version_replaces_the_one_before_in_its_own_set() -> None:
    n1, n3 = read(build_n1(second_version(), PDF)), read(build_n3(second_version()))
    assert (n1.set_id, n1.version, n1.replaces) == ("2.25.1000", 2, "2.25.1001")
    assert (n3.set_id, n3.version, n3.replaces) == ("2.25.2000", 2, "2.25.2001")


def test_an_addendum_is_signed_in_its_own_section() -> None:
    said = replace(content().sections, addendum="Relecture : pas de changement.")
    xml = build_n3(second_version(sections=said, kind=VersionKind.ADDENDUM))
    addendum = parse(xml).xpath("//h:section[h:code/@code='55107-7']", namespaces=XPATH)[0]
    assert text_of(addendum, "h:author//h:family", XPATH) == "TESTRADIO"
    assert read(xml).sections[0].paragraphs == ("Relecture : pas de changement.",)


def test_level_1_gives_back_its_pdf() -> None:
    document = read(build_n1(content(), PDF))
    assert (document.level, document.pdf) == (Level.N1, PDF)


def test_two_builds_give_the_same_bytes() -> None:
    assert build_n3(content()) == build_n3(content())


@pytest.mark.parametrize("modality", ["MR", "US"])
def test_no_exposure_section_without_ionising_radiation(modality: str) -> None:
    codes = {section.code for section in read(build_n3(content(exams=(exam(modality),)))).sections}
    assert "73569-6" not in codes


def test_every_reference_of_the_body_has_its_target() -> None:
    root = parse(build_n3(content(exams=(exam("CT", 1), exam("MR", 2)))))
    targets = root.xpath("//h:content/@ID", namespaces=XPATH)
    cited = root.xpath("//h:reference/@value", namespaces=XPATH)
    assert len(set(targets)) == len(targets)
    assert {f"#{target}" for target in targets} >= set(cited)


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.strip() != ""))
def test_any_text_gives_a_well_formed_document_and_is_read_back(text: str) -> None:
    said = Sections(results=f"x{text}x", conclusion="x" + text)
    document = read(build_n3(content(sections=said)))
    assert document.sections[-2].paragraphs == (plain(f"x{text}x"),)


@pytest.mark.parametrize(
    "text", ["a\u000bb", "]]>", "<script>&amp;", "\U0001f600", "12\u00a0mm ≥ 3 µ", "l'œuf ’"]
)
def test_hostile_text_is_shown_literally(text: str) -> None:
    document = read(build_n3(content(sections=Sections(conclusion=text))))
    assert document.sections[-1].paragraphs == (plain(text),)
    assert plain(text) == text.replace("\u000b", "\ufffd")


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
@pytest.mark.parametrize(
    "patient",
    [
        *(replace(PATIENT, status=status) for status in Status if status != Status.QUALIFIEE),
        replace(PATIENT, attributes=frozenset({Attribute.DOUTEUSE})),
    ],
    ids=lambda patient: f"{patient.status} {set(patient.attributes)}",
)
def test_an_unqualified_identity_leaves_no_ins_in_the_document(
    patient: object, evidence: Evidence
) -> None:
    evidence.add("01", "compte-rendu-sans-ins.xml", build_n1(content(patient=patient), PDF))
    for xml in (build_n1(content(patient=patient), PDF), build_n3(content(patient=patient))):
        text = xml.decode()
        assert MATRICULE not in text
        assert not [oid for oid in INS_OIDS if f'"{oid}"' in text]
        assert read(xml).patient.ipp == PATIENT.ipp


@pytest.mark.parametrize("xml", [b"<a/>", b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"])
def test_what_is_not_a_report_is_refused(xml: bytes) -> None:
    with pytest.raises(NotAReport):
        read(xml)


@pytest.mark.parametrize("level", Level)
def test_the_metadata_reader_understands_our_header(level: Level) -> None:
    xml = build_n1(content(), PDF) if level is Level.N1 else build_n3(content())
    entry = document_entry(xml)
    expected = content().n1 if level is Level.N1 else content().n3
    assert entry.unique_id == expected.unique_id
    assert entry.type_code.code == "18748-4"


@pytest.mark.parametrize(
    ("value", "read_as", "coded"),
    [(812.5, "812,5", "812.5"), (0.000012, "0,000012", "0.000012"), (1140.0, "1140", "1140")],
)
def test_a_dose_is_written_without_exponent(value: float, read_as: str, coded: str) -> None:
    dose = replace(exam().doses[0], value=value)
    xml = build_n3(content(exams=(exam(doses=(dose,)),)))
    shown = next(one for one in read(xml).sections if one.code == "73569-6")
    assert shown.paragraphs[-1] == f"PDL total : {read_as} mGy.cm"
    assert text_of(parse(xml), "//h:value[@unit]/@value", XPATH) == coded
