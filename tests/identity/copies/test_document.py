"""The security document says what the code does, and says it today."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import ris.cli
from ris.app import ACTIVITIES
from ris.commands import documents
from ris.identity.copies import document
from ris.identity.copies.parameters import parameters
from ris.rem.evidence import Evidence

ROOT = Path(__file__).parents[3]


@pytest.mark.rem("RIS.INS.58", scenario="INS/va1.42.01")
def test_the_published_document_is_in_step_with_the_code(evidence: Evidence) -> None:
    published = (ROOT / document.PUBLISHED).read_text(encoding="utf-8")
    assert published == document.render(parameters(ACTIVITIES))
    evidence.add("06", "security-id-copies.md", published)


@pytest.mark.rem("RIS.INS.58")
def test_the_document_gives_all_that_the_proof_asks_for() -> None:
    told = document.render(parameters(ACTIVITIES))
    for word in (
        "AES-GCM", "clé 256 bits", "nonce 96 bits", "étiquette 128 bits", "RFC 3394", "0600",
        "60 mois (5 ans)", "29 février", "purge_id_copies", "Rotation", "Déchiffrement",
        "identity.copy.read", "IDENTITY_OFFICER", "5242880 octets", "30 minutes", "ff d8 ff",
        "demande d'examen", "compte rendu", "désactivé par défaut",
    ):  # fmt: skip
        assert word in told, word


def test_the_command_writes_it_and_the_check_sees_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    run = CliRunner()
    check = ["docs", "id-copies", "--check"]
    assert run.invoke(ris.cli.cli, check).exit_code == 1
    assert run.invoke(ris.cli.cli, ["docs", "id-copies"]).exit_code == 0
    assert run.invoke(ris.cli.cli, check).exit_code == 0
    file = tmp_path / document.PUBLISHED
    file.write_text(file.read_text("utf-8").replace("60 mois", "61 mois"), "utf-8")
    assert run.invoke(ris.cli.cli, check).exit_code == 1
