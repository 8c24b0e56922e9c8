"""GET /fhir/Patient/{id}: what leaves, for whom, in the words of FR Core (ins.md §9)."""

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from ris.auth.rights import Permission, Role
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.interop.fhir.settings import FhirSettings
from ris.rem.evidence import Evidence
from tests.identity.test_foreign import contract, received
from tests.identity.test_merge import merged
from tests.identity.test_routes import (
    accept,
    attribute,
    create,
    edit,
    insi_search,
    qualified,
    recovered,
    show,
    validated,
)
from tests.interop.fhir.sample import (
    BIRTH_LIST,
    COG,
    CORE,
    CORRECTED,
    INSEE,
    IPP_SYSTEM,
    MATRICULE,
    OLD,
    PLACE,
    STATUS,
    TEST_OID,
    Open,
    extension,
    got,
    read,
    refused,
    reliability,
    slices,
    status,
)

ZOE = {"birth_family": "ADRUN", "first_birth_given": "ZOE", "birth_date": "1975-12-31",
       "birth_place": "63220"}  # fmt: skip


def actions(database: Database, patient: dict[str, Any]) -> list[str]:
    with database.transaction() as session:
        mine = select(AuditEvent.action).where(AuditEvent.patient_id == UUID(patient["id"]))
        return list(session.scalars(mine.order_by(AuditEvent.seq)))


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
def test_a_qualified_patient_conforms_to_the_ins_profile(door: Open, evidence: Evidence) -> None:
    both = door(Role.RADIOLOGIST)
    patient = qualified(both.json)
    told = read(both.fhir, patient)
    evidence.add("01", "patient-qualifie.json", json.dumps(told, ensure_ascii=False))
    assert told["meta"]["profile"] == [f"{CORE}/StructureDefinition/fr-core-patient-ins"]
    assert "tag" not in told["meta"]
    assert slices(told) == {
        "PI": ("usual", IPP_SYSTEM, patient["ipp"]),
        "INS-NIR-TEST": ("official", TEST_OID, MATRICULE),
    }
    ins = told["identifier"][1]["type"]["coding"]
    assert ins == [{"system": f"{CORE}/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR-TEST"}]
    told_of = reliability(told)
    today = datetime.now(UTC).date()
    assert told_of["identityStatus"] == {"system": STATUS, "code": "QUAL"}
    assert told_of["methodCollection"]["code"] == "INSI"
    assert abs(date.fromisoformat(told_of["dateInterrogationINSi"]) - today).days <= 1
    assert abs(date.fromisoformat(told_of["validationDate"]) - today).days <= 1
    assert told_of["validationMode"] == {
        "system": f"{CORE}/CodeSystem/fr-core-cs-mode-validation-identity", "code": "CN"
    }  # fmt: skip
    assert datetime.fromisoformat(told_of["lastUpdated"]).tzinfo is not None
    assert told_of["comment"] == []
    official = told["name"][0]
    assert (official["use"], official["family"]) == ("official", "PAT-TROIS")
    assert official["given"] == ["DOMINIQUE"]
    assert extension(official, BIRTH_LIST)["valueString"] == "DOMINIQUE MARIE-LOUISE"
    assert len(told["name"]) == 1
    assert (told["gender"], told["birthDate"], told["active"]) == ("female", "1979-03-28", True)
    place = extension(told, PLACE)["valueAddress"]
    assert extension(place, INSEE)["valueCoding"] == {"system": COG, "code": "51215"}
    assert not extension(told, CORRECTED)


