"""What orders and exams tell of a patient's activity, for the retention of identity copies."""

from typing import Final

from sqlalchemy import select

from ris.identity.copies.activity import ActivitySource
from ris.orders.model import ExamRecord, ImagingOrder

ORDERS: Final = (
    ActivitySource("demande d'examen", select(ImagingOrder.patient_id, ImagingOrder.created_at)),
    ActivitySource("examen", select(ExamRecord.patient_id, ExamRecord.scheduled_at)),
)
