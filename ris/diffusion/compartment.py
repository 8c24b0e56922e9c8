"""Whose a delivery is: its report's practice. The rule is `ris.auth.compartments`."""

from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from ris.auth.compartments.guard import Owned
from ris.auth.compartments.scope import Scope
from ris.diffusion.model import Delivery
from ris.reports import compartment as reports
from ris.reports.model import Report


def owned(session: Session, delivery_id: UUID) -> Owned | None:
    """Return whose a delivery is, None when there is none."""
    report_id = session.scalar(select(Delivery.report_id).where(Delivery.id == delivery_id))
    return reports.owned(session, report_id) if report_id else None


def within(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on `Delivery` that keeps the deliveries of *scope*."""
    if scope.whole:
        return true()
    return Delivery.report_id.in_(select(Report.id).where(reports.within(scope)))
