"""The copies over HTTP: rights, profile, types, size, journal, headers; nothing leaks."""

import json
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select, text
from structlog.testing import capture_logs

from ris.auth.rights import Role
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity.copies.errors import CopiesDisabled
from ris.identity.copies.model import IdCopy, IdCopyPurge
from ris.identity.copies.routes import router
from ris.identity.copies.settings import LARGEST
from ris.identity.model import Patient
from ris.identity.settings import IdentitySettings
from ris.rem.evidence import Evidence
from tests.identity.copies.conftest import SCAN, Door, Site

PDF = b"%PDF-1.7\n% fictitious\n"
PNG = b"\x89PNG\r\n\x1a\nfictitious"
DEPOSITORS = {
    Role.RADIOLOGIST, Role.NUCLEAR_PHYSICIAN, Role.TECHNOLOGIST, Role.SECRETARY,
    Role.IDENTITY_OFFICER,
}  # fmt: skip


def deposit(
    api: httpx.Client, patient: tuple[UUID, UUID], content: bytes = SCAN, kind: str = "image/jpeg",
    **params: Any,
) -> httpx.Response:  # fmt: skip
    asked = {"document_id": str(patient[1]), "informed": "oral", **params}
    headers = {"Content-Type": kind}
    url = f"/patients/{patient[0]}/identity-copies"
    return api.post(url, params=asked, content=content, headers=headers)


def seen(api: httpx.Client, patient: UUID, copy: str, reason: str = "dispute") -> httpx.Response:
    url = f"/patients/{patient}/identity-copies/{copy}/content"
    return api.get(url, params={"reason": reason})


def trace(database: Database, action: str) -> list[AuditEvent]:
    with database.transaction() as session:
        asked = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.seq)
        return list(session.scalars(asked))


def rows(database: Database) -> int:
    with database.transaction() as session:
        return session.scalars(select(func.count()).select_from(IdCopy)).one()


@pytest.mark.rem("RIS.INS.58", "LOC-CNI-01", scenario="INS/va1.42.01")
def test_the_profile_is_off_by_default_and_then_nothing_is_ever_kept(
    site: Site, door: Door, evidence: Evidence
) -> None:
    default = IdentitySettings()
    assert not default.copies.enabled
    assert default.copy_retention_months == 60
    patient = site.patient()
    api = door(site=site.now_on(enabled=False))
    refused = deposit(api, patient)
    assert (refused.status_code, refused.json()["code"]) == (403, "ID_COPIES_DISABLED")
    assert "profil" in refused.json()["detail"]
    evidence.add("01", "profile-off.json", refused.text)
    assert deposit(api, patient, b"x" * (LARGEST + 1)).json()["code"] == "ID_COPIES_DISABLED"
    assert api.get(f"/patients/{patient[0]}/identity-copies").status_code == 403
    assert seen(api, patient[0], str(uuid4())).status_code == 403
    assert rows(site.database) == 0
    with pytest.raises(CopiesDisabled):
        site.now_on(enabled=False).keep(patient)


@pytest.mark.rem("RIS.INS.58", scenario="INS/va1.42.01")
def test_a_copy_is_kept_sealed_and_shown_with_a_trace(
    site: Site, door: Door, evidence: Evidence
) -> None:
    patient, api = site.patient(), door()
    made = deposit(api, patient)
    assert made.status_code == 201, made.text
    kept = made.json()
    assert (kept["document_type"], kept["size"]) == ("PA", len(SCAN))
    with site.database.transaction() as session:
        stored = session.execute(text("select id_copy::text from id_copy")).scalar_one()
        ciphertext = session.scalars(select(IdCopy.ciphertext)).one()
    assert SCAN[:32].hex() not in stored
    assert SCAN[:8] not in ciphertext
    assert len(ciphertext) == len(SCAN) + 16
    listed = api.get(f"/patients/{patient[0]}/identity-copies")
    assert listed.json() == [kept]
    shown = seen(api, patient[0], kept["id"])
    assert (shown.status_code, shown.content) == (200, SCAN)
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["content-disposition"] == f'attachment; filename="{kept["id"]}.jpg"'
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["x-content-type-options"] == "nosniff"
    (event,) = trace(site.database, "identity.copy_viewed")
    assert (event.reason, event.target_id, event.patient_id) == ("dispute", kept["id"], patient[0])
    assert event.actor_ps_idnat == "899700218896"
    assert seen(api, patient[0], kept["id"], "duplicate").status_code == 200
    assert len(trace(site.database, "identity.copy_viewed")) == 2
    evidence.add("02", "copy.json", made.text)
    evidence.add("03", "headers.json", json.dumps(dict(shown.headers), indent=1))


