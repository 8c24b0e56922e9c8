"""The evidence of one test: where it is filed, and what is refused."""

import hashlib
import json
from pathlib import Path

import pytest

from ris.rem.evidence import Evidence, Mark
from ris.rem.fictitious import RealLookingMatricule, refuse_real_matricules

REAL_LOOKING = "185057800608436"[:13]
REAL_LOOKING += f"{97 - int(REAL_LOOKING) % 97:02}"


@pytest.mark.rem("LOC-TRC-02")
def test_one_call_files_the_proof_under_each_mark(tmp_path: Path, evidence) -> None:
    marks = (
        Mark("RIS.INS.16", "INS/va1.31.01"),
        Mark("RIS.AUTH.01", "AUTH/va1.01.01"),
        Mark("RIS.INS.26"),
    )
    filed = Evidence(tmp_path, "tests/x.py::test_x", marks)
    filed.add("01", "insi-answer.xml", b"<a/>")
    paths = [artefact.path for artefact in filed.artefacts]
    assert paths == [
        "RI/RIS.INS.16/INS_va1.31.01.01-insi-answer.xml",
        "SCM/RIS.AUTH.01/AUTH_va1.01.01.01-insi-answer.xml",
        "RI/RIS.INS.26/RIS.INS.26.01-insi-answer.xml",
    ]
    assert all((tmp_path / path).read_bytes() == b"<a/>" for path in paths)
    first = filed.artefacts[0]
    assert first.sha256 == hashlib.sha256(b"<a/>").hexdigest()
    assert first.test == "tests/x.py::test_x"
    assert first.version
    assert first.written.endswith("+00:00")
    evidence.add("01", "index.json", {"files": [one.as_json() for one in filed.artefacts]})


def test_a_dictionary_is_filed_as_json(tmp_path: Path) -> None:
    filed = Evidence(tmp_path, "t", (Mark("RIS.INS.26"),))
    filed.add("02", "history.json", {"état": "validée"})
    text = (tmp_path / filed.artefacts[0].path).read_text(encoding="utf-8")
    assert "validée" in text
    assert json.loads(text) == {"état": "validée"}


def test_the_files_of_a_parametrised_test_stay_apart(tmp_path: Path) -> None:
    for parameter in ("no sex", "no/name"):
        filed = Evidence(tmp_path, f"t.py::test_x[{parameter}]", (Mark("RIS.INS.26"),))
        filed.add("01", "answer.xml", parameter)
    names = sorted(path.name for path in tmp_path.rglob("*.xml"))
    assert names == ["RIS.INS.26.01-answer-no-name.xml", "RIS.INS.26.01-answer-no-sex.xml"]


@pytest.mark.parametrize(("proof", "name"), [("1", "a.xml"), ("01", "../a.xml"), ("01", "")])
def test_a_wrong_proof_number_or_name_is_refused(tmp_path: Path, proof: str, name: str) -> None:
    with pytest.raises(ValueError, match="two digits"):
        Evidence(tmp_path, "t", (Mark("RIS.INS.26"),)).add(proof, name, "x")


def test_evidence_without_a_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="marker"):
        Evidence(tmp_path, "t", ()).add("01", "a.xml", "x")


@pytest.mark.parametrize("text", ["{}", "<id extension='{}' root='1.2.250.1.213.1.4.8'/>"])
def test_a_real_looking_matricule_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    filed = Evidence(tmp_path, "t", (Mark("RIS.INS.26"),))
    with pytest.raises(RealLookingMatricule) as caught:
        filed.add("01", "a.xml", text.format(REAL_LOOKING))
    assert REAL_LOOKING not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "279035121518989",
        "297022A02077878 under 1.2.250.1.213.1.4.8",
        f"{REAL_LOOKING}^^^&1.2.250.1.213.1.4.10&ISO^NH",
        REAL_LOOKING[:-2] + "99",
        f"1.2.250.{REAL_LOOKING}.1",
        f"{REAL_LOOKING}7",
    ],
)
def test_fictitious_matricules_and_other_numbers_pass(text: str) -> None:
    refuse_real_matricules(text.encode())


def test_a_production_oid_beside_a_test_oid_does_not_excuse_a_matricule() -> None:
    text = f"{REAL_LOOKING} 1.2.250.1.213.1.4.10 1.2.250.1.213.1.4.8"
    with pytest.raises(RealLookingMatricule):
        refuse_real_matricules(text.encode())


def test_corsican_keys_are_computed() -> None:
    with pytest.raises(RealLookingMatricule):
        refuse_real_matricules(corsican().encode())


def corsican() -> str:
    body = "185052A006084"
    return f"{body}{97 - int(body.replace('2A', '19')) % 97:02}"
