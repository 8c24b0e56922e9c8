"""The `satisfies` tag: checked ids, one attribute, cheap to import."""

import subprocess
import sys
from pathlib import Path

import mypy.api
import pytest

from ris.rem import satisfies
from ris.rem.idfile import TARGET, ids_source
from ris.rem.tags import UnknownRequirement


@pytest.mark.rem("LOC-TRC-01")
def test_a_tag_adds_its_ids_and_changes_nothing_else(evidence) -> None:
    @satisfies("RIS.INS.15")
    @satisfies("RIS.INS.16")
    def refuse(answer: int) -> int:
        return answer + 1

    assert refuse.__rem__ == ("RIS.INS.16", "RIS.INS.15")
    assert refuse(1) == 2
    evidence.add("01", "tag.json", {"function": "refuse", "x-rem": list(refuse.__rem__)})


@pytest.mark.parametrize("wrong", ["RIS.INS.59", "INS/va1.31", "RIS.INS.1", "MSS/CONF.21", ""])
def test_an_unknown_or_alias_id_is_refused_at_import(wrong: str) -> None:
    with pytest.raises(UnknownRequirement):
        satisfies(wrong)


def test_more_than_three_ids_on_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 3"):
        satisfies("RIS.INS.01", "RIS.INS.02", "RIS.INS.03", "RIS.INS.04")


def test_the_generated_ids_are_those_of_the_catalogue() -> None:
    assert TARGET.read_text(encoding="utf-8") == ids_source(), "run: ris rem ids"


def test_an_unknown_id_is_a_type_error(tmp_path: Path) -> None:
    source = tmp_path / "tagged.py"
    tag = 'from ris.rem import satisfies\n\n@satisfies("{}")\ndef f() -> None: ...\n'
    source.write_text(tag.format("RIS.INS.01") + tag.format("RIS.INS.99").replace(" f", " g"))
    options = ["--config-file=", f"--cache-dir={tmp_path}", "--strict", str(source)]
    output, _, status = mypy.api.run(options)
    assert status == 1
    assert "Found 1 error" in output
    assert "RIS.INS.99" in output


def test_importing_the_tag_reads_no_catalogue() -> None:
    code = (
        "import sys, ris.rem\n"
        "assert 'csv' not in sys.modules and 'ris.rem.catalogue' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
