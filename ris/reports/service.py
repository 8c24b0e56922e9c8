"""Acts on a report before its signature, and the review of what is not signed.

Acts change a report that the caller has locked (`get(…, lock=True)`); they take a session and
never commit. Freezing a version is in `freeze`; what is sent belongs to `ris.diffusion`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ris.auth.compartments.scope import WHOLE, Scope
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.orders import service as orders
from ris.orders.compartment import claim
from ris.rem import satisfies
from ris.reports.cda.vocabulary import plain
from ris.reports.compartment import within
from ris.reports.content import Sections, VersionKind, Visibility
from ris.reports.errors import NotWritable, ReportExists, ReportNotFound
from ris.reports.lifecycle import UNSIGNED, Event, State, after
from ris.reports.model import DocumentVersion, Report

ADDENDUM_ONLY: Final = frozenset({"addendum"})
AMENDMENTS: Final = frozenset({VersionKind.CORRECTION, VersionKind.ADDENDUM})


@dataclass(frozen=True, slots=True)
class Changes:
    """What an edit changes; None or absent means left as it is. *sections* maps name to text."""

    title: str | None = None
    sections: dict[str, str] | None = None
    visibility: frozenset[Visibility] | None = None
    to_validate: bool | None = None


def create_draft(
    session: Session,
    exam_id: UUID,
    *,
    title: str,
    sections: Sections,
    actor: Actor,
    practice: str | None = None,
) -> Report:
    """Open the report of an exam in DRAFT.

    *practice* is that of the radiologist who takes charge: an exam nobody owns becomes its own.
    Raises NotFound for the exam, `ReportExists` when it already has a live report.
    """
    exam = orders.exam_record(session, exam_id)
    now = clock.now()
    report = Report(
        patient_id=exam.patient_id,
        exam_id=exam.id,
        author_account_id=actor.account_id,
        situation_id=actor.situation_id,
        title=plain(title),
        sections=_plain(asdict(sections)),
        created_at=now,
        updated_at=now,
    )
    try:
        with session.begin_nested():
            session.add(report)
    except IntegrityError as error:
        if "uq_report_live_exam" not in str(error.orig):
            raise
        raise ReportExists("Ouvrez le compte rendu existant de cet examen.") from error
    claim(session, exam, practice, actor=actor)
    _record(session, report, "report.created", actor)
    return report


def get(session: Session, report_id: UUID, *, lock: bool = False) -> Report:
    """Return one report, *lock*ed for the transaction if asked; raises `ReportNotFound`."""
    # NO KEY UPDATE: a delivery being written refers to the report and must not wait for it
    locked = {"key_share": True} if lock else False
    report = session.get(Report, report_id, with_for_update=locked)
    if report is None:
        raise ReportNotFound("Ce compte rendu n'existe pas.")
    return report


def edit(session: Session, report: Report, changes: Changes, *, actor: Actor) -> None:
    """Change an unsigned report.

    Raises `NotWritable` when it is signed, or when an addendum would touch earlier text
    (cda.md §5).
    """
    require_writable(report)
    if changes.sections is not None:
        _change_sections(session, report, changes.sections)
    if changes.title is not None:
        report.title = plain(changes.title)
    if changes.visibility is not None:
        report.visibility = sorted(changes.visibility)
    if changes.to_validate is not None:
        report.to_validate = changes.to_validate
    report.updated_at = clock.now()
    session.flush()
    _record(session, report, "report.edited", actor)


def take_over(session: Session, report: Report, *, actor: Actor) -> None:
    """Put an unsigned report under the situation *actor* acts in now (AUTH-63, AUTH-65).

    It is he who answers for it from then on. The former situation is traced.
    """
    require_writable(report)
    former, report.situation_id = report.situation_id, actor.situation_id
    report.author_account_id = actor.account_id or report.author_account_id
    report.updated_at = clock.now()
    session.flush()
    told = {"former": str(former) if former else None}
    _record(session, report, "report.situation_changed", actor, told)


@satisfies("RIS.CRR.04")
def to_preliminary(session: Session, report: Report, *, actor: Actor) -> None:
    """Mark that other radiologists must give an opinion; such a report is never sent."""
    require_writable(report)
    report.status = after(State(report.status), Event.SUBMIT)
    report.updated_at = clock.now()
    session.flush()
    _record(session, report, "report.preliminary", actor)


def cancel(session: Session, report: Report, *, actor: Actor) -> None:
    """Give up the version being written.

    A report never signed becomes CANCELLED; an abandoned correction or addendum leaves the report
    VALIDATED, with the text of its signed version.
    """
    require_writable(report)
    cancelled = after(State(report.status), Event.CANCEL)
    signed = current_version(session, report)
    report.status = State.VALIDATED if signed else cancelled
    if signed:
        report.title = str(signed.content["title"])
        report.sections = dict(signed.content["sections"])
    report.updated_at = clock.now()
    session.flush()
    _record(session, report, "report.cancelled", actor)


@satisfies("LOC-CRR-01")
def amend(session: Session, report: Report, kind: VersionKind, *, actor: Actor) -> None:
    """Open version N+1 of a signed report, as a correction or an addendum.

    Version N stays in force until N+1 is signed. Raises `NotWritable` unless VALIDATED.
    """
    if report.status != State.VALIDATED or kind not in AMENDMENTS:
        raise NotWritable("Seul un compte rendu validé se corrige ou se complète.")
    report.status = State.DRAFT
    report.draft_kind = kind
    report.updated_at = clock.now()
    session.flush()
    _record(session, report, "report.amended", actor)


@satisfies("RIS.CRR.02")
def require_announcement(session: Session, report: Report, *, needed: bool, actor: Actor) -> None:
    """Say, before validation, whether the result must first be announced to the patient."""
    require_writable(report)
    report.announcement_needed = needed
    report.updated_at = clock.now()
    session.flush()
    _record(session, report, "report.announcement_needed", actor)


@satisfies("RIS.CRR.03")
def record_announcement(session: Session, report: Report, *, actor: Actor) -> None:
    """Record that a signed result was announced to the patient: nothing hides it any more.

    Raises `NotWritable` when no announcement is awaited.
    """
    if report.current_version == 0 or not awaits_announcement(report):
        raise NotWritable("Aucune annonce n'est attendue pour ce compte rendu.")
    report.announcement_done_at = clock.now()
    report.announcement_done_by = actor.account_id
    report.updated_at = report.announcement_done_at
    session.flush()
    _record(session, report, "report.announced", actor)


def awaits_announcement(report: Report) -> bool:
    """Say whether the result still waits to be announced to the patient."""
    return report.announcement_needed and report.announcement_done_at is None


def visibility_of(report: Report) -> frozenset[Visibility]:
    """Return the restrictions in force: those chosen, and the patient's until the announcement."""
    chosen = frozenset(Visibility(value) for value in report.visibility)
    return chosen | {Visibility.HIDDEN_FROM_PATIENT} if awaits_announcement(report) else chosen


