"""What left for a patient since a day, whatever became of it: to be put right after a collision."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.compartments.scope import WHOLE, Scope
from ris.core import clock
from ris.diffusion.compartment import within
from ris.diffusion.model import Delivery
from ris.diffusion.states import State
from ris.identity.feature import Sent

_LEFT: Final = (State.DELIVERED, State.ACKNOWLEDGED, State.BOUNCED, State.UNKNOWN)


def sent_since(
    session: Session, patient_id: UUID, day: date, scope: Scope = WHOLE
) -> Sequence[Sent]:
    """Return the deliveries that left, or may have, since *day* began in France; oldest first.

    Only those of the practices in *scope*.
    """
    start = datetime.combine(day, time.min, tzinfo=clock.PARIS)
    query = (
        select(Delivery)
        .where(Delivery.patient_id == patient_id, Delivery.state.in_(_LEFT), within(scope))
        .where((Delivery.finished_at >= start) | Delivery.finished_at.is_(None))
        .order_by(Delivery.created_at, Delivery.id)
    )
    return [
        Sent(
            at=row.finished_at or row.created_at,
            report_id=row.report_id,
            delivery_id=row.id,
            channel=row.channel,
            state=row.state,
            with_ins=row.with_ins,
        )
        for row in session.scalars(query)
    ]
