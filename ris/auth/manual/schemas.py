"""Shapes of the situations an administrator gives. No rule."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ris.auth.manual.service import Wanted
from ris.auth.model import Situation, SituationSource


class SituationIn(BaseModel):
    """La structure où la personne exerce pour un temps : un remplacement, par exemple."""

    model_config = ConfigDict(extra="forbid")

    struct_idnat: str = Field(
        max_length=64, description="Struct_IdNat d'une structure déclarée, qui n'est pas une SCM."
    )
    valid_from: AwareDatetime | None = Field(None, description="Début, tout de suite si absent.")
    valid_to: AwareDatetime = Field(description="Fin, non incluse.")
    profession: str = Field(
        "", max_length=8, description="Profession, si la personne a plusieurs exercices."
    )
    specialty: str = Field(
        "", max_length=16, description="Savoir-faire, si la personne a plusieurs exercices."
    )

    def wanted(self, now: datetime) -> Wanted:
        """Return the plain value, *now* being the default beginning."""
        since = self.valid_from or now
        return Wanted(self.struct_idnat, since, self.valid_to, self.profession, self.specialty)


class HeldSituation(BaseModel):
    """Une situation d'exercice d'un compte, avec ce qui la fonde et ses dates."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    account_id: UUID
    source: SituationSource = Field(description="PSC, ou MANUAL : donnée par l'administrateur.")
    struct_idnat: str
    name: str
    sector: str
    profession: str
    specialty: str
    valid_from: AwareDatetime | None
    valid_to: AwareDatetime | None
    ended_at: AwareDatetime | None

    @classmethod
    def of(cls, row: Situation) -> "HeldSituation":
        """Return the shape of one row."""
        return cls.model_validate(row)
