"""The worklist of identities: read by reason, and a reason taken off by a person."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from ris.core.audit import Actor, record
from ris.identity import service
from ris.identity.errors import ReasonRequired
from ris.identity.model import Patient
from ris.identity.review import marks
from ris.identity.review.errors import ReviewByItsAct, ReviewNotFound
from ris.identity.review.reasons import BY_ITS_OWN_ACT, ReviewReason
from ris.rem import satisfies
from ris.web.pages import PageQuery


@satisfies("RIS.INS.43")
def listed(
    session: Session,
    reasons: Collection[ReviewReason],
    paging: PageQuery,
    *,
    within: ColumnElement[bool],
    actor: Actor,
) -> tuple[Sequence[Patient], str | None]:
    """Return the identities that wait for one of *reasons* (none given: any), oldest change first.

    Only those kept *within*. With them, the cursor of the next page.
    """
    query = select(Patient).where(Patient.review != {}, within)
    if reasons:
        query = query.where(Patient.review.has_any(array([one.value for one in reasons])))
    at, key = Patient.updated_at, Patient.id
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    found = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    rows, following = paging.cut(found, lambda row: (row.updated_at.isoformat(), str(row.id)))
    detail = {"found": len(rows), "reasons": sorted(reasons)}
    record(session, "identity.worklist_read", actor=actor, detail=detail)
    return rows, following


def close(
    session: Session,
    patient_id: UUID,
    reason: ReviewReason,
    *,
    version: int,
    because: str,
    actor: Actor,
) -> Patient:
    """Take *reason* off the identity, because a person has seen to it; *version* as read.

    Raises `ReasonRequired`, `ReviewByItsAct`, `ReviewNotFound`, `Stale`, `PatientMerged`.
    """
    if not because.strip():
        raise ReasonRequired("Indiquer ce qui a été fait de cette identité.")
    if reason in BY_ITS_OWN_ACT:
        raise ReviewByItsAct("Concluez la collision, ou retirez l'attribut « douteuse ».")
    patient = service.current(session, patient_id, version)
    if reason not in patient.review:
        raise ReviewNotFound
    marks.end(patient, [reason])
    session.flush()
    record(
        session, "identity.review_closed", actor=actor, target=("patient", patient.id),
        patient_id=patient.id, reason=because, detail={"review": reason.value},
    )  # fmt: skip
    return patient
