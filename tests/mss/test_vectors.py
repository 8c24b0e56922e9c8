"""The conformance vectors of MSSanté: every row of every file, read in place."""

import base64
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ris.core.errors import RisError
from ris.identity.values import Ins, PatientIdentity, Sex, Status, Traits
from ris.mss.address import patient_address
from ris.mss.consistency import problems
from ris.mss.errors import PatientAddressRefused, XdmRefused
from ris.mss.masking import accepted
from ris.mss.naming import pdf_name, subject
from ris.mss.receipts import classify as classify_receipt
from ris.mss.replies import Action, classify
from ris.mss.whitelist import domain_of, read
from ris.mss.xdm_reader import read_xdm
from ris.reports.content import Visibility

_STATUS = {
    "qualifiee": Status.QUALIFIEE,
    "recuperee": Status.RECUPEREE,
    "validee": Status.VALIDEE,
}


def _vectors(conformance: Path, name: str) -> Any:
    return json.loads((conformance / "mss" / name).read_text(encoding="utf-8"))


def _birth(text: str | None) -> date | None:
    try:
        return datetime.strptime(text or "", "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        return None


def _identity(status: Status, ins: Ins) -> PatientIdentity:
    traits = Traits("PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE)
    return PatientIdentity(UUID(int=1), "IPP101", "1.2.3", traits, status, ins=ins)


@pytest.mark.rem("RIS.MSS.19", scenario="MSS/va1.21.01")
def test_every_subject_vector_gives_the_regulated_subject(conformance: Path) -> None:
    for row in _vectors(conformance, "vectors/subject.json"):
        labels = [row["label"]] * row["n"]
        found = subject(labels, row["nom"], row["prenom"], _birth(row["naissance"]))
        assert found == row["out"]


def test_a_replacement_keeps_the_prefix_first() -> None:
    found = subject(["CR d'imagerie"], "Vial", "Paul", None, replaces=True)
    assert found == "XDM/1.0/DDM+[Annule et remplace] CR d'imagerie VIAL Paul"


@pytest.mark.rem("RIS.DOC.01", scenario="DOC/va1.01.01")
def test_every_pdf_name_vector_gives_the_regulated_name(conformance: Path) -> None:
    for row in _vectors(conformance, "vectors/pdf_name.json"):
        day = datetime.strptime(row["low"][:8], "%Y%m%d").date()  # noqa: DTZ007
        assert pdf_name(day, row["type"], row["nom"], row["prenom"], row["dossier"]) == row["out"]


def test_a_separator_inside_a_field_cannot_forge_another_field() -> None:
    name = pdf_name(date(2021, 1, 8), "CR a/b", "LE_GOFF", 'JEAN"', None)
    assert name == "20210108_CR a-b_LE-GOFF_JEAN-.pdf"


@pytest.mark.rem("RIS.MSS.12", scenario="MSS/va1.19.01-02")
def test_the_patient_address_exists_only_for_a_sound_qualified_ins(conformance: Path) -> None:
    for row in _vectors(conformance, "vectors/patient_address.json"):
        identity = _identity(_STATUS[row["status"]], Ins(row["matricule"], row["oid"]))
        test_mode = row["mode"] == "test"
        if "out" in row:
            assert patient_address(identity, test_mode=test_mode) == row["out"]
            continue
        with pytest.raises(PatientAddressRefused) as refused:
            patient_address(identity, test_mode=test_mode)
        assert refused.value.code == row["error"]
        assert row["matricule"] not in str(refused.value)


def test_every_combination_of_the_masking_matrix_gives_the_verdict(conformance: Path) -> None:
    flags = {
        "MASQUE_PS": Visibility.HIDDEN_FROM_PROFESSIONALS,
        "INVISIBLE_PATIENT": Visibility.HIDDEN_FROM_PATIENT,
        "INVISIBLE_REP_LEGAUX": Visibility.HIDDEN_FROM_GUARDIANS,
    }
    for row in _vectors(conformance, "vectors/masking_matrix.json"):
        chosen = frozenset(value for name, value in flags.items() if row[name] == "Y")
        for key, strict in (("accepted", False), ("accepted_strict", True)):
            verdict = accepted(
                chosen,
                to_professionals=row["DESTMSSANTEPS"] == "Y",
                to_patient=row["DESTMSSANTEPAT"] == "Y",
                strict=strict,
            )
            assert verdict is row[key], (row, key)


def test_every_smtp_reply_vector_gives_its_action(conformance: Path) -> None:
    for row in _vectors(conformance, "vectors/smtp_replies.json"):
        action, reason = classify(int(row["code"]), row["enhanced"])
        shown = f"REJECTED:{reason}" if action is Action.REJECTED else action.value
        assert shown == row["action"]


def test_the_white_list_matches_exactly_after_idna(conformance: Path) -> None:
    whitelist = read((conformance / "mss/operator/listeblanche.xml").read_bytes())
    expected = _vectors(conformance, "operator/listeblanche_expected.json")
    for address in expected["allowed"]:
        assert whitelist.allows(domain_of(address)), address
    for address in expected["refused"]:
        assert not whitelist.allows(domain_of(address)), address


@pytest.mark.rem("ECO.2.1.2")
def test_every_sound_archive_is_read_and_every_corrupt_one_refused(conformance: Path) -> None:
    folder = conformance / "mss/xdm"
    for name, code in _vectors(conformance, "xdm/bad/cases.json").items():
        data = (folder / "bad" / name).read_bytes()
        if code in (None, "LAYOUT_WARNING_ACCEPT_ON_INPUT"):
            assert read_xdm(data).warnings == (() if code is None else ("LAYOUT_CASE",))
            continue
        with pytest.raises(XdmRefused) as refused:
            read_xdm(data)
        assert refused.value.code == code, name


def test_the_reference_archives_give_their_documents_and_patient(conformance: Path) -> None:
    for case in ("init-qualified", "init-not-qualified", "replace"):
        expected = _vectors(conformance, f"xdm/{case}/expected.json")
        volume = read_xdm((conformance / "mss/xdm" / case / "IHE_XDM.zip").read_bytes())
        assert [(one.uri, one.unique_id, one.type_code) for one in volume.documents] == [
            (one["uri"], one["uniqueId"], one["code"]) for one in expected["documents"]
        ]
        assert volume.patient_id.endswith("NH" if expected["ins_qualified_test"] else "PI")


@pytest.mark.rem("SC.MSS/CONF.14")
@pytest.mark.rem("SC.MSS/CONF.15")
@pytest.mark.rem("SC.MSS/CONF.16")
def test_every_reference_mail_gives_exactly_its_defects(conformance: Path) -> None:
    for name, codes in _vectors(conformance, "messages/expected.json").items():
        raw = (conformance / "mss/messages" / name).read_bytes()
        assert problems(raw) == codes, name


@pytest.mark.rem("RIS.MSS.18", scenario="MSS/va1.14.01")
def test_every_receipt_is_classified_and_matched(conformance: Path) -> None:
    for name, row in _vectors(conformance, "receipts/expected.json").items():
        receipt = classify_receipt((conformance / "mss/receipts" / name).read_bytes())
        assert receipt.kind == row["kind"], name
        assert receipt.state == row["state"], name
        assert (receipt.references[0] if receipt.references else None) == row["match"], name
        assert receipt.cause == row.get("cause", ""), name
        assert receipt.code == row.get("code"), name


def test_the_xoauth2_string_is_the_one_of_the_vector(conformance: Path) -> None:
    good, refusal = _vectors(conformance, "vectors/xoauth2.json")
    plain = f"user={good['user']}\x01auth=Bearer {good['token']}\x01\x01"
    assert base64.b64encode(plain.encode()).decode() == good["b64"]
    assert json.loads(base64.b64decode(refusal["challenge_b64"])) == refusal["json"]


def test_no_refusal_text_names_anyone() -> None:
    with pytest.raises(RisError) as refused:
        patient_address(_identity(Status.QUALIFIEE, Ins("279035121518900", "1.2.250.1.213.1.4.8")))
    assert "2790351" not in f"{refused.value} {refused.value.extensions}"
