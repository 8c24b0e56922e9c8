"""POST and PUT of a Patient: the rules of `/v1`, nothing decided by the caller, nothing lost."""

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from ris.auth.rights import Permission, Role
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.interop.fhir.openapi import SENT
from ris.interop.fhir.settings import FhirSettings
from ris.rem.evidence import Evidence
from tests.identity.test_merge import merged
from tests.identity.test_routes import create, qualified, recovered, show, validated
from tests.interop.fhir.sample import (
    BIRTH_LIST,
    BORN,
    CORRECTED,
    MATRICULE,
    OLD,
    RELIABILITY,
    STATUS,
    TEST_OID,
    Json,
    Open,
    created,
    expressions,
    extension,
    got,
    put,
    read,
    refused,
    reliability,
    resource,
    slices,
    status,
)
from tests.interop.fhir.test_reading import ZOE

INS = {
    "use": "official",
    "type": {"coding": [{"system": "urn:types", "code": "INS-NIR-TEST"}]},
    "system": TEST_OID,
    "value": MATRICULE,
}
BILLING = {
    "use": "official",
    "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH"}]},
    "system": "urn:oid:1.2.250.1.213.1.4.8",
    "value": "179035121518974",
}


def reliable(code: str, system: str = STATUS) -> Json:
    said = {"url": "identityStatus", "valueCoding": {"system": system, "code": code}}
    return {"url": RELIABILITY, "extension": [said]}


def named(**parts: Any) -> list[Json]:
    return [{"use": "official", "family": "PAT-TROIS", "given": ["DOMINIQUE"], **parts}]


def count(database: Database) -> int:
    with database.transaction() as session:
        return len(session.scalars(select(Patient.id)).all())


@pytest.mark.rem("RIS.INS.12", scenario="INS/va1.22.01")
def test_a_resource_with_the_five_traits_makes_a_provisional_record(
    door: Open, evidence: Evidence
) -> None:
    both = door(Role.SECRETARY)
    answer = both.fhir.post("/Patient", json=resource())
    evidence.add("01", "patient.json", answer.text)
    told = got(answer, 201)
    assert answer.headers["location"].endswith(f"/fhir/Patient/{told['id']}")
    assert answer.headers["etag"] == 'W/"1"'
    assert (status(told), list(slices(told))) == ("PROV", ["PI"])
    shown = show(both.json, told)
    assert shown["status"] == "provisoire"
    assert shown["birth_given_names"] == ["DOMINIQUE"]
    assert (shown["used_family"], shown["phone"]) == ("", "")


def test_every_trait_and_contact_arrives(door: Open) -> None:
    both = door()
    listed = {"url": BIRTH_LIST, "valueString": "DOMINIQUE MARIE-LOUISE"}
    told = created(
        both.fhir,
        name=[
            *named(extension=[listed]),
            {"use": "usual", "family": "MARTIN", "given": ["DOM", "LOU"]},
        ],
        telecom=[{"system": "phone", "value": "0600000000", "use": "mobile"}],
        address=[{"use": "home", "line": ["1 RUE INVENTEE", "BAT B"], "city": "REIMS",
                  "postalCode": "51000", "country": "FR"}],
        identifier=[BILLING],
        gender="unknown",
    )  # fmt: skip
    shown = show(both.json, told)
    assert shown["birth_given_names"] == ["DOMINIQUE", "MARIE-LOUISE"]
    assert (shown["used_family"], shown["used_given"], shown["sex"]) == ("MARTIN", "DOM LOU", "I")
    assert shown["phone"] == "0600000000"
    assert shown["address"] == {"lines": ["1 RUE INVENTEE", "BAT B"], "postal_code": "51000",
                                "city": "REIMS", "country": "FR"}  # fmt: skip
    assert shown["billing_number_recorded"] is True
    assert shown["ins"] is None
    assert BILLING["value"] not in json.dumps(told)


