"""The builder refuses an unsound content, once, with every problem."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from ris.identity.values import NIR_TEST, Ins
from ris.orders.values import Code, Dose
from ris.reports.cda.build import build_n1, build_n3
from ris.reports.cda.check import problems
from ris.reports.cda.codes import CCAM, DCM, LOINC, SNOMED
from ris.reports.content import DocumentIds, ReportContent, Sections, VersionKind
from ris.reports.errors import ContentRefused
from tests.reports.sample import AT, PATIENT, RADIOLOGIST, REQUESTER, content, exam

NAIVE = datetime(2026, 11, 22, 14, 30)  # noqa: DTZ001 - the defect under test


def with_exam(**changes: Any) -> ReportContent:
    return content(exams=(exam(**changes),))


def with_n1(**changes: Any) -> ReportContent:
    return content(n1=replace(content().n1, **changes))


CASES: list[tuple[str, ReportContent, str]] = [
    ("blank title", content(title=" "), "CDA-NAR-02"),
    ("no conclusion", content(sections=Sections(results="R")), "CDA-NAR-02"),
    ("placeholder", content(sections=Sections(conclusion="…")), "CDA-NAR-02"),
    ("empty addendum", content(kind=VersionKind.ADDENDUM), "CDA-NAR-02"),
    ("version 2 replaces nothing", with_n1(version=2), "CDA-VER-01"),
    ("version 1 replaces", with_n1(replaces="2.25.9"), "CDA-VER-01"),
    ("version 0", with_n1(version=0), "CDA-VER-02"),
    ("set is the document", with_n1(set_id="2.25.1001"), "CDA-VER-03"),
    ("N1 is N3", content(n3=DocumentIds("2.25.1001", "2.25.2000", 1)), "CDA-VER-03"),
    ("leading zero", with_n1(unique_id="2.25.01"), "CDA-VER-04"),
    ("naive time", content(signed_at=NAIVE), "CDA-TS-01"),
    ("ends first", with_exam(ended_at=AT.replace(year=2020)), "CDA-TS-02"),
    ("bad key", content(patient=replace(PATIENT, ins=Ins("2" * 15, NIR_TEST))), "CDA-INS-01"),
    (
        "postal code as birth place",
        content(patient=replace(PATIENT, traits=replace(PATIENT.traits, birth_place="7500"))),
        "CDA-INS-02",
    ),
    ("no local number", content(patient=replace(PATIENT, ipp="")), "CDA-INS-04"),
    ("signer without RPPS", content(author=replace(RADIOLOGIST, ps_idnat="12")), "CDA-PS-02"),
    ("signer without site", content(author=replace(RADIOLOGIST, structure=None)), "CDA-PS-03"),
    ("requester unknown", content(requester=replace(REQUESTER, ps_idnat="")), "CDA-PS-01"),
    ("bad mail", content(requester=replace(REQUESTER, mss_address="a b@c")), "CDA-PS-04"),
    ("no exam", content(exams=()), "CDA-ORD-03"),
    ("no accession", with_exam(accession_number=""), "CDA-ORD-01"),
    ("no order", with_exam(order_number=""), "CDA-ORD-02"),
    ("bad study", with_exam(study_uid="1.02.3"), "CDA-DCM-01"),
    ("act not LOINC", with_exam(procedure=Code("ACQH003", CCAM, "x")), "CDA-TERM-01"),
    ("bad CCAM", with_exam(ccam=Code("ACQ3", CCAM, "x")), "CDA-TERM-01"),
    ("modality SR", with_exam(modality=Code("SR", DCM, "x")), "CDA-TERM-02"),
    ("region", with_exam(region=Code("1", SNOMED, "x")), "CDA-TERM-02"),
    ("dose code", with_exam(doses=(Dose(Code("1", LOINC, "x"), 1, "mGy"),)), "CDA-DOSE-01"),
    ("dose", with_exam(doses=(Dose(Code("113813", DCM, "x"), -1, "mGy"),)), "CDA-DOSE-02"),
]


@pytest.mark.parametrize(("_name", "wrong", "code"), CASES, ids=[case[0] for case in CASES])
def test_an_unsound_content_is_refused_before_any_xml(
    _name: str, wrong: ReportContent, code: str
) -> None:
    assert code in {problem.code for problem in problems(wrong)}
    with pytest.raises(ContentRefused):
        build_n3(wrong)


def test_all_problems_come_in_one_error() -> None:
    wrong = content(title="", sections=Sections(), exams=(exam(accession_number=""),))
    with pytest.raises(ContentRefused) as refused:
        build_n1(wrong, b"%PDF-1.4")
    listed = refused.value.extensions["errors"]
    assert {one["pointer"] for one in listed} == {
        "/title", "/sections/conclusion", "/exams/0/accession_number",
    }  # fmt: skip
    assert all(one["message"].endswith(".") for one in listed)


def test_a_sound_content_has_no_problem() -> None:
    assert problems(content()) == []
