"""HTTP of the reports. `request.app.state.settings.reports` holds the `ReportSettings`.

The signing route is in `ris.diffusion`: a signature schedules deliveries.
"""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from ris.auth.compartments.scope import PHYSICIANS
from ris.auth.dependencies import Principal, inside, require
from ris.auth.errors import RoleDenied
from ris.auth.rights import Permission
from ris.core import audit, clock
from ris.identity.service import get as patient_of
from ris.identity.service import note_ins_shown
from ris.rem import satisfies
from ris.reports import service
from ris.reports.content import Sections, VersionKind
from ris.reports.errors import ReportNotFound
from ris.reports.model import Report
from ris.reports.schemas import AmendIn, AnnouncementIn, ChangesIn, DraftIn, ReportOut, ReviewItem
from ris.reports.settings import ReportSettings
from ris.web.etag import IfMatch, check, tag
from ris.web.moments import Instant
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["reports"])
Reader = Annotated[Principal, Depends(require(Permission.REPORT_READ))]
Writer = Annotated[Principal, Depends(require(Permission.REPORT_DRAFT))]
Signer = Annotated[Principal, Depends(require(Permission.REPORT_SIGN))]
Amender = Annotated[Principal, Depends(require(Permission.REPORT_AMEND, fresh=True))]
_MEDIA = {"n1": "text/xml", "n3": "text/xml", "pdf": "application/pdf"}


@router.post("/reports", status_code=201)
@satisfies()
def create_report(
    request: Request, body: DraftIn, response: Response, session: Db, principal: Writer
) -> ReportOut:
    """Open the report of an exam, as a draft (brouillon)."""
    inside(request, principal, exam_id=body.exam_id)
    report = service.create_draft(
        session,
        body.exam_id,
        title=body.title,
        sections=Sections(**body.sections.given()),
        practice=principal.compartment.practice if principal.role in PHYSICIANS else None,
        actor=principal.actor,
    )
    return _answer(session, report, response)


@router.get("/reports")
@satisfies("RIS.CRR.05")
def review_reports(
    request: Request,
    session: Db,
    principal: Reader,
    since: Instant | None = None,
    until: Instant | None = None,
) -> list[ReviewItem]:
    """List the reports not yet validated over a period; by default the site's review period."""
    settings: ReportSettings = request.app.state.settings.reports
    now = clock.now()
    start = since or now - timedelta(days=settings.review_period_days)
    return [
        ReviewItem.of(
            report,
            overdue=service.is_overdue(report, hours=settings.overdue_after_hours, at=now),
        )
        for report in service.review(
            session, since=start, until=until or now, scope=principal.compartment.exams
        )
    ]


@router.get("/reports/{report_id}")
@satisfies("RIS.CRR.01")
def read_report(report_id: UUID, response: Response, session: Db, _principal: Reader) -> ReportOut:
    """Return one report with its status, its versions and its ETag."""
    return _answer(session, service.get(session, report_id), response)


@router.get("/exams/{exam_id}/reports", summary="Comptes rendus d'un examen")
@satisfies()
def list_reports_of_exam(exam_id: UUID, session: Db, _principal: Reader) -> list[ReportOut]:
    """Donne les comptes rendus d'un examen, du plus ancien au plus récent."""
    listed = service.of_exam(session, exam_id)
    return [ReportOut.of(report, service.versions(session, report)) for report in listed]


@router.patch("/reports/{report_id}")
@satisfies()
def edit_report(
    *,
    report_id: UUID,
    body: ChangesIn,
    response: Response,
    session: Db,
    principal: Writer,
    if_match: IfMatch = None,
) -> ReportOut:
    """Change an unsigned report."""
    report = _locked(session, report_id, if_match)
    service.edit(session, report, body.changes(), actor=principal.actor)
    return _answer(session, report, response)


