"""The identity API over HTTP: the INS test day as far as this room goes (rem.md §8)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ris.auth.rights import Permission, Role
from ris.core.audit import Actor, AuditEvent
from ris.core.db import Database
from ris.identity.feature import Change, IdentityFeature
from ris.identity.insi import calls, retrieval
from ris.identity.model import InsiCall, Patient
from ris.identity.settings import DocumentType
from ris.identity.states import Event
from ris.rem.evidence import Evidence
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS, result
from ris.sandbox.insi_people import Person
from tests.identity.conftest import CALLER, PATIENT, Desk, Insi

MATRICULE = "279035121518989"
Json = dict[str, Any]


def create(api: httpx.Client, **fields: str) -> Json:
    answer = api.post("/patients", json={**PATIENT, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def show(api: httpx.Client, patient: Json) -> Json:
    answer = api.get(f"/patients/{patient['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def as_read(api: httpx.Client, patient: Json) -> dict[str, str]:
    """What the caller sends back: the version of the record as it is now."""
    return {"If-Match": f'"{show(api, patient)["version"]}"'}


def insi_search(api: httpx.Client, patient: Json, **body: Any) -> Json:
    answer = api.post(f"/patients/{patient['id']}/insi-search", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def accept(api: httpx.Client, patient: Json, found: Json, reason: str = "") -> httpx.Response:
    body = {"retrieval_id": found["retrieval_id"], "decision": "accept", "reason": reason}
    path = f"/patients/{patient['id']}/insi-acceptance"
    return api.post(path, json=body, headers=as_read(api, patient))


def validate(api: httpx.Client, patient: Json, kind: str = "CN", **body: Any) -> httpx.Response:
    content = {"type": kind, "validate_identity": True, **body}
    path = f"/patients/{patient['id']}/documents"
    return api.post(path, json=content, headers=as_read(api, patient))


def edit(api: httpx.Client, patient: Json, **fields: Any) -> httpx.Response:
    path = f"/patients/{patient['id']}"
    return api.patch(path, json=fields, headers=as_read(api, patient))


def attribute(api: httpx.Client, patient: Json, name: str) -> httpx.Response:
    headers = {"If-Match": f'"{show(api, patient)["version"]}"'}
    return api.put(
        f"/patients/{patient['id']}/attributes/{name}", json={"reason": "essai"}, headers=headers
    )


def recovered(api: httpx.Client, **fields: str) -> Json:
    patient = create(api, **fields)
    answer = accept(api, patient, insi_search(api, patient))
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "récupérée"
    return patient


def validated(api: httpx.Client, **fields: str) -> Json:
    patient = create(api, **fields)
    assert validate(api, patient).json()["patient"]["status"] == "validée"
    return patient


def qualified(api: httpx.Client, **fields: str) -> Json:
    patient = recovered(api, **fields)
    assert validate(api, patient).json()["patient"]["status"] == "qualifiée"
    return patient


Maker = Callable[..., Json]
BY_STATUS: dict[str, Maker] = {
    "récupérée": recovered,
    "validée": validated,
    "qualifiée": qualified,
}


@pytest.mark.rem("RIS.INS.22", scenario="INS/va1.54.01-02")
@pytest.mark.rem("RIS.INS.12", scenario="INS/va1.22.01")
def test_a_new_identity_is_provisional_and_has_its_ipp(desk: Desk, evidence: Evidence) -> None:
    api = desk()
    first, second = create(api), create(api)
    assert first["status"] == "provisoire"
    assert int(second["ipp"]) == int(first["ipp"]) + 1
    assert first["ins"] is None
    assert (first["used_family"], first["used_given"]) == ("", "")
    evidence.add("01", "created.json", {"sent": PATIENT, "answer": first})


@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.01")
@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.01")
def test_the_ten_fields_of_an_identity_are_there(desk: Desk, evidence: Evidence) -> None:
    api = desk()
    patient = qualified(api, used_family="DURAND", used_given="DOM")
    shown = show(api, patient)
    ten = ("birth_family", "used_family", "birth_given_names", "first_birth_given", "used_given",
           "birth_date", "sex", "birth_place")  # fmt: skip
    assert all(shown[field] for field in ten)
    assert shown["ins"] == {
        "matricule": MATRICULE,
        "oid": "1.2.250.1.213.1.4.10",
        "nature": "NIR",
    }
    evidence.add("01", "patient.json", shown)


@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.56.04")
def test_the_billing_number_is_another_field_that_never_says_ins(
    desk: Desk, evidence: Evidence
) -> None:
    api = desk()
    shown = create(api, billing_number="253072B07300470")
    assert shown["billing_number_recorded"] is True
    assert shown["ins"] is None
    assert "253072B07300470" not in str(show(api, shown))
    label = desk_schema(api)["PatientIn"]["properties"]["billing_number"]["description"]
    assert "INS" not in label
    assert "matricule" not in desk_schema(api)["PatientIn"]["properties"]
    evidence.add("01", "fields.json", desk_schema(api)["PatientIn"])


def desk_schema(api: httpx.Client) -> Json:
    root = str(api.base_url).removesuffix("/v1/").removesuffix("/v1")
    schemas: Json = api.get(f"{root}/openapi.json").json()["components"]["schemas"]
    return schemas


@pytest.mark.rem("RIS.INS.11", scenario="INS/va1.21.01")
def test_a_creation_without_one_of_the_five_fields_is_refused(
    desk: Desk, evidence: Evidence
) -> None:
    api = desk()
    for number, field in enumerate(PATIENT, start=1):
        answer = api.post("/patients", json={k: v for k, v in PATIENT.items() if k != field})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"
        evidence.add(f"{number:02d}", f"without-{field}.json", answer.json())


@pytest.mark.rem("RIS.INS.25", scenario="INS/va1.54.01")
@pytest.mark.rem("RIS.INS.24", scenario="INS/va1.54.01")
def test_provisional_then_validated_then_qualified(desk: Desk, evidence: Evidence) -> None:
    api = desk()
    patient = create(api)
    assert validate(api, patient).json()["patient"]["status"] == "validée"
    answer = accept(api, patient, insi_search(api, patient))
    assert answer.json()["status"] == "qualifiée"
    assert answer.json()["ins"]["matricule"] == MATRICULE
    history = api.get(f"/patients/{patient['id']}/history").json()["items"]
    assert [(row["from_status"], row["to_status"]) for row in history] == [
        (None, "provisoire"),
        ("provisoire", "validée"),
        ("validée", "qualifiée"),
    ]
    evidence.add("01", "history.json", {"history": history})


@pytest.mark.rem("RIS.INS.25", scenario="INS/va1.54.02")
@pytest.mark.rem("RIS.INS.23", scenario="INS/va1.54.02")
def test_provisional_then_recovered_then_qualified(desk: Desk, evidence: Evidence) -> None:
    api = desk()
    patient = recovered(api)
    assert show(api, patient)["ins"] is None
    answer = validate(api, patient, "PA").json()
    assert answer["patient"]["status"] == "qualifiée"
    assert answer["patient"]["ins"]["matricule"] == MATRICULE
    evidence.add("01", "qualified.json", answer)


@pytest.mark.rem("RIS.INS.26")
def test_each_status_change_keeps_who_when_and_the_former_status(
    desk: Desk, evidence: Evidence
) -> None:
    api = desk()
    patient = qualified(api)
    rows = api.get(f"/patients/{patient['id']}/history").json()["items"]
    assert all(row["at"] and row["account_id"] and row["ps_idnat"] for row in rows)
    assert [row["event"] for row in rows] == ["created", "insi_accepted", "document_validated"]
    assert [row["from_status"] for row in rows] == [None, "provisoire", "récupérée"]
    evidence.add("01", "history.json", {"history": rows})


@pytest.mark.rem("RIS.INS.13", scenario="INS/va1.52.01")
def test_insi_traits_replace_ours_once_compared_and_confirmed(
    desk: Desk, evidence: Evidence
) -> None:
    api = desk()
    patient = create(api, birth_place="99999")
    found = insi_search(api, patient)
    assert found["code"] == "00"
    rows = {row["field"]: row for row in found["comparison"]}
    assert rows["birth_given_names"]["insi"] == "DOMINIQUE MARIE-LOUISE"
    assert rows["birth_given_names"]["difference"] == "minor"
    assert rows["birth_date"]["insi"] == "28/03/1979"
    assert show(api, patient)["status"] == "provisoire"
    after = accept(api, patient, found).json()
    assert after["birth_given_names"] == ["DOMINIQUE", "MARIE-LOUISE"]
    assert after["birth_place"] == "51215"
    evidence.add("01", "comparison.json", found)
    evidence.add("02", "after.json", after)


@pytest.mark.rem("RIS.INS.14", scenario="INS/va1.51.01")
def test_a_different_first_given_name_alerts_and_stays(desk: Desk, evidence: Evidence) -> None:
    api = desk()
    patient = create(api, birth_family="TCHITCHI", first_birth_given="OLA",
                     birth_given_names="OLA CATARINA", birth_date="1936-06-21",
                     birth_place="63220")  # fmt: skip
    found = insi_search(api, patient)
    assert [call["code"] for call in found["calls"]] == ["01", "00"]
    assert found["first_given_alert"] is True
    after = accept(api, patient, found).json()
    assert after["first_birth_given"] == "OLA"
    assert after["birth_given_names"] == ["CATARINA", "BELLA"]
    evidence.add("01", "alert.json", found)


TEST = "1.2.250.1.213.1.4.10"
SOUND = Person("PAT-TROIS", "DOMINIQUE", "F", "1979-03-28", "51215", MATRICULE, TEST)


@pytest.mark.rem("RIS.INS.15", scenario="INS/va1.28.01")
def test_a_date_without_day_from_insi_blocks_the_import(
    desk: Desk, insi: Insi, evidence: Evidence
) -> None:
    api = desk()
    patient = create(api)
    insi.state.scripted.append(result("00", replace(SOUND, born="1979-03-00")))
    found = insi_search(api, patient)
    assert found["blocked"]["code"] == "INSI_DATE_INCOMPLETE"
    assert found["retrieval_id"] is None
    evidence.add("01", "blocked.json", found)


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("family", marks=pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.01")),
        pytest.param("given", marks=pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.02")),
        pytest.param("sex", marks=pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.03")),
    ],
)
def test_an_empty_trait_from_insi_blocks_the_import_even_if_one_insists(
    desk: Desk, insi: Insi, evidence: Evidence, field: str, database: Database
) -> None:
    api = desk()
    patient = create(api)
    insi.state.scripted.append(result("00", replace(SOUND, **{field: ""})))
    found = insi_search(api, patient)
    assert found["blocked"]["rem"] == ["RIS.INS.16"]
    call = {"retrieval_id": found["calls"][-1]["id"]}
    answer = accept(api, patient, call)
    assert answer.status_code == 409
    assert show(api, patient)["status"] == "provisoire"
    evidence.add("01", f"blocked-{field}.json", answer.json())


@pytest.mark.rem("RIS.INS.40", scenario="INS/va1.38.02")
@pytest.mark.rem("RIS.INS.41", scenario="INS/va1.35.02")
@pytest.mark.rem("RIS.INS.04", scenario="INS/va1.49.01")
def test_every_call_is_kept_with_all_that_came_back(
    desk: Desk, database: Database, evidence: Evidence
) -> None:
    api, other = desk(), desk(Role.SECRETARY)
    patient = create(api)
    insi_search(api, patient)
    nobody = create(api, birth_family="HOUILLES", first_birth_given="PIERRE", sex="M",
                    birth_date="1993-01-27")  # fmt: skip
    assert insi_search(other, nobody)["code"] == "01"
    with database.transaction() as session:
        kept = list(session.scalars(select(InsiCall).order_by(InsiCall.at)))
        users = {event.actor_id for event in session.scalars(
            select(AuditEvent).where(AuditEvent.action == "insi.called"))}  # fmt: skip
    assert [call.code for call in kept] == ["00", "01"]
    assert kept[0].answer["matricule"] == MATRICULE
    assert kept[0].answer["given_names"] == "DOMINIQUE MARIE-LOUISE"
    assert kept[0].mode == "MANU"
    assert len(users) == 2
    journal = api.get(f"/patients/{patient['id']}/insi-calls").json()["items"]
    assert MATRICULE not in str(journal)
    evidence.add("01", "journal.json", {"calls": journal, "answer": kept[0].answer})


@pytest.mark.rem("RIS.INS.40", scenario="INS/va1.38.01")
@pytest.mark.rem("RIS.INS.41", scenario="INS/va1.35.01")
@pytest.mark.rem("RIS.INS.50", scenario="INS/va1.34.01")
def test_a_vitale_card_finds_its_owner(desk: Desk, database: Database, evidence: Evidence) -> None:
    api = desk()
    patient = create(api)
    card = {"matricule": MATRICULE, "opener": MATRICULE, "birth_family": "PAT-TROIS",
            "birth_date": "1979-03-28", "birth_rank": "1"}  # fmt: skip
    found = insi_search(api, patient, vitale=card)
    assert found["calls"][0]["operation"] == "vitale"
    assert accept(api, patient, found).json()["status"] == "récupérée"
    journal = api.get(f"/patients/{patient['id']}/insi-calls").json()["items"]
    assert [(call["operation"], call["code"]) for call in journal] == [("vitale", "00")]
    with database.transaction() as session:
        kept = session.scalars(select(InsiCall)).one()
    assert (kept.answer["matricule"], kept.answer["oid"]) == (MATRICULE, TEST)
    evidence.add("01", "vitale.json", found)
    evidence.add("02", "journal.json", {"calls": journal, "answer": kept.answer})


@pytest.mark.parametrize("name", ["PAT\x00TROIS", "PAT\x1fTROIS", "PAT\ufffeTROIS", "\U0001f600"])
def test_a_card_name_that_no_message_can_carry_is_refused_before_any_call(
    desk: Desk, insi: Insi, name: str
) -> None:
    api = desk()
    card = {"matricule": "279035121518989", "opener": "279035121518989", "birth_family": name,
            "birth_date": "1979-03-28"}  # fmt: skip
    path = f"/patients/{create(api)['id']}/insi-search"
    refused = api.post(path, json={"vitale": card})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (
        422, "/vitale/birth_family",
    )  # fmt: skip
    assert insi.state.requests == []


def test_several_found_are_narrowed_by_given_names_then_birthplace(desk: Desk) -> None:
    api = desk()
    twins = {"birth_family": "TESTRIS JUMEAUX", "first_birth_given": "LEO", "sex": "M",
             "birth_date": "1992-05-04"}  # fmt: skip
    vague = create(api, **twins, birth_given_names="LEO", birth_place="99999")
    assert insi_search(api, vague)["code"] == "02"
    named = create(api, **twins, birth_given_names="LEO MARIN", birth_place="75114")
    found = insi_search(api, named)
    assert [call["code"] for call in found["calls"]] == ["02", "02", "00"]


def test_a_fault_is_never_nobody_found_and_is_kept(
    desk: Desk, insi: Insi, database: Database
) -> None:
    api = desk()
    patient = create(api)
    insi.faults.inject(BY_TRAITS, Fault(kind="soap", code="insi_102"))
    answer = api.post(f"/patients/{patient['id']}/insi-search", json={})
    assert answer.status_code == 503
    assert answer.json()["code"] == "INSI_UNAVAILABLE"
    with database.transaction() as session:
        call = session.scalars(select(InsiCall)).one()
    assert (call.code, call.fault) == (None, "siram_40/insi_102")
    assert show(api, patient)["status"] == "provisoire"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("douteuse", marks=pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.01")),
        pytest.param("fictive", marks=pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.02")),
    ],
)
def test_no_call_for_a_doubtful_or_fictitious_identity(
    desk: Desk, insi: Insi, evidence: Evidence, name: str
) -> None:
    api = desk()
    patient = create(api)
    attribute(api, patient, name)
    answer = api.post(f"/patients/{patient['id']}/insi-search", json={})
    assert answer.status_code == 409
    assert answer.json()["code"] == "INS_ATTRIBUTE_BLOCKS"
    assert insi.state.requests == []
    evidence.add("01", f"{name}.json", answer.json())


@pytest.mark.parametrize("name", ["douteuse", "fictive"])
@pytest.mark.parametrize(
    "status",
    [
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.27", scenario="INS/va1.44.01.01")),
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.27", scenario="INS/va1.44.01.02")),
        pytest.param("validée", marks=pytest.mark.rem("RIS.INS.27", scenario="INS/va1.44.01.03")),
    ],
)
def test_a_blocking_attribute_brings_any_identity_down_to_provisional(
    desk: Desk, database: Database, evidence: Evidence, status: str, name: str
) -> None:
    api = desk()
    patient = BY_STATUS[status](api)
    after = attribute(api, patient, name).json()
    assert (after["status"], after["ins"], after["attributes"]) == ("provisoire", None, [name])
    with database.transaction() as session:
        assert session.get_one(Patient, patient["id"]).ins_matricule is None
    evidence.add("01", f"{name}.json", after)


def test_removing_the_attribute_does_not_give_the_status_back(desk: Desk) -> None:
    api = desk()
    patient = qualified(api)
    version = attribute(api, patient, "douteuse").json()["version"]
    path = f"/patients/{patient['id']}/attributes/douteuse"
    after = api.delete(path, headers={"If-Match": f'"{version}"'}).json()
    assert (after["status"], after["ins"], after["attributes"]) == ("provisoire", None, [])


def test_an_homonym_keeps_its_status(desk: Desk) -> None:
    api = desk()
    patient = qualified(api)
    after = attribute(api, patient, "homonyme").json()
    assert (after["status"], after["attributes"]) == ("qualifiée", ["homonyme"])
    assert after["ins"] is not None


STRICT = {
    "birth_family": "AUTRE",
    "birth_given_names": "DOMINIQUE ANNE",
    "birth_date": "1979-03-29",
    "sex": "M",
    "birth_place": "63220",
}


@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.29", scenario="INS/va1.18.01")),
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.29", scenario="INS/va1.18.02")),
    ],
)
def test_an_ordinary_user_cannot_edit_the_locked_fields(
    desk: Desk, evidence: Evidence, status: str
) -> None:
    api, clerk = desk(), desk(Role.SECRETARY)
    patient = BY_STATUS[status](api)
    for number, (field, value) in enumerate(STRICT.items(), start=1):
        answer = edit(clerk, patient, **{field: value})
        assert answer.status_code == 403
        assert (answer.json()["code"], answer.json()["fields"]) == (
            "IDENTITY_TRAITS_LOCKED",
            [field],
        )
        evidence.add(f"{number:02d}", f"{field}.json", answer.json())
    for field in ("ins_matricule", "matricule", "ins_oid"):
        assert edit(clerk, patient, **{field: "1"}).status_code == 422
    assert show(api, patient)["status"] == status


@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.30", scenario="INS/va1.47.01")),
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.30", scenario="INS/va1.47.02")),
    ],
)
def test_the_lock_is_shown_with_its_reason(desk: Desk, evidence: Evidence, status: str) -> None:
    api = desk()
    shown = show(api, BY_STATUS[status](api))
    locked = {entry["field"] for entry in shown["locked_fields"]}
    assert locked == {"ins_matricule", "ins_oid", *STRICT}
    assert all(entry["reason"] for entry in shown["locked_fields"])
    evidence.add("01", f"locked-{len(locked)}.json", shown)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.31", scenario="INS/va1.48.01")),
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.31", scenario="INS/va1.48.02")),
    ],
)
def test_complementary_traits_stay_editable(desk: Desk, evidence: Evidence, status: str) -> None:
    api, clerk = desk(), desk(Role.SECRETARY)
    patient = BY_STATUS[status](api)
    address = {"lines": ["1 RUE FICTIVE"], "postal_code": "51100", "city": "REIMS"}
    answer = edit(
        clerk, patient, used_family="MARTIN", used_given="DOM", phone="0102030405", address=address
    )
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert (after["used_family"], after["phone"], after["status"]) == (
        "MARTIN",
        "0102030405",
        status,
    )
    evidence.add("01", "edited.json", after)


@pytest.mark.parametrize(
    ("status", "landing"),
    [
        pytest.param(
            "récupérée",
            "provisoire",
            marks=[
                pytest.mark.rem("RIS.INS.32", scenario="INS/va1.60.01"),
                pytest.mark.rem("RIS.INS.33", scenario="INS/va1.60.01"),
                pytest.mark.rem("RIS.INS.35", scenario="INS/va1.60.01"),
            ],
        ),
        pytest.param(
            "qualifiée",
            "validée",
            marks=[
                pytest.mark.rem("RIS.INS.32", scenario="INS/va1.60.03"),
                pytest.mark.rem("RIS.INS.33", scenario="INS/va1.60.03"),
                pytest.mark.rem("RIS.INS.35", scenario="INS/va1.60.03"),
            ],
        ),
    ],
)
def test_a_super_user_edit_costs_one_status_and_the_ins(  # noqa: PLR0917 - fixtures
    desk: Desk, database: Database, feature: IdentityFeature, evidence: Evidence, status: str,
    landing: str,
) -> None:  # fmt: skip
    told: list[Change] = []
    feature.subscribers.append(lambda _, change: told.append(change))
    api = desk()
    patient = BY_STATUS[status](api)
    after = edit(api, patient, birth_family="AUTRE", reason="jugement").json()
    assert (after["status"], after["ins"]) == (landing, None)
    with database.transaction() as session:
        row = session.get_one(Patient, patient["id"])
        assert (row.ins_matricule, row.ins_oid) == (None, None)
    assert told[-1].event is Event.STRICT_TRAIT_CHANGED
    assert told[-1].propagate
    evidence.add("01", f"{landing[:4]}.json", after)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param("récupérée", marks=pytest.mark.rem("RIS.INS.32", scenario="INS/va1.60.02")),
        pytest.param("qualifiée", marks=pytest.mark.rem("RIS.INS.32", scenario="INS/va1.60.04")),
    ],
)
def test_a_super_user_edit_of_the_used_name_costs_nothing(
    desk: Desk, database: Database, evidence: Evidence, status: str
) -> None:
    api = desk()
    patient = BY_STATUS[status](api)
    after = edit(api, patient, used_family="MARTIN").json()
    assert (after["status"], after["used_family"]) == (status, "MARTIN")
    with database.transaction() as session:
        assert session.get_one(Patient, patient["id"]).ins_matricule == MATRICULE
    evidence.add("01", f"{status[:4]}.json", after)


def test_a_super_user_must_say_why(desk: Desk) -> None:
    api = desk()
    answer = edit(api, recovered(api), birth_family="AUTRE")
    assert (answer.status_code, answer.json()["code"]) == (422, "REASON_REQUIRED")


def test_after_such_an_edit_a_new_document_is_needed_before_qualifying_again(desk: Desk) -> None:
    api = desk()
    patient = qualified(api)
    edit(api, patient, birth_place="63220", reason="jugement")
    edit_back = insi_search(api, patient)
    refused = accept(api, patient, edit_back)
    assert (refused.status_code, refused.json()["code"]) == (409, "DOCUMENT_CHECK_STALE")
    again = validate(api, patient).json()
    assert (again["validated"], again["patient"]["status"]) == (True, "validée")
    assert accept(api, patient, edit_back).json()["status"] == "qualifiée"


@pytest.mark.rem("RIS.INS.17", scenario="INS/va1.27.01")
def test_a_change_leaves_a_line_with_date_kind_and_professional(
    desk: Desk, database: Database, evidence: Evidence
) -> None:
    api = desk()
    patient = validated(api)
    assert edit(api, patient, birth_place="63220").json()["status"] == "provisoire"
    with database.transaction() as session:
        line = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "patient.updated")
        ).one()
    assert line.at
    assert line.actor_ps_idnat == "899700218896"
    assert line.detail["fields"] == ["birth_place"]
    evidence.add("01", "line.json", {"at": str(line.at), "action": line.action, **line.detail})


@pytest.mark.rem("RIS.INS.03", scenario="INS/va1.39.01")
def test_each_display_of_an_ins_is_journaled(
    desk: Desk, database: Database, evidence: Evidence
) -> None:
    api = desk()
    patient = qualified(api)
    show(api, patient)
    blind = desk(less=frozenset({Permission.INS_READ}))
    show(blind, patient)
    with database.transaction() as session:
        lines = list(session.scalars(select(AuditEvent).where(AuditEvent.action == "ins.read")))
    shown_by_the_qualifying_answer_then_by_the_record = [patient["id"]] * 2
    assert [str(o.patient_id) for o in lines] == shown_by_the_qualifying_answer_then_by_the_record
    assert MATRICULE not in str([line.detail for line in lines])
    evidence.add("01", "line.json", {"at": str(lines[0].at), "user": str(lines[0].actor_id)})


@pytest.mark.rem("RIS.INS.05", scenario="INS/va1.50.01")
@pytest.mark.rem("RIS.INS.06", scenario="INS/va1.32.01")
def test_seeing_an_ins_and_calling_insi_are_separate_rights(
    desk: Desk, database: Database, evidence: Evidence
) -> None:
    api = desk()
    patient = qualified(api)
    blind = desk(less=frozenset({Permission.INS_READ}))
    assert show(blind, patient)["ins"] is None
    assert blind.post("/patients/search", json={"matricule": MATRICULE}).status_code == 403
    deaf = desk(less=frozenset({Permission.INSI_CALL}))
    refused = deaf.post(f"/patients/{patient['id']}/insi-search", json={})
    assert refused.status_code == 403
    assert show(deaf, patient)["ins"] is not None
    assert desk(Role.ADMIN_TECH).get(f"/patients/{patient['id']}").status_code == 403
    with database.transaction() as session:
        read = select(AuditEvent).where(AuditEvent.action == "ins.read")
        by_the_qualifying_answer, by_the_record = session.scalars(read).all()
    assert by_the_qualifying_answer.actor_id != by_the_record.actor_id
    evidence.add("01", "refused.json", refused.json())


@pytest.mark.rem("RIS.INS.20", scenario="INS/va1.55.01")
@pytest.mark.rem("RIS.INS.18", scenario="INS/va1.23.01")
def test_validation_is_an_act_of_someone_habilitated(desk: Desk, evidence: Evidence) -> None:
    api = desk()
    patient = create(api)
    noted = validate(api, patient, validate_identity=False).json()
    assert (noted["validated"], noted["patient"]["status"]) == (False, "provisoire")
    assert validate(desk(Role.SECRETARY), patient).status_code == 403
    done = validate(desk(Role.SECRETARY, habilitated=True), patient).json()
    assert done["patient"]["status"] == "validée"
    evidence.add("01", "validated.json", done)


@pytest.mark.rem("RIS.INS.19", scenario="INS/va1.26.01")
def test_a_document_of_low_trust_or_off_the_list_does_not_validate(
    desk: Desk, evidence: Evidence
) -> None:
    api = desk()
    patient = create(api)
    for kind in ("PC", "AN", "XX"):
        answer = validate(api, patient, kind)
        assert (answer.status_code, answer.json()["code"]) == (422, "IDENTITY_DOCUMENT_REFUSED")
        evidence.add("01", f"{kind}.json", answer.json())
    assert show(api, patient)["status"] == "provisoire"


@pytest.mark.rem("RIS.INS.19", scenario="INS/va1.26.01")
def test_an_expired_document_is_recorded_and_validates_nothing(desk: Desk) -> None:
    api = desk()
    patient = create(api)
    expired = {"kind": "CN", "expires_on": "2020-03-09"}
    answer = validate(api, patient, **expired)
    assert (answer.status_code, answer.json()["code"]) == (422, "DOCUMENT_EXPIRED")
    assert answer.json()["detail"] == "Ce titre est expiré depuis le 09/03/2020."
    noted = validate(api, patient, **expired, validate_identity=False)
    assert (noted.status_code, noted.json()["validated"]) == (201, False)
    assert show(api, patient)["status"] == "provisoire"


def test_the_refusal_says_when_a_document_is_for_a_minor(desk: Desk) -> None:
    api = desk()
    refused = validate(api, create(api), "AN").json()
    assert refused["detail"] == "Ce titre n'est admis que pour un mineur."


@pytest.mark.rem("RIS.INS.19", scenario="INS/va1.26.01")
def test_a_site_chooses_its_documents_and_their_trust(
    desk: Desk, feature: IdentityFeature, evidence: Evidence
) -> None:
    licence = DocumentType(code="PC", label="Permis de conduire", trust="high")
    settings = feature.settings.model_copy(update={"documents": (licence,)})
    api = desk(feature=replace(feature, settings=settings))
    listed = api.get("/identity-documents").json()
    assert [(one["code"], one["trust"]) for one in listed] == [("PC", "high")]
    patient = create(api)
    assert validate(api, patient, "CN").status_code == 422
    assert validate(api, patient, "PC").json()["patient"]["status"] == "validée"
    evidence.add("01", "documents.json", {"documents": listed})


@pytest.mark.rem("RIS.INS.02", scenario="INS/va1.36.01")
def test_the_banner_always_has_four_traits_and_those_the_site_adds(
    desk: Desk, feature: IdentityFeature, evidence: Evidence
) -> None:
    full = desk()
    patient = qualified(full, used_family="DURAND")
    lines = {line["label"]: line["value"] for line in show(full, patient)["banner"]}
    assert lines["Nom de naissance"] == "PAT-TROIS"
    assert lines["Date de naissance"] == "28/03/1979"
    assert lines["Matricule INS"] == f"{MATRICULE} NIR"
    assert lines["Nom utilisé"] == "DURAND"
    bare = feature.settings.model_copy(update={"banner": ()})
    few = show(desk(feature=replace(feature, settings=bare)), patient)["banner"]
    assert [line["field"] for line in few] == [
        "birth_family",
        "first_birth_given",
        "birth_date",
        "sex",
    ]
    assert [line["label"] for line in few] == [
        "Nom de naissance",
        "Premier prénom de naissance",
        "Date de naissance",
        "Sexe",
    ]
    evidence.add("01", "banner.json", {"full": lines, "least": few})


def test_insi_is_not_asked_again_for_an_identity_that_has_its_ins(desk: Desk, insi: Insi) -> None:
    api = desk()
    patient = recovered(api)
    before = len(insi.state.requests)
    answer = api.post(f"/patients/{patient['id']}/insi-search", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "IDENTITY_TRANSITION_REFUSED")
    assert len(insi.state.requests) == before


def test_an_unhabilitated_clerk_cannot_qualify_by_accepting_insi(desk: Desk) -> None:
    api, clerk = desk(), desk(Role.SECRETARY)
    patient = validated(api)
    found = insi_search(clerk, patient)
    refused = accept(clerk, patient, found)
    assert (refused.status_code, refused.json()["code"]) == (403, "IDENTITY_VALIDATION_RIGHT")
    assert accept(api, patient, found).json()["status"] == "qualifiée"


def test_traits_edited_while_insi_was_thinking_void_its_answer(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    api = desk()
    patient = create(api)
    with database.transaction() as session:
        traits = retrieval.prepare(session, feature, patient["id"])
    asked = calls.ask(insi.client, traits, None, caller=CALLER, limit=6)
    edit(api, patient, birth_place="63220")
    with database.transaction() as session:
        kept = retrieval.keep(
            session, feature, patient["id"], traits, asked, caller=CALLER, actor=Actor()
        )
    answer = accept(api, patient, {"retrieval_id": str(kept.last.id)})
    assert (answer.status_code, answer.json()["code"]) == (409, "INSI_RETRIEVAL_UNUSABLE")


@pytest.mark.rem("RIS.INS.21", scenario="INS/va1.33.01")
@pytest.mark.rem("RIS.INS.20", scenario="INS/va1.55.02")
@pytest.mark.parametrize(("enabled", "status"), [(True, "validée"), (False, "provisoire")])
def test_automatic_validation_exists_only_where_a_site_asks_for_it(
    desk: Desk, feature: IdentityFeature, enabled: bool, status: str, evidence: Evidence
) -> None:
    settings = feature.settings.model_copy(update={"automatic_validation": enabled})
    api = desk(feature=replace(feature, settings=settings))
    patient = create(api)
    answer = validate(api, patient, validate_identity=False).json()
    assert answer["patient"]["status"] == status
    evidence.add("01", f"{status[:4]}.json", answer)


def test_a_qualified_ins_may_not_sit_on_two_records(desk: Desk) -> None:
    api = desk()
    first = recovered(api)
    second = create(api)
    answer = accept(api, second, insi_search(api, second))
    assert (answer.status_code, answer.json()["code"]) == (409, "INS_ALREADY_ATTACHED")
    assert answer.json()["ipp"] == first["ipp"]


def test_a_rejected_answer_changes_nothing_and_cannot_be_accepted_later(desk: Desk) -> None:
    api = desk()
    patient = create(api)
    found = insi_search(api, patient)
    body = {"retrieval_id": found["retrieval_id"], "decision": "reject", "reason": "autre"}
    answer = api.post(
        f"/patients/{patient['id']}/insi-acceptance", json=body, headers=as_read(api, patient)
    )
    assert answer.json()["status"] == "provisoire"
    late = accept(api, patient, found)
    assert (late.status_code, late.json()["code"]) == (409, "INSI_RETRIEVAL_UNUSABLE")


def test_an_answer_for_traits_changed_since_is_not_accepted(desk: Desk) -> None:
    api = desk()
    patient = create(api)
    found = insi_search(api, patient)
    edit(api, patient, birth_place="63220")
    assert accept(api, patient, found).json()["code"] == "INSI_RETRIEVAL_UNUSABLE"


def test_a_stale_or_missing_version_is_refused(desk: Desk) -> None:
    api = desk()
    patient = create(api)
    path = f"/patients/{patient['id']}"
    assert api.patch(path, json={"phone": "1"}).status_code == 428
    edit(api, patient, phone="2")
    stale = api.patch(path, json={"phone": "3"}, headers={"If-Match": f'"{patient["version"]}"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "STALE")


def verify(api: httpx.Client, patient: Json) -> httpx.Response:
    return api.post(f"/patients/{patient['id']}/insi-verification")


@pytest.mark.rem("RIS.INS.42", scenario="INS/va1.06.01")
def test_a_verification_that_agrees_is_journaled_and_changes_nothing(
    desk: Desk, database: Database, evidence: Evidence
) -> None:
    api = desk()
    patient = qualified(api)
    answer = verify(api, patient)
    assert (answer.status_code, answer.json()["result"]) == (201, "OK")
    assert answer.json()["patient"]["status"] == "qualifiée"
    with database.transaction() as session:
        line = session.scalars(select(AuditEvent).where(AuditEvent.action == "insi.verified")).one()
    assert line.detail["verdict"] == "OK"
    evidence.add("01", "line.json", {"at": str(line.at), **line.detail})


CHANGED = {
    "nobody": result("01"),
    "another-name": result("00", replace(SOUND, family="PAT-QUATRE")),
    "another-number": result("00", replace(SOUND, number="260058815400233")),
}


@pytest.mark.rem("RIS.INS.43", scenario="INS/va1.08.01")
@pytest.mark.rem("RIS.INS.42", scenario="INS/va1.06.01")
@pytest.mark.parametrize("change", list(CHANGED))
@pytest.mark.parametrize("status", ["récupérée", "qualifiée"])
def test_a_verification_ko_removes_the_ins_and_queues_the_identity(
    desk: Desk, insi: Insi, evidence: Evidence, status: str, change: str
) -> None:
    api = desk()
    patient = BY_STATUS[status](api)
    insi.state.scripted.extend([CHANGED[change]] * 3)
    answer = verify(api, patient).json()
    assert answer["result"] == "KO"
    assert (answer["patient"]["status"], answer["patient"]["ins"]) == ("provisoire", None)
    queued = api.get("/identity-worklist").json()["items"]
    assert [one["id"] for one in queued] == [patient["id"]]
    evidence.add("01", f"{change}.json", answer)
    insi.state.scripted.clear()
    accept(api, patient, insi_search(api, patient))
    assert api.get("/identity-worklist").json()["items"] == []


def test_a_verification_without_a_clear_answer_changes_nothing(desk: Desk, insi: Insi) -> None:
    api = desk()
    patient = qualified(api)
    insi.state.scripted.extend([result("02")] * 3)
    assert verify(api, patient).json()["result"] == "UNCLEAR"
    insi.faults.inject(BY_TRAITS, Fault(kind="soap", code="insi_102"))
    assert verify(api, patient).status_code == 503
    assert show(api, patient)["status"] == "qualifiée"
    assert verify(api, create(api)).status_code == 409


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
def test_no_json_shows_the_ins_of_a_recovered_identity(desk: Desk, evidence: Evidence) -> None:
    api = desk()
    patient = recovered(api)
    root = f"/patients/{patient['id']}"
    answers = [
        api.get(root),
        api.get(f"{root}/history"),
        api.get(f"{root}/insi-calls"),
        api.get("/patients", params={"birth_date": "1979-03-28"}),
        api.post("/patients/search", json={"matricule": MATRICULE}),
        edit(api, patient, phone="1"),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201)
        assert MATRICULE not in answer.text
        assert "1.2.250.1.213.1.4" not in answer.text
    evidence.add("01", "recovered.json", answers[0].json())