@pytest.mark.rem("RIS.INS.11", scenario="INS/va1.21.01")
@pytest.mark.parametrize(
    ("without", "place"),
    [
        ({"name": named(family=None)}, "Patient.name.where(use='official').family"),
        ({"name": named(given=None)}, "Patient.name.where(use='official').given"),
        ({"birthDate": None}, "Patient.birthDate"),
        ({"gender": None}, "Patient.gender"),
        ({"extension": None}, "Patient.extension.where(url.endsWith('patient-birthPlace'))"),
    ],
)
def test_each_of_the_five_traits_is_mandatory(
    door: Open, database: Database, evidence: Evidence, without: Json, place: str
) -> None:
    body = resource(**without)
    for name in body.get("name", ()):
        for part in [part for part, value in name.items() if value is None]:
            del name[part]
    answer = door().fhir.post("/Patient", json=body)
    evidence.add("01", "refus.json", answer.text)
    assert refused(answer, 422) == "TRAITS_REFUSED"
    assert place in expressions(answer)
    assert count(database) == 0


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"name": named(family="Pât-Trois")}, "Patient.name.where(use='official').family",
         "NAME_CHARACTERS"),
        ({"birthDate": "1979-03"}, "Patient.birthDate", "DATE_FORMAT"),
        ({"birthDate": "2999-01-01"}, "Patient.birthDate", "DATE_OUT_OF_RANGE"),
        ({"gender": "other"}, "Patient.gender", "SEX_CODE"),
    ],
)  # fmt: skip
def test_the_entry_rules_of_traits_are_those_of_the_json_api(
    door: Open, change: Json, place: str, code: str
) -> None:
    answer = door().fhir.post("/Patient", json=resource(**change))
    assert refused(answer, 422) == "TRAITS_REFUSED"
    (issue,) = answer.json()["issue"]
    assert issue["expression"] == [place]
    assert issue["details"]["coding"][1]["code"] == code


@pytest.mark.parametrize(
    "change",
    [
        {"deceasedBoolean": True},
        {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]},
        {"contained": [{"resourceType": "Organization", "name": "X"}]},
        {"maritalStatus": {"text": "M"}},
        {"_birthDate": {"extension": [{"url": "urn:x", "valueBoolean": True}]}},
        {"extension": [BORN, {"url": "urn:x", "valueBoolean": True}]},
        {"name": named(prefix=["DR"])},
        {"name": [*named(), {"use": "nickname", "family": "X"}]},
        {"name": [*named(), *named()]},
        {"name": [{"family": "PAT-TROIS", "given": ["DOMINIQUE"]}]},
        {"telecom": [{"system": "email", "value": "a@exemple.fr"}]},
        {"telecom": [{"system": "phone", "value": "1"}, {"system": "phone", "value": "2"}]},
        {"address": [{"city": "A"}, {"city": "B"}]},
        {"address": [{"city": "A", "district": "B"}]},
    ],
)
def test_what_a_record_cannot_hold_is_refused_never_dropped(
    door: Open, database: Database, change: Json
) -> None:
    answer = door().fhir.post("/Patient", json=resource(**change))
    assert refused(answer, 422) == "FHIR_ELEMENT_NOT_KEPT"
    assert expressions(answer)
    assert count(database) == 0


@pytest.mark.parametrize(
    ("content", "status_code", "code"),
    [
        (b"", 400, "FHIR_JSON"),
        (b"{", 400, "FHIR_JSON"),
        (b'{"resourceType":"Patient","active":NaN}', 400, "FHIR_JSON"),
        (b'{"resourceType":"Patient","id":"a","id":"b"}', 400, "FHIR_JSON"),
        (b'{"resourceType":"Patient","name":[{"given":[null]}]}', 400, "FHIR_JSON"),
        (b'{"resourceType":"Patient","name":[]}', 400, "FHIR_JSON"),
        (b"\xff\xfe{}", 400, "FHIR_JSON"),
        (b"[" * 20_000, 400, "FHIR_JSON"),
        (
            b'{"resourceType":"Patient","extension":['
            + b'{"url":"urn:x","extension":[' * 250
            + b'{"url":"urn:x","valueString":"a"}'
            + b"]}" * 250
            + b"]}",
            400,
            "FHIR_JSON",
        ),
        (b"[]", 400, "FHIR_RESOURCE_TYPE"),
        (b'{"resourceType":"Observation"}', 400, "FHIR_RESOURCE_TYPE"),
        (b'{"resourceType":"Patient","foo":1}', 422, "INVALID"),
        (b'{"resourceType":"Patient","name":"X"}', 422, "INVALID"),
        (b'{"resourceType":"Patient","name":[{"given":[{}]}]}', 422, "INVALID"),
        (b'{"resourceType":"Patient","extension":[{"valueString":"x"}]}', 422, "INVALID"),
    ],
)
def test_a_body_that_is_no_patient_is_refused(
    door: Open, database: Database, content: bytes, status_code: int, code: str
) -> None:
    kind = {"Content-Type": "application/fhir+json"}
    answer = door().fhir.post("/Patient", content=content, headers=kind)
    assert refused(answer, status_code) == code
    assert count(database) == 0


