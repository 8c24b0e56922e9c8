"""Lines 17 to 23: what INSi returns, what is imported or blocked, what the journal keeps."""

from dataclasses import replace

import pytest

from ris.sandbox.insi import result
from ris.sandbox.insi_people import Person
from tests.ins_day.acts import (
    accept,
    ask_insi,
    calls,
    create,
    decide,
    holders,
    listed,
    path,
    present,
    qualified,
    recovered,
    show,
    worklist,
)
from tests.ins_day.conftest import Line
from tests.ins_day.practice import Desk, Json, Practice

FIVE = ("birth_family", "birth_given_names", "birth_date", "sex", "birth_place")


def with_prenom(person: Person) -> bytes:
    """An answer 00 where `Prenom` stands beside `ListePrenom`."""
    answer = result("00", person)
    whole = answer.replace(b"<ListePrenom>", b"<Prenom>AUTREMENT</Prenom><ListePrenom>")
    assert whole != answer
    return whole


def emptied(person: Person, field: str) -> Person:
    """The same person, one trait empty."""
    nothing: Json = {field: ""}
    return replace(person, **nothing)


def french(day: str) -> str:
    """A date as staff read it, DD/MM/YYYY."""
    year, month, number = day.split("-")
    return f"{number}/{month}/{year}"


@pytest.mark.ins_day(17)
@pytest.mark.rem("RIS.INS.13", scenario="INS/va1.52.01")
@pytest.mark.parametrize("status", ["provisoire", "validée"])
def test_52_01_the_answer_is_compared_then_confirmed_then_fills_the_seven_fields(
    practice: Practice, secretary: Desk, line: Line, status: str
) -> None:
    person = practice.person(given="CAMILLE ANNE LOUISE", place="69383")
    typed = {"birth_family": person.family.replace("-", " "), "birth_place": "99999"}
    if status == "provisoire":  # there a user may confirm more than a way of writing
        typed |= {"birth_date": "1985-11-30", "sex": "M"}
    patient = create(secretary, person, used_family="USAGE", **typed)
    if status == "validée":
        present(secretary, patient)
    practice.insi.scripted.append(with_prenom(person))
    found = ask_insi(secretary, patient)
    before = show(secretary, patient)
    assert {name: before[name] for name in typed} == typed
    assert before["status"] == status
    rows = {one["field"]: one for one in found["comparison"]}
    differing = {name for name, one in rows.items() if one["difference"] != "equal"}
    assert differing == {*typed, "birth_given_names"}
    born = french(person.born)
    assert rows["birth_date"]["insi"] == born
    assert rows["birth_date"]["local"] == french(before["birth_date"])
    assert {name: rows[name]["insi"] for name in ("birth_family", "birth_given_names", "sex")} == {
        "birth_family": person.family, "birth_given_names": person.given, "sex": person.sex,
    }  # fmt: skip

    after = accept(secretary, patient, found, reason="Erreur de saisie, même personne")
    assert after["status"] == {"provisoire": "récupérée", "validée": "qualifiée"}[status]
    assert {name: after[name] for name in FIVE} == {
        "birth_family": person.family,
        "birth_given_names": ["CAMILLE", "ANNE", "LOUISE"],
        "birth_date": person.born,
        "sex": person.sex,
        "birth_place": "69383",
    }
    assert (after["first_birth_given"], after["used_family"]) == ("CAMILLE", "USAGE")
    assert next(one["value"] for one in after["banner"] if one["field"] == "birth_date") == born
    assert holders(secretary, person) == [patient["id"]]
    if status == "validée":
        assert after["ins"] == {"matricule": person.number, "oid": person.oid, "nature": "NIR"}
    line.saw("comparaison, confirmation, sept champs d'INSi, liste de ListePrenom, JJ/MM/AAAA")
    line.keep("comparaison.json", {"avant": before, "écart": found, "après": after})


