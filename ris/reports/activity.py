"""What reports tell of a patient's activity, for the retention of identity copies."""

from typing import Final

from sqlalchemy import select

from ris.identity.copies.activity import ActivitySource
from ris.reports.model import Report

REPORTS: Final = (
    ActivitySource(
        "compte rendu (brouillon, signature, correction, suppression)",
        select(Report.patient_id, Report.updated_at),
    ),
)
