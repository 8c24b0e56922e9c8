"""Lines 24 to 30: locked traits, super-user edits, attributes, and the journal of changes."""

from datetime import datetime, timedelta

import pytest

from ris.core import clock
from ris.sandbox.insi_people import Person
from tests.ins_day.acts import (
    CLIMBS,
    calls,
    create,
    edit,
    history,
    holders,
    listed,
    mark,
    path,
    present,
    sent,
    show,
    told,
    validated,
)
from tests.ins_day.conftest import Line
from tests.ins_day.practice import Desk, Json, Practice

CHANGES = {
    "birth_family": "AUTRE NOM",
    "birth_given_names": "CAMILLE LUCIE",
    "birth_date": "1985-12-24",
    "sex": "M",
    "birth_place": "63220",
}
NEVER_TYPED = ("ins", "matricule", "ins_matricule", "oid", "ins_oid")
LOCKED = {"ins_matricule", "ins_oid", *CHANGES}


@pytest.mark.ins_day(24)
@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.29", scenario="INS/va1.18.01")),
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.29", scenario="INS/va1.18.02")),
    ],
)  # fmt: skip
def test_18_01_18_02_an_ordinary_user_cannot_edit_the_seven_fields(
    practice: Practice, secretary: Desk, line: Line, status: str
) -> None:
    person = practice.person()
    patient = CLIMBS[status](secretary, person)
    refusals = {}
    for field, value in CHANGES.items():
        problem = edit(secretary, patient, status=403, reason="Essai", **{field: value})
        assert problem["code"] == "IDENTITY_TRAITS_LOCKED"
        assert problem["rem"] == ["RIS.INS.29"]
        refusals[field] = problem["title"]
    for field in NEVER_TYPED:
        problem = edit(secretary, patient, status=422, **{field: practice.stranger().number})
        refusals[field] = problem["title"]
    after = show(secretary, patient)
    assert {name: after[name] for name in CHANGES} == {name: patient[name] for name in CHANGES}
    assert (after["status"], after["version"]) == (status, patient["version"])
    assert holders(secretary, person) == [patient["id"]]
    line.saw(f"{status} : cinq traits refusés, matricule et OID non saisissables")
    line.keep("refus.json", refusals)


@pytest.mark.ins_day(24)
@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.30", scenario="INS/va1.47.01")),
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.30", scenario="INS/va1.47.02")),
    ],
)  # fmt: skip
def test_47_01_47_02_the_locks_are_visible(
    practice: Practice, secretary: Desk, line: Line, status: str
) -> None:
    patient = create(secretary, person := practice.person())
    free = {one["field"] for one in patient["locked_fields"]}
    assert free == {"ins_matricule", "ins_oid"}
    shown = show(secretary, CLIMBS[status](secretary, practice.person(family=person.family)))
    locks = {one["field"]: one["reason"] for one in shown["locked_fields"]}
    assert locks.keys() == LOCKED
    assert all(locks.values())
    assert "INSi" in locks["birth_family"]
    line.saw(f"{status} : sept verrous affichés avec leur motif")
    line.keep("verrous.json", locks)


@pytest.mark.ins_day(25)
@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.31", scenario="INS/va1.48.01")),
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.31", scenario="INS/va1.48.02")),
    ],
)  # fmt: skip
def test_48_01_48_02_used_names_and_contact_details_stay_editable(
    practice: Practice, secretary: Desk, line: Line, status: str
) -> None:
    person = practice.person()
    patient = CLIMBS[status](secretary, person)
    home = {"lines": ["1 RUE DE L'ESSAI"], "postal_code": "75001", "city": "PARIS", "country": ""}
    fields: Json = {
        "used_family": "USAGE",
        "used_given": "ANNA",
        "phone": "0100000000",
        "address": home,
    }
    after = edit(secretary, patient, **fields)
    assert {name: after[name] for name in fields} == fields
    assert show(secretary, patient)["status"] == status
    assert holders(secretary, person) == [patient["id"]]
    line.saw(f"{status} : nom et prénom utilisés, téléphone, adresse modifiés")
    line.keep("modifie.json", after)


