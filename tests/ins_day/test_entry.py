"""Lines 1 to 4, 11 and 12: the fields of an identity, what may be typed, what must be."""

import httpx
import pytest

from tests.ins_day.acts import create, qualified, refused_creation, show, traits
from tests.ins_day.conftest import Line
from tests.ins_day.practice import GAM, Desk, Practice
from tests.interop.hl7v2.sample import message

TEN = ("birth_family", "used_family", "birth_given_names", "first_birth_given", "used_given",
       "birth_date", "sex", "birth_place")  # fmt: skip
LONGEST = 54
REFUSED = {
    "minuscules": "Durand",
    "accent": "LÉVÊQUE",
    "cédille": "FRANÇOIS",
    "tréma": "NOËL",
    "ligature": "CŒUR",
    "chiffre": "DURAND2",
    "101 caractères": "A" * 101,
}
ACCEPTED = {
    "trait d'union": "PETIT-JEAN",
    "double trait d'union": "DURAND--MARTIN",
    "apostrophe": "D'ESSAI",
    "espace": "DE LA JOURNEE",
    "54 caractères": "A" * LONGEST,
    "100 caractères": "A" * 100,
}
DATES = {
    "1985-06-00": "DATE_DAY",
    "1985-06-32": "DATE_DAY",
    "1985-00-15": "DATE_MONTH",
    "1985-13-15": "DATE_MONTH",
}


@pytest.mark.ins_day(1)
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.01")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.01")
def test_56_01_01_01_an_identity_shows_its_ten_fields(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = qualified(secretary, person, used_family="USAGE", used_given="ANNA")
    shown = show(secretary, patient)
    assert {name: shown[name] for name in TEN} == {
        "birth_family": person.family,
        "used_family": "USAGE",
        "birth_given_names": person.given.split(),
        "first_birth_given": "CAMILLE",
        "used_given": "ANNA",
        "birth_date": person.born,
        "sex": person.sex,
        "birth_place": person.place,
    }
    assert (shown["ins"]["matricule"], shown["ins"]["oid"]) == (person.number, person.oid)
    line.saw("dix champs : huit traits, matricule et OID")
    line.keep("identite.json", shown)


@pytest.mark.ins_day(2)
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.02")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.02")
@pytest.mark.parametrize("field", ["birth_family", "first_birth_given", "used_family"])
def test_56_02_01_02_which_characters_a_user_may_type(
    practice: Practice, secretary: Desk, line: Line, field: str
) -> None:
    faults = {}
    for what, value in REFUSED.items():
        body = traits(practice.stranger(), **{field: value})
        (fault,) = refused_creation(secretary, body)
        assert fault["pointer"] == f"/{field}"
        faults[what] = fault
    codes = {what: fault["code"] for what, fault in faults.items()}
    assert codes == {
        what: "NAME_TOO_LONG" if what == "101 caractères" else "NAME_CHARACTERS" for what in REFUSED
    }
    stored = {
        what: create(secretary, practice.stranger(), **{field: value})[field]
        for what, value in ACCEPTED.items()
    }
    assert stored == ACCEPTED
    line.saw("saisie : minuscules, accents et signes refusés ; - ' espace, 54 et 100 admis")
    line.keep("saisie.json", {"champ": field, "refusés": faults, "admis": stored})


