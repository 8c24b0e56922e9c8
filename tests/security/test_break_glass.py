"""Break-glass: a physician, a reason, a recent sign-in; read only, for a time, seen by others."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from ris.auth.break_glass.model import BreakGlass
from ris.auth.rights import Role
from ris.core.audit import AuditEvent
from ris.sandbox.psc_people import RADIOLOGIST_B, RADIOLOGIST_TWO_SITES
from tests.security import job, practices
from tests.security.practices import A, B, Held, Practices, held_by_a
from tests.security.product import Product

WHY = "Douleur thoracique, comparaison urgente avec l'antériorité."


@pytest.fixture
def site(product: Product) -> Practices:
    return practices.opened(product)


@pytest.fixture
def held(site: Practices) -> Held:
    return held_by_a(site)


def broken(doctor: httpx.Client, patient_id: str, **more: object) -> dict[str, Any]:
    body = {"reason": "emergency", "comment": WHY, **more}
    made: dict[str, Any] = job.got(
        doctor.post(f"/v1/patients/{patient_id}/break-glass", json=body), 201
    )
    return made


def lines(product: Product, start: str) -> list[AuditEvent]:
    with product.runtime.database.transaction() as session:
        query = select(AuditEvent).where(AuditEvent.action.startswith(start))
        return list(session.scalars(query.order_by(AuditEvent.seq)))


def change(product: Product, statement: str) -> None:
    with product.runtime.database.transaction() as session:
        session.execute(text(statement))


def readings(held: Held) -> list[str]:
    report = f"/v1/reports/{held.report['id']}"
    return [
        f"/v1/exams/{held.exam['id']}", report, f"{report}/versions/1/pdf",
        f"/v1/exams/{held.exam['id']}/reports", f"{report}/deliveries",
    ]  # fmt: skip


def test_it_opens_for_reading_only_and_every_reading_is_journaled(
    site: Practices, held: Held
) -> None:
    doctor, place = site.doctor_b, f"/v1/patients/{held.patient['id']}/break-glass"
    assert job.got(doctor.get(place), 200) == {"hidden_exams": 1, "open": None}
    glass = broken(doctor, held.patient["id"])
    for path in readings(held):
        assert doctor.get(path).status_code == 200, path
    listed = job.got(doctor.get(f"/v1/patients/{held.patient['id']}/exams"), 200)
    assert [one["struct_idnat"] for one in listed] == [A]
    assert job.got(doctor.get(place), 200)["open"]["id"] == glass["id"]
    tag = {"If-Match": doctor.get(readings(held)[1]).headers["ETag"]}
    report = f"/v1/reports/{held.report['id']}"
    for answer in (
        doctor.post(f"{report}/versions", json={"kind": "ADDENDUM"}, headers=tag),
        doctor.delete(report, headers=tag),
        doctor.post(f"/v1/exams/{held.exam['id']}/owner", json={"struct_idnat": B}, headers=tag),
        doctor.post(f"/v1/deliveries/{held.delivery}/cancel"),
    ):
        refused = answer.json()
        assert (answer.status_code, refused["code"]) == (403, "structure_denied")
        assert "lecture seule" in refused["detail"]
        assert "break_glass" not in refused  # open already: not told to open it
    (opened,) = [
        one for one in lines(site.product, "auth.break_glass") if one.target_id == glass["id"]
    ]
    assert (opened.action, opened.reason) == ("auth.break_glass", "emergency")
    assert opened.detail["practices"] == [A]
    read = lines(site.product, "auth.break_glass_read")
    assert [one.target_type for one in read] == [
        "exam", "report", "report", "exam", "report", "patient", "report",
    ]  # fmt: skip
    assert {one.detail["break_glass"] for one in read} == {glass["id"]}
    assert {str(one.patient_id) for one in read} == {held.patient["id"]}


def test_it_asks_for_a_physician_a_recent_sign_in_and_a_reason(site: Practices, held: Held) -> None:
    path = f"/v1/patients/{held.patient['id']}/break-glass"
    body = {"reason": "emergency"}
    for role in (Role.SECRETARY, Role.IDENTITY_OFFICER, Role.ADMIN_SECURITY, Role.AUDITOR):
        refused = site.product.signed_in(role).post(path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_denied"), role
    doctor = site.doctor_b
    assert doctor.post(path, json={}).status_code == 422
    unsaid = doctor.post(path, json={"reason": "other", "comment": "  "})
    assert (unsaid.status_code, unsaid.json()["code"]) == (422, "BREAK_GLASS_COMMENT_REQUIRED")
    nobody = doctor.post(f"/v1/patients/{held.exam['id']}/break-glass", json=body)
    assert nobody.status_code == 404
    practices.attach(site.product, RADIOLOGIST_B, practices.SCM)
    idle = doctor.post(path, json=body)
    assert (idle.status_code, idle.json()["code"]) == (409, "BREAK_GLASS_NOT_NEEDED")
    change(site.product, "update structure_member set valid_to = now()")
    change(site.product, "update ris_session set auth_time = now() - interval '1 hour'")
    stale = doctor.post(path, json=body)
    assert (stale.status_code, stale.json()["code"]) == (401, "psc_step_up_required")
    assert lines(site.product, "auth.break_glass") == []


def test_it_closes_with_time_with_the_session_and_for_any_other_patient(
    site: Practices, held: Held
) -> None:
    doctor, exam = site.doctor_b, f"/v1/exams/{held.exam['id']}"
    broken(doctor, held.patient["id"])
    assert doctor.get(exam).status_code == 200
    elsewhere = site.product.signed_in(Role.RADIOLOGIST, RADIOLOGIST_B)
    assert elsewhere.get(exam).status_code == 403, "another session of the same person"
    other = site.exam(site.clerk_a, job.patient(site.clerk_a, birth_family="AUTRE"))
    assert doctor.get(f"/v1/exams/{other['id']}").status_code == 403
    change(site.product, "update break_glass set expires_at = now()")
    assert doctor.get(exam).status_code == 403
    assert doctor.get(f"/v1/patients/{held.patient['id']}/exams").json() == []


def test_the_practice_concerned_and_the_auditor_see_it_and_say_so(
    site: Practices, held: Held
) -> None:
    glass = broken(site.doctor_b, held.patient["id"])
    auditor = site.product.signed_in(Role.AUDITOR)
    stranger = site.product.signed_in(Role.RADIOLOGIST, RADIOLOGIST_TWO_SITES)
    change(site.product, "update ris_session set needs_situation = false")

    def seen(one: httpx.Client, **asked: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = job.got(one.get("/v1/break-glass", params=asked), 200)[
            "items"
        ]
        return found

    (line,) = seen(site.doctor_a)
    assert (line["family"], line["comment"], line["practices"]) == ("RAYONFICTIF", WHY, [A])
    assert line["acting_struct_idnat"] == B
    assert [one["comment"] for one in seen(auditor)] == [None], "the auditor reads no health data"
    assert seen(stranger) == seen(site.doctor_b) == []
    review = f"/v1/break-glass/{glass['id']}/review"
    assert stranger.post(review).status_code == site.doctor_b.post(review).status_code == 404
    assert site.everywhere.get("/v1/break-glass").status_code == 403
    for _ in range(2):
        assert len(job.got(site.doctor_a.post(review), 200)["reviews"]) == 1
    assert seen(site.doctor_a, unseen=True) == []
    assert len(job.got(auditor.post(review), 200)["reviews"]) == 2
    assert len(lines(site.product, "auth.break_glass_reviewed")) == 2


def test_nobody_reviews_his_own(site: Practices, held: Held) -> None:
    glass = broken(site.doctor_b, held.patient["id"])
    practices.attach(site.product, RADIOLOGIST_B, A)
    refused = site.doctor_b.post(f"/v1/break-glass/{glass['id']}/review")
    assert (refused.status_code, refused.json()["code"]) == (403, "BREAK_GLASS_OWN_REVIEW")


def test_the_free_text_is_sealed_and_out_of_the_journal(site: Practices, held: Held) -> None:
    broken(site.doctor_b, held.patient["id"])
    site.doctor_b.get(readings(held)[0])
    with site.product.runtime.database.transaction() as session:
        raw = session.execute(text("select comment_sealed from break_glass")).scalar_one()
        assert WHY.encode() not in bytes(raw)
        assert session.scalars(select(BreakGlass)).one().comment == WHY
        journal = session.execute(text("select detail::text, reason from audit_event")).all()
    assert "thoracique" not in json.dumps([list(row) for row in journal])
