"""Shapes of the break-glass. No rule but who reads the free text."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.auth.break_glass.model import BreakGlass, GlassReason
from ris.auth.break_glass.review import Listed

_REASONS = (
    "emergency : urgence ; continuity : continuité des soins ; opinion : avis demandé ; "
    "other : autre, à préciser"
)


class GlassIn(BaseModel):
    """Pourquoi ouvrir ce qui appartient à un autre cabinet."""

    model_config = ConfigDict(extra="forbid")

    reason: GlassReason = Field(description=_REASONS)
    comment: str = Field(
        default="",
        max_length=500,
        description="Précision ; chiffrée, lue par les seuls médecins du cabinet concerné.",
    )


class GlassOut(BaseModel):
    """Un bris de glace ouvert : lecture seule, jusqu'à `expires_at` ou la fin de la session."""

    id: UUID
    patient_id: UUID
    reason: GlassReason = Field(description=_REASONS)
    opened_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, row: BreakGlass) -> "GlassOut":
        """Return the shape of one opening, for who opened it."""
        return cls(
            id=row.id,
            patient_id=row.patient_id,
            reason=GlassReason(row.reason),
            opened_at=row.opened_at,
            expires_at=row.expires_at,
        )


class ElsewhereOut(BaseModel):
    """Ce que l'appelant ne voit pas d'un patient : un nombre, rien de plus."""

    hidden_exams: int = Field(description="Examens d'autres cabinets.")
    open: GlassOut | None = Field(description="Bris de glace en cours de l'appelant.")


class ReviewOut(BaseModel):
    """Quelqu'un a vu ce bris de glace."""

    account_id: UUID
    at: datetime


class GlassReviewOut(GlassOut):
    """Un bris de glace à contrôler."""

    account_id: UUID
    ps_idnat: str = Field(description="Identifiant national de qui a ouvert (PS_IdNat).")
    family: str
    given: str
    acting_struct_idnat: str | None = Field(description="Cabinet où cette personne exerçait.")
    comment: str | None = Field(description="Précision ; jamais montrée à l'auditeur.")
    practices: list[str] = Field(description="Cabinets dont les examens ont été ouverts.")
    reviews: list[ReviewOut] = Field(description="Qui l'a vu, et quand.")

    @classmethod
    def seen(cls, one: Listed, *, clinical: bool) -> "GlassReviewOut":
        """Return the shape for a reviewer; the free text only when he may read *clinical* data."""
        return cls(
            **GlassOut.of(one.glass).model_dump(),
            account_id=one.account.id,
            ps_idnat=one.account.ps_idnat,
            family=one.account.family,
            given=one.account.given,
            acting_struct_idnat=one.glass.acting_struct_idnat,
            comment=one.glass.comment if clinical else None,
            practices=list(one.practices),
            reviews=[ReviewOut(account_id=r.account_id, at=r.at) for r in one.reviews],
        )