def sections_of(report: Report) -> Sections:
    """Return the texts of the version being written."""
    return replace(Sections(), **report.sections)


def of_exam(session: Session, exam_id: UUID) -> list[Report]:
    """Return every report of an exam, given up ones included, oldest first; raises NotFound."""
    orders.exam_record(session, exam_id)
    query = select(Report).where(Report.exam_id == exam_id)
    return list(session.scalars(query.order_by(Report.created_at, Report.id)))


def current_version(session: Session, report: Report) -> DocumentVersion | None:
    """Return the last signed version, or None before the first signature."""
    return session.scalar(
        select(DocumentVersion).where(
            DocumentVersion.report_id == report.id,
            DocumentVersion.number == report.current_version,
        )
    )


def versions(session: Session, report: Report) -> list[DocumentVersion]:
    """Return every signed version, oldest first."""
    chosen = select(DocumentVersion).where(DocumentVersion.report_id == report.id)
    return list(session.scalars(chosen.order_by(DocumentVersion.number)))


@satisfies("RIS.CRR.05")
def review(
    session: Session, *, since: datetime, until: datetime, scope: Scope = WHOLE
) -> list[Report]:
    """Return the reports not yet validated that were opened in [*since*, *until*], oldest first.

    Only those of the practices in *scope*.
    """
    chosen = select(Report).where(
        Report.status.in_(UNSIGNED), Report.created_at.between(since, until), within(scope)
    )
    return list(session.scalars(chosen.order_by(Report.created_at, Report.id)))


def is_overdue(report: Report, *, hours: int, at: datetime) -> bool:
    """Say whether an unsigned report has waited longer than the site accepts."""
    return report.status in UNSIGNED and at - report.created_at > timedelta(hours=hours)


def require_writable(report: Report) -> None:
    """Raise `NotWritable` unless the text of *report* may still change."""
    if report.status not in UNSIGNED:
        raise NotWritable("Ce compte rendu est signé : corrigez-le par une nouvelle version.")


def _change_sections(session: Session, report: Report, changed: dict[str, str]) -> None:
    known = {field.name for field in fields(Sections)}
    allowed = ADDENDUM_ONLY if report.draft_kind == VersionKind.ADDENDUM else known
    if refused := sorted(set(changed) - allowed):
        raise NotWritable("Un addendum ne change pas le texte déjà signé.", sections=refused)
    if report.draft_kind == VersionKind.ADDENDUM and (signed := current_version(session, report)):
        before = str(signed.content["sections"]["addendum"])
        if not plain(changed.get("addendum", before)).startswith(before):
            raise NotWritable("Un nouvel addendum s'ajoute au précédent.", sections=["addendum"])
    report.sections = {**report.sections, **_plain(changed)}


def _plain(sections: dict[str, str]) -> dict[str, str]:
    return {name: plain(text) for name, text in sections.items()}


def _record(
    session: Session,
    report: Report,
    action: str,
    actor: Actor,
    told: Mapping[str, object] | None = None,
) -> None:
    audit.record(
        session,
        action,
        actor=actor,
        target=("report", report.id),
        patient_id=report.patient_id,
        detail={"status": report.status, "version": report.current_version, **(told or {})},
    )
