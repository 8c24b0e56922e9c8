"""What the services of the copies are given at wiring time (`app.state.identity_copies`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from ris.core.crypto import Sealer
from ris.identity.copies.activity import ActivitySource, last_activities
from ris.identity.copies.errors import CopiesDisabled
from ris.identity.copies.retention import purge_at
from ris.identity.copies.settings import CopySettings
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Term:
    """Until when the copies of one patient are kept, and since what activity that is counted."""

    last_activity_at: datetime
    due_at: datetime


@dataclass(frozen=True)
class CopyFeature:
    """Settings, sealer and activities. *retention_months* counts from the last activity."""

    settings: CopySettings
    retention_months: int
    sealer: Sealer
    sources: Sequence[ActivitySource]

    @satisfies("LOC-CNI-01")
    def require_enabled(self) -> None:
        """Raise `CopiesDisabled` unless the site enabled the profile."""
        if not self.settings.enabled:
            raise CopiesDisabled

    def terms(self, session: Session, patients: Sequence[UUID] | None = None) -> dict[UUID, Term]:
        """Return the term of each of *patients*, or of every patient who has a copy."""
        found = last_activities(session, self.sources, patients)
        return {
            patient_id: Term(last, purge_at(last, self.retention_months))
            for patient_id, last in found.items()
        }
