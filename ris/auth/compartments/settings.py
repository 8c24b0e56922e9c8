"""Settings of the compartments (`RIS_AUTH__COMPARTMENTS__…`)."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Sharing(StrEnum):
    """Whether the practices of one site see each other's things."""

    STRUCTURE = "structure"
    SHARED = "shared"


class CompartmentSettings(BaseModel):
    """What the practices of one site keep apart. Nothing is, until two practices are declared.

    *exams* and their reports are each practice's own (auth.md §9.2, the rows marked °) unless
    `shared`. *patients* are shared inside the SCM (AUTH-65) unless `structure`: then a practice
    sees those it created or has an exam of. AUTH-65 says "may be shared": hence a setting.
    """

    model_config = ConfigDict(frozen=True)

    exams: Sharing = Sharing.STRUCTURE
    patients: Sharing = Sharing.SHARED

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.exams is Sharing.SHARED and self.patients is Sharing.STRUCTURE:
            raise ValueError("patients=structure demande exams=structure")
        return self
