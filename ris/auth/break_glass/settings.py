"""Settings of the break-glass (`RIS_AUTH__BREAK_GLASS__…`)."""

from pydantic import BaseModel, ConfigDict, Field


class BreakGlassSettings(BaseModel):
    """*open_s*: for how many seconds it opens, at most; it closes with the session anyway."""

    model_config = ConfigDict(frozen=True)

    open_s: int = Field(default=4 * 3600, ge=60, le=12 * 3600)
