"""HTTP shapes of the DMP feature. No rule."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.dmp.model import Scope


class OppositionIn(BaseModel):
    """An opposition to record: scope, the report when it covers one, the legitimate reason."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope
    report_id: UUID | None = None
    reason: str = Field(min_length=1, max_length=500)


class OppositionOut(BaseModel):
    """An opposition, live while *lifted_at* is null."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    scope: Scope
    report_id: UUID | None
    reason: str
    recorded_by: UUID | None
    recorded_at: datetime
    lifted_by: UUID | None
    lifted_at: datetime | None