def test_a_lone_surrogate_or_a_nul_is_refused(door: Open) -> None:
    fhir = door().fhir
    for value, code in (('"\\ud800"', "INVALID"), ('"a\\u0000b"', "TRAITS_REFUSED")):
        body = json.dumps(resource(telecom=[{"system": "phone", "value": "@"}]))
        answer = fhir.post(
            "/Patient", content=body.replace('"@"', value),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert refused(answer, 422) == code
        assert [one.replace("[0]", "") for one in expressions(answer)] == ["Patient.telecom.value"]


def test_a_contact_too_long_is_refused_where_it_stands(door: Open) -> None:
    home = {"line": ["A"] * 6, "postalCode": "1" * 11}
    phone = {"system": "phone", "value": "0" * 31}
    answer = door().fhir.post("/Patient", json=resource(address=[home], telecom=[phone]))
    assert refused(answer, 422) == "TRAITS_REFUSED"
    assert sorted(expressions(answer)) == [
        "Patient.address.line", "Patient.address.postalCode", "Patient.telecom.value"
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["VALI", "RECUP", "QUAL", "AUTRE"])
def test_no_caller_sets_a_status(door: Open, database: Database, code: str) -> None:
    answer = door().fhir.post("/Patient", json=resource(extension=[BORN, reliable(code)]))
    assert refused(answer, 422) == "IDENTITY_STATUS_COMPUTED"
    assert count(database) == 0


@pytest.mark.parametrize("system", [STATUS, OLD])
def test_provisional_may_be_said_in_either_version_of_fr_core(door: Open, system: str) -> None:
    told = created(door().fhir, extension=[BORN, reliable("PROV", system)])
    assert status(told) == "PROV"


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        ({}, None, "INS_NOT_QUALIFIED"),
        ({}, ("PROV", STATUS), "INS_NOT_QUALIFIED"),
        ({}, ("VALI", STATUS), "INS_NOT_QUALIFIED"),
        ({}, ("QUAL", STATUS), "INS_NOT_ACCEPTED"),
        ({}, ("VALI", OLD), "INS_NOT_ACCEPTED"),
        ({"value": "279035121518988"}, ("QUAL", STATUS), "INS_KEY_INVALID"),
        ({"system": "urn:oid:1.2.3"}, ("QUAL", STATUS), "INS_OID_UNKNOWN"),
        ({"type": None}, ("QUAL", STATUS), "INS_NOT_ACCEPTED"),
        ({"use": "old"}, ("QUAL", STATUS), "INS_NOT_ACCEPTED"),
    ],
)
def test_no_matricule_comes_from_a_caller(
    door: Open, database: Database, change: Json, said: tuple[str, str] | None, code: str
) -> None:
    ins = {name: value for name, value in {**INS, **change}.items() if value is not None}
    extensions = [BORN, reliable(*said)] if said else [BORN]
    answer = door().fhir.post("/Patient", json=resource(identifier=[ins], extension=extensions))
    assert refused(answer, 422) == code
    assert MATRICULE[:13] not in answer.text
    assert count(database) == 0


def test_a_test_ins_in_production_is_said_so(door: Open, feature: IdentityFeature) -> None:
    fhir = door(feature=replace(feature, production=True)).fhir
    body = resource(identifier=[INS], extension=[BORN, reliable("QUAL")])
    assert refused(fhir.post("/Patient", json=body), 422) == "INS_TEST_OID"


def test_the_dead_computed_ins_is_read_and_dropped(door: Open) -> None:
    dead = {**INS, "system": "urn:oid:1.2.250.1.213.1.4.2",
            "type": {"coding": [{"code": "INS-C"}]}}  # fmt: skip
    assert list(slices(created(door().fhir, identifier=[dead]))) == ["PI"]


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": [{"system": "urn:oid:2.25.1", "value": "0000000042"}]},
        {"active": False},
        {"link": [{"other": {"reference": "Patient/x"}, "type": "replaces"}]},
        {"extension": [BORN, {"url": RELIABILITY, "extension": [
            {"url": "comment", "valueCodeableConcept": {"coding": [{"code": "DOUT"}]}}]}]},
    ],
)  # fmt: skip
def test_what_the_server_alone_writes_is_refused(door: Open, change: Json) -> None:
    answer = door().fhir.post("/Patient", json=resource(**change))
    assert refused(answer, 422) == "FHIR_READ_ONLY"