def last_told(practice: Practice, patient: Json) -> tuple[str, str, str]:
    """Names, PID-3 and PID-32 of the last message about a patient that the PACS heard."""
    identity = practice.pacs.about(patient)[-1].segment("PID")
    return identity.raw(5), identity.raw(3), identity.raw(32)


@pytest.mark.ins_day(26)
@pytest.mark.parametrize(
    ("status", "landing", "events", "reliability"),
    [
        pytest.param("récupérée", "provisoire", ["A31"], "PROV", marks=pytest.mark.rem(
            "RIS.INS.32", "RIS.INS.33", "RIS.INS.34", "RIS.INS.35", "RIS.INS.36",
            scenario="INS/va1.60.01")),
        pytest.param("qualifiée", "validée", ["A47", "A31"], "VALI", marks=pytest.mark.rem(
            "RIS.INS.32", "RIS.INS.33", "RIS.INS.34", "RIS.INS.35", "RIS.INS.36",
            scenario="INS/va1.60.03")),
    ],
)  # fmt: skip
def test_60_01_60_03_a_birth_name_changed_costs_the_ins_and_one_status_and_is_told(
    practice: Practice, secretary: Desk, officer: Desk, line: Line, *, status: str, landing: str,
    events: list[str], reliability: str,
) -> None:  # fmt: skip
    person = practice.person()
    patient = CLIMBS[status](secretary, person)
    before = len(told(practice, secretary, patient))
    assert holders(secretary, person) == [patient["id"]]
    after = edit(officer, patient, birth_family="CORRIGE", reason="Erreur d'état civil")
    assert (after["status"], after["birth_family"], after["ins"]) == (landing, "CORRIGE", None)
    assert holders(secretary, person) == []
    assert "ins" not in [one["field"] for one in after["banner"]]
    last = history(officer, patient)[-1]
    assert (last["from_status"], last["to_status"]) == (status, landing)
    assert (last["reason"], last["ps_idnat"]) == ("Erreur d'état civil", officer.me)
    assert told(practice, secretary, patient)[before:] == events
    names, identifiers, flag = last_told(practice, patient)
    assert names.startswith("CORRIGE^")
    assert flag == reliability
    assert "INS" not in identifiers
    heard = practice.pacs.about(patient)[before:]
    assert person.number not in " ".join(one.segment("PID").raw(3) for one in heard)
    line.saw(f"{status} → {landing}, INS retirée, PACS prévenu ({' puis '.join(events)})")
    line.keep("apres.json", after)
    line.keep("propagation.json", sent(secretary, patient))


@pytest.mark.ins_day(27)
@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem(
            "RIS.INS.32", "RIS.INS.34", "RIS.INS.36", scenario="INS/va1.60.02")),
        pytest.param("qualifiée", marks=pytest.mark.rem(
            "RIS.INS.32", "RIS.INS.34", "RIS.INS.36", scenario="INS/va1.60.04")),
    ],
)  # fmt: skip
def test_60_02_60_04_a_used_name_changed_costs_nothing_and_is_told(
    practice: Practice, secretary: Desk, officer: Desk, line: Line, status: str
) -> None:
    person = practice.person()
    patient = CLIMBS[status](secretary, person)
    before = len(told(practice, secretary, patient))
    after = edit(officer, patient, used_family="USAGE")
    assert (after["status"], after["used_family"]) == (status, "USAGE")
    assert (after["ins"] or {}).get("matricule") == (
        person.number if status == "qualifiée" else None
    )
    assert holders(secretary, person) == [patient["id"]]
    assert told(practice, secretary, patient)[before:] == ["A31"]
    names, identifiers, _ = last_told(practice, patient)
    assert "USAGE^" in names
    assert (person.number in identifiers) == (status == "qualifiée")
    line.saw(f"{status} : statut et matricule gardés, nom utilisé propagé (A31)")
    line.keep("apres.json", after)
    line.keep("propagation.json", sent(secretary, patient))


