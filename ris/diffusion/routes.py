"""HTTP of the deliveries: sign, announce, delete, follow, replay, cancel, count.

`request.app.state.diffusion` holds the `Diffusion`. No rule here.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ris.auth import accounts
from ris.auth.delegation.guard import acting_for
from ris.auth.delegation.values import DelegatedAction
from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.core import audit, breaker, clock
from ris.diffusion import dashboard, responsible, signing, staff
from ris.diffusion.compartment import within
from ris.diffusion.errors import NoProfessionalExercise
from ris.diffusion.model import Delivery
from ris.diffusion.schemas import (
    DashboardOut,
    DeliveriesOut,
    DeliveryOut,
    PeriodOut,
    RecipientIn,
    ServiceOut,
    SignatureOut,
)
from ris.diffusion.states import State
from ris.diffusion.wiring import Diffusion
from ris.rem import satisfies
from ris.reports import freeze
from ris.reports import service as reports
from ris.reports.channels import ChannelName
from ris.web.etag import IfMatch, check, read_version, tag
from ris.web.idempotency import Once
from ris.web.pages import Page, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["deliveries"])
Signer = Annotated[Principal, Depends(require(Permission.REPORT_SIGN, fresh=True))]
Announcer = Annotated[Principal, Depends(require(Permission.REPORT_SIGN, fresh=True))]
Amender = Annotated[Principal, Depends(require(Permission.REPORT_AMEND, fresh=True))]
Watcher = Annotated[Principal, Depends(require(Permission.DELIVERY_READ))]
Retrier = Annotated[Principal, Depends(require(Permission.DELIVERY_RETRY))]
Sender = Annotated[Principal, Depends(require(Permission.MSS_SEND))]
Counter = Annotated[Principal, Depends(require(Permission.DASHBOARD_READ))]


def wired(request: Request) -> Diffusion:
    """Return the deliveries wired by `ris.app`."""
    diffusion: Diffusion = request.app.state.diffusion
    return diffusion


Wired = Annotated[Diffusion, Depends(wired)]


@router.post("/reports/{report_id}/signature", status_code=201, response_model=SignatureOut)
@satisfies("RIS.CRR.01", "RIS.DMP.01", "RIS.MSS.19")
@satisfies("RIS.MSS.22", "RIS.MSS.23")
def sign_report(
    *,
    report_id: UUID,
    session: Db,
    once: Once,
    diffusion: Wired,
    principal: Signer,
    if_match: IfMatch = None,
) -> Response:
    """Sign the report as read (If-Match): it becomes validé and leaves by itself."""
    if principal.professional is None:
        raise NoProfessionalExercise

    def effect() -> SignatureOut:
        read = read_version(if_match)
        document = responsible.sign(
            session, diffusion, report_id, principal.actor, principal.compartment, read_version=read
        )
        of_report = _of_report(session, report_id)
        rows = [row for row in of_report if row.document_id == document.version_id]
        return SignatureOut.of(document, rows)

    return once(principal.account_id, effect)


@router.post("/reports/{report_id}/announcement-done", status_code=200)
@satisfies("RIS.CRR.03")
def announcement_done(
    *,
    report_id: UUID,
    session: Db,
    diffusion: Wired,
    principal: Announcer,
    if_match: IfMatch = None,
) -> DeliveriesOut:
    """Record that the result was announced: the DMP shows it, the patient receives it."""
    accounts.hold(session, principal.account_id)
    report = reports.get(session, report_id, lock=True)
    check(if_match, report.version)
    reports.record_announcement(session, report, actor=principal.actor)
    rows = signing.announce(session, diffusion, report_id)
    return DeliveriesOut(items=[DeliveryOut.of(row) for row in rows])


@router.delete("/reports/{report_id}")
@satisfies("RIS.DMP.02", "RIS.MSS.16")
def delete_report(
    *, report_id: UUID, session: Db, diffusion: Wired, principal: Amender, if_match: IfMatch = None
) -> DeliveriesOut:
    """Delete a signed report (wrong patient…): it is withdrawn from wherever it went."""
    accounts.hold(session, principal.account_id)
    report = reports.get(session, report_id, lock=True)
    check(if_match, report.version)
    freeze.withdraw(session, report, actor=principal.actor)
    rows = signing.withdraw(session, diffusion, report_id)
    audit.record(
        session,
        "report.deleted",
        actor=principal.actor,
        target=("report", report_id),
        patient_id=report.patient_id,
    )
    return DeliveriesOut(items=[DeliveryOut.of(row) for row in rows])


@router.get("/reports/{report_id}/deliveries")
@satisfies("RIS.MSS.18", "RIS.MSS.23")
def list_report_deliveries(report_id: UUID, session: Db, _principal: Watcher) -> DeliveriesOut:
    """Return every delivery of a report with its attempts."""
    reports.get(session, report_id)
    return DeliveriesOut(
        items=[
            DeliveryOut.of(row, list(staff.attempts_of(session, row.id)))
            for row in _of_report(session, report_id)
        ]
    )


@router.post("/reports/{report_id}/deliveries", status_code=201, response_model=DeliveryOut)
@satisfies("RIS.MSS.20")
def send_report_to(
    *,
    report_id: UUID,
    body: RecipientIn,
    request: Request,
    session: Db,
    once: Once,
    diffusion: Wired,
    principal: Sender,
) -> Response:
    """Send a signed report to one more professional, by MSSanté.

    A secretary does so under a delegation of the radiologist who signed: 403 `delegation_missing`.
    """
    signer = responsible.of_report(session, diffusion, report_id)
    actor = acting_for(request, session, principal, DelegatedAction.MSS_SEND, signer)

    def effect() -> DeliveryOut:
        row = staff.send_to(session, diffusion, report_id, body.rpps, actor)
        return DeliveryOut.of(row)

    return once(principal.account_id, effect)


@router.get("/deliveries")
@satisfies("RIS.TBB.03", "RIS.INS.51")
def list_deliveries(
    *,
    request: Request,
    response: Response,
    session: Db,
    paging: Paging,
    principal: Watcher,
    state: Annotated[list[State] | None, Query()] = None,
    channel: ChannelName | None = None,
    with_ins: bool | None = None,
) -> Page[DeliveryOut]:
    """Return the deliveries, oldest first; `?state=failed&state=dead` gives those to look at.

    `?with_ins=true&state=delivered&state=acknowledged` lists who received an INS, when, from whom.
    """
    query = select(Delivery).order_by(Delivery.created_at, Delivery.id).limit(paging.limit + 1)
    query = query.where(within(principal.compartment.exams))
    if state:
        query = query.where(Delivery.state.in_(state))
    if channel is not None:
        query = query.where(Delivery.channel == channel)
    if with_ins is not None:
        query = query.where(Delivery.with_ins == with_ins)
    if paging.after is not None:
        at, last = paging.instant_and_id()
        query = query.where(tuple_(Delivery.created_at, Delivery.id) > tuple_(at, last))
    rows, following = paging.cut(
        session.scalars(query).all(), lambda row: (row.created_at.isoformat(), str(row.id))
    )
    link(request, response, following)
    return Page(items=[DeliveryOut.of(row) for row in rows], next=following)


@router.get("/deliveries/{delivery_id}")
@satisfies("RIS.MSS.18")
def read_delivery(
    delivery_id: UUID, response: Response, session: Db, _principal: Watcher
) -> DeliveryOut:
    """Return one delivery with its attempts."""
    return _shown(session, staff.get(session, delivery_id), response)


@router.post("/deliveries/{delivery_id}/replay", status_code=200)
@satisfies("RIS.TBB.03")
def replay_delivery(
    *,
    delivery_id: UUID,
    request: Request,
    response: Response,
    session: Db,
    diffusion: Wired,
    principal: Retrier,
) -> DeliveryOut:
    """Send again what failed, was given up or waits: same bytes, same identifiers.

    A secretary does so under a delegation of the radiologist who signed: 403 `delegation_missing`.
    """
    actor = _retrier(request, session, principal, delivery_id)
    row = staff.replay(session, diffusion, delivery_id, actor)
    return _shown(session, row, response)


@router.post("/deliveries/{delivery_id}/cancel", status_code=200)
@satisfies()
def cancel_delivery(
    *,
    delivery_id: UUID,
    request: Request,
    response: Response,
    session: Db,
    principal: Retrier,
) -> DeliveryOut:
    """Cancel a delivery that has not left; a secretary under delegation, as for a replay."""
    actor = _retrier(request, session, principal, delivery_id)
    return _shown(session, staff.cancel(session, delivery_id, actor), response)


@router.get("/dashboard")
@satisfies("RIS.TBB.01", "RIS.TBB.03")
def read_dashboard(
    session: Db,
    principal: Counter,
    struct_idnat: str | None = None,
    rpps: Annotated[str | None, Query(pattern=r"^[0-9]{11}$")] = None,
) -> DashboardOut:
    """Return the counts of this month, this year and last year, of one FINESS or one RPPS.

    Who does not work for the whole site gets the counts of his practices.
    """
    spans = dashboard.periods(clock.now())
    since, until = min(span.since for span in spans), max(span.until for span in spans)
    lines = dashboard.read_lines(
        session,
        since,
        until,
        struct_idnat=struct_idnat,
        ps_idnat=rpps and f"8{rpps}",
        scope=principal.compartment.exams,
    )
    found = [PeriodOut.of(one, dashboard.count(dashboard.within(lines, one))) for one in spans]
    services = [ServiceOut.model_validate(one) for one in breaker.endpoints(session, clock.now())]
    return DashboardOut(services=services, struct_idnat=struct_idnat, rpps=rpps, periods=found)


def _retrier(request: Request, session: Session, principal: Principal, row: UUID) -> audit.Actor:
    """Return the actor of a replay or a cancellation, on behalf of who signed."""
    signer = responsible.of_delivery(session, staff.get(session, row))
    return acting_for(request, session, principal, DelegatedAction.DELIVERY_RETRY, signer)


def _of_report(session: Session, report_id: UUID) -> list[Delivery]:
    query = select(Delivery).where(Delivery.report_id == report_id)
    return list(session.scalars(query.order_by(Delivery.created_at, Delivery.id)))


def _shown(session: Session, row: Delivery, response: Response) -> DeliveryOut:
    session.flush()
    response.headers["ETag"] = tag(row.version)
    return DeliveryOut.of(row, list(staff.attempts_of(session, row.id)))