@pytest.mark.parametrize(("content", "kind"), [(PDF, "application/pdf"), (PNG, "image/png")])
def test_a_pdf_and_a_png_come_back_as_they_went(
    site: Site, door: Door, content: bytes, kind: str
) -> None:
    patient, api = site.patient(), door()
    kept = deposit(api, patient, content, kind).json()
    shown = seen(api, patient[0], kept["id"])
    assert (shown.content, shown.headers["content-type"]) == (content, kind)


@pytest.mark.rem("RIS.INS.58")
@pytest.mark.parametrize("role", Role)
def test_each_act_asks_for_its_own_right(site: Site, door: Door, role: Role) -> None:
    patient = site.patient()
    copy = str(site.keep(patient))
    api = door(role)
    officer = role is Role.IDENTITY_OFFICER
    assert deposit(api, patient).status_code == (201 if role in DEPOSITORS else 403)
    shown = seen(api, patient[0], copy)
    assert shown.status_code == (200 if officer else 403)
    assert (shown.content == SCAN) is officer
    listed = api.get(f"/patients/{patient[0]}/identity-copies")
    assert listed.status_code == (200 if officer else 403)
    erased = api.delete(f"/patients/{patient[0]}/identity-copies/{copy}")
    assert erased.status_code == (200 if officer else 403)
    denied = [event.reason for event in trace(site.database, "auth.access_denied")]
    assert ("identity.copy.read" in denied) is not officer


def test_every_route_declares_exactly_one_permission() -> None:
    for route in router.routes:
        calls = [dependant.call for dependant in route.dependant.dependencies]  # type: ignore[attr-defined]
        assert len([call for call in calls if hasattr(call, "permission")]) == 1, route


def test_seeing_and_erasing_ask_for_a_recent_sign_in(site: Site, door: Door) -> None:
    patient = site.patient()
    copy = str(site.keep(patient))
    api = door(signed_in=timedelta(minutes=31))
    assert seen(api, patient[0], copy).status_code == 401
    assert api.delete(f"/patients/{patient[0]}/identity-copies/{copy}").status_code == 401
    assert trace(site.database, "identity.copy_viewed") == []
    assert rows(site.database) == 1


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<html><script>alert(1)</script></html>", "image/jpeg"),
        (PDF, "image/jpeg"),
        (SCAN, "application/octet-stream"),
        (b"", "image/png"),
    ],
)
def test_a_disguised_file_is_refused_and_never_quoted(
    site: Site, door: Door, content: bytes, kind: str
) -> None:
    refused = deposit(door(), site.patient(), content, kind)
    assert (refused.status_code, refused.json()["code"]) == (415, "ID_COPY_TYPE_REFUSED")
    assert "script" not in refused.text
    assert rows(site.database) == 0


def test_the_size_cap_is_5_mb_to_the_byte(site: Site, door: Door) -> None:
    patient, api = site.patient(), door()
    full = SCAN + bytes(LARGEST - len(SCAN))
    assert deposit(api, patient, full).status_code == 201
    refused = deposit(api, patient, full + b"x")
    assert (refused.status_code, refused.json()["code"]) == (413, "ID_COPY_TOO_LARGE")
    assert rows(site.database) == 1


