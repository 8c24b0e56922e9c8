"""A seeded slice of the fuzzing of INSi answers; the long form is `make fuzz`."""

import os

import pytest
from sqlalchemy import text

from ris.core.db import Database
from ris.identity.insi.values import AnswerCode
from tests.identity.conftest import Desk, Insi
from tests.identity.fuzz_insi import mutations, run
from tests.identity.test_routes import accept, create, show

ANSWERS = int(os.environ.get("RIS_FUZZ_ANSWERS", "110"))
WRITTEN = """select (select count(*) from patient), (select count(*) from identity_history),
 (select count(*) from identity_outbox), (select string_agg(concat(id, version, status,
 ins_sealed, ins_digest, birth_family, birth_given_names, birth_date, sex, birth_place), ',')
 from patient)"""


def written(database: Database) -> tuple[object, ...]:
    """All that an INSi answer may change, as it is now."""
    with database.transaction() as session:
        return tuple(session.execute(text(WRITTEN)).one())


def calls(database: Database) -> int:
    with database.transaction() as session:
        return session.scalar(text("select count(*) from insi_call")) or 0


def test_six_thousand_mutated_answers_are_read_or_refused_by_name() -> None:
    played = run(6_000, seed=20240514)
    assert sum(played.values()) == 6_000
    refused = {"INSI_FAULT", "INSI_UNAVAILABLE", "INSI_INCOMPLETE", "INSI_KEY_MISMATCH",
               "INSI_DATE_INCOMPLETE", "INSI_EMPTY_SEX", "INSI_UNREADABLE_SEX"}  # fmt: skip
    assert refused | {"imported", AnswerCode.NONE, AnswerCode.SEVERAL} <= set(played)


@pytest.mark.timeout(120 + ANSWERS)
@pytest.mark.rem("RIS.INS.41")
def test_a_mutated_answer_is_imported_whole_or_leaves_nothing_but_its_call(
    desk: Desk, database: Database, insi: Insi
) -> None:
    api = desk()
    imported = 0
    patient = create(api)
    for data in mutations(seed=5, count=ANSWERS):
        insi.state.scripted.clear()
        insi.state.scripted.extend([data] * 6)
        before, made = written(database), calls(database)
        found = api.post(f"/patients/{patient['id']}/insi-search", json={})
        assert found.status_code in (201, 502, 503), found.text
        assert written(database) == before
        assert calls(database) > made
        if not (found.status_code == 201 and found.json()["retrieval_id"]):
            continue
        answer = accept(api, patient, found.json(), reason="vu")
        assert answer.status_code in (201, 409, 422), answer.text
        if answer.status_code != 201:
            assert written(database) == before
            continue
        imported += 1
        shown = show(api, patient)
        assert (shown["status"], shown["sex"] in ("F", "M")) == ("récupérée", True)
        with database.transaction() as session:
            held = session.execute(text("select count(ins_sealed) from patient")).scalar_one()
            session.execute(
                text("update patient set ins_sealed = null, ins_digest = null, ins_oid = null,"
                     " status = 'provisoire', version = version + 1")
            )  # fmt: skip
        assert held == 1
        patient = create(api)
    assert imported > ANSWERS / 22
