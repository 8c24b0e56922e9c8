"""Real documents and real facts: from the signature of a real report to its deliveries."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from ris.auth.values import Professional
from ris.core import clock
from ris.core.db import Database
from ris.core.errors import Stale
from ris.core.settings import SiteSettings
from ris.diffusion.identity_changes import on_identity_changed
from ris.diffusion.signing import announce, sign
from ris.diffusion.sources import CurrentFacts, ReportDocuments, is_minor
from ris.diffusion.wiring import Diffusion
from ris.dmp import opposition
from ris.dmp.model import Scope
from ris.identity.feature import Change
from ris.identity.model import Patient
from ris.identity.states import Event
from ris.identity.values import Status
from ris.mss import consent
from ris.orders.errors import ExamNotCompleted
from ris.orders.service import change_status, place_order
from ris.orders.states import ExamEvent
from ris.orders.values import Procedure
from ris.rem.evidence import Evidence
from ris.reports import service as reports
from ris.reports.channels import ChannelName
from ris.reports.model import Report
from ris.reports.settings import ReportSettings
from tests.diffusion.bench import Bench
from tests.reports import sample

SETTINGS = ReportSettings()


@pytest.fixture
def full(database: Database, tmp_path: Path) -> Bench:
    made = Bench(database, tmp_path / "remote", names=tuple(ChannelName))
    made.account()
    made.diffusion = Diffusion(
        database,
        made.diffusion.channels,
        made.settings,
        ReportDocuments(SETTINGS, lambda _, person: person),
        CurrentFacts(send_without_qualified_ins=True),
    )
    return made


@pytest.fixture
def report(full: Bench) -> Callable[..., UUID]:
    """Opens a complete draft for a patient, qualified or not."""

    def opened(
        *,
        qualified: bool = True,
        announcement: bool = False,
        done: bool = True,
        ends: ExamEvent = ExamEvent.COMPLETE,
    ) -> UUID:
        with full.database.transaction() as session:
            patient = Patient(ipp="RIS-000042", ipp_oid=sample.PATIENT.ipp_oid)
            patient.traits = sample.PATIENT.traits
            session.add(patient)
            session.flush()
            if qualified:
                qualify(patient)
            asked = sample.exam()
            exam = place_order(
                session,
                patient_id=patient.id,
                requester=sample.REQUESTER,
                recipients=(sample.CORRESPONDENT,),
                reason="Céphalées",
                procedure=Procedure(asked.procedure, asked.modality, asked.region, asked.location),
                scheduled_at=clock.now(),
                site=SiteSettings(),
                actor=full.actor,
            )
            for event in (ExamEvent.START, ends) if done else ():
                change_status(session, exam, event, actor=full.actor)
            made = reports.create_draft(
                session,
                exam.id,
                title="Scanner cérébral",
                sections=sample.content().sections,
                actor=full.actor,
            )
            if announcement:
                reports.require_announcement(session, made, needed=True, actor=full.actor)
            return made.id

    return opened


def qualify(patient: Patient) -> None:
    assert sample.PATIENT.ins is not None
    patient.status = Status.QUALIFIEE
    patient.ins_matricule, patient.ins_oid = sample.PATIENT.ins.matricule, sample.PATIENT.ins.oid


def journal(bench: Bench) -> dict[str, object]:
    """Return the deliveries as evidence: what was to leave, what became of it."""
    rows = [
        {"channel": row.channel, "operation": row.operation, "recipient": row.recipient,
         "state": row.state, "reason": row.reason, "visibility": row.visibility,
         "with_ins": row.with_ins, "at": row.created_at}
        for row in bench.deliveries()
    ]  # fmt: skip
    return {"deliveries": rows}


def shown(bench: Bench) -> list[tuple[str, str, str, str | None]]:
    return [(row.channel, row.operation, row.state, row.reason) for row in bench.deliveries()]


@pytest.mark.rem("RIS.CRR.01", scenario="CRI/va1.01.01")
@pytest.mark.rem("RIS.DMP.01", scenario="DMP/va1.13.01")
@pytest.mark.rem("RIS.MSS.22", scenario="MSS/va1.01.01")
def test_a_real_report_signed_leaves_by_itself(
    full: Bench, report: Callable[..., UUID], evidence: Evidence
) -> None:
    document = full.sign(report())
    assert document.n1.startswith(b"<?xml")
    assert document.pdf.startswith(b"%PDF")
    for row in full.deliveries():
        full.attempt(row.id)
    assert {row.state for row in full.deliveries()} == {"delivered"}
    assert all(row.with_ins for row in full.deliveries())
    assert len(full.remotes[ChannelName.MSS_PATIENT].effects) == 1
    evidence.add("02", "compte-rendu.pdf", document.pdf)
    evidence.add("03", "deliveries.json", journal(full))


def test_a_report_changed_since_it_was_read_is_not_signed(
    full: Bench, report: Callable[..., UUID]
) -> None:
    report_id = report()
    with pytest.raises(Stale), full.database.transaction() as session:
        sign(session, full.diffusion, report_id, sample.RADIOLOGIST, full.actor, read_version=9)
    assert full.deliveries() == []


def test_a_report_is_not_signed_before_the_exam_took_place(
    full: Bench, report: Callable[..., UUID]
) -> None:
    with pytest.raises(ExamNotCompleted) as refused:
        full.sign(report(done=False))
    assert (refused.value.status, refused.value.code) == (409, "EXAM_NOT_COMPLETED")
    assert full.deliveries() == []


def test_an_exam_stopped_midway_is_reported_like_any_other(
    full: Bench, report: Callable[..., UUID]
) -> None:
    document = full.sign(report(ends=ExamEvent.STOP))
    assert document.n1.startswith(b"<?xml")
    assert {row.channel for row in full.deliveries()} == {"dmp", "mss_ps", "mss_patient"}


@pytest.mark.rem("RIS.MSS.12", scenario="MSS/va1.19.01")
@pytest.mark.rem("LOC-DMP-01")
def test_an_identity_qualified_after_the_signature_sends_a_new_version_by_itself(
    full: Bench, report: Callable[..., UUID]
) -> None:
    first = full.sign(report(qualified=False))
    before = full.deliveries()
    assert {(row.channel, row.state, row.reason) for row in before} == {
        ("dmp", "held", "BLOCKED_INS"),
        ("mss_patient", "held", "INS_NOT_QUALIFIED"),
        ("mss_ps", "pending", None),
    }
    for row in before:
        full.attempt(row.id)
    with full.database.transaction() as session:
        qualify(session.get_one(Patient, first.patient_id))
        session.flush()
        change = Change(first.patient_id, next(iter(Event)), Status.VALIDEE, Status.QUALIFIEE, True)
        on_identity_changed(session, full.diffusion, SETTINGS, change)
    after = full.deliveries()[len(before) :]
    assert sorted((row.channel, row.operation, row.state) for row in after) == [
        ("dmp", "submit", "pending"),
        ("mss_patient", "send", "pending"),
        ("mss_ps", "replace", "pending"),
        ("mss_ps", "replace", "pending"),
    ]
    for row in after:
        full.attempt(row.id)
    assert {row.with_ins for row in full.deliveries() if row.channel == "dmp"} == {False, True}


@pytest.mark.rem("RIS.CRR.02", scenario="CRI/va1.02.01")
@pytest.mark.rem("RIS.CRR.03", scenario="CRI/va1.03.01")
def test_an_announcement_shows_the_report_to_the_patient(
    full: Bench, report: Callable[..., UUID], evidence: Evidence
) -> None:
    report_id = report(announcement=True)
    full.sign(report_id)
    for row in full.deliveries():
        full.attempt(row.id)
    assert ("mss_patient", "send", "held", "HELD_ANNOUNCEMENT") in shown(full)
    assert full.remotes[ChannelName.MSS_PATIENT].effects == []
    with full.database.transaction() as session:
        made = session.get_one(Report, report_id)
        reports.record_announcement(session, made, actor=full.actor)
        announce(session, full.diffusion, report_id)
    for row in full.deliveries():
        full.attempt(row.id)
    replaced = [row for row in full.deliveries() if row.operation == "replace"]
    assert [(row.channel, row.state, row.visibility) for row in replaced] == [
        ("dmp", "delivered", [])
    ]
    assert len(full.remotes[ChannelName.MSS_PATIENT].effects) == 1
    assert len(full.remotes[ChannelName.MSS_PS].effects) == 2
    evidence.add("02", "deliveries.json", journal(full))


@pytest.mark.rem("RIS.DMP.03", scenario="DMP/va1.12.01")
def test_a_report_blocked_before_its_signature_never_reaches_the_dmp(
    full: Bench, report: Callable[..., UUID], evidence: Evidence
) -> None:
    report_id = report()
    with full.database.transaction() as session:
        patient = session.get_one(Report, report_id).patient_id
        opposition.record(
            session, patient, scope=Scope.REPORT, report_id=report_id, reason="expertise",
            actor=full.actor,
        )  # fmt: skip
    full.sign(report_id)
    for row in full.deliveries():
        full.attempt(row.id)
    assert ("dmp", "submit", "held", "OPPOSED") in shown(full)
    assert full.remotes[ChannelName.DMP].calls == 0
    assert len(full.remotes[ChannelName.MSS_PS].effects) == 2
    evidence.add("01", "deliveries.json", journal(full))


@pytest.mark.rem("RIS.MSS.21", scenario="MSS/va1.20.01")
@pytest.mark.rem("RIS.MSS.25", scenario="MSS/va1.22.01")
def test_a_refusal_recorded_after_the_signature_still_stops_the_message(
    full: Bench, report: Callable[..., UUID], evidence: Evidence
) -> None:
    document = full.sign(report())
    with full.database.transaction() as session:
        consent.record(
            session,
            document.patient_id,
            professional=True,
            patient=True,
            version=0,
            actor=full.actor,
        )
    for row in full.deliveries():
        full.attempt(row.id)
    assert {row[2] for row in shown(full) if row[0] != "dmp"} == {"not_applicable"}
    assert full.remotes[ChannelName.MSS_PATIENT].calls == 0
    assert full.remotes[ChannelName.MSS_PS].calls == 0
    evidence.add("02", "deliveries.json", journal(full))


def test_a_professional_of_the_document_is_found_by_rpps(
    full: Bench, report: Callable[..., UUID]
) -> None:
    document = full.sign(report())
    rpps = sample.CORRESPONDENT.rpps
    assert rpps is not None
    with full.database.transaction() as session:
        found = full.diffusion.documents.correspondent(session, document, rpps)
    assert isinstance(found, Professional)
    assert found == sample.CORRESPONDENT


def test_majority_comes_on_the_eighteenth_birthday() -> None:
    born = date(2008, 11, 22)
    assert is_minor(born, date(2026, 11, 21))
    assert not is_minor(born, date(2026, 11, 22))
