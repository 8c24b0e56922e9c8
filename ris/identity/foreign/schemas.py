"""The JSON of identities from elsewhere: contracts, verifications, held data. Never an INS."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.core.text import ONE_LINE, SEVERAL_LINES
from ris.identity.foreign.model import ForeignState, HeldState, TrustScope
from ris.identity.schemas import Account, Body, Instant

Because = Annotated[
    str,
    Field(
        min_length=1, max_length=500, pattern=SEVERAL_LINES, description="Motif, porté au journal"
    ),
]


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ContractIn(Body):
    """Un contrat de confiance à enregistrer."""

    sender: str = Field(
        min_length=1, max_length=128, pattern=ONE_LINE, description="OID du domaine émetteur"
    )
    label: str = Field(
        min_length=1, max_length=200, pattern=ONE_LINE,
        description="Émetteur et référence du contrat",
    )  # fmt: skip
    scope: TrustScope = Field(
        description="own_domain : référentiel de notre domaine ; no_direct_care : patients sans "
        "prise en charge directe, statut « qualifiée » conservé"
    )


class ContractOut(_Row):
    """Un contrat de confiance, en vigueur tant que `ended_at` est null."""

    id: UUID = Field(description="Identifiant du contrat")
    sender: str = Field(description="OID du domaine émetteur")
    label: str = Field(description="Émetteur et référence du contrat")
    scope: TrustScope = Field(description="Portée : own_domain ou no_direct_care")
    signed_at: Instant
    account_id: Account
    ended_at: datetime | None = Field(description="Fin du contrat")


class ForeignOut(_Row):
    """Une INS reçue et sa vérification ; le matricule n'est ni montré ni conservé."""

    id: UUID = Field(description="Identifiant de la vérification")
    patient_id: UUID = Field(description="Dossier concerné")
    created_patient: bool = Field(description="Le message a créé ce dossier")
    sender: str = Field(description="Émetteur")
    message_id: str = Field(description="Message reçu")
    traits: dict[str, str] = Field(description="Traits reçus, mis en forme")
    state: ForeignState = Field(
        description="pending, ok, ko, unclear (sans réponse claire), conflict (à arbitrer), closed"
    )
    attempt_no: int = Field(description="Nombre d'essais")
    received_at: Instant
    settled_at: datetime | None = Field(description="Date et heure de la conclusion")
    error: str = Field(
        description="Pourquoi : INSI_NONE_FOUND, INSI_SEVERAL_FOUND, INSI_OTHER_INS (INSi donne "
        "une autre INS), INSI_MAJOR_DIFFERENCE, INS_ALREADY_ATTACHED (à un autre dossier), "
        "INS_ATTRIBUTE_BLOCKS, OTHER_INS_HERE (ce dossier en a déjà une autre), ou code de l'échec "
        "de l'appel ; vide si rien ne s'y oppose"
    )


class HeldOut(_Row):
    """Des données de santé non classées, et pourquoi elles attendent."""

    id: UUID = Field(description="Identifiant de la mise en attente")
    foreign_id: UUID = Field(description="Vérification attendue")
    kind: str = Field(description="Nature du message : ORU, ORM…")
    reference: str = Field(description="Message reçu")
    state: HeldState = Field(description="held, released, refused ou filed")
    held_at: Instant
    decided_at: datetime | None = Field(description="Date et heure de la décision")
    reason: str = Field(description="Motif de la décision")


class HeldDecisionIn(Body):
    """La décision d'une personne sur des données retenues."""

    decision: Literal["release", "refuse"] = Field(
        description="release : classer dans le dossier ; refuse : ne pas classer"
    )
    reason: Because


class ForeignCloseIn(Body):
    """Pourquoi une vérification ne demande plus rien."""

    reason: Because
