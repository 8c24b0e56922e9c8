"""Opposition to DMP feeding: recording it, lifting it, and the fact the sending decision asks for.

The decision itself is `ris.diffusion.decision`; nothing here is ever sent to the DMP.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from ris.auth.compartments import scope as practices
from ris.core import audit, clock
from ris.dmp.errors import OppositionExists, OppositionIncomplete, OppositionNotFound
from ris.dmp.model import DmpOpposition, Scope
from ris.identity.service import still_open
from ris.rem import satisfies
from ris.reports import service as reports
from ris.reports.compartment import within
from ris.reports.errors import ReportNotFound
from ris.reports.model import Report


@satisfies("RIS.DMP.03")
def is_opposed(session: Session, patient_id: UUID, report_id: UUID) -> bool:
    """Say whether a live opposition covers *report_id*: of this report, or of the patient."""
    covers = or_(DmpOpposition.scope == Scope.PATIENT, DmpOpposition.report_id == report_id)
    query = _live(patient_id).where(covers).limit(1)
    return session.scalars(query).first() is not None


def listed(
    session: Session, patient_id: UUID, scope: practices.Scope = practices.WHOLE
) -> Sequence[DmpOpposition]:
    """Return every opposition of the patient, lifted ones included, newest first.

    Those about one report only when its practice is in *scope*.
    """
    seen = DmpOpposition.report_id.in_(select(Report.id).where(within(scope)))
    query = select(DmpOpposition).where(
        DmpOpposition.patient_id == patient_id, or_(DmpOpposition.report_id.is_(None), seen)
    )
    return session.scalars(query.order_by(DmpOpposition.recorded_at.desc())).all()


def check_subject(session: Session, patient_id: UUID, report_id: UUID | None) -> None:
    """Lock the patient, and refuse a report that is not his: it would hold nothing back.

    Raises `PatientNotFound`, `PatientMerged` or `ReportNotFound`.
    """
    still_open(session, patient_id, alone=True)
    if report_id is not None and reports.get(session, report_id).patient_id != patient_id:
        raise ReportNotFound("Ce compte rendu n'est pas celui de ce patient.")


@satisfies("RIS.DMP.03")
def record(
    session: Session,
    patient_id: UUID,
    *,
    scope: Scope,
    report_id: UUID | None,
    reason: str,
    actor: audit.Actor,
) -> DmpOpposition:
    """Record an opposition; raises `OppositionIncomplete` or `OppositionExists`."""
    if not reason.strip() or (scope is Scope.REPORT) is not (report_id is not None):
        raise OppositionIncomplete
    live = session.scalars(_live(patient_id)).all()
    if any(each.scope == scope and each.report_id == report_id for each in live):
        raise OppositionExists
    row = DmpOpposition(
        patient_id=patient_id,
        scope=scope,
        report_id=report_id,
        reason=reason.strip(),
        recorded_by=actor.account_id,
        recorded_at=clock.now(),
    )
    session.add(row)
    session.flush()
    _trace(session, "dmp.opposed", row, actor)
    return row


@satisfies("RIS.DMP.03")
def lift(
    session: Session, patient_id: UUID, opposition_id: UUID, *, actor: audit.Actor
) -> DmpOpposition:
    """Lift an opposition; raises `OppositionNotFound`. The row stays, with who and when."""
    query = _live(patient_id).where(DmpOpposition.id == opposition_id).with_for_update()
    row = session.scalars(query).one_or_none()
    if row is None:
        raise OppositionNotFound
    row.lifted_by = actor.account_id
    row.lifted_at = clock.now()
    session.flush()
    _trace(session, "dmp.opposition_lifted", row, actor)
    return row


def _live(patient_id: UUID) -> Select[DmpOpposition]:
    return select(DmpOpposition).where(
        DmpOpposition.patient_id == patient_id, DmpOpposition.lifted_at.is_(None)
    )


def _trace(session: Session, action: str, row: DmpOpposition, actor: audit.Actor) -> None:
    audit.record(
        session,
        action,
        actor=actor,
        target=("dmp_opposition", row.id),
        patient_id=row.patient_id,
        detail={"scope": row.scope},
    )
