"""Defects that the official kit accepts and our validator refuses (cda.md §7)."""

from pathlib import Path

import pytest

from ris.reports.artefacts import make
from ris.reports.settings import ReportSettings
from ris.reports.validation.blind_spots import blind_spot_findings
from ris.reports.validation.findings import Severity
from ris.reports.validation.schematron import schematron_findings
from ris.reports.validation.xsd import schema_findings
from tests.reports.sample import content

pytestmark = pytest.mark.xdist_group("cda")
MADE = make(content(), ReportSettings())
BROKEN: list[tuple[str, bytes, str, str]] = [
    ("CDA-PDF-01", MADE.n1, ' representation="B64"', ""),
    ("CDA-NAR-01", MADE.n3, 'ID="a1-dose1"', 'ID="other"'),
    ("CDA-NAR-02", MADE.n3, "Scanner cérébral sans anomalie décelable.", " "),
    ("CDA-VER-01", MADE.n1, 'versionNumber value="1"', 'versionNumber value="2"'),
    ("CDA-VER-02", MADE.n1, 'versionNumber value="1"', 'versionNumber value="0"'),
    ("CDA-VER-03", MADE.n1, 'setId root="2.25.1000"', 'setId root="2.25.1001"'),
    ("CDA-TS-01", MADE.n1, 'low value="20261122143000+0100"', 'low value="20261122143000"'),
    ("CDA-TS-02", MADE.n1, 'high value="20261122145000', 'high value="20251122145000'),
    ("CDA-INS-01", MADE.n1, "279035121518989", "279035121518988"),
    ("CDA-ORD-01", MADE.n1, "accessionNumber", "otherNumber"),
    ("CDA-TERM-02", MADE.n1, 'code="774007"', 'code="774008"'),
]
XSD_SEES = {"CDA-ORD-01"}


@pytest.mark.parametrize(
    ("code", "sound", "before", "after"), BROKEN, ids=[case[0] for case in BROKEN]
)
def test_the_kit_accepts_what_our_rule_refuses(
    code: str, sound: bytes, before: str, after: str, conformance: Path
) -> None:
    broken = sound.replace(before.encode(), after.encode())
    assert broken != sound
    assert code in {finding.rule for finding in blind_spot_findings(broken)}
    if code not in XSD_SEES:
        kit = conformance / "cda" / "kit"
        assert schema_findings(broken, kit) == []
        assert schematron_findings(broken, kit) == []


def test_our_documents_have_no_blind_spot() -> None:
    assert blind_spot_findings(MADE.n1) == []
    assert blind_spot_findings(MADE.n3) == []


def test_a_missing_exposure_section_is_a_warning() -> None:
    found = blind_spot_findings(MADE.n3.replace(b'"73569-6"', b'"73569-9"'))
    assert [(one.rule, one.severity) for one in found] == [("CDA-RAD-01", Severity.WARNING)]
