"""Reports in the base: drafts, amendments, announcement, review, and versions kept for good."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from ris.auth.values import Authentication
from ris.core import clock, ids, sealed
from ris.core.crypto import Envelope, Keyring, Sealer
from ris.identity.values import Status
from ris.rem.evidence import Evidence
from ris.reports import authentications, freeze, service
from ris.reports.cda.read import read
from ris.reports.content import Sections, VersionKind, Visibility
from ris.reports.errors import ContentRefused, IllegalTransition, NotWritable, ReportExists
from ris.reports.lifecycle import State
from ris.reports.model import DocumentVersion, Report
from ris.reports.service import Changes
from ris.reports.settings import ReportSettings
from tests.reports.conftest import Bench
from tests.reports.sample import AT, MATRICULE, PATIENT

SETTINGS = ReportSettings()
SAID = Sections(results="Rien.", conclusion="Normal.")


def draft(session: Session, bench: Bench) -> Report:
    return service.create_draft(
        session, bench.exam.id, title="Scanner", sections=SAID, actor=bench.actor
    )


def sign(session: Session, bench: Bench, report: Report) -> DocumentVersion:
    return freeze.freeze(
        session,
        report,
        bench.inputs(),
        signed_by=bench.account.id,
        authentication=None,
        at=AT,
        settings=SETTINGS,
    )


def test_an_exam_has_one_live_report(session: Session, bench: Bench) -> None:
    first = draft(session, bench)
    with pytest.raises(ReportExists):
        draft(session, bench)
    service.cancel(session, first, actor=bench.actor)
    assert first.status == State.CANCELLED
    assert draft(session, bench).status == State.DRAFT


def test_a_draft_is_edited_and_control_characters_are_replaced(
    session: Session, bench: Bench
) -> None:
    report = draft(session, bench)
    before = report.version
    changes = Changes(sections={"results": "a\u000bb\r\nc"}, to_validate=True)
    service.edit(session, report, changes, actor=bench.actor)
    assert report.sections["results"] == "a\ufffdb\nc"
    assert report.sections["conclusion"] == "Normal."
    assert report.to_validate
    assert report.version == before + 1


def test_two_editors_do_not_overwrite_each_other(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    session.execute(text("update report set version = version + 1"))
    with pytest.raises(StaleDataError):
        service.edit(session, report, Changes(title="Autre"), actor=bench.actor)


@pytest.mark.rem("RIS.CRR.01", scenario="CRI/va1.01.01")
def test_signing_freezes_the_three_artefacts_and_who_signed(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    version = sign(session, bench, report)
    assert (report.status, report.current_version) == (State.VALIDATED, 1)
    assert (version.signed_by, version.signed_at) == (bench.account.id, AT)
    document = freeze.signed_document(session, version.id)
    assert document.content.signed_at == AT
    assert document.content.n1.unique_id == read(document.n1).unique_id
    assert read(document.n1).pdf == document.pdf
    assert version.n1_sha256 == hashlib.sha256(document.n1).digest()
    assert read(document.n3).set_id == report.n3_set_id != report.n1_set_id


def test_an_unsound_report_is_not_signed(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    service.edit(session, report, Changes(sections={"conclusion": " "}), actor=bench.actor)
    with pytest.raises(ContentRefused):
        sign(session, bench, report)
    assert (report.status, report.current_version) == (State.DRAFT, 0)


@pytest.mark.rem("LOC-CRR-01")
def test_a_signed_report_is_not_edited(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    sign(session, bench, report)
    with pytest.raises(NotWritable):
        service.edit(session, report, Changes(title="Autre"), actor=bench.actor)
    with pytest.raises(IllegalTransition):
        sign(session, bench, report)


@pytest.mark.rem("LOC-CRR-01")
@pytest.mark.parametrize(
    "statement",
    [
        "update document_version set n1_sealed = n3_sealed",
        "update document_version set content_sealed = pdf_sealed",
        "update document_version set signed_at = now()",
        "delete from document_version",
    ],
)
def test_the_base_refuses_to_change_a_signed_version(
    statement: str, session: Session, bench: Bench
) -> None:
    sign(session, bench, draft(session, bench))
    with pytest.raises(DBAPIError, match="immutable"), session.begin_nested():
        session.execute(text(statement))


def test_a_signed_version_may_get_a_new_key_and_nothing_else(
    session: Session, bench: Bench
) -> None:
    version = sign(session, bench, draft(session, bench))
    n1 = bytes(version.n1)
    both = {"k1": bytes(range(32)), "k2": bytes(32)}
    rotated = Sealer(Keyring("k2", both))
    change = text("update document_version set n1_sealed = :blob")
    kept, n3 = session.execute(text("select n1_sealed, n3_sealed from document_version")).one()
    session.execute(change, {"blob": rotated.rewrap(Envelope.unpack(kept)).pack()})
    sealed.carry(session.get_bind().dialect, rotated)
    session.expire_all()
    assert version.n1 == n1
    for other in (rotated.seal(n1, b"elsewhere"), n3):
        with pytest.raises(DBAPIError, match="immutable"), session.begin_nested():
            session.execute(change, {"blob": other})


def test_the_base_refuses_two_versions_of_one_number(session: Session, bench: Bench) -> None:
    version = sign(session, bench, draft(session, bench))
    columns = "id, n1_unique_id, n3_unique_id"
    others = [one.name for one in DocumentVersion.__table__.columns if one.name not in columns]
    copied = ", ".join(others)
    insert = text(
        f"insert into document_version ({columns}, {copied})"
        f" select gen_random_uuid(), '2.25.7', '2.25.8', {copied} from document_version"
    )
    assert version.number == 1
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(insert)


@pytest.mark.rem("LOC-CRR-01")
def test_a_correction_replaces_the_version_before(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    first = sign(session, bench, report)
    frozen = bytes(first.n1)
    service.amend(session, report, VersionKind.CORRECTION, actor=bench.actor)
    assert (report.status, first.status) == (State.DRAFT, State.VALIDATED)
    service.edit(session, report, Changes(sections={"conclusion": "Autre."}), actor=bench.actor)
    second = sign(session, bench, report)
    assert (first.status, second.status) == (State.REPLACED, State.VALIDATED)
    assert (second.number, second.replaces_id, second.kind) == (2, first.id, "CORRECTION")
    assert read(second.n1).replaces == first.n1_unique_id
    assert read(second.n3).replaces == first.n3_unique_id
    assert first.n1 == frozen


def test_an_abandoned_correction_leaves_the_signed_version(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    sign(session, bench, report)
    service.amend(session, report, VersionKind.CORRECTION, actor=bench.actor)
    service.edit(session, report, Changes(sections={"conclusion": "Autre."}), actor=bench.actor)
    service.cancel(session, report, actor=bench.actor)
    assert report.status == State.VALIDATED
    assert report.sections["conclusion"] == "Normal."


def test_an_addendum_keeps_the_earlier_text(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    sign(session, bench, report)
    service.amend(session, report, VersionKind.ADDENDUM, actor=bench.actor)
    with pytest.raises(NotWritable):
        service.edit(session, report, Changes(sections={"results": "Autre."}), actor=bench.actor)
    service.edit(session, report, Changes(sections={"addendum": "Relu."}), actor=bench.actor)
    content = freeze.signed_document(session, sign(session, bench, report).id).content
    assert (content.kind, content.sections.results) == (VersionKind.ADDENDUM, "Rien.")
    assert content.sections.addendum == "Relu."
    service.amend(session, report, VersionKind.ADDENDUM, actor=bench.actor)
    with pytest.raises(NotWritable):
        service.edit(session, report, Changes(sections={"addendum": "Autre."}), actor=bench.actor)
    more = Changes(sections={"addendum": "Relu.\nComparé."})
    service.edit(session, report, more, actor=bench.actor)
    assert report.sections["addendum"] == "Relu.\nComparé."


def test_an_identity_version_changes_the_patient_only(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    unqualified = bench.inputs(patient=replace(PATIENT, status=Status.VALIDEE))
    signed_in = Authentication(AT - timedelta(minutes=12), "CPX_MTLS")
    first = freeze.freeze(
        session,
        report,
        unqualified,
        signed_by=bench.account.id,
        authentication=signed_in,
        at=AT,
        settings=SETTINGS,
    )
    later = AT + timedelta(days=1)
    second = freeze.freeze_identity(session, report, PATIENT, at=later, settings=SETTINGS)
    before, after = (
        freeze.signed_document(session, version.id).content for version in (first, second)
    )
    assert read(first.n1).patient.ins is None
    assert read(second.n1).patient.ins == PATIENT.ins
    assert (after.sections, after.author, after.signed_at) == (
        before.sections, before.author, AT,
    )  # fmt: skip
    assert authentications.of_signature(first) == signed_in
    assert authentications.of_signature(second) == signed_in
    assert (second.number, second.kind, first.status) == (2, "IDENTITY", State.REPLACED)
    assert report.status == State.VALIDATED


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.QUALIFIEE])
def test_what_is_frozen_for_an_unqualified_identity_keeps_no_ins(
    status: Status, session: Session, bench: Bench
) -> None:
    report = draft(session, bench)
    inputs = bench.inputs(patient=replace(PATIENT, status=status))
    version = freeze.freeze(
        session,
        report,
        inputs,
        signed_by=bench.account.id,
        authentication=None,
        at=AT,
        settings=SETTINGS,
    )
    assert MATRICULE not in str(version.content)
    assert freeze.signed_document(session, version.id).content.patient.ins is None


def test_a_deleted_report_frees_its_exam(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    sign(session, bench, report)
    assert freeze.withdraw(session, report, actor=bench.actor).status == State.DELETED
    assert report.status == State.DELETED
    assert draft(session, bench).id != report.id


def test_the_deletion_of_a_report_has_the_sign_in_of_its_signer_only(
    session: Session, bench: Bench
) -> None:
    signed_in, later = (Authentication(AT + timedelta(hours=h), "PSC_CODE") for h in (-1, 30))
    signer = replace(bench.actor, auth_time=later.at, auth_method=later.method)
    for actor, expected in ((signer, later), (replace(signer, account_id=ids.new()), signed_in)):
        report = draft(session, bench)
        freeze.freeze(
            session,
            report,
            bench.inputs(),
            signed_by=bench.account.id,
            authentication=signed_in,
            at=AT,
            settings=SETTINGS,
        )
        version = freeze.withdraw(session, report, actor=actor)
        assert authentications.of_withdrawal(report, version) == expected
        assert authentications.of_signature(version) == signed_in


def test_a_version_signed_before_sign_ins_were_kept_has_the_instant_of_its_signature(
    session: Session, bench: Bench
) -> None:
    version = sign(session, bench, draft(session, bench))
    assert authentications.of_signature(version) == Authentication(AT)


@pytest.mark.rem("RIS.CRR.02", scenario="CRI/va1.02.01")
@pytest.mark.rem("RIS.CRR.03", scenario="CRI/va1.03.01")
def test_a_result_stays_hidden_from_the_patient_until_announced(
    session: Session, bench: Bench, evidence: Evidence
) -> None:
    report = draft(session, bench)
    service.require_announcement(session, report, needed=True, actor=bench.actor)
    with pytest.raises(NotWritable):
        service.record_announcement(session, report, actor=bench.actor)
    version = sign(session, bench, report)
    assert version.content["visibility"] == [Visibility.HIDDEN_FROM_PATIENT]
    assert service.visibility_of(report) == {Visibility.HIDDEN_FROM_PATIENT}
    with pytest.raises(NotWritable):
        service.require_announcement(session, report, needed=False, actor=bench.actor)
    service.record_announcement(session, report, actor=bench.actor)
    assert service.visibility_of(report) == frozenset()
    assert report.announcement_done_by == bench.account.id
    lines = session.execute(
        text("select action, detail from audit_event where target_id = :id order by seq"),
        {"id": str(report.id)},
    )
    journal = [{"action": action, **detail} for action, detail in lines]
    assert "report.announced" in {line["action"] for line in journal}
    evidence.add("01", "journal.json", {"journal": journal})


@pytest.mark.rem("RIS.CRR.04", scenario="CRI/va1.04.01")
@pytest.mark.rem("RIS.CRR.05", scenario="CRI/va1.05.01")
def test_the_review_lists_what_is_not_validated_over_a_period(
    session: Session, bench: Bench
) -> None:
    report = draft(session, bench)
    now = clock.now()
    since, until = now - timedelta(hours=1), now + timedelta(hours=1)
    service.to_preliminary(session, report, actor=bench.actor)
    assert service.review(session, since=since, until=until) == [report]
    assert service.review(session, since=since, until=since) == []
    assert not service.is_overdue(report, hours=72, at=now)
    assert service.is_overdue(report, hours=72, at=now + timedelta(hours=73))
    sign(session, bench, report)
    assert service.review(session, since=since, until=until) == []


def test_every_act_is_in_the_audit_journal(session: Session, bench: Bench) -> None:
    report = draft(session, bench)
    service.edit(session, report, Changes(title="Autre"), actor=bench.actor)
    service.to_preliminary(session, report, actor=bench.actor)
    service.cancel(session, report, actor=bench.actor)
    actions = session.scalars(
        text("select action from audit_event where target_id = :id order by seq"),
        {"id": str(report.id)},
    )
    assert list(actions) == [
        "report.created", "report.edited", "report.preliminary", "report.cancelled",
    ]  # fmt: skip
