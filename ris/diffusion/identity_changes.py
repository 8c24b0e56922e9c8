"""What a change of identity does to reports already signed (ruling 17).

The identity room tells (`Change`); here a new version of kind IDENTITY is made where the INS that
the document carries is no longer the one it should, and held deliveries are decided again.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import audit, clock
from ris.diffusion.signing import deliver, reconsider_held
from ris.diffusion.sources import carries_its_ins
from ris.diffusion.wiring import Diffusion
from ris.identity.feature import Change
from ris.identity.service import identity_of
from ris.identity.values import Status
from ris.rem import satisfies
from ris.reports import freeze, service
from ris.reports.lifecycle import State
from ris.reports.model import DocumentVersion, Report
from ris.reports.settings import ReportSettings


@satisfies("RIS.DMP.01", "RIS.INS.37")
def on_identity_changed(
    session: Session, diffusion: Diffusion, settings: ReportSettings, change: Change
) -> None:
    """Rebuild the signed reports of a patient just qualified, then release what was held.

    A downgrade needs nothing here: each attempt decides again before it sends. Under a record
    that was just created nothing is filed.
    """
    if change.before is None:
        return
    if change.after is Status.QUALIFIEE and settings.identity_rendition == "auto":
        for report in _signed_reports(session, change):
            _renew(session, diffusion, settings, report)
    reconsider_held(session, diffusion, patient_id=change.patient_id)


def _signed_reports(session: Session, change: Change) -> list[Report]:
    query = (
        select(Report)
        .join(DocumentVersion, DocumentVersion.report_id == Report.id)
        .where(
            Report.patient_id == change.patient_id,
            DocumentVersion.number == Report.current_version,
            DocumentVersion.status == State.VALIDATED,
        )
        .order_by(Report.id)
        .with_for_update(of=Report, key_share=True)
    )
    return list(session.scalars(query))


def _renew(
    session: Session, diffusion: Diffusion, settings: ReportSettings, report: Report
) -> None:
    identity = identity_of(session, report.patient_id)
    version = service.current_version(session, report)
    if version is None:
        return
    written = freeze.signed_document(session, version.id).content.patient
    if carries_its_ins(written, identity):
        return
    renewed = freeze.freeze_identity(session, report, identity, at=clock.now(), settings=settings)
    document = diffusion.documents.load(session, renewed.id)
    deliver(session, diffusion, document)
    audit.record(
        session,
        "report.identity_renewed",
        target=("document_version", renewed.id),
        patient_id=report.patient_id,
        detail={"report_id": str(report.id), "version": renewed.number},
    )
