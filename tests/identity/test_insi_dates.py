"""Birth dates that are no real date: asked for as told, compared as told (ins.md R-DAT-02, -03)."""

from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ris.auth.rights import Role
from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.check import ForeignChecks
from ris.identity.foreign.model import ForeignIdentity
from ris.identity.foreign.service import receive
from ris.identity.insi.attempts import next_query
from ris.identity.insi.comparison import Difference, compare
from ris.identity.insi.values import AnswerCode, InsiTraits, Subject
from ris.identity.model import Patient
from ris.identity.values import NIR, Ins, Sex, Traits
from ris.sandbox.insi_people import PEOPLE
from tests.identity.conftest import Desk, Insi
from tests.identity.test_foreign import TRAITS, contract, message

Json = dict[str, Any]
AMINA = Traits("TESTRIS SANS JOUR", ("AMINA",), "AMINA", date(1950, 12, 31), Sex.FEMALE, "99352")
TOLD = Subject(AMINA, "1950-00-00")
THEIRS = InsiTraits("TESTRIS SANS JOUR", "AMINA", "F", "1950-00-00", "99352")
NUMBER = next(one.number for one in PEOPLE if one.family == "TESTRIS SANS JOUR")


def test_the_date_is_asked_for_as_it_was_told_then_once_as_interpreted() -> None:
    first = next_query(TOLD, [], limit=6)
    assert first is not None
    assert first.birth_date == "1950-00-00"
    second = next_query(TOLD, [(first, AnswerCode.NONE)], limit=6)
    assert second == replace(first, birth_date="1950-12-31")
    tried = [(first, AnswerCode.NONE), (second, AnswerCode.NONE)]
    assert next_query(TOLD, tried, limit=6) is None
    assert next_query(TOLD, [(first, AnswerCode.SEVERAL)], limit=6) == replace(
        first, birth_place="99352"
    )


@pytest.mark.parametrize(
    ("raw", "theirs", "expected"),
    [
        ("1950-00-00", "1950-00-00", Difference.EQUAL),
        ("", "1950-00-00", Difference.MINOR),
        ("1950-00-00", "1950-12-31", Difference.EQUAL),
        ("1950-00-00", "1951-00-00", Difference.MAJOR),
        ("1950-00-00", "1950-06-00", Difference.MAJOR),
    ],
)
def test_the_date_is_compared_as_told_then_as_interpreted(
    raw: str, theirs: str, expected: Difference
) -> None:
    rows = compare(AMINA, replace(THEIRS, birth_date=theirs), raw)
    assert next(row for row in rows if row.field == "birth_date").difference is expected


def lunar() -> Any:
    traits = replace(
        TRAITS, birth_family=AMINA.birth_family, first_birth_given="AMINA",
        birth_given_names="AMINA", birth_date="1950-00-00", birth_place="99352",
    )  # fmt: skip
    return message(traits=traits, ins=Ins(NUMBER, NIR))


def shown(api: httpx.Client, patient_id: object) -> Json:
    found: Json = api.get(f"/patients/{patient_id}").json()
    return found


def test_an_ins_received_with_such_a_date_is_not_denied_for_it(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    """INSi knows the person: the import is refused (ruling 6), somebody must look, no KO."""
    api = desk()
    with database.transaction() as session:
        done = receive(session, feature, lunar(), actor=SYSTEM)
    assert ForeignChecks(database, feature).run() == 1
    assert b"<r:DateNaissance>1950-00-00<" in insi.state.requests[-1]
    with database.transaction() as session:
        row = session.scalars(select(ForeignIdentity)).one()
        assert (row.state, row.error) == ("unclear", "INSI_DATE_INCOMPLETE")
    assert shown(api, done.patient_id)["status"] == "provisoire"


def test_a_verification_does_not_cost_such_an_identity_its_ins(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    api = desk()
    assert contract(api, "no_direct_care").status_code == 201
    with database.transaction() as session:
        done = receive(session, feature, lunar(), actor=SYSTEM)
    assert shown(api, done.patient_id)["status"] == "qualifiée"
    answer = api.post(f"/patients/{done.patient_id}/insi-verification").json()
    assert (answer["result"], answer["patient"]["status"]) == ("OK", "qualifiée")
    with database.transaction() as session:
        assert session.get_one(Patient, done.patient_id).ins_matricule == NUMBER


def test_a_search_finds_such_a_person_and_refuses_the_import(
    desk: Desk, database: Database
) -> None:
    api = desk(Role.SECRETARY)
    body = {"birth_family": AMINA.birth_family, "first_birth_given": "AMINA", "sex": "F",
            "birth_date": "1950-12-31", "birth_place": "99352"}  # fmt: skip
    patient = api.post("/patients", json=body).json()
    with database.transaction() as session:
        session.get_one(Patient, patient["id"]).birth_date_raw = "1950-00-00"
    found = api.post(f"/patients/{patient['id']}/insi-search", json={}).json()
    assert (found["code"], found["blocked"]["code"]) == ("00", "INSI_DATE_INCOMPLETE")