@pytest.mark.ins_day(2)
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.02")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.02")
def test_56_02_01_02_which_characters_a_feed_may_send(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    born, answers = "1931-02-03", {}
    for number, (what, value) in enumerate(ACCEPTED.items()):
        names = f"{value}^{value}^{value}^^^^L"
        data = message(control=f"NOM{number}", ipp=f"NOM{number}", names=names, born="19310203",
                       place=f"7511{number}")  # fmt: skip
        answers[what] = practice.send(data).segment("MSA").text(1)
    assert set(answers.values()) == {"AA"}
    found = secretary.get("/v1/patients", birth_date=born)["items"]
    assert {one["birth_family"] for one in found} == set(ACCEPTED.values())
    assert {one["first_birth_given"] for one in found} == set(ACCEPTED.values())
    line.saw(f"flux HL7 : trait d'union, apostrophe, espace et {LONGEST} caractères intégrés")
    line.keep("flux.json", {"acquittements": answers, "stockés": found})


@pytest.mark.ins_day(3)
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.03")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.03")
def test_56_03_01_03_a_day_or_a_month_that_does_not_exist_is_refused(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    faults = []
    for typed, code in DATES.items():
        (fault,) = refused_creation(secretary, traits(practice.stranger(), birth_date=typed))
        assert (fault["pointer"], fault["code"]) == ("/birth_date", code)
        faults.append({"saisi": typed, **fault})
    for typed in ("1985-01-01", "1985-12-31"):
        assert create(secretary, practice.stranger(), birth_date=typed)["birth_date"] == typed
    line.saw("jours 00 et 32, mois 00 et 13 refusés ; 01/01 et 31/12 admis")
    line.keep("dates.json", faults)


@pytest.mark.ins_day(4)
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.04")
def test_56_04_the_billing_number_is_another_field_whose_label_does_not_say_ins(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    described = httpx.get(f"{practice.site.sandbox.api_url}/openapi.json", trust_env=False).json()
    schemas = described["components"]["schemas"]
    fields = schemas["PatientIn"]["properties"]
    billing = fields["billing_number"]
    told = " ".join((billing.get("title", ""), billing["description"]))
    assert "INS" not in told.upper().split()
    assert "sécurité sociale" in told
    assert not [name for name in fields if name.startswith("ins") or "matricule" in name]
    shown = schemas["PatientOut"]["properties"]
    assert {"ins", "billing_number_recorded"} <= shown.keys()

    person = practice.person()
    patient = qualified(secretary, person, billing_number="255069999999934")
    seen = show(secretary, patient)
    assert seen["billing_number_recorded"] is True
    assert seen["ins"]["matricule"] == person.number
    assert "255069999999934" not in str(seen)
    line.saw("deux champs distincts ; libellé « Numéro de sécurité sociale de facturation »")
    line.keep("schema.json", {"saisie": billing, "restitution": shown["ins"], "vu": seen})


@pytest.mark.ins_day(11)
@pytest.mark.rem("RIS.INS.11", scenario="INS/va1.21.01")
@pytest.mark.parametrize(
    "field", ["birth_family", "first_birth_given", "birth_date", "sex", "birth_place"]
)
def test_21_01_no_creation_without_one_of_the_five_fields(
    practice: Practice, secretary: Desk, line: Line, field: str
) -> None:
    person = practice.stranger()
    asked = {"birth_date": person.born, "name": person.family}
    for body in (
        {name: value for name, value in traits(person).items() if name != field},
        traits(person, **{field: ""}),
    ):
        (fault,) = refused_creation(secretary, body)
        assert (fault["pointer"], fault["code"]) == (f"/{field}", "MISSING")
    assert secretary.get("/v1/patients", **asked)["items"] == []
    assert create(secretary, person)["status"] == "provisoire"
    line.saw(f"refus sans {field}")
    line.keep("refus.json", fault)


@pytest.mark.ins_day(12)
@pytest.mark.rem("RIS.INS.12", scenario="INS/va1.22.01")
@pytest.mark.rem("RIS.INS.22", scenario="INS/va1.54.01-02")
def test_22_01_no_other_field_is_needed(practice: Practice, secretary: Desk, line: Line) -> None:
    person = practice.stranger()
    patient = create(secretary, person)
    assert (patient["used_family"], patient["used_given"]) == ("", "")
    assert (patient["status"], patient["ins"]) == ("provisoire", None)
    assert patient["ipp_oid"] == GAM
    line.saw("création acceptée avec les cinq champs seuls, statut provisoire")
    line.keep("creation.json", {"saisi": traits(person), "créé": patient})
