"""Which patients a caller sees where practices keep theirs apart (`compartments.patients`).

A patient belongs to the practice that created him and to those that have an exam of his; the
identity officer sees all. The rule itself is `ris.auth.compartments.scope`; the other rooms tell
which practices file something under a patient (`IdentityFeature.practices`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, true
from sqlalchemy.orm import Session

from ris.auth.compartments.guard import PatientDoor
from ris.auth.compartments.scope import Scope
from ris.identity import service
from ris.identity.duplicates.merge_model import IdentityCollision
from ris.identity.errors import CollisionNotFound, ForeignNotFound, PatientNotFound
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.model import ForeignData, ForeignIdentity
from ris.identity.insi.errors import InsiCallNotFound
from ris.identity.model import InsiCall

Visible = Callable[[Any], ColumnElement[bool]]


def everybody(_entity: Any) -> ColumnElement[bool]:
    """Hide nobody."""
    return true()


def visible(feature: IdentityFeature, scope: Scope) -> Visible:
    """Return the condition, on `Patient` or an alias of it, that keeps the patients of *scope*."""
    if scope.practices is None:
        return everybody
    practices = scope.practices
    sources = [source.subquery() for source in feature.practices]

    def condition(entity: Any) -> ColumnElement[bool]:
        filed = [exists().where(one.c[0] == entity.id) for one in sources]
        mine = [
            here.where(one.c[1].in_(practices)) for here, one in zip(filed, sources, strict=True)
        ]
        other = [
            here.where(one.c[1].is_not(None)) for here, one in zip(filed, sources, strict=True)
        ]
        nobodys = and_(entity.struct_idnat.is_(None), *(~one for one in other))
        return or_(entity.struct_idnat.in_(practices), *mine, nobodys)

    return condition


def practices_of(session: Session, feature: IdentityFeature, patient_id: UUID) -> frozenset[str]:
    """Return the practices a patient belongs to; raises `PatientNotFound`."""
    found = {service.get(session, patient_id).struct_idnat}
    for source in feature.practices:
        one = source.subquery()
        found |= set(session.scalars(select(one.c[1]).where(one.c[0] == patient_id)))
    return frozenset(practice for practice in found if practice is not None)


def _itself(_session: Session, patient_id: UUID) -> UUID | None:
    return patient_id


def _of_call(session: Session, call_id: UUID) -> UUID | None:
    return session.scalar(select(InsiCall.patient_id).where(InsiCall.id == call_id))


def _of_collision(session: Session, collision_id: UUID) -> UUID | None:
    query = select(IdentityCollision.patient_id).where(IdentityCollision.id == collision_id)
    return session.scalar(query)


def _of_foreign(session: Session, foreign_id: UUID) -> UUID | None:
    query = select(ForeignIdentity.patient_id).where(ForeignIdentity.id == foreign_id)
    return session.scalar(query)


def _of_data(session: Session, data_id: UUID) -> UUID | None:
    query = select(ForeignIdentity.patient_id).join(
        ForeignData, ForeignData.foreign_id == ForeignIdentity.id
    )
    return session.scalar(query.where(ForeignData.id == data_id))


# by name of a path's parameter, whose record it names
DOORS: Final[Mapping[str, PatientDoor]] = {
    "patient_id": PatientDoor(_itself, PatientNotFound),
    "other_id": PatientDoor(_itself, PatientNotFound),
    "call_id": PatientDoor(_of_call, InsiCallNotFound),
    "collision_id": PatientDoor(_of_collision, CollisionNotFound),
    "foreign_id": PatientDoor(_of_foreign, ForeignNotFound),
    "data_id": PatientDoor(_of_data, ForeignNotFound),
}
