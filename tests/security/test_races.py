"""Two people at once: one effect, no half-written row, and never an answer 5xx."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from ris.auth.rights import Role
from ris.core import clock
from ris.core.db import Database
from ris.diffusion import signing, staff
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.security import job
from tests.security.product import Product


def at_once(*acts: Callable[[], httpx.Response]) -> list[int]:
    """Run *acts* together; return the sorted statuses."""
    return sorted(in_order(*acts))


def in_order(*acts: Callable[[], httpx.Response]) -> list[int]:
    """Run *acts* together; return the status of each."""
    gate = Barrier(len(acts))

    def run(act: Callable[[], httpx.Response]) -> int:
        gate.wait()
        return act().status_code

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def count(database: Database, table: str) -> int:
    with database.transaction() as session:
        return int(session.execute(text(f"select count(*) from {table}")).scalar_one())


def none_of_ours(statuses: Sequence[int]) -> bool:
    return all(status < 500 for status in statuses)


def test_two_signatures_at_once_make_one_version_and_one_set_of_deliveries(
    product: Product, desk: httpx.Client, doctor: httpx.Client
) -> None:
    report = job.ready(desk, doctor)
    other = product.signed_in(Role.RADIOLOGIST)
    statuses = at_once(lambda: job.sign(doctor, report), lambda: job.sign(other, report))
    assert statuses == [201, 412]
    assert count(product.runtime.database, "document_version") == 1
    assert count(product.runtime.database, "delivery") == 3


def test_the_same_signature_sent_twice_has_one_effect(
    product: Product, desk: httpx.Client, doctor: httpx.Client
) -> None:
    report = job.ready(desk, doctor)
    once = {"Idempotency-Key": "k-1"}
    statuses = at_once(*[lambda: job.sign(doctor, report, **once)] * 3)
    assert 201 in statuses
    assert set(statuses) <= {201, 409}
    replayed = job.sign(doctor, report, **once)
    assert (replayed.status_code, replayed.headers["idempotency-replayed"]) == (201, "true")
    assert count(product.runtime.database, "document_version") == 1


def test_an_edit_during_a_signature_never_changes_what_was_signed(
    product: Product, desk: httpx.Client, doctor: httpx.Client
) -> None:
    report = job.ready(desk, doctor)
    path, tag = f"/v1/reports/{report['id']}", {"If-Match": f'"{report["version"]}"'}
    other = product.signed_in(Role.SECRETARY)
    change = {"sections": {"conclusion": "Tout autre chose."}}
    statuses = at_once(
        lambda: job.sign(doctor, report), lambda: other.patch(path, json=change, headers=tag)
    )
    assert statuses in ([200, 412], [201, 412])
    assert count(product.runtime.database, "document_version") == (201 in statuses)


@pytest.mark.parametrize("signed_for", ["absorbed", "survivor"])
def test_a_merge_while_a_report_is_signed_moves_it_whole_or_not_at_all(
    product: Product, desk: httpx.Client, doctor: httpx.Client, officer: httpx.Client,
    signed_for: str,
) -> None:  # fmt: skip
    survivor = job.qualified(desk)
    database = product.runtime.database
    for _ in range(4):
        absorbed = job.patient(desk)
        record = {"absorbed": absorbed, "survivor": survivor}[signed_for]
        ordered = job.exam(desk, record)
        job.got(job.upload(desk, ordered, job.images(ordered, record)[:1]), 200)
        report = job.draft(doctor, ordered)
        path = f"/v1/patients/{survivor['id']}"
        tag = {"If-Match": officer.get(path).headers["ETag"]}
        body = {"absorbed_id": absorbed["id"], "absorbed_version": 1, "reason": "même personne"}
        signed, merged = in_order(
            lambda report=report: job.sign(doctor, report),
            lambda path=path, body=body, tag=tag: officer.post(
                f"{path}/merges", json=body, headers=tag
            ),
        )
        assert signed in (201, 409, 412)
        assert merged in (201, 409, 412)
        assert 201 in (signed, merged)
        owner = survivor["id"] if merged == 201 else record["id"]
        with database.transaction() as session:
            found = session.execute(
                text("select r.patient_id::text, e.patient_id::text, r.current_version"
                     " from report r join exam e on e.id = r.exam_id where r.id = :id"),
                {"id": report["id"]},
            ).one()  # fmt: skip
        assert tuple(found) == (owner, owner, 1 if signed == 201 else 0)


def test_two_acceptances_of_one_insi_answer_import_it_once(
    product: Product, desk: httpx.Client
) -> None:
    record = job.patient(desk)
    body = {"retrieval_id": job.retrieval(desk, record)}
    path = f"/v1/patients/{record['id']}/insi-acceptance"
    tag = job.as_read(record)
    statuses = at_once(*[lambda: desk.post(path, json=body, headers=tag)] * 2)
    assert statuses == [201, 412]
    history = job.got(desk.get(f"/v1/patients/{record['id']}/history"), 200)["items"]
    assert [row["event"] for row in history].count("insi_accepted") == 1


def test_one_ins_accepted_for_two_records_at_once_is_kept_by_one(
    product: Product, desk: httpx.Client
) -> None:
    records = [job.patient(desk), job.patient(desk)]
    asked = [(record, job.retrieval(desk, record)) for record in records]

    def accept(one: tuple[job.Json, str]) -> Callable[[], httpx.Response]:
        path, body = f"/v1/patients/{one[0]['id']}/insi-acceptance", {"retrieval_id": one[1]}
        return lambda: desk.post(path, json=body, headers=job.as_read(one[0]))

    assert at_once(*[accept(one) for one in asked]) == [201, 409]


def test_many_creations_at_once_give_as_many_ipp(product: Product, desk: httpx.Client) -> None:
    statuses = at_once(*[lambda: desk.post("/v1/patients", json=job.TRAITS)] * 6)
    assert statuses == [201] * 6
    with product.runtime.database.transaction() as session:
        assert session.execute(text("select count(distinct ipp) from patient")).scalar_one() == 6


def test_two_reports_opened_at_once_for_one_exam_leave_one(
    desk: httpx.Client, doctor: httpx.Client
) -> None:
    body = {"exam_id": job.exam(desk, job.patient(desk))["id"], "title": "Scanner"}
    assert at_once(*[lambda: doctor.post("/v1/reports", json=body)] * 3) == [201, 409, 409]


def test_first_refusals_recorded_at_once_do_not_collide(
    product: Product, desk: httpx.Client
) -> None:
    path = f"/v1/patients/{job.patient(desk)['id']}/mss-refusals"
    body = {"professional": True, "patient": False}
    put = [lambda: desk.put(path, json=body, headers={"If-Match": '"0"'})] * 3
    assert at_once(*put) == [200, 412, 412]


def test_two_oppositions_at_once_leave_one_live(product: Product, doctor: httpx.Client) -> None:
    desk = product.signed_in(Role.SECRETARY)
    path = f"/v1/patients/{job.patient(desk)['id']}/dmp-opposition"
    body = {"scope": "patient", "reason": "motif"}
    assert at_once(*[lambda: doctor.post(path, json=body)] * 3) == [201, 409, 409]


def test_one_person_granted_twice_at_once_has_one_account(administrator: httpx.Client) -> None:
    body = {"ps_idnat": "899700993043", "role": "REFERRER"}
    statuses = at_once(*[lambda: administrator.post("/v1/accounts", json=body)] * 3)
    assert set(statuses) <= {201, 409}
    assert none_of_ours(statuses)


def test_a_report_deleted_while_it_leaves_is_not_left_half_withdrawn(
    product: Product, desk: httpx.Client, doctor: httpx.Client
) -> None:
    report = job.ready(desk, doctor)
    job.got(job.sign(doctor, report), 201)
    path = f"/v1/reports/{report['id']}"
    tag = doctor.get(path).headers["ETag"]
    from ris.diffusion import jobs

    with ThreadPoolExecutor(1) as pool:
        rows = job.got(doctor.get(f"{path}/deliveries"), 200)["items"]
        sending = pool.submit(_attempt, product, [row["id"] for row in rows])
        deleted = doctor.delete(path, headers={"If-Match": tag})
        sending.result()
    assert deleted.status_code == 200
    assert jobs is not None
    states = {row["state"] for row in job.got(doctor.get(f"{path}/deliveries"), 200)["items"]}
    assert "running" not in states


def _attempt(product: Product, deliveries: list[str]) -> None:
    from uuid import UUID

    from ris.diffusion import jobs
    from ris.diffusion.errors import NotYet

    for one in deliveries:
        try:
            jobs.attempt(product.runtime.diffusion, UUID(one))
        except NotYet:
            continue


def actions(product: Product) -> list[str]:
    with product.runtime.database.transaction() as session:
        return list(session.execute(text("select action from audit_event order by seq")).scalars())


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], httpx.Response]
) -> list[httpx.Response]:
    """Begin *act* in the middle of a function, and let it end there if it can."""
    inner, answers = getattr(module, name), list[httpx.Response]()
    thread = Thread(target=lambda: answers.append(act()))

    def run(*args: Any, **kwargs: Any) -> Any:
        thread.start()
        thread.join(1)
        return inner(*args, **kwargs)

    monkeypatch.setattr(module, name, run)
    return answers


def settled(answers: list[httpx.Response]) -> httpx.Response:
    deadline = clock.now() + timedelta(seconds=20)
    while not answers and clock.now() < deadline:
        time.sleep(0.05)
    return answers[0]


def test_nobody_signs_after_the_suspension_of_his_account(
    product: Product,
    desk: httpx.Client,
    doctor: httpx.Client,
    administrator: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = job.ready(desk, doctor)
    path = f"/v1/accounts/{doctor.get('/v1/session').json()['account_id']}"
    tag = {"If-Match": f'"{administrator.get(path).json()["version"]}"'}
    why = {"reason": "COMPROMISED"}
    answers = meanwhile(
        monkeypatch,
        signing,
        "deliver",
        lambda: administrator.post(f"{path}/suspend", json=why, headers=tag),
    )
    assert job.sign(doctor, report).status_code == 201
    assert settled(answers).status_code == 200
    told = actions(product)
    assert told.index("report.signed") < told.index("auth.account_suspended")


def test_nothing_is_withdrawn_by_an_account_that_is_suspended(
    product: Product,
    desk: httpx.Client,
    doctor: httpx.Client,
    administrator: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = job.ready(desk, doctor)
    job.got(job.sign(doctor, report), 201)
    path = f"/v1/accounts/{doctor.get('/v1/session').json()['account_id']}"
    tag = {"If-Match": f'"{administrator.get(path).json()["version"]}"'}
    suspended = {"json": {"reason": "COMPROMISED"}, "headers": tag}
    answers = meanwhile(
        monkeypatch, signing, "withdraw", lambda: administrator.post(f"{path}/suspend", **suspended)
    )
    read = {"If-Match": doctor.get(f"/v1/reports/{report['id']}").headers["ETag"]}
    job.got(doctor.delete(f"/v1/reports/{report['id']}", headers=read), 200)
    assert settled(answers).status_code == 200
    told = actions(product)
    assert told.index("report.deleted") < told.index("auth.account_suspended")


def test_nothing_is_done_after_the_delegation_is_revoked(
    product: Product, desk: httpx.Client, doctor: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = job.ready(desk, doctor)
    job.got(job.sign(doctor, report), 201)
    wanted = {
        "delegate_id": desk.get("/v1/session").json()["account_id"],
        "struct_idnat": RADIOLOGIST_A.workplaces[0].struct_idnat,
        "actions": ["delivery.retry"],
        "valid_to": (clock.now() + timedelta(days=1)).isoformat(),
    }
    given = job.got(doctor.post("/v1/delegations", json=wanted), 201)["id"]
    answers = meanwhile(
        monkeypatch, staff, "cancel", lambda: doctor.delete(f"/v1/delegations/{given}")
    )
    listed = job.got(doctor.get(f"/v1/reports/{report['id']}/deliveries"), 200)["items"]
    job.got(desk.post(f"/v1/deliveries/{listed[0]['id']}/cancel"), 200)
    assert settled(answers).status_code == 200
    told = actions(product)
    assert told.index("delivery.cancelled") < told.index("auth.delegation_revoke")


@pytest.mark.parametrize("path", ["/v1/patients/{id}", "/v1/patients/{id}/exams"])
def test_more_readers_at_once_than_the_server_has_threads_do_not_freeze_it(
    product: Product, desk: httpx.Client, path: str
) -> None:
    """Who holds the journal's lock, or a connection, must not wait for a thread to let go."""
    place, gate = path.format(id=job.patient(desk)["id"]), Barrier(90)

    def read(_: int) -> int:
        with httpx.Client(
            base_url=product.url, cookies=desk.cookies, trust_env=False, timeout=20
        ) as one:
            assert one.get("/healthz").status_code == 200
            gate.wait()  # all connected: they ask together
            return one.get(place).status_code

    with ThreadPoolExecutor(90) as pool:
        assert set(pool.map(read, range(90))) == {200}
