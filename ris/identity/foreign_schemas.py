"""The JSON of identities from elsewhere: contracts, verifications, held data. Never an INS."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.identity.foreign_model import ForeignState, HeldState, Scope


class ContractIn(BaseModel):
    """A trust contract to record."""

    model_config = ConfigDict(extra="forbid")

    sender: str = Field(min_length=1, max_length=128, description="OID du domaine émetteur")
    label: str = Field(min_length=1, max_length=200, description="Émetteur et référence du contrat")
    scope: Scope = Field(
        description="own_domain : référentiel de notre domaine ; no_direct_care : patients sans "
        "prise en charge directe, statut « qualifiée » conservé"
    )


class ContractOut(BaseModel):
    """A trust contract, in force while `ended_at` is null."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    sender: str
    label: str
    scope: Scope
    signed_at: datetime
    account_id: UUID | None
    ended_at: datetime | None


class ForeignOut(BaseModel):
    """An INS received and its verification; the number itself is never shown nor kept."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    patient_id: UUID
    created_patient: bool
    sender: str
    message_id: str
    traits: dict[str, str]
    state: ForeignState
    attempt_no: int
    received_at: datetime
    settled_at: datetime | None
    error: str


class HeldOut(BaseModel):
    """Health data not filed, and why they wait."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    foreign_id: UUID
    kind: str
    reference: str
    state: HeldState
    held_at: datetime
    decided_at: datetime | None
    reason: str


class HeldDecisionIn(BaseModel):
    """A person's decision on held data."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["release", "refuse"]
    reason: str = Field(min_length=1, max_length=500)


class ForeignCloseIn(BaseModel):
    """Why a verification needs no more attention."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)
