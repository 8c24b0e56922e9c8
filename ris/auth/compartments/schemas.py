"""Shapes of the structures and their members. No rule."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ris.auth.compartments.members import Membership
from ris.auth.model import ServedStructure
from ris.core.text import ONE_LINE


class StructureIn(BaseModel):
    """Une structure du site, à déclarer ou à corriger."""

    model_config = ConfigDict(extra="forbid")

    struct_idnat: str = Field(max_length=64, description="Identifiant national (Struct_IdNat).")
    name: str = Field(pattern=ONE_LINE, description="Raison sociale, 1 à 200 caractères.")
    is_scm: bool = Field(
        default=False, description="Société civile de moyens : ne porte aucun acte médical."
    )


class StructureOut(BaseModel):
    """Une structure servie par ce site."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    struct_idnat: str = Field(description="Identifiant national (Struct_IdNat).")
    name: str = Field(description="Raison sociale.")
    is_scm: bool = Field(description="Société civile de moyens.")

    @classmethod
    def of(cls, row: ServedStructure) -> "StructureOut":
        """Return the shape of one row."""
        return cls.model_validate(row)


class MemberIn(BaseModel):
    """Une personne à rattacher à une structure ; à la SCM : à tous les cabinets du site."""

    model_config = ConfigDict(extra="forbid")

    ps_idnat: str = Field(
        min_length=2, max_length=64, description="Identifiant national de la personne (PS_IdNat)."
    )
    valid_from: AwareDatetime | None = Field(default=None, description="Début, sinon maintenant.")
    valid_to: AwareDatetime | None = Field(default=None, description="Fin, sinon sans terme.")


class MemberOut(BaseModel):
    """Le rattachement d'une personne à une structure."""

    id: UUID
    structure_id: UUID
    account_id: UUID
    ps_idnat: str = Field(description="Identifiant national de la personne (PS_IdNat).")
    family: str
    given: str
    role: str
    valid_from: datetime = Field(description="Début.")
    valid_to: datetime | None = Field(description="Fin ; vide : sans terme.")

    @classmethod
    def of(cls, told: Membership) -> "MemberOut":
        """Return the shape of one membership."""
        member, account = told
        return cls(
            id=member.id,
            structure_id=member.structure_id,
            account_id=account.id,
            ps_idnat=account.ps_idnat,
            family=account.family,
            given=account.given,
            role=account.role,
            valid_from=member.valid_from,
            valid_to=member.valid_to,
        )


class PracticeOut(BaseModel):
    """Un cabinet pour lequel l'appelant travaille."""

    struct_idnat: str = Field(description="Identifiant national (Struct_IdNat).")
    name: str = Field(description="Raison sociale.")
    preferred: bool = Field(description="Cabinet retenu quand une demande n'en précise aucun.")


class PracticesOut(BaseModel):
    """Pour qui l'appelant travaille sur ce site."""

    apart: bool = Field(description="Les cabinets de ce site ne voient pas les examens des autres.")
    whole_site: bool = Field(description="L'appelant travaille pour tous les cabinets du site.")
    practices: list[PracticeOut]