@pytest.mark.ins_day(28)
@pytest.mark.parametrize("attribute", ["douteuse", "fictive"])
@pytest.mark.parametrize(
    "status",
    [
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.27", scenario="INS/va1.44.01.01")),
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.27", scenario="INS/va1.44.01.02")),
        pytest.param("validée", marks=pytest.mark.rem("RIS.INS.27", scenario="INS/va1.44.01.03")),
    ],
)
def test_44_01_doubtful_or_fictitious_brings_the_identity_down_to_provisional(
    practice: Practice, secretary: Desk, line: Line, status: str, attribute: str
) -> None:
    person = practice.person()
    patient = CLIMBS[status](secretary, person)
    assert patient["status"] == status
    after = mark(secretary, patient, attribute)
    assert (after["status"], after["ins"], after["attributes"]) == ("provisoire", None, [attribute])
    assert holders(secretary, person) == []
    last = history(secretary, patient)[-1]
    assert (last["from_status"], last["to_status"]) == (status, "provisoire")
    line.saw(f"{status} → provisoire ({attribute})")
    line.keep("apres.json", {"avant": patient, "après": after, "historique": last})


@pytest.mark.ins_day(29)
@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param("douteuse", marks=pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.01")),
        pytest.param("fictive", marks=pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.02")),
    ],
)
def test_20_01_20_02_no_call_leaves_for_a_doubtful_or_fictitious_identity(
    practice: Practice, secretary: Desk, line: Line, attribute: str
) -> None:
    person = practice.person()
    patient = create(secretary, person)
    mark(secretary, patient, attribute)
    asked = requests_about(practice, person)
    card = {"matricule": person.number, "opener": person.number, "birth_family": person.family,
            "birth_date": person.born}  # fmt: skip
    search, verify = path(patient, "insi-search"), path(patient, "insi-verification")
    problems = [
        secretary.refused("POST", search, 409, json={}),
        secretary.refused("POST", search, 409, json={"vitale": card}),
    ]
    assert {one["code"] for one in problems} == {"INS_ATTRIBUTE_BLOCKS"}
    problems.append(secretary.refused("POST", verify, 409))
    assert requests_about(practice, person) == asked == 0
    assert calls(secretary, patient) == []
    assert show(secretary, patient)["status"] == "provisoire"
    assert present(secretary, patient, status=409)["code"] == "INS_ATTRIBUTE_BLOCKS"
    line.saw(f"{attribute} : appel refusé par traits et par carte Vitale, rien n'est parti")
    line.keep("bloque.json", problems)


def requests_about(practice: Practice, person: Person) -> int:
    """How many requests about a person INSi received."""
    return sum(person.family.encode() in body for body in practice.insi.requests)


@pytest.mark.ins_day(30)
@pytest.mark.rem("RIS.INS.17", scenario="INS/va1.27.01")
@pytest.mark.parametrize("status", ["provisoire", "validée"])
def test_27_01_a_change_of_trait_leaves_a_line_with_date_kind_and_professional(
    practice: Practice, secretary: Desk, officer: Desk, auditor: Desk, *, line: Line, status: str
) -> None:
    person = practice.stranger()
    make = validated if status == "validée" else create
    patient = make(secretary, person)
    started = clock.now()
    edit(officer, patient, birth_place="63220", used_family="USAGE")
    changed = listed(auditor, "/v1/identity-changes", patient_id=patient["id"])[-1]
    at = datetime.fromisoformat(changed["at"])
    assert started <= at <= started + timedelta(minutes=1)
    assert changed["patient_id"] == patient["id"]
    assert (changed["event"], changed["ps_idnat"]) == ("strict_trait_changed", officer.me)
    assert changed["changed_fields"] == ["birth_place", "used_family"]
    last = history(secretary, patient)[-1]
    assert {name: changed[name] for name in last} == last
    line.saw(f"{status} : date, heure, nature, champs et professionnel")
    line.keep("journal.json", changed)
