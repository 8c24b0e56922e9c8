"""People, feeds and INSi at once on the same records, and a process killed inside a merge.

Whatever the order they happen in: one truth, nothing lost, nobody deadlocked, no answer 5xx.
"""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm.exc import StaleDataError

from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import service as foreign
from ris.identity.foreign.feed import Action, InboundEvent, LocalId, Received
from ris.identity.model import Patient
from tests.identity.conftest import Desk
from tests.identity.dying import THERE
from tests.identity.test_foreign import contract, message
from tests.identity.test_merge import refusal, refusing
from tests.identity.test_routes import as_read, create, insi_search, recovered, show, validated
from tests.plugin_database import filled

Json = dict[str, Any]
ROUNDS = 4
FREE = "select id from patient for update"  # waits until a dead process' locks are gone


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run *acts* together; return what each gave."""
    gate = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def merging(api: httpx.Client, survivor: Json, absorbed: Json) -> Callable[[], int]:
    """The call that merges two records as they were read now."""
    headers = {"If-Match": f'"{show(api, survivor)["version"]}"'}
    body = {"absorbed_id": absorbed["id"], "reason": "même personne",
            "absorbed_version": show(api, absorbed)["version"]}  # fmt: skip
    path = f"/patients/{survivor['id']}/merges"
    return lambda: api.post(path, json=body, headers=headers).status_code


def undoing(api: httpx.Client, done: str, survivor: Json) -> Callable[[], int]:
    """The call that undoes a merge, the survivor as it was read now."""
    headers = as_read(api, survivor)
    path, body = f"/patient-merges/{done}/undo", {"reason": "deux personnes"}
    return lambda: api.post(path, json=body, headers=headers).status_code


def rows(database: Database, query: str) -> list[Any]:
    with database.transaction() as session:
        return list(session.execute(text(query)))


def whole(database: Database) -> dict[str, str]:
    """A fingerprint of every table."""
    each = "select md5(string_agg(to_jsonb(x)::text, '' order by to_jsonb(x)::text)) from {} x"
    with psycopg.connect(database.url) as link:
        return {
            table: str(link.execute(sql.SQL(each).format(sql.Identifier(table))).fetchone())
            for table in filled(link)
        }


def assert_one_truth(database: Database) -> None:
    """No record both gone and alive, no circle, an INS at one place only, merges as told."""
    assert rows(database, "select 1 from patient a join patient b on a.merged_into_id = b.id"
                          " and b.merged_into_id = a.id") == []  # fmt: skip
    gone = "select 1 from patient where merged_into_id is not null"
    assert rows(database, f"{gone} and ins_sealed is not null") == []
    assert rows(database, f"{gone} and status <> 'provisoire'") == []
    absorbed = "select id, merged_into_id from patient where merged_into_id is not null order by id"
    told = ("select absorbed_id, survivor_id from patient_merge where undone_at is null"
            " order by absorbed_id")  # fmt: skip
    assert rows(database, absorbed) == rows(database, told)
    events = ("select (select count(*) from identity_history where event = 'absorbed')"
              " - (select count(*) from patient_merge)")  # fmt: skip
    assert rows(database, events) == [(0,)]


def test_two_edits_of_one_version_keep_one_and_tell_the_other(
    desk: Desk, database: Database
) -> None:
    api = desk()
    patient = validated(api)
    for number in range(ROUNDS):
        headers = {"If-Match": f'"{show(api, patient)["version"]}"'}

        def alter(name: str, headers: dict[str, str] = headers) -> tuple[int, str]:
            answer = api.patch(
                f"/patients/{patient['id']}", json={"used_family": name}, headers=headers
            )
            return answer.status_code, name

        names = [f"{mark}{'B' * number}" for mark in "UVW"]
        done = at_once(*[lambda name=name: alter(name) for name in names])
        assert sorted(code for code, _ in done) == [200, 412, 412]
        assert show(api, patient)["used_family"] == next(n for code, n in done if code == 200)
    edits = "select count(*) from identity_history where event = 'complementary_trait_changed'"
    assert rows(database, edits) == [(ROUNDS,)]


def test_the_base_itself_refuses_the_second_writer_of_a_version(
    desk: Desk, database: Database
) -> None:
    patient = UUID(create(desk())["id"])
    with database.transaction() as first:
        slow = first.get_one(Patient, patient)
        with database.transaction() as second:
            second.get_one(Patient, patient).used_family = "VIF"
        slow.used_family = "LENT"
        with pytest.raises(StaleDataError):
            first.flush()
        first.rollback()
    assert rows(database, "select used_family, version from patient") == [("VIF", 2)]


def test_two_merges_that_cross_leave_one_survivor(desk: Desk, database: Database) -> None:
    api = desk()
    for _ in range(ROUNDS):
        one, two = create(api), create(api)
        statuses = at_once(merging(api, one, two), merging(api, two, one))
        assert sorted(statuses)[0] == 201
        assert sorted(statuses)[1] in (409, 412)
        assert_one_truth(database)


def test_a_ring_of_three_merges_never_closes(desk: Desk, database: Database) -> None:
    api = desk()
    for _ in range(ROUNDS):
        one, two, three = create(api), create(api), create(api)
        pairs = ((one, two), (two, three), (three, one))
        statuses = at_once(*[merging(api, *pair) for pair in pairs])
        assert statuses.count(201) in (1, 2)
        assert set(statuses) <= {201, 409, 412}
        assert_one_truth(database)
        ids = ", ".join(f"'{record['id']}'" for record in (one, two, three))
        alive = f"select 1 from patient where merged_into_id is null and id in ({ids})"
        assert len(rows(database, alive)) == 3 - statuses.count(201)


def test_an_undo_and_another_merge_of_the_survivor_do_not_cross(
    desk: Desk, database: Database
) -> None:
    api = desk()
    for _ in range(ROUNDS):
        one, two, three = create(api), create(api), create(api)
        assert merging(api, one, two)() == 201
        done = api.get(f"/patients/{one['id']}/merges").json()[0]["id"]
        statuses = at_once(undoing(api, done, one), merging(api, three, one))
        assert statuses in ([200, 412], [412, 201])
        assert_one_truth(database)


def test_an_insi_answer_accepted_during_a_merge_lands_on_a_living_record_or_nowhere(
    desk: Desk, database: Database
) -> None:
    api = desk()
    for absorbs in (True, False) * 2:
        one, two = create(api), create(api)
        asked = two if absorbs else one
        body = {"retrieval_id": insi_search(api, asked)["retrieval_id"]}
        path, tag = f"/patients/{asked['id']}/insi-acceptance", as_read(api, asked)
        accepted, merged = at_once(
            lambda path=path, body=body, tag=tag: (
                api.post(path, json=body, headers=tag).status_code
            ),
            merging(api, one, two),
        )
        assert (accepted, merged) in {(201, 412), (412, 201)}
        assert_one_truth(database)
        held = rows(database, "select status from patient where ins_sealed is not null")
        assert [row[0] for row in held] == (["récupérée"] if accepted == 201 else [])
        free = ("update patient set ins_sealed = null, ins_digest = null, ins_oid = null,"
                " status = 'provisoire', version = version + 1 where ins_sealed is not null"
                " returning 1")  # fmt: skip
        rows(database, free)


def test_a_merge_by_a_feed_and_one_by_a_person_make_one_merge(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    for number in range(ROUNDS):
        one, two = create(api), create(api)
        survivor, absorbed = (one, two) if number % 2 else (two, one)
        ids = [LocalId(record["ipp"], "2.25.1") for record in (survivor, absorbed)]
        fusion = message(
            local_ids=(ids[0],), event=InboundEvent.MERGE, absorbed=ids[1], ins=None,
            flags=frozenset({"PROV"}),
        )  # fmt: skip

        def told(fusion: Any = fusion) -> Received:
            with database.transaction() as session:
                return foreign.receive(session, feature, fusion, actor=SYSTEM)

        heard, status = at_once(told, merging(api, one, two))
        assert heard.action in (Action.MERGED, Action.UPDATED)
        assert status in (201, 409, 412)
        assert_one_truth(database)
        pair = f"('{one['id']}', '{two['id']}')"
        merges = rows(database, f"select 1 from patient_merge where absorbed_id in {pair}")
        assert len(merges) == 1


def test_two_feeds_that_merge_the_same_pair_in_both_ways_are_both_answered(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    for _ in range(ROUNDS):
        ids = [LocalId(create(api)["ipp"], "2.25.1") for _ in range(2)]

        def told(survivor: LocalId, absorbed: LocalId) -> Received:
            fusion = message(local_ids=(survivor,), event=InboundEvent.MERGE, absorbed=absorbed,
                             ins=None, flags=frozenset({"PROV"}))  # fmt: skip
            with database.transaction() as session:
                return foreign.receive(session, feature, fusion, actor=SYSTEM)

        heard = at_once(lambda: told(*ids), lambda: told(*reversed(ids)))  # noqa: B023
        assert heard[0].patient_id == heard[1].patient_id
        assert_one_truth(database)


def killed(database: Database, act: str, changes: int, *ids: str) -> None:
    """Let a process of its own do *act* until *changes* identities changed; kill it there."""
    command = [sys.executable, "-m", "tests.identity.dying", database.url, act, str(changes), *ids]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == THERE
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL


@pytest.mark.kill
@pytest.mark.parametrize("changes", [1, 2], ids=["one-record-written", "both-records-written"])
def test_a_process_killed_inside_a_merge_leaves_every_table_as_it_was(
    desk: Desk, database: Database, changes: int
) -> None:
    api = desk()
    survivor, absorbed = recovered(api), create(api)
    refusal(database, absorbed)
    before = whole(database)
    killed(database, "merge", changes, survivor["id"], absorbed["id"])
    rows(database, FREE)
    assert whole(database) == before
    assert refusing(database) == [absorbed["id"]]
    assert merging(api, survivor, absorbed)() == 201
    assert refusing(database) == [survivor["id"]]
    assert_one_truth(database)


@pytest.mark.kill
@pytest.mark.parametrize("changes", [1, 2], ids=["one-record-written", "both-records-written"])
def test_a_process_killed_inside_an_un_merge_leaves_every_table_as_it_was(
    desk: Desk, database: Database, changes: int
) -> None:
    api = desk()
    survivor, absorbed = recovered(api), create(api)
    refusal(database, absorbed)
    assert merging(api, survivor, absorbed)() == 201
    done = api.get(f"/patients/{survivor['id']}/merges").json()[0]["id"]
    before = whole(database)
    killed(database, "undo", changes, done)
    rows(database, FREE)
    assert whole(database) == before
    assert undoing(api, done, survivor)() == 200
    assert refusing(database) == [absorbed["id"]]
    assert_one_truth(database)