def test_contact_and_used_names_are_shown(door: Open) -> None:
    both = door(Role.SECRETARY)
    patient = create(both.json, sex="I")
    address = {"lines": ["1 RUE INVENTEE"], "postal_code": "51000", "city": "REIMS"}
    edit(both.json, patient, used_family="MARTIN", used_given="DOM", phone="0600000000",
         address=address)  # fmt: skip
    told = read(both.fhir, patient)
    assert told["name"][1] == {"use": "usual", "family": "MARTIN", "given": ["DOM"]}
    assert told["telecom"] == [{"system": "phone", "value": "0600000000"}]
    assert told["address"] == [
        {"use": "home", "line": ["1 RUE INVENTEE"], "city": "REIMS", "postalCode": "51000"}
    ]
    assert told["gender"] == "unknown"
    assert reliability(told)["methodCollection"]["code"] == "SM"


@pytest.mark.parametrize(
    ("make", "code"), [(create, "PROV"), (recovered, "RECUP"), (validated, "VALI")]
)
@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
def test_no_ins_leaves_unless_qualified(
    door: Open, evidence: Evidence, make: Any, code: str
) -> None:
    both = door(Role.RADIOLOGIST)
    answer = both.fhir.get(f"/Patient/{make(both.json)['id']}")
    evidence.add("01", f"patient-{code}.json", answer.text)
    told = got(answer)
    assert status(told) == code
    assert list(slices(told)) == ["PI"]
    assert MATRICULE not in answer.text
    assert "1.2.250.1.213.1.4." not in answer.text
    assert told["meta"]["profile"] == [f"{CORE}/StructureDefinition/fr-core-patient"]
    known = reliability(told)
    assert ("dateInterrogationINSi" in known) == (code == "RECUP")
    assert ("validationMode" in known) == (code == "VALI")


def test_attributes_are_comments_and_bring_the_identity_down(door: Open) -> None:
    both = door()
    patient = qualified(both.json)
    attribute(both.json, patient, "douteuse")
    attribute(both.json, patient, "homonyme")
    told = read(both.fhir, patient)
    assert (status(told), reliability(told)["comment"]) == ("PROV", ["DOUT", "HOMA"])
    assert list(slices(told)) == ["PI"]
    assert "validationMode" not in reliability(told)


def test_without_the_right_to_see_it_the_ins_is_held_back_and_the_resource_says_so(
    door: Open, database: Database
) -> None:
    patient = qualified(door(Role.RADIOLOGIST).json)
    told = read(door(Role.INTERN).fhir, patient)
    assert list(slices(told)) == ["PI"]
    assert told["meta"]["profile"] == [f"{CORE}/StructureDefinition/fr-core-patient"]
    assert [one["code"] for one in told["meta"]["tag"]] == ["SUBSETTED"]
    assert status(told) == "QUAL"
    assert actions(database, patient)[-1] == "patient.read"


@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
def test_a_read_that_shows_the_ins_is_on_the_journal(
    door: Open, database: Database, evidence: Evidence
) -> None:
    both = door(Role.RADIOLOGIST)
    patient = qualified(both.json)
    before = len(actions(database, patient))
    read(both.fhir, patient)
    told = actions(database, patient)[before:]
    evidence.add("01", "journal.txt", "\n".join(told))
    assert told == ["ins.read", "patient.read"]


def test_the_tag_is_the_version_and_an_unchanged_record_is_not_sent_again(door: Open) -> None:
    both = door()
    patient = create(both.json)
    path = f"/Patient/{patient['id']}"
    answer = both.fhir.get(path)
    tag = answer.headers["etag"]
    assert tag == f'W/"{got(answer)["meta"]["versionId"]}"' == f'W/"{patient["version"]}"'
    assert answer.headers["last-modified"].endswith("GMT")
    same = both.fhir.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    edit(both.json, patient, phone="0600000000")
    assert both.fhir.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_an_absorbed_record_is_inactive_and_each_names_the_other(door: Open) -> None:
    both = door()
    survivor, absorbed = validated(both.json, **ZOE), create(both.json, **ZOE)
    assert merged(both.json, survivor, absorbed).status_code == 201
    gone, kept = read(both.fhir, absorbed), read(both.fhir, survivor)
    assert (gone["active"], kept["active"]) == (False, True)
    assert gone["link"] == [
        {"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"}
    ]
    assert kept["link"] == [
        {"other": {"reference": f"Patient/{absorbed['id']}"}, "type": "replaces"}
    ]
    assert reliability(gone)["comment"] == ["DOUA", "DESA"]
    assert slices(kept)["PI_OLD"] == ("old", IPP_SYSTEM, absorbed["ipp"])
    assert slices(kept)["PI"][2] == survivor["ipp"]


