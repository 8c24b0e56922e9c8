"""`ris reports validate`: files in, findings and an exit code out."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ris.reports.artefacts import make
from ris.reports.cli import app
from ris.reports.settings import ReportSettings
from tests.reports.sample import content


@pytest.fixture
def n1(tmp_path: Path) -> Path:
    file = tmp_path / "n1.xml"
    file.write_bytes(make(content(), ReportSettings()).n1)
    return file


def test_a_sound_document_exits_zero(n1: Path) -> None:
    ran = CliRunner().invoke(app, ["validate", str(n1)])
    assert ran.exit_code == 0
    assert "0 erreur(s)" in ran.output


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (b"<ClinicalDocument", b"<!DOCTYPE a><ClinicalDocument", "UNSAFE_XML"),
        (b'representation="B64">', b'representation="B64">*', "CDA_UNREADABLE"),
        (b'representation="B64">JVBE', b'representation="B64">AAAA', "6.1.2.1"),
    ],
)
def test_a_document_the_kit_would_not_see_broken_exits_one(
    n1: Path, before: bytes, after: bytes, shown: str
) -> None:
    n1.write_bytes(n1.read_bytes().replace(before, after))
    ran = CliRunner().invoke(app, ["validate", str(n1)])
    assert ran.exit_code == 1
    assert shown in ran.output


def test_with_the_kit_the_schema_and_the_schematrons_run(n1: Path, conformance: Path) -> None:
    n1.write_bytes(n1.read_bytes().replace(b'qualifier="BR"', b'qualifier="SP"'))
    ran = CliRunner().invoke(app, ["validate", str(n1), "--kit", str(conformance / "cda/kit")])
    assert ran.exit_code == 1
    assert "[structmin]" in ran.output
