"""Whose a report is: its exam's practice. The rule is `ris.auth.compartments`."""

from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from ris.auth.compartments.guard import Owned
from ris.auth.compartments.scope import Scope
from ris.orders.compartment import within as exams_within
from ris.orders.model import ExamRecord
from ris.reports.model import Report


def owned(session: Session, report_id: UUID) -> Owned | None:
    """Return whose a report is, None when there is none."""
    query = select(Report.patient_id, ExamRecord.acting_struct_idnat).join(
        ExamRecord, ExamRecord.id == Report.exam_id
    )
    row = session.execute(query.where(Report.id == report_id)).one_or_none()
    return Owned(*row) if row else None


def within(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on `Report` that keeps the reports of *scope*."""
    if scope.whole:
        return true()
    return Report.exam_id.in_(select(ExamRecord.id).where(exams_within(scope)))