def test_an_interpreted_birth_date_says_that_it_was_corrected(
    door: Open, database: Database
) -> None:
    both = door()
    patient = create(both.json, birth_date="1950-12-31")
    with database.transaction() as session:
        row = session.get(Patient, UUID(patient["id"]))
        assert row is not None
        row.birth_date_raw = "1950-00-00"
    told = read(both.fhir, patient)
    assert told["birthDate"] == "1950-12-31"
    assert extension(told, CORRECTED)["valueBoolean"] is True
    assert "1950-00-00" not in str(told)


def test_traits_read_from_a_vitale_card_say_so(door: Open) -> None:
    both = door()
    patient = create(both.json)
    card = {"matricule": MATRICULE, "opener": MATRICULE, "birth_family": "PAT-TROIS",
            "birth_date": "1979-03-28", "birth_rank": "1"}  # fmt: skip
    accept(both.json, patient, insi_search(both.json, patient, vitale=card))
    assert reliability(read(both.fhir, patient))["methodCollection"]["code"] == "CV"


def test_an_identity_received_does_not_say_how_another_system_obtained_it(
    door: Open, database: Database, feature: IdentityFeature
) -> None:
    both = door()
    contract(both.json, "own_domain")
    done = received(database, feature)
    told = read(both.fhir, {"id": str(done.patient_id)})
    assert (status(told), slices(told)["INS-NIR-TEST"][2]) == ("QUAL", MATRICULE)
    known = reliability(told)
    assert not {"methodCollection", "dateInterrogationINSi", "validationMode"} & known.keys()


def test_an_address_or_a_phone_does_not_refresh_the_reliability(door: Open) -> None:
    both = door()
    patient = create(both.json)
    before = reliability(read(both.fhir, patient))["lastUpdated"]
    edit(both.json, patient, phone="0600000000")
    assert reliability(read(both.fhir, patient))["lastUpdated"] == before
    attribute(both.json, patient, "homonyme")
    assert reliability(read(both.fhir, patient))["lastUpdated"] > before


@pytest.mark.parametrize(
    ("make", "code"), [(qualified, "VALI"), (validated, "PROV"), (recovered, "PROV")]
)
def test_the_former_version_of_fr_core_says_vali_for_qualified_only(
    door: Open, make: Any, code: str
) -> None:
    both = door(Role.RADIOLOGIST, settings=FhirSettings(fr_core="2.1"))
    told = read(both.fhir, make(both.json))
    assert reliability(told)["identityStatus"] == {"system": OLD, "code": code}
    assert "lastUpdated" not in reliability(told)
    assert (MATRICULE in str(told)) == (code == "VALI")


@pytest.mark.parametrize("place", ["00000000-0000-7000-8000-000000000000", "inconnu", "a b'\"%00"])
def test_a_patient_that_is_not_there_is_a_404(door: Open, place: str) -> None:
    assert refused(door().fhir.get(f"/Patient/{place}"), 404) == "PATIENT_NOT_FOUND"


def test_a_role_without_the_right_reads_nothing(door: Open) -> None:
    patient = create(door().json)
    auditor: httpx.Client = door(Role.AUDITOR).fhir
    assert refused(auditor.get(f"/Patient/{patient['id']}"), 403) == "role_denied"
    reader = door(Role.SECRETARY, less=frozenset({Permission.PATIENT_WRITE})).fhir
    told = read(reader, patient)
    assert refused(reader.put(f"/Patient/{patient['id']}", json=told), 403) == "role_denied"
    assert show(door().json, patient)["version"] == patient["version"]
