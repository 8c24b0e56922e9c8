"""Whose an opposition about one report is: that report's practice (`ris.auth.compartments`)."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.compartments.guard import Owned
from ris.dmp.model import DmpOpposition
from ris.reports import compartment as reports


def owned(session: Session, opposition_id: UUID) -> Owned | None:
    """Return whose the report opposed is; None for an opposition to everything of the patient."""
    query = select(DmpOpposition.report_id).where(DmpOpposition.id == opposition_id)
    report_id = session.scalar(query)
    return reports.owned(session, report_id) if report_id else None
