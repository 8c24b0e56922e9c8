"""The acceptance checks of ins.md §13 that no other file holds by name."""

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from ris.core import clock, soap
from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.core.errors import RemoteError
from ris.core.text import fold
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import service as foreign
from ris.identity.foreign.check import ForeignChecks
from ris.identity.foreign.model import ForeignIdentity, ForeignState
from ris.identity.insi.message import answer
from ris.identity.insi.values import AnswerCode
from ris.identity.model import InsiCall
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS
from tests.identity.conftest import Desk, Insi
from tests.identity.test_foreign import message
from tests.identity.test_merge import ZOE, merged
from tests.identity.test_routes import create, qualified, show, validated

Json = dict[str, Any]


def test_names_are_equal_for_qualification_as_the_vectors_say(conformance: Path) -> None:
    """Check 2: punctuation and accents do not count, letters do, a prefix is no equality."""
    path = conformance / "ins" / "vectors" / "name_comparison.csv"
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    for row in rows:
        assert (fold(row["a"]) == fold(row["b"])) is (row["equal_for_qualification"] == "1"), row


def test_every_official_and_authored_answer_is_read(conformance: Path) -> None:
    """Check 3: each file of the folder is an answer or a known failure, never a defect."""
    folder = conformance / "ins" / "insi"
    files = sorted([*folder.glob("cnda/*.xml"), *folder.glob("authored/resp_*.xml")])
    assert len(files) >= 13
    for path in files:
        try:
            told = answer(soap.body_of(path.read_bytes()), "uuid:0")
        except RemoteError:
            assert path.name.startswith("fault"), path.name
        else:
            assert (told.code is AnswerCode.FOUND) is (told.person is not None), path.name


def test_insi_down_blocks_neither_creation_nor_document_and_the_queue_drains_when_it_is_up(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    """Check 6."""
    insi.faults.inject(BY_TRAITS, Fault("http", times=8, status=503))
    api = desk()
    patient = validated(api)
    down = api.post(f"/patients/{patient['id']}/insi-search", json={})
    assert (down.status_code, down.json()["code"]) == (503, "INSI_UNAVAILABLE")
    assert show(api, patient)["status"] == "validée"
    with database.transaction() as session:
        done = foreign.receive(session, feature, message(**ZOE_MESSAGE), actor=SYSTEM)
    worker = ForeignChecks(database, feature)
    assert worker.run() == 1
    assert state(database, done.patient_id) == (ForeignState.PENDING, "INSI_UNAVAILABLE")
    insi.faults.clear()
    with clock.frozen(clock.now() + timedelta(hours=2)):
        assert worker.run() == 1
    assert state(database, done.patient_id)[0] is not ForeignState.PENDING


ZOE_MESSAGE: Json = {"sender": "2.25.9"}


def state(database: Database, patient_id: UUID) -> tuple[ForeignState, str]:
    with database.transaction() as session:
        query = select(ForeignIdentity).where(ForeignIdentity.patient_id == patient_id)
        row = session.scalars(query).one()
        return ForeignState(row.state), row.error


@pytest.mark.parametrize("linked", [True, False])
def test_two_ins_merge_only_when_insi_once_linked_them(
    desk: Desk, database: Database, *, linked: bool
) -> None:
    """Check 12: 409 for two persons, accepted when one INS is the history of the other."""
    api = desk()
    survivor, absorbed = qualified(api), qualified(api, **ZOE)
    ins = show(api, absorbed)["ins"]
    if linked:
        former = {"matricule": ins["matricule"], "oid": ins["oid"]}
        with database.transaction() as session:
            query = select(InsiCall).where(InsiCall.patient_id == UUID(survivor["id"]))
            call = session.scalars(query).first()
            assert call is not None
            call.answer = {**call.answer, "history": [former]}
    refused = merged(api, survivor, absorbed)
    expected = (201, None) if linked else (409, "MERGE_INS_CONFLICT")
    assert (refused.status_code, refused.json().get("code")) == expected


def test_history_tells_who_for_each_transition_and_no_answer_holds_a_matricule(desk: Desk) -> None:
    """Check 13."""
    api = desk()
    patient = qualified(api)
    history = api.get(f"/patients/{patient['id']}/history")
    assert all(row["account_id"] and row["ps_idnat"] for row in history.json()["items"])
    assert "279035121518989" not in history.text
    assert create(api)["ins"] is None
