"""The published table of error codes is that of the code."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import ris.cli
from ris.commands import documents, error_codes

ROOT = Path(__file__).parents[2]


def test_the_published_table_is_up_to_date() -> None:
    published = (ROOT / error_codes.PUBLISHED).read_text(encoding="utf-8")
    assert published == error_codes.render()


def test_it_holds_codes_of_classes_and_codes_given_where_an_error_is_raised() -> None:
    told = {(one.room, one.code): one.status for one in error_codes.every()}
    assert told["auth", "role_denied"] == 403  # a class
    assert told["auth", "PS_IDNAT_INVALID"] == 422  # given to `Invalid` at one place
    assert told["web", "BAD_CURSOR"] == 422
    assert "sandbox" not in {room for room, _ in told}


def test_the_command_writes_it_and_the_check_sees_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    run, check = CliRunner(), ["docs", "errors", "--check"]
    assert run.invoke(ris.cli.cli, check).exit_code == 1
    assert run.invoke(ris.cli.cli, ["docs", "errors"]).exit_code == 0
    assert run.invoke(ris.cli.cli, check).exit_code == 0
    file = tmp_path / error_codes.PUBLISHED
    file.write_text(file.read_text("utf-8").replace("role_denied", "role-denied"), "utf-8")
    assert run.invoke(ris.cli.cli, check).exit_code == 1
