"""Our documents against the official kit, by our validator and by the independent one."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ris.identity.values import Status
from ris.orders.values import Code, Dose
from ris.reports.artefacts import make
from ris.reports.cda.codes import DCM
from ris.reports.content import ReportContent, Sections, VersionKind
from ris.reports.settings import ReportSettings
from ris.reports.validation.findings import Finding, errors
from ris.reports.validation.validate import validate
from tests.plugin_rem import Evidence
from tests.reports.sample import PATIENT, RADIOLOGIST, SITE, content, exam, second_version

pytestmark = pytest.mark.xdist_group("cda")  # each process compiles the schematrons once
DAP = Dose(Code("113722", DCM, "PDS total"), 0.000012, "Gy.m2")
UNQUALIFIED = replace(PATIENT, status=Status.VALIDEE)
USED = replace(PATIENT.traits, used_family="D'ÉTÉ", used_given="LOU")
VARIANTS: dict[str, Callable[[], ReportContent]] = {
    "qualified": content,
    "without-ins": lambda: content(patient=UNQUALIFIED),
    "used-names": lambda: content(patient=replace(PATIENT, traits=USED)),
    "unknown-birth-place": lambda: content(
        patient=replace(PATIENT, traits=replace(PATIENT.traits, birth_place=""))
    ),
    "replacement": second_version,
    "addendum": lambda: second_version(
        kind=VersionKind.ADDENDUM,
        sections=replace(content().sections, addendum="Comparaison faite."),
    ),
    "radiography": lambda: content(exams=(exam("CR", doses=(DAP,)),)),
    "ionising-without-dose": lambda: content(exams=(exam("DX"),)),
    "ultrasound": lambda: content(exams=(exam("US"),)),
    "mri-without-series": lambda: content(exams=(exam("MR", series=(), ccam=None),)),
    "two-exams": lambda: content(exams=(exam("CT", 1), exam("MR", 2))),
    "no-copy": lambda: content(recipients=()),
    "odd-characters": lambda: content(
        title="L’œuf & <CR>",
        sections=Sections(
            results="]]> <b> & \u000b 😀 12\u00a0mm ≥ µ", conclusion="Œdème « net »."
        ),
    ),
    "minimal": lambda: content(
        sections=Sections(conclusion="Normal."),
        recipients=(),
        custodian=replace(SITE, phone=""),
        author=replace(RADIOLOGIST, specialty="", title="", structure=replace(SITE, phone="")),
        exams=(exam("US", series=(), device="", ccam=None, ended_at=None),),
    ),
}
MUTATIONS = {
    "other-root": (b'1.2.250.1.213.1.1.1.1"', b'1.2.250.1.213.1.1.1.2"'),
    "no-offset-digits": (b'<effectiveTime value="2', b'<effectiveTime value="x'),
    "gender": (b'administrativeGenderCode code="F"', b'administrativeGenderCode code="X"'),
    "qualifier": (b'qualifier="BR"', b'qualifier="SP"'),
    "type-code": (b"18748-4", b"00000-0"),
    "signature": (b'signatureCode code="S"', b'signatureCode code="Z"'),
    "custodian-root": (b"<custodian>", b'<custodian nullFlavor="UNK"/><custodian>'),
    "language": (b'<languageCode code="fr-FR"/>', b""),
}


@pytest.fixture(scope="module")
def kit(conformance: Path) -> Path:
    return conformance / "cda" / "kit"


def independent_verdicts(conformance: Path, files: list[Path]) -> dict[str, bool]:
    """Run the project-neutral validator as its own process; say which files it accepts."""
    command = [sys.executable, str(conformance / "cda" / "validate.py"), "--json"]
    ran = subprocess.run(
        [*command, *map(str, files)], capture_output=True, check=False, timeout=300
    )
    return {Path(one["file"]).name: one["valid"] for one in json.loads(ran.stdout)}


def wrong(document: bytes, kit: Path) -> list[Finding]:
    return errors(validate(document, kit))


@pytest.mark.rem("RIS.DOC.02", scenario="DOC/va1.16.01")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_produced_report_passes_the_official_kit(
    name: str, kit: Path, evidence: Evidence
) -> None:
    made = make(VARIANTS[name](), ReportSettings(kit_dir=kit))
    evidence.add("01", f"{name}-n1.xml", made.n1)
    assert wrong(made.n1, kit) == []
    assert wrong(made.n3, kit) == []


def test_the_independent_validator_accepts_the_same_reports(
    conformance: Path, tmp_path: Path
) -> None:
    files = []
    for name in ("qualified", "without-ins", "two-exams", "addendum"):
        made = make(VARIANTS[name](), ReportSettings())
        for level, document in (("n1", made.n1), ("n3", made.n3)):
            files.append(tmp_path / f"{name}-{level}.xml")
            files[-1].write_bytes(document)
    assert independent_verdicts(conformance, files) == {file.name: True for file in files}


def test_both_validators_refuse_the_same_broken_reports(
    conformance: Path, kit: Path, tmp_path: Path
) -> None:
    ours: dict[str, bool] = {}
    for vector in ("min_n1", "min_n3"):
        sound = (conformance / "cda" / "vectors" / f"{vector}.xml").read_bytes()
        for name, (before, after) in {"sound": (b"", b""), **MUTATIONS}.items():
            document = sound.replace(before, after) if before else sound
            assert name == "sound" or document != sound
            file = tmp_path / f"{vector}-{name}.xml"
            file.write_bytes(document)
            ours[file.name] = wrong(document, kit) == []
    verdicts = independent_verdicts(conformance, sorted(tmp_path.iterdir()))
    assert ours == verdicts
    assert [name for name, valid in ours.items() if valid] == [
        "min_n1-sound.xml",
        "min_n3-sound.xml",
    ]


def test_the_official_example_has_only_its_known_dangling_references(
    conformance: Path, kit: Path
) -> None:
    example = conformance / "cda" / "examples" / "IMG_CR_IMG_2024.01.xml"
    found = wrong(example.read_bytes(), kit)
    assert {finding.pattern for finding in found} == {"cda"}
    assert "CDA-NAR-01" in {finding.rule for finding in found}


def test_the_official_level_1_example_is_refused_for_its_pdf_only(
    conformance: Path, kit: Path
) -> None:
    example = conformance / "cda" / "examples" / "IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml"
    found = wrong(example.read_bytes(), kit)
    assert found
    assert {finding.pattern for finding in found} == {"pdfa"}
