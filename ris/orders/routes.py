"""HTTP of orders and exams. `request.app.state.directory` answers who the correspondents are."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from ris.auth.break_glass.service import reach
from ris.auth.compartments.owner import owner_for, require_practice
from ris.auth.dependencies import Principal, inside, require
from ris.auth.directory.service import Directory
from ris.auth.rights import Permission
from ris.auth.values import Professional
from ris.orders import compartment, service
from ris.orders.errors import AddressNotListed, UnknownRequester
from ris.orders.schemas import Correspondent, ExamEventIn, ExamOut, OrderIn, OwnerIn
from ris.orders.states import ExamEvent
from ris.rem import satisfies
from ris.web.etag import IfMatch, check, tag
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["orders"])
Reader = Annotated[Principal, Depends(require(Permission.EXAM_READ))]
Writer = Annotated[Principal, Depends(require(Permission.EXAM_WRITE))]


@router.post("/orders", status_code=201)
@satisfies("RIS.ANN.03", "RIS.ANN.05")
def place_order(
    request: Request, response: Response, session: Db, principal: Writer, order: OrderIn
) -> ExamOut:
    """Record an order; the RIS issues the accession number and the StudyInstanceUID.

    The requester and the recipients are looked up in the Annuaire Santé by RPPS.
    """
    inside(request, principal, patient_id=order.patient_id)
    directory: Directory = request.app.state.directory
    exam = service.place_order(
        session,
        patient_id=order.patient_id,
        requester=_correspondent(directory, order.requester),
        recipients=[_correspondent(directory, one) for one in order.recipients],
        reason=order.reason,
        procedure=order.asked(),
        scheduled_at=order.scheduled_at,
        order_number=order.order_number,
        practice=owner_for(session, principal.compartment, order.struct_idnat),
        site=request.app.state.settings.site,
        actor=principal.actor,
    )
    response.headers["ETag"] = tag(exam.version)
    return ExamOut.of(exam)


@router.get("/exams/{exam_id}")
@satisfies()
def read_exam(exam_id: UUID, response: Response, session: Db, _principal: Reader) -> ExamOut:
    """Return one exam, with its ETag."""
    exam = service.exam_record(session, exam_id)
    response.headers["ETag"] = tag(exam.version)
    return ExamOut.of(exam)


@router.get("/patients/{patient_id}/exams")
@satisfies()
def list_exams(patient_id: UUID, session: Db, principal: Reader) -> list[ExamOut]:
    """List the exams of a patient, latest first; those of other practices only by break-glass."""
    scope = reach(session, principal, patient_id)
    return [ExamOut.of(exam) for exam in service.exams_of_patient(session, patient_id, scope)]


@router.post("/exams/{exam_id}/events", status_code=200)
@satisfies()
def change_exam_status(
    exam_id: UUID,
    body: ExamEventIn,
    response: Response,
    session: Db,
    *,
    principal: Writer,
    if_match: IfMatch = None,
) -> ExamOut:
    """Apply what happened to the exam: arrive, start, complete, cancel, miss, stop."""
    exam = service.exam_record(session, exam_id, lock=True)
    check(if_match, exam.version)
    service.change_status(session, exam, ExamEvent(body.event), actor=principal.actor)
    response.headers["ETag"] = tag(exam.version)
    return ExamOut.of(exam)


@router.post("/exams/{exam_id}/owner", status_code=200, summary="Rattacher à un autre cabinet")
@satisfies()
def move_exam(
    exam_id: UUID,
    body: OwnerIn,
    response: Response,
    session: Db,
    *,
    principal: Writer,
    if_match: IfMatch = None,
) -> ExamOut:
    """Rattache l'examen à un autre cabinet du site : lui seul le verra désormais. Tracé."""
    exam = service.exam_record(session, exam_id, lock=True)
    check(if_match, exam.version)
    require_practice(session, principal.compartment, body.struct_idnat)
    compartment.move(session, exam, body.struct_idnat, actor=principal.actor)
    response.headers["ETag"] = tag(exam.version)
    return ExamOut.of(exam)


def _correspondent(directory: Directory, wanted: Correspondent) -> Professional:
    """Return the professional as the directory knows him, with the address asked for.

    Without an address the choice is made at signature, among what the directory lists.
    """
    entry = next((one for one in directory.find(wanted.rpps) if one.active), None)
    if entry is None:
        raise UnknownRequester("Vérifiez le numéro RPPS du professionnel.")
    if wanted.mss_address is None:
        return replace(entry.professional, mss_address=None)
    listed = {box.address.lower(): box.address for box in entry.mailboxes}
    if wanted.mss_address.lower() not in listed:
        raise AddressNotListed("Choisissez une adresse proposée par l'annuaire.")
    return replace(entry.professional, mss_address=listed[wanted.mss_address.lower()])