def test_the_example_of_a_provisional_patient_is_taken_once_its_own_ids_are_off(
    door: Open, conformance: Path
) -> None:
    example = json.loads((conformance / "ins/fhir/patient_prov_douteux.json").read_text("utf-8"))
    fhir = door().fhir
    assert refused(fhir.post("/Patient", json=example), 422) == "FHIR_READ_ONLY"
    del example["identifier"]
    told = extension(example, RELIABILITY)["extension"]
    told[:] = [one for one in told if one["url"] != "comment"]
    made = got(fhir.post("/Patient", json=example), 201)
    for name in ("name", "gender", "birthDate", "active"):
        assert made[name] == example[name]
    assert made["extension"][1] == example["extension"][1]


@pytest.mark.parametrize("name", ["patient_qual_test", "patient_vali_sans_ins"])
def test_the_examples_above_provisional_are_refused_whole(
    door: Open, database: Database, conformance: Path, name: str
) -> None:
    example = json.loads((conformance / f"ins/fhir/{name}.json").read_text("utf-8"))
    expected = "INS_NOT_ACCEPTED" if "qual" in name else "IDENTITY_STATUS_COMPUTED"
    assert refused(door().fhir.post("/Patient", json=example), 422) == expected
    assert count(database) == 0


def test_the_same_post_twice_has_one_effect(door: Open, database: Database) -> None:
    fhir = door().fhir
    key = {"Idempotency-Key": "une-fois"}
    first = fhir.post("/Patient", json=resource(), headers=key)
    again = fhir.post("/Patient", json=resource(), headers=key)
    assert got(first, 201) == got(again, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    other = fhir.post("/Patient", json=resource(gender="male"), headers=key)
    assert refused(other, 422) == "IDEMPOTENCY_MISMATCH"
    assert count(database) == 1


def test_a_conditional_create_finds_creates_or_refuses(door: Open, database: Database) -> None:
    fhir = door().fhir
    when = {"If-None-Exist": "birthdate=1979-03-28&family=PAT"}
    first = got(fhir.post("/Patient", json=resource(), headers=when), 201)
    again = fhir.post("/Patient", json=resource(), headers=when)
    assert got(again)["id"] == first["id"]
    assert again.headers["content-location"].endswith(first["id"])
    created(fhir)
    several = fhir.post("/Patient", json=resource(), headers=when)
    assert refused(several, 412) == "FHIR_SEVERAL_MATCHES"
    unknown = fhir.post("/Patient", json=resource(), headers={"If-None-Exist": "phone=06"})
    assert refused(unknown, 400) == "FHIR_PARAMETER"
    assert count(database) == 2


def test_a_conditional_create_is_also_a_search(door: Open, database: Database) -> None:
    less = frozenset({Permission.PATIENT_READ})
    blind = door(Role.SECRETARY, less=less).fhir
    when = {"If-None-Exist": "birthdate=1979-03-28"}
    assert refused(blind.post("/Patient", json=resource(), headers=when), 403) == "role_denied"
    assert count(database) == 0


def test_the_example_of_the_published_description_is_taken(door: Open) -> None:
    content = SENT["requestBody"]["content"]["application/fhir+json"]
    told = created(door().fhir, **content["example"])
    assert told["name"][1] == {"use": "usual", "family": "MARTIN"}


def test_a_caller_may_do_without_the_body(door: Open) -> None:
    fhir = door().fhir
    answer = fhir.post("/Patient", json=resource(), headers={"Prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["etag"] == 'W/"1"'
    assert got(fhir.get(httpx.URL(answer.headers["location"]).path.removeprefix("/fhir")))


# updates


@pytest.mark.parametrize("make", [create, recovered, validated, qualified])
def test_what_was_read_may_be_sent_back_as_it_is(door: Open, make: Any) -> None:
    both = door(Role.RADIOLOGIST)
    patient = make(both.json)
    before = read(both.fhir, patient)
    after = got(put(both.fhir, before))
    assert int(after["meta"]["versionId"]) == int(before["meta"]["versionId"]) + 1
    for told in (before, after):
        told["meta"] = {"profile": told["meta"]["profile"]}
    assert after == before


@pytest.mark.parametrize("make", [create, recovered, validated, qualified])
def test_so_may_a_resource_in_the_former_version_of_fr_core(door: Open, make: Any) -> None:
    both = door(Role.RADIOLOGIST, settings=FhirSettings(fr_core="2.1"))
    before = read(both.fhir, make(both.json))
    after = got(put(both.fhir, before))
    assert reliability(after) == reliability(before)
    assert after["identifier"] == before["identifier"]


def test_an_interpreted_birth_date_is_neither_declared_nor_lost(
    door: Open, database: Database
) -> None:
    both = door()
    told = created(both.fhir)
    declared = {**told, "extension": [*told["extension"], {"url": CORRECTED, "valueBoolean": True}]}
    assert refused(put(both.fhir, declared), 422) == "FHIR_READ_ONLY"
    with database.transaction() as session:
        row = session.get(Patient, UUID(told["id"]))
        assert row is not None
        row.birth_date_raw = "1979-03-00"
    told = read(both.fhir, told)
    told["telecom"] = [{"system": "phone", "value": "0600000000"}]
    after = got(put(both.fhir, told))
    assert extension(after, CORRECTED)["valueBoolean"] is True
    after["birthDate"] = "1979-03-02"
    assert not extension(got(put(both.fhir, after)), CORRECTED)


def test_of_two_updates_at_once_one_is_told_to_read_again(door: Open) -> None:
    fhir = door().fhir
    told = created(fhir)
    with ThreadPoolExecutor(2) as pool:
        phones = [{**told, "telecom": [{"system": "phone", "value": one}]} for one in "12"]
        answers = list(pool.map(lambda body: put(fhir, body), phones))
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    (kept,) = [got(answer) for answer in answers if answer.status_code == 200]
    assert read(fhir, told)["telecom"] == kept["telecom"]


def test_whoever_may_not_see_the_ins_does_not_erase_it(door: Open) -> None:
    less = frozenset({Permission.INS_READ})
    patient = qualified(door(Role.RADIOLOGIST).json)
    blind = door(Role.SECRETARY, less=less).fhir
    told = read(blind, patient)
    told["telecom"] = [{"system": "phone", "value": "0600000000"}]
    assert list(slices(got(put(blind, told)))) == ["PI"]
    told = read(blind, patient)
    told["identifier"].append(INS)
    assert refused(put(blind, told), 422) == "INS_NOT_ACCEPTED"
    assert show(door(Role.RADIOLOGIST).json, patient)["ins"]["matricule"] == MATRICULE


def test_a_put_replaces_all_that_a_record_holds(door: Open) -> None:
    both = door()
    told = created(
        both.fhir, telecom=[{"system": "phone", "value": "1"}], address=[{"city": "REIMS"}],
        name=[*named(), {"use": "usual", "family": "MARTIN"}],
    )  # fmt: skip
    bare = {**resource(gender="male"), "id": told["id"], "meta": told["meta"]}
    after = got(put(both.fhir, bare))
    assert (after["gender"], len(after["name"])) == ("male", 1)
    assert "telecom" not in after
    assert "address" not in after


@pytest.mark.rem("RIS.INS.29", scenario="INS/va1.18.01")
@pytest.mark.parametrize("make", [recovered, qualified])
@pytest.mark.parametrize(
    "change",
    [
        {"gender": "male"},
        {"birthDate": "1979-03-29"},
        {"name": named(family="DUPONT")},
        {"name": named()},
    ],
)
def test_a_locked_trait_is_refused(door: Open, evidence: Evidence, make: Any, change: Json) -> None:
    both = door(Role.RADIOLOGIST)
    patient = make(both.json)
    told = {**read(both.fhir, patient), **change}
    answer = put(both.fhir, told)
    evidence.add("01", "refus.json", answer.text)
    assert refused(answer, 403) == "IDENTITY_TRAITS_LOCKED"
    assert show(both.json, patient)["version"] == int(told["meta"]["versionId"])


@pytest.mark.rem("RIS.INS.31", scenario="INS/va1.48.01")
def test_complementary_traits_stay_editable(door: Open, evidence: Evidence) -> None:
    both = door(Role.SECRETARY)
    told = read(both.fhir, qualified(door(Role.RADIOLOGIST).json))
    told["name"].append({"use": "usual", "family": "MARTIN", "given": ["DOM"]})
    answer = put(both.fhir, told)
    evidence.add("01", "patient.json", answer.text)
    after = got(answer)
    assert (status(after), slices(after)["INS-NIR-TEST"][2]) == ("QUAL", MATRICULE)
    assert after["name"][1]["family"] == "MARTIN"


def test_a_super_user_gives_a_reason_and_pays_with_the_ins(door: Open) -> None:
    both = door(Role.IDENTITY_OFFICER)
    told = read(both.fhir, qualified(door(Role.RADIOLOGIST).json))
    told["gender"] = "male"
    assert refused(put(both.fhir, told), 422) == "REASON_REQUIRED"
    why = {"X-Provenance": json.dumps(
        {"resourceType": "Provenance", "reason": [{"text": "erreur d'état civil corrigée"}]}
    )}  # fmt: skip
    after = got(put(both.fhir, told, **why))
    assert (status(after), list(slices(after))) == ("VALI", ["PI"])
    events = both.json.get(f"/patients/{told['id']}/history").json()["items"]
    assert events[-1]["reason"] == "erreur d'état civil corrigée"
    accents = json.dumps({"reason": [{"text": "état civil"}]}, ensure_ascii=False).encode()
    after["gender"] = "unknown"
    after = got(put(both.fhir, after, **{"X-Provenance": accents}))
    events = both.json.get(f"/patients/{told['id']}/history").json()["items"]
    assert events[-1]["reason"] == "état civil"
    broken = put(both.fhir, after, **{"X-Provenance": "[]"})
    assert refused(broken, 400) == "FHIR_PROVENANCE"


def test_an_update_says_which_version_it_read(door: Open) -> None:
    fhir = door().fhir
    told = created(fhir)
    path = f"/Patient/{told['id']}"
    assert refused(fhir.put(path, json=told), 428) == "IF_MATCH_REQUIRED"
    got(put(fhir, told))
    assert refused(put(fhir, told), 412) == "STALE"


def test_an_update_names_its_record_and_creates_none(door: Open, database: Database) -> None:
    fhir = door().fhir
    told = created(fhir)
    other = created(fhir)
    swapped = fhir.put(f"/Patient/{other['id']}", json=told, headers={"If-Match": 'W/"1"'})
    assert refused(swapped, 400) == "FHIR_ID"
    ghost = {**told, "id": "00000000-0000-7000-8000-000000000000"}
    assert refused(put(fhir, ghost), 405) == "FHIR_CLIENT_ID"
    assert count(database) == 2


def test_status_attributes_links_and_ipp_do_not_change_by_a_put(door: Open) -> None:
    fhir = door().fhir
    told = created(fhir)
    for path, value, code in (
        ("status", "VALI", "IDENTITY_STATUS_COMPUTED"),
        ("active", False, "FHIR_READ_ONLY"),
        ("ipp", "0000009999", "FHIR_READ_ONLY"),
        ("link", [{"other": {"reference": "Patient/x"}, "type": "seealso"}], "FHIR_READ_ONLY"),
    ):
        changed: Json = deepcopy(told)
        if path == "status":
            for part in extension(changed, RELIABILITY)["extension"]:
                if part["url"] == "identityStatus":
                    part["valueCoding"]["code"] = value
        elif path == "ipp":
            changed["identifier"][0]["value"] = value
        else:
            changed[path] = value
        assert refused(put(fhir, changed), 422) == code, path
    assert reliability(read(fhir, told))["identityStatus"]["code"] == "PROV"


def test_an_absorbed_record_is_not_edited_and_the_survivor_is_named(door: Open) -> None:
    both = door()
    survivor, absorbed = validated(both.json, **ZOE), create(both.json, **ZOE)
    merged(both.json, survivor, absorbed)
    answer = put(both.fhir, read(both.fhir, absorbed))
    assert refused(answer, 409) == "PATIENT_MERGED"
    assert f"Patient/{survivor['id']}" in answer.json()["issue"][0]["diagnostics"]
    assert got(put(both.fhir, read(both.fhir, survivor)))["link"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("application/fhir+xml", 415),
        ("text/plain", 415),
        ("", 415),
        ("application/fhir+json; fhirVersion=5.0", 415),
        ("application/json; charset=iso-8859-1", 415),
        ("application/fhir+json; fhirVersion=4.0; charset=UTF-8", 201),
        ("text/json", 201),
    ],
)
def test_only_json_of_r4_is_read(door: Open, kind: str, code: int) -> None:
    body = json.dumps(resource()).encode()
    answer = door().fhir.post("/Patient", content=body, headers={"Content-Type": kind})
    if code == 201:
        got(answer, 201)
    else:
        assert refused(answer, 415) == "FHIR_MEDIA_TYPE"
