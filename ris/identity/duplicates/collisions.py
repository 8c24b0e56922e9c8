"""Collisions: two persons in one record. Suspected, then proven or set aside (ins.md R-COL-01).

A proven one makes the identity douteuse, which blocks INSi and every sending; the documents sent
since the first suspect day are listed, so that they can be corrected where they went.
"""

from datetime import date
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.errors import Stale
from ris.identity import service, validation
from ris.identity.compartment import Visible, everybody
from ris.identity.duplicates.merge_model import CollisionState, IdentityCollision
from ris.identity.errors import CollisionExists, CollisionNotFound, CollisionSettled, ReasonRequired
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.identity.review import marks
from ris.identity.review.reasons import ReviewReason
from ris.identity.values import Attribute
from ris.web.pages import PageQuery


def declare(
    session: Session,
    patient_id: UUID,
    *,
    suspected_since: date,
    reason: str,
    version: int,
    actor: Actor,
) -> IdentityCollision:
    """Record a suspicion and put the identity on the worklist; nothing else changes yet.

    *version* is that of the record as read. Raises `ReasonRequired`, `CollisionExists`, `Stale`,
    `PatientMerged`.
    """
    _require(reason)
    patient = service.current(session, patient_id, version)
    waiting = select(IdentityCollision.id).where(
        IdentityCollision.patient_id == patient.id,
        IdentityCollision.state == CollisionState.SUSPECT,
    )
    if session.scalar(waiting) is not None:
        raise CollisionExists
    row = IdentityCollision(
        patient_id=patient.id,
        state=CollisionState.SUSPECT.value,
        suspected_since=suspected_since,
        reason=reason.strip(),
        account_id=actor.account_id,
    )
    marks.give(patient, ReviewReason.COLLISION)
    session.add(row)
    session.flush()
    _journal(session, "collision.declared", row, actor)
    return row


def settle(
    session: Session,
    feature: IdentityFeature,
    collision_id: UUID,
    state: CollisionState,
    *,
    version: int,
    reason: str,
    actor: Actor,
) -> IdentityCollision:
    """Say that a suspicion is proven (`COLV`) or none (`NONE`).

    Proven: the identity becomes douteuse, hence provisoire without INS, until a person has parted
    the two. Raises `CollisionNotFound`, `CollisionSettled`, `ReasonRequired`, `Stale`.
    """
    _require(reason)
    row = session.get(IdentityCollision, collision_id, with_for_update=True)
    if row is None:
        raise CollisionNotFound
    if row.version != version:
        raise Stale
    if row.state != CollisionState.SUSPECT:
        raise CollisionSettled
    patient = service.current(session, row.patient_id, None)
    row.state, row.settled_reason = state.value, reason.strip()
    row.settled_at, row.settled_by = clock.now(), actor.account_id
    if state is CollisionState.PROVEN and Attribute.DOUTEUSE not in patient.identity.attributes:
        validation.set_attribute(
            session, feature, patient.id, Attribute.DOUTEUSE, version=patient.version,
            reason=reason, actor=actor,
        )  # fmt: skip
    marks.end(patient, [ReviewReason.COLLISION])
    session.flush()
    _journal(session, "collision.settled", row, actor)
    return row


def get(session: Session, collision_id: UUID) -> IdentityCollision:
    """Return one collision; raises `CollisionNotFound`."""
    row = session.get(IdentityCollision, collision_id)
    if row is None:
        raise CollisionNotFound
    return row


def listed(
    session: Session, state: CollisionState, paging: PageQuery, visible: Visible = everybody
) -> tuple[list[IdentityCollision], str | None]:
    """Return the collisions of this state, oldest first, and the cursor of the next page.

    Only those of *visible* records.
    """
    at, key = IdentityCollision.declared_at, IdentityCollision.id
    query = select(IdentityCollision).join(Patient, Patient.id == IdentityCollision.patient_id)
    query = query.where(IdentityCollision.state == state, visible(Patient))
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    rows = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    return paging.cut(rows, lambda row: (row.declared_at.isoformat(), str(row.id)))


def _require(reason: str) -> None:
    if not reason.strip():
        raise ReasonRequired("Indiquer ce qui fait penser à deux personnes dans un dossier.")


def _journal(session: Session, action: str, row: IdentityCollision, actor: Actor) -> None:
    target = ("identity_collision", row.id)
    record(session, action, actor=actor, target=target, patient_id=row.patient_id,
           detail={"state": row.state})  # fmt: skip
