"""Lines 5 to 7: what the banner shows, who reaches the INS and INSi, what the journal keeps."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ris.auth.rights import Role
from ris.core import clock
from tests.ins_day.acts import ask_insi, create, listed, path, qualified, recovered, show
from tests.ins_day.conftest import Line
from tests.ins_day.practice import Desk, Json, Practice


def banner(patient: Json) -> dict[str, str]:
    return {one["field"]: one["value"] for one in patient["banner"]}


@pytest.mark.ins_day(5)
@pytest.mark.rem("RIS.INS.02", scenario="INS/va1.36.01")
def test_36_01_the_banner_has_four_traits_always_and_those_the_site_adds(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = qualified(secretary, person, used_family="USAGE", used_given="ANNA")
    labels = {one["field"]: one["label"] for one in show(secretary, patient)["banner"]}
    assert labels == {
        "birth_family": "Nom de naissance",
        "first_birth_given": "Premier prénom de naissance",
        "birth_given_names": "Prénoms de naissance",
        "used_family": "Nom utilisé",
        "used_given": "Prénom utilisé",
        "birth_date": "Date de naissance",
        "sex": "Sexe",
        "birth_place": "Lieu de naissance (code INSEE)",
        "ins": "Matricule INS",
    }
    four = {
        "birth_family": person.family,
        "first_birth_given": "CAMILLE",
        "birth_date": f"{datetime.fromisoformat(person.born):%d/%m/%Y}",
        "sex": person.sex,
    }
    extra = {
        "birth_given_names": person.given,
        "used_family": "USAGE",
        "used_given": "ANNA",
        "birth_place": person.place,
        "ins": f"{person.number} NIR",
    }
    seen = {"tout": banner(show(secretary, patient))}
    assert seen["tout"] == four | extra
    for wanted in ([], *([name] for name in extra)):
        with (
            practice.site.served(RIS_IDENTITY__BANNER=json.dumps(wanted)) as url,
            secretary.at(url),
        ):
            shown = banner(show(secretary, patient))
        assert shown == four | {name: extra[name] for name in wanted}
        seen[" ".join(wanted) or "minimum"] = shown
    line.saw(
        "quatre traits toujours là ; liste, noms utilisés, lieu et matricule par réglage ; NIR"
    )
    line.keep("bandeau.json", seen)


@pytest.mark.ins_day(5)
@pytest.mark.rem("RIS.INS.02", scenario="INS/va1.36.01")
def test_36_01_a_waiting_number_is_followed_by_nia(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person(oid="1.2.250.1.213.1.4.9")
    shown = banner(show(secretary, qualified(secretary, person)))
    assert shown["ins"] == f"{person.number} NIA"
    line.saw("matricule d'attente suivi de NIA")
    line.keep("bandeau-nia.json", shown)


@pytest.mark.ins_day(6)
@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
@pytest.mark.rem("RIS.INS.04", scenario="INS/va1.49.01")
def test_39_01_49_01_each_access_to_the_ins_and_to_insi_is_dated_and_signed(
    practice: Practice, secretary: Desk, officer: Desk, auditor: Desk, line: Line
) -> None:
    doctor = practice.desk(Role.RADIOLOGIST)
    started = clock.now()
    patient = create(secretary, practice.person())
    for desk in (secretary, officer):
        assert ask_insi(desk, patient)["code"] == "00"
    made = listed(auditor, "/v1/insi-calls", patient_id=patient["id"])
    assert [one["ps_idnat"] for one in made] == [secretary.me, officer.me]

    known = qualified(secretary, practice.person())
    before = listed(auditor, "/v1/ins-accesses", patient_id=known["id"])
    assert {one["ps_idnat"] for one in before} <= {secretary.me}
    for desk in (secretary, doctor):
        assert show(desk, known)["ins"] is not None
    reads = listed(auditor, "/v1/ins-accesses", patient_id=known["id"])[len(before) :]
    assert [one["ps_idnat"] for one in reads] == [secretary.me, doctor.me]
    assert [one["role"] for one in reads] == ["SECRETARY", "RADIOLOGIST"]
    assert {one["patient_id"] for one in reads} == {known["id"]}
    for one in (*made, *reads):
        at = datetime.fromisoformat(one["at"]).astimezone(UTC)
        assert started <= at <= clock.now() + timedelta(seconds=1)
    secretary.refused("GET", "/v1/ins-accesses", 403)
    line.saw("deux accès à l'INS et deux appels INSi, chacun avec date, heure et auteur")
    line.keep("journal.json", {"accès": reads, "appels": made})


@pytest.mark.ins_day(6)
@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
def test_39_01_no_line_says_that_an_ins_was_read_when_it_was_not_shown(
    practice: Practice, secretary: Desk, auditor: Desk, line: Line
) -> None:
    patient = recovered(secretary, practice.person())
    shown = show(secretary, patient)
    assert shown["ins"] is None
    assert listed(auditor, "/v1/ins-accesses", patient_id=patient["id"]) == []
    line.saw("une INS non montrée ne laisse pas de ligne d'accès")
    line.keep("non-montree.json", shown)


@pytest.mark.ins_day(7)
@pytest.mark.rem("RIS.INS.05", scenario="INS/va1.50.01")
@pytest.mark.rem("RIS.INS.06", scenario="INS/va1.32.01")
def test_50_01_32_01_a_restricted_profile_is_refused(
    practice: Practice, secretary: Desk, auditor: Desk, line: Line
) -> None:
    intern = practice.desk(Role.INTERN)
    person = practice.person()
    patient = qualified(secretary, person)
    shown = show(intern, patient)
    assert (shown["ins"], shown["status"]) == (None, "qualifiée")
    assert person.number not in str(shown)
    asked = len(practice.insi.requests)
    refusals = [
        intern.refused("POST", "/v1/patients/search", 403, json={"matricule": person.number}),
        intern.refused("GET", path(patient, "ins-disclosures"), 403),
        intern.refused("POST", path(patient, "insi-search"), 403, json={}),
        intern.refused("POST", path(patient, "insi-verification"), 403),
        intern.refused("GET", path(patient, "insi-calls"), 403),
    ]
    assert {one["code"] for one in refusals} == {"role_denied"}
    assert len(practice.insi.requests) == asked
    nobody = auditor.refused("GET", path(patient), 403)
    assert nobody["code"] == "role_denied"
    line.saw("profil restreint : INS invisible, recherche par matricule et appel INSi refusés")
    line.keep("refus.json", {"vu": shown, "refus": refusals})


@pytest.mark.ins_day(7)
@pytest.mark.rem("RIS.INS.05", scenario="INS/va1.50.01")
@pytest.mark.rem("RIS.INS.06", scenario="INS/va1.32.01")
def test_50_01_32_01_the_two_rights_are_set_apart(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = qualified(secretary, person)
    unknown = create(secretary, practice.person())
    seen = {}
    for kept, withheld in (("insi.call", "ins.read"), ("ins.read", "insi.call")):
        setting = json.dumps({"SECRETARY": [withheld]})
        with practice.site.served(RIS_AUTH__WITHHELD=setting) as url, secretary.at(url):
            rights = secretary.get("/v1/session")["permissions"]
            assert kept in rights
            assert withheld not in rights
            ins = show(secretary, patient)["ins"]
            status = 201 if kept == "insi.call" else 403
            asked = secretary.post(path(unknown, "insi-search"), {}, status=status)
        assert (ins is None) == (withheld == "ins.read")
        assert asked["code"] == ("00" if kept == "insi.call" else "role_denied")
        seen[f"sans {withheld}"] = {"INS visible": ins is not None, "INSi": asked["code"]}
    line.saw("« voir l'INS » et « appeler INSi » retirés chacun sans l'autre")
    line.keep("droits.json", seen)
