"""Whose an exam is: its practice is told, claimed by a radiologist, moved; lists keep to a scope.

`exam.acting_struct_idnat` is the practice that owns the exam (AUTH-65): the one the order was
placed for, then that of the responsible radiologist. Who may see what is `ris.auth.compartments`.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from ris.auth.compartments.guard import Owned
from ris.auth.compartments.scope import Scope
from ris.core import audit
from ris.core.audit import Actor
from ris.orders.model import ExamRecord

# patient and practice of every exam: what identity is told of who a patient belongs to
PRACTICES: Final = select(ExamRecord.patient_id, ExamRecord.acting_struct_idnat)


def owned(session: Session, exam_id: UUID) -> Owned | None:
    """Return whose an exam is, None when there is none."""
    query = select(ExamRecord.patient_id, ExamRecord.acting_struct_idnat)
    row = session.execute(query.where(ExamRecord.id == exam_id)).one_or_none()
    return Owned(*row) if row else None


def within(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on `ExamRecord` that keeps the exams of *scope*."""
    if scope.practices is None:
        return true()
    return ExamRecord.acting_struct_idnat.in_(scope.practices)


def hidden_owners(session: Session, patient_id: UUID, scope: Scope) -> list[str | None]:
    """Return the practice of each exam of a patient that *scope* does not show, None for nobody."""
    if scope.practices is None:
        return []
    owner = ExamRecord.acting_struct_idnat
    outside = or_(owner.is_(None), owner.not_in(scope.practices))
    return list(session.scalars(select(owner).where(ExamRecord.patient_id == patient_id, outside)))


def claim(session: Session, exam: ExamRecord, practice: str | None, *, actor: Actor) -> None:
    """Give an exam that nobody owns to *practice*, that of the radiologist who takes charge."""
    if exam.acting_struct_idnat is None and practice is not None:
        _give(session, exam, practice, actor)


def move(session: Session, exam: ExamRecord, practice: str, *, actor: Actor) -> None:
    """Give an exam to another practice, its report and deliveries with it; audited (AUTH-65)."""
    if exam.acting_struct_idnat != practice:
        _give(session, exam, practice, actor)


def adopt(session: Session, practice: str) -> int:
    """Give every exam that nobody owns to *practice*; return how many. For the operator."""
    query = select(ExamRecord).where(ExamRecord.acting_struct_idnat.is_(None))
    orphans = session.scalars(query.order_by(ExamRecord.id).with_for_update()).all()
    with audit.together(session):
        for exam in orphans:
            _give(session, exam, practice, audit.SYSTEM)
    return len(orphans)


def _give(session: Session, exam: ExamRecord, practice: str, actor: Actor) -> None:
    former, exam.acting_struct_idnat = exam.acting_struct_idnat, practice
    session.flush()
    audit.record(
        session,
        "exam.owner_changed",
        actor=actor,
        target=("exam", exam.id),
        patient_id=exam.patient_id,
        detail={"from": former, "to": practice},
    )