def test_a_site_may_lower_the_cap_but_not_raise_it(site: Site, door: Door) -> None:
    small = site.now_on(max_bytes=100)
    assert deposit(door(site=small), site.patient()).status_code == 413
    with pytest.raises(ValueError):
        site.now_on(max_bytes=LARGEST + 1)
    with pytest.raises(ValueError):
        IdentitySettings.model_validate({"copy_retention_months": 61})


def test_a_copy_goes_with_a_document_of_the_same_patient(site: Site, door: Door) -> None:
    one, other, api = site.patient("1"), site.patient("2"), door()
    refused = deposit(api, (one[0], other[1]))
    assert (refused.status_code, refused.json()["code"]) == (422, "ID_COPY_DOCUMENT_UNKNOWN")
    assert deposit(api, (uuid4(), one[1])).json()["code"] == "PATIENT_NOT_FOUND"
    assert deposit(api, one, informed="not at all").status_code == 422
    copy = deposit(api, one).json()["id"]
    assert seen(api, other[0], copy).json()["code"] == "ID_COPY_NOT_FOUND"
    assert seen(api, one[0], copy, reason="curious").status_code == 422


def test_a_copy_of_a_doubtful_identity_is_not_shown(site: Site, door: Door) -> None:
    patient, api = site.patient(), door()
    copy = str(site.keep(patient))
    with site.database.transaction() as session:
        session.get_one(Patient, patient[0]).attributes = ["douteuse"]
    assert seen(api, patient[0], copy).json()["code"] == "ID_COPY_LOCKED"


@pytest.mark.rem("RIS.INS.58", "LOC-CNI-02")
def test_a_copy_erased_on_request_leaves_a_signed_record_and_no_image(
    site: Site, door: Door
) -> None:
    patient, api = site.patient(), door()
    copy = deposit(api, patient).json()["id"]
    before = status(site, patient[0])
    erased = api.delete(f"/patients/{patient[0]}/identity-copies/{copy}")
    assert erased.status_code == 200
    assert (erased.json()["reason"], erased.json()["document_type"]) == ("request", "PA")
    gone = seen(api, patient[0], copy)
    assert (gone.status_code, gone.json()["code"]) == (410, "COPY_RETENTION")
    assert api.delete(f"/patients/{patient[0]}/identity-copies/{copy}").status_code == 410
    assert status(site, patient[0]) == before
    (event,) = trace(site.database, "identity.copy_erased")
    assert (event.reason, event.actor_ps_idnat) == ("request", "899700218896")
    with site.database.transaction() as session:
        assert session.scalars(select(IdCopyPurge.copy_id)).all() == [UUID(copy)]


def test_no_byte_of_a_copy_reaches_logs_journal_or_problems(
    site: Site, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    patient, api = site.patient(), door()
    with capture_logs() as lines:
        copy = deposit(api, patient).json()["id"]
        assert seen(api, patient[0], copy).content == SCAN
        with site.database.transaction() as session:
            session.execute(text("update id_copy set nonce = decode(repeat('00', 12), 'hex')"))
        broken = seen(api, patient[0], copy)
        disguised = deposit(api, patient, SCAN[4:])
    assert (broken.status_code, broken.json()["code"]) == (500, "SEAL_BROKEN")
    with site.database.transaction() as session:
        journal = session.execute(text("select string_agg(audit_event::text, '') from audit_event"))
        told = caplog.text + str(lines) + broken.text + disguised.text + journal.scalar_one()
    assert "/identity-copies" in told
    for form in (SCAN[11:35].decode(), SCAN[4:16].hex(), repr(SCAN[:8])[2:-1]):
        assert form not in told


def status(site: Site, patient_id: UUID) -> str:
    with site.database.transaction() as session:
        return session.get_one(Patient, patient_id).status