@pytest.mark.ins_day(17)
@pytest.mark.rem("RIS.INS.13", scenario="INS/va1.52.01")
def test_52_01_nothing_is_imported_when_the_user_rejects(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = create(secretary, person)
    found = ask_insi(secretary, patient)
    body = {"retrieval_id": found["retrieval_id"], "decision": "reject", "reason": "Homonyme"}
    after = decide(secretary, patient, body)
    assert after["status"] == "provisoire"
    assert holders(secretary, person) == []
    accept(secretary, patient, found, status=409)
    line.saw("rejet : rien d'importé")
    line.keep("rejet.json", after)


@pytest.mark.ins_day(18)
@pytest.mark.rem("RIS.INS.14", scenario="INS/va1.51.01")
def test_51_01_a_different_first_given_name_alerts_and_is_not_overwritten(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person(given="CAMILLE ANNE")
    patient = create(secretary, person, first_birth_given="ANNE")
    practice.insi.scripted.append(result("00", person))
    found = ask_insi(secretary, patient)
    assert found["first_given_alert"] is True
    after = accept(secretary, patient, found)
    assert after["status"] == "récupérée"
    assert (after["first_birth_given"], after["birth_given_names"]) == ("ANNE", ["CAMILLE", "ANNE"])

    other = practice.person()
    quiet = create(secretary, other)
    assert ask_insi(secretary, quiet)["first_given_alert"] is False
    line.saw("alerte ; premier prénom saisi gardé, liste d'INSi importée")
    line.keep("alerte.json", {"retour": found, "après": after})


@pytest.mark.ins_day(19)
@pytest.mark.rem("RIS.INS.15", scenario="INS/va1.28.01")
@pytest.mark.parametrize("born", ["1985-06-00", "1985-00-12", "1985-00-00"])
def test_28_01_a_birth_date_without_day_or_month_is_not_imported(
    practice: Practice, secretary: Desk, line: Line, born: str
) -> None:
    person = practice.stranger()
    patient = create(secretary, person)
    practice.insi.scripted.append(result("00", replace(person, born=born)))
    found = ask_insi(secretary, patient)
    assert (found["code"], found["retrieval_id"]) == ("00", None)
    blocked = found["blocked"]
    assert (blocked["code"], blocked["rem"]) == ("INSI_DATE_INCOMPLETE", ["RIS.INS.15"])
    assert "date de naissance" in blocked["detail"]
    forced = {"retrieval_id": found["calls"][-1]["id"], "decision": "accept"}
    refused = decide(secretary, patient, forced, status=409)
    assert refused["code"] == "INSI_DATE_INCOMPLETE"
    after = show(secretary, patient)
    assert (after["status"], after["birth_date"]) == ("provisoire", person.born)
    assert holders(secretary, person) == []
    line.saw(f"{born} : bloqué, « {blocked['detail']} »")
    line.keep("bloque.json", {"retour": found, "forcé": refused, "après": after})


@pytest.mark.ins_day(20)
@pytest.mark.parametrize(
    ("field", "code"),
    [
        pytest.param("family", "INSI_EMPTY_BIRTH_FAMILY",
                     marks=pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.01")),
        pytest.param("given", "INSI_EMPTY_GIVEN_NAMES",
                     marks=pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.02")),
        pytest.param("sex", "INSI_EMPTY_SEX",
                     marks=pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.03")),
    ],
)  # fmt: skip
def test_31_01_31_03_an_empty_trait_is_not_imported(
    practice: Practice, secretary: Desk, line: Line, field: str, code: str
) -> None:
    person = practice.stranger()
    patient = create(secretary, person)
    practice.insi.scripted.append(result("00", emptied(person, field)))
    found = ask_insi(secretary, patient)
    assert (found["code"], found["retrieval_id"]) == ("00", None)
    blocked = found["blocked"]
    assert (blocked["code"], blocked["rem"]) == (code, ["RIS.INS.16"])
    assert "trait vide" in blocked["detail"]
    forced = {"retrieval_id": found["calls"][-1]["id"], "decision": "accept"}
    refused = decide(secretary, patient, forced, status=409)
    assert refused["code"] == code
    after = show(secretary, patient)
    assert (after["status"], after["birth_family"]) == ("provisoire", person.family)
    assert holders(secretary, person) == []
    line.saw(f"{code} : bloqué")
    line.keep("bloque.json", {"retour": found, "forcé": refused, "après": after})


def returned(kept: Json) -> Json:
    """What an answer on record says that INSi returned, as the sandbox writes people."""
    told = {**kept["traits"], **kept["ins"]}
    former = [one["matricule"] for one in kept["history"]]
    return {name: told[name] for name in ("birth_family", "given_names", "sex", "birth_date",
            "birth_place", "matricule", "oid")} | {"former": former}  # fmt: skip


def known(person: Person) -> Json:
    """A person of the sandbox, in the words of the API."""
    return {"birth_family": person.family, "given_names": person.given, "sex": person.sex,
            "birth_date": person.born, "birth_place": person.place, "matricule": person.number,
            "oid": person.oid, "former": list(person.former)}  # fmt: skip


@pytest.mark.ins_day(21)
@pytest.mark.rem("RIS.INS.40", scenario="INS/va1.38.01")
@pytest.mark.rem("RIS.INS.41", scenario="INS/va1.35.01")
def test_38_01_35_01_calls_by_vitale_card_are_journaled_with_all_that_came_back(
    practice: Practice, secretary: Desk, auditor: Desk, line: Line
) -> None:
    person = practice.person(former=(practice.stranger().number,))
    patient = create(secretary, person)
    card = {"matricule": person.number, "opener": person.number, "birth_family": person.family,
            "birth_date": person.born}  # fmt: skip
    unknown = {**card, "matricule": practice.stranger().number}
    assert ask_insi(secretary, patient, vitale=unknown)["code"] == "01"
    accept(secretary, patient, ask_insi(secretary, patient, vitale=card))
    present(secretary, patient)
    made = calls(secretary, patient)
    assert [(one["operation"], one["mode"], one["code"]) for one in made] == [
        ("vitale", "MANU", "01"), ("vitale", "MANU", "00"),
    ]  # fmt: skip
    assert {one["ps_idnat"] for one in made} == {secretary.me}
    assert listed(auditor, "/v1/insi-calls", patient_id=patient["id"]) == made
    none, kept = (secretary.get(f"/v1/insi-calls/{one['id']}") for one in made)
    assert returned(kept) == known(person)
    assert (none["code"], none["ins_returned"], none["traits"]) == ("01", False, None)
    line.saw("carte Vitale : 00 et 01, matricule, OID, traits et matricule d'avant")
    line.keep("vitale.json", {"appels": made, "retours": [none, kept]})


@pytest.mark.ins_day(21)
@pytest.mark.rem("RIS.INS.40", scenario="INS/va1.38.02")
@pytest.mark.rem("RIS.INS.41", scenario="INS/va1.35.02")
def test_38_02_35_02_calls_by_traits_are_journaled_with_all_that_came_back(
    practice: Practice, secretary: Desk, auditor: Desk, line: Line
) -> None:
    one = practice.person(former=(practice.stranger().number,))
    twins = practice.person()
    practice.insi.people.append(replace(twins, number=practice.stranger().number))
    nobody = practice.stranger()
    patients, answers = {}, {}
    for code, person in (("00", one), ("01", nobody), ("02", twins)):
        patients[code] = create(secretary, person, birth_place="99999")
        assert ask_insi(secretary, patients[code])["code"] == code
        made = listed(auditor, "/v1/insi-calls", patient_id=patients[code]["id"])
        assert {(call["operation"], call["mode"]) for call in made} == {("traits", "MANU")}
        assert {call["ps_idnat"] for call in made} == {secretary.me}
        assert made[-1]["code"] == code
        answers[code] = secretary.get(f"/v1/insi-calls/{made[-1]['id']}")
    for code in ("01", "02"):
        assert (answers[code]["ins_returned"], answers[code]["traits"]) == (False, None)
    assert answers["00"]["ins_returned"] is True
    assert one.number not in str(answers)  # kept, and hidden until qualifiée

    accept(secretary, patients["00"], ask_insi(secretary, patients["00"]))
    present(secretary, patients["00"])
    answers["00"] = secretary.get(f"/v1/insi-calls/{answers['00']['id']}")
    assert returned(answers["00"]) == known(one)
    line.saw("traits : 00, 01 et 02 ; sur 00 matricule, OID, traits et matricule d'avant")
    line.keep("traits.json", answers)


@pytest.mark.ins_day(22)
@pytest.mark.rem("RIS.INS.42", scenario="INS/va1.06.01")
def test_06_01_a_verification_is_journaled_with_its_result(
    practice: Practice, secretary: Desk, auditor: Desk, line: Line
) -> None:
    person = practice.person()
    patient = recovered(secretary, person)
    said = [secretary.post(path(patient, "insi-verification"))["result"]]
    assert show(secretary, patient)["status"] == "récupérée"
    practice.insi.people.remove(person)
    said.append(secretary.post(path(patient, "insi-verification"))["result"])
    assert said == ["OK", "KO"]
    made = listed(auditor, "/v1/insi-calls", patient_id=patient["id"])
    verifications = [one for one in made if one["operation"] == "verify"]
    changes = listed(auditor, "/v1/identity-changes", patient_id=patient["id"])[-2:]
    assert [one["evidence"]["verdict"] for one in changes] == said
    asked = {one["id"] for one in verifications}
    assert {one["evidence"]["insi_call"] for one in changes} <= asked
    assert {one["ps_idnat"] for one in (*verifications, *changes)} == {secretary.me}
    line.saw("vérifications OK puis KO au journal, avec leur auteur")
    line.keep("verification.json", {"appels": verifications, "journal": changes})


@pytest.mark.ins_day(23)
@pytest.mark.rem("RIS.INS.43", scenario="INS/va1.08.01")
def test_08_01_a_trait_changed_nationally_costs_the_ins_and_queues_the_identity(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = qualified(secretary, person)
    before = show(secretary, patient)
    assert before["ins"] is not None
    assert not before["to_review"]
    practice.changes_nationally(person, family="NOUVEAU NOM")
    said = secretary.post(path(patient, "insi-verification"))
    assert said["result"] == "KO"
    after = show(secretary, patient)
    assert (after["status"], after["ins"]) == ("provisoire", None)
    assert holders(secretary, person) == []
    assert patient["id"] in worklist(secretary, "verification_ko")
    assert [one["reason"] for one in after["review"]] == ["verification_ko"]
    line.saw("KO : provisoire, matricule et OID retirés, identité en liste de travail")
    line.keep("ko.json", {"avant": before, "après": after})