@router.post("/reports/{report_id}/preliminary", status_code=200)
@satisfies("RIS.CRR.04")
def make_preliminary(
    report_id: UUID, response: Response, session: Db, principal: Writer, if_match: IfMatch = None
) -> ReportOut:
    """Mark the report provisional (provisoire): other radiologists give an opinion first."""
    report = _locked(session, report_id, if_match)
    service.to_preliminary(session, report, actor=principal.actor)
    return _answer(session, report, response)


@router.post("/reports/{report_id}/cancel", status_code=200)
@satisfies()
def cancel_report(
    report_id: UUID, response: Response, session: Db, principal: Writer, if_match: IfMatch = None
) -> ReportOut:
    """Give up the version being written."""
    report = _locked(session, report_id, if_match)
    service.cancel(session, report, actor=principal.actor)
    return _answer(session, report, response)


@router.post("/reports/{report_id}/situation", status_code=200)
@satisfies("RIS.AUTH.01")
def take_over_report(
    report_id: UUID, response: Response, session: Db, principal: Signer, if_match: IfMatch = None
) -> ReportOut:
    """Put an unsigned report under the caller's present situation: it will leave from there."""
    report = _locked(session, report_id, if_match)
    service.take_over(session, report, actor=principal.actor)
    return _answer(session, report, response)


@router.post("/reports/{report_id}/announcement", status_code=200)
@satisfies("RIS.CRR.02")
def require_announcement(
    *,
    report_id: UUID,
    body: AnnouncementIn,
    response: Response,
    session: Db,
    principal: Signer,
    if_match: IfMatch = None,
) -> ReportOut:
    """Say, before validation, whether the result must first be announced to the patient."""
    report = _locked(session, report_id, if_match)
    service.require_announcement(session, report, needed=body.needed, actor=principal.actor)
    return _answer(session, report, response)


@router.post("/reports/{report_id}/versions", status_code=201)
@satisfies("LOC-CRR-01")
def amend_report(
    *,
    report_id: UUID,
    body: AmendIn,
    response: Response,
    session: Db,
    principal: Amender,
    if_match: IfMatch = None,
) -> ReportOut:
    """Open version N+1 of a signed report: correction or addendum."""
    report = _locked(session, report_id, if_match)
    service.amend(session, report, VersionKind(body.kind), actor=principal.actor)
    return _answer(session, report, response)


@router.get("/reports/{report_id}/versions/{number}/{artefact}", response_class=Response)
@satisfies("RIS.DOC.01", "RIS.DOC.02", "RIS.INS.05")
def read_artefact(
    report_id: UUID,
    number: int,
    artefact: Literal["n1", "n3", "pdf"],
    session: Db,
    principal: Reader,
) -> Response:
    """Return the stored bytes of one signed version; they are never rendered again.

    A document that carries the INS asks for the right to see the INS too (RIS.INS.05).
    """
    report = service.get(session, report_id)
    found = [one for one in service.versions(session, report) if one.number == number]
    if not found:
        raise ReportNotFound("Cette version n'existe pas.")
    carries_ins = found[0].content["patient"]["ins"] is not None
    if carries_ins and Permission.INS_READ not in principal.permissions:
        raise RoleDenied("Ce document porte l'INS : il vous manque le droit « voir l'INS ».")
    audit.record(
        session,
        "report.artefact_read",
        actor=principal.actor,
        target=("document_version", found[0].id),
        patient_id=report.patient_id,
        detail={"artefact": artefact},
    )
    if carries_ins:
        note_ins_shown(session, patient_of(session, report.patient_id), actor=principal.actor)
    return Response(getattr(found[0], artefact), media_type=_MEDIA[artefact])


def _locked(session: Db, report_id: UUID, if_match: str | None) -> Report:
    report = service.get(session, report_id, lock=True)
    check(if_match, report.version)
    return report


def _answer(session: Db, report: Report, response: Response) -> ReportOut:
    response.headers["ETag"] = tag(report.version)
    return ReportOut.of(report, service.versions(session, report))
