"""Orders and exams: issuing identifiers, changing status, filing what the modality performed.

Services take a session and never commit. No DICOM or HL7 parsing here: `ris.interop` hands in
values.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.compartments.scope import WHOLE, Scope
from ris.auth.values import Professional
from ris.core import audit, clock, ids
from ris.core.audit import Actor
from ris.core.errors import NotFound
from ris.core.settings import SiteSettings
from ris.identity.service import still_open
from ris.orders.codes import refused
from ris.orders.compartment import within
from ris.orders.errors import CodesRefused, ExamNotCompleted, StudyMismatch
from ris.orders.model import ExamRecord, ImagingOrder, accession_sequence
from ris.orders.states import ExamEvent, ExamStatus, after
from ris.orders.values import Exam, Procedure, Study
from ris.rem import satisfies

_PROFESSIONAL: Final = TypeAdapter(Professional)
_PROCEDURE: Final = TypeAdapter(Procedure)
_STUDY: Final = TypeAdapter(Study)


@satisfies("SC.DB/RIS.05", "SC.DB/RIS.07")
def place_order(
    session: Session,
    *,
    patient_id: UUID,
    requester: Professional,
    recipients: Sequence[Professional],
    reason: str,
    procedure: Procedure,
    scheduled_at: datetime,
    site: SiteSettings,
    actor: Actor,
    order_number: str | None = None,
    practice: str | None = None,
) -> ExamRecord:
    """Record an order and its exam; issue AccessionNumber (≤ 16 characters) and StudyInstanceUID.

    Without *order_number* (paper request) the RIS issues one under its own OID (workflow.md §2).
    *practice* is the one it is placed for, None when nobody knows yet.
    Raises `PatientNotFound`, `CodesRefused`.
    """
    still_open(session, patient_id)
    _require_codes(procedure)
    serial = session.execute(select(accession_sequence.next_value())).scalar_one()
    accession = f"{clock.now().astimezone(clock.PARIS):%y%m%d}{serial:08d}"
    order = ImagingOrder(
        id=ids.new(),
        patient_id=patient_id,
        order_number=order_number or f"D{accession}",
        order_oid=site.order_oid,
        issued_locally=order_number is None,
        requester=_PROFESSIONAL.dump_python(requester, mode="json"),
        recipients=[_PROFESSIONAL.dump_python(one, mode="json") for one in recipients],
        reason=reason,
    )
    exam = ExamRecord(
        id=ids.new(),
        order_id=order.id,
        patient_id=patient_id,
        acting_struct_idnat=practice,
        accession_number=accession,
        accession_oid=site.accession_oid,
        study_uid=ids.new_oid(),
        procedure=_PROCEDURE.dump_python(procedure, mode="json"),
        scheduled_at=scheduled_at,
    )
    session.add(order)
    session.flush()
    session.add(exam)
    session.flush()
    audit.record(
        session, "order.placed", actor=actor, target=("exam", exam.id), patient_id=patient_id
    )
    return exam


def exam_record(session: Session, exam_id: UUID, *, lock: bool = False) -> ExamRecord:
    """Return one exam; raises `NotFound`."""
    exam = session.get(ExamRecord, exam_id, with_for_update=lock)
    if exam is None:
        raise NotFound("Cet examen n'existe pas.")
    return exam


def require_closed(exam: ExamRecord) -> None:
    """Raise `ExamNotCompleted` unless the exam took place, whole or interrupted.

    What was seen before an exam was stopped is reported too: stopping it closes it (workflow.md
    §4.1 rule 3).
    """
    if exam.status not in (ExamStatus.COMPLETED, ExamStatus.DISCONTINUED):
        raise ExamNotCompleted("Enregistrez la fin d'examen, son interruption ou les images.")


def order_of(session: Session, exam: ExamRecord) -> ImagingOrder:
    """Return the order that *exam* answers."""
    return session.get_one(ImagingOrder, exam.order_id)


def requester_of(order: ImagingOrder) -> Professional:
    """Return the requesting professional as he was when the order was placed."""
    return _PROFESSIONAL.validate_python(order.requester)


def recipients_of(order: ImagingOrder) -> tuple[Professional, ...]:
    """Return the professionals who get a copy."""
    return tuple(_PROFESSIONAL.validate_python(one) for one in order.recipients)


def change_status(session: Session, exam: ExamRecord, event: ExamEvent, *, actor: Actor) -> None:
    """Apply *event*; raises `ExamTransitionRefused`."""
    exam.status = after(ExamStatus(exam.status), event)
    session.flush()
    audit.record(
        session,
        "exam.status_changed",
        actor=actor,
        target=("exam", exam.id),
        patient_id=exam.patient_id,
        detail={"status": exam.status, "event": event},
    )


def attach_study(
    session: Session, exam: ExamRecord, study: Study, *, ipp: str, actor: Actor
) -> None:
    """File what the modality performed and close the exam.

    Raises `StudyMismatch` when StudyInstanceUID, AccessionNumber or PatientID in the images are
    not those of this exam: a task for a person, never a silent filing (workflow.md §3).
    """
    found = (study.study_uid, study.accession_number, study.patient_id)
    for name, expected, value in zip(
        ("StudyInstanceUID", "AccessionNumber", "PatientID"),
        (exam.study_uid, exam.accession_number, ipp),
        found,
        strict=True,
    ):
        if expected != value:
            raise StudyMismatch(f"{name} des images différent de celui de l'examen.", field=name)
    exam.study = _STUDY.dump_python(study, mode="json")
    change_status(session, exam, ExamEvent.STUDY_RECEIVED, actor=actor)


def exam_value(session: Session, exam: ExamRecord) -> Exam:
    """Return the exam as the report sees it: what was asked, with what was performed."""
    order = order_of(session, exam)
    asked = _PROCEDURE.validate_python(exam.procedure)
    study = _STUDY.validate_python(exam.study) if exam.study else None
    return Exam(
        accession_number=exam.accession_number,
        accession_oid=exam.accession_oid,
        order_number=order.order_number,
        order_oid=order.order_oid,
        study_uid=exam.study_uid,
        procedure=asked.procedure,
        modality=asked.modality,
        region=asked.region,
        location=asked.location,
        ccam=asked.ccam,
        started_at=study.started_at if study else exam.scheduled_at,
        ended_at=study.ended_at if study else None,
        device=study.device if study else "",
        series=study.series if study else (),
        doses=study.doses if study else (),
    )


def exams_of_patient(session: Session, patient_id: UUID, scope: Scope = WHOLE) -> list[ExamRecord]:
    """Return the exams of one patient that *scope* shows, latest first."""
    query = select(ExamRecord).where(ExamRecord.patient_id == patient_id, within(scope))
    return list(session.scalars(query.order_by(ExamRecord.id.desc())))


def _require_codes(procedure: Procedure) -> None:
    found = [
        {"pointer": f"/{one.field}/code", "code": one.rule, "message": one.message}
        for one in refused(procedure)
    ]
    if found:
        raise CodesRefused("Ces codes ne pourraient pas figurer au compte rendu.", errors=found)
