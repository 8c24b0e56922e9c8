"""The official schematrons on what was signed, in the worker: seconds a document (ruling 22).

Off unless a kit directory is configured and `reports.schematron` says `worker`.
"""

from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import audit, clock
from ris.core.db import Database
from ris.reports.model import DocumentCheck, DocumentVersion
from ris.reports.settings import ReportSettings
from ris.reports.validation.findings import errors
from ris.reports.validation.validate import validate


def verify_new_versions(database: Database, settings: ReportSettings, *, most: int = 20) -> int:
    """Check the signed versions that were not yet, oldest first; return how many were checked.

    A refusal is in `document_check` and in the audit journal; the signed bytes stay as they are.
    Raises `NotConfigured` when the kit or the extra `validation` is missing.
    """
    if settings.schematron == "off" or settings.kit_dir is None:
        return 0
    done = 0
    while done < most:
        with database.transaction() as session:
            if (version := _next(session)) is None:
                return done
            _verify(session, version, settings)
        done += 1
    return done


def _next(session: Session) -> DocumentVersion | None:
    unchecked = (
        ~select(DocumentCheck).where(DocumentCheck.version_id == DocumentVersion.id).exists()
    )
    chosen = select(DocumentVersion).where(unchecked).order_by(DocumentVersion.id).limit(1)
    return session.scalar(chosen.with_for_update(skip_locked=True))


def _verify(session: Session, version: DocumentVersion, settings: ReportSettings) -> None:
    found = [
        finding
        for level, document in (("n1", version.n1), ("n3", version.n3))
        for finding in errors(validate(document, settings.kit_dir, source=level))
    ]
    session.add(
        DocumentCheck(
            version_id=version.id,
            checked_at=clock.now(),
            valid=not found,
            findings=[{name: str(value) for name, value in asdict(one).items()} for one in found],
        )
    )
    session.flush()
    if found:
        audit.record(
            session,
            "report.document_invalid",
            outcome="failure",
            target=("document_version", version.id),
            detail={"rules": sorted({f"{one.pattern}/{one.rule}" for one in found})},
        )
