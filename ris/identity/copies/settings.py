"""Settings of the copies of identity documents: `RIS_IDENTITY__COPIES__…`. No rule here.

How long a copy lives is `RIS_IDENTITY__COPY_RETENTION_MONTHS` (spec ruling 14).
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from ris.rem import satisfies

LARGEST: Final = 5 * 1024 * 1024


@satisfies("LOC-CNI-01")
class CopySettings(BaseModel):
    """Off by default: only the type of the document is kept. *max_bytes* caps one copy."""

    model_config = ConfigDict(frozen=True)

    enabled: bool = False
    max_bytes: int = Field(default=LARGEST, ge=1, le=LARGEST)
