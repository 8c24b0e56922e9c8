"""Shapes of the administration of accounts. No rule, no secret."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.auth.administration.model import AccountAlert, AccountConflict, AlertKind
from ris.auth.administration.service import Seen
from ris.auth.enrolment.policy import propose
from ris.auth.model import Account, AccountStatus
from ris.auth.rights import Role
from ris.auth.schemas import SituationOut


class EndReason(StrEnum):
    """Pourquoi un compte est suspendu ou fermé."""

    DEPARTURE = "DEPARTURE"
    ABSENCE = "ABSENCE"
    COMPROMISED = "COMPROMISED"
    MISTAKE = "MISTAKE"
    OTHER = "OTHER"


class Activation(BaseModel):
    """Le rôle donné à un compte demandé."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    identity_habilitated: bool = Field(
        default=False, description="Habilité à valider les identités."
    )


class Ending(BaseModel):
    """Pourquoi le compte est suspendu ou fermé."""

    model_config = ConfigDict(extra="forbid")

    reason: EndReason = Field(
        description="DEPARTURE : départ ; ABSENCE : absence ; COMPROMISED : moyen d'identification "
        "perdu ou volé ; MISTAKE : compte ouvert par erreur ; OTHER : autre."
    )


class Resolution(BaseModel):
    """Ce que l'administrateur décide d'un conflit."""

    model_config = ConfigDict(extra="forbid")

    keep: UUID | None = Field(
        description="Compte qui garde les identifiants ; l'autre est fermé. null : sans suite."
    )
    reason: str = Field(min_length=3, max_length=500, description="Ce qui a été vérifié.")


class AccountItem(BaseModel):
    """Un compte, dans la liste des administrateurs."""

    id: UUID
    ps_idnat: str | None = Field(description="Identifiant national ; null pour un compte local.")
    rpps: str | None
    family: str
    given: str
    role: Role | None = Field(description="null tant que le compte est en attente.")
    identity_habilitated: bool
    status: AccountStatus = Field(
        description="PENDING : en attente ; ACTIVE ; SUSPENDED : suspendu ; CLOSED : fermé."
    )
    created_at: datetime
    last_login_at: datetime | None
    directory_checked_at: datetime | None = Field(
        description="Dernière lecture du RPPS dans l'Annuaire Santé."
    )
    owner_id: UUID | None = Field(
        description="Compte ordinaire de la même personne, pour un compte local d'administration."
    )
    version: int

    @classmethod
    def of(cls, row: Account) -> "AccountItem":
        """Return the shape of one row."""
        return cls.model_validate(row, from_attributes=True)


class IdentifierOut(BaseModel):
    """Un identifiant par lequel la personne est reconnue."""

    system: str = Field(description="RPPS ou PS_IDNAT.")
    value: str
    first_seen: datetime


class AlertOut(BaseModel):
    """Une alerte sur un compte ; elle informe et ne ferme rien par elle-même."""

    id: UUID
    account_id: UUID
    kind: AlertKind = Field(
        description="PROFESSION_CHANGED : une profession n'est plus déclarée ; BECAME_STUDENT : "
        "exercice d'étudiant ; NO_ACTIVITY : plus aucun lieu d'exercice ; ROLE_REFUSED : connexion "
        "refusée, la profession ne permet plus le rôle ; DIRECTORY_INACTIVE, DIRECTORY_UNKNOWN : "
        "inactif ou absent de l'Annuaire Santé ; EMERGENCY_ACCESS : accès de secours utilisé."
    )
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by_id: UUID | None

    @classmethod
    def of(cls, row: AccountAlert) -> "AlertOut":
        """Return the shape of one row."""
        return cls.model_validate(row, from_attributes=True)


class AccountDetail(AccountItem):
    """Un compte, ses identifiants, ses situations d'exercice et ses alertes."""

    identifiers: list[IdentifierOut]
    situations: list[SituationOut]
    alerts: list[AlertOut]
    proposed_role: Role | None = Field(
        description="Rôle que suggère la profession déclarée ; une proposition seulement."
    )

    @classmethod
    def seen(cls, seen: Seen) -> "AccountDetail":
        """Return the shape of an account with all that is known of it."""
        held = [(one.profession, one.category, one.specialty) for one in seen.situations]
        return cls(
            **AccountItem.of(seen.account).model_dump(),
            identifiers=[
                IdentifierOut.model_validate(one, from_attributes=True) for one in seen.identifiers
            ],
            situations=[
                SituationOut.of(one, None, usable=one in seen.usable) for one in seen.situations
            ],
            alerts=[AlertOut.of(one) for one in seen.alerts],
            proposed_role=propose(held),
        )


class ConflictOut(BaseModel):
    """Une connexion refusée : les identifiants annoncés sont de deux comptes, ou d'un autre RPPS.

    Un seul compte dans *accounts* : il porte un autre RPPS que celui annoncé.
    """

    id: UUID
    accounts: list[UUID]
    told: list[tuple[str, str]] = Field(description="Identifiants annoncés : système, valeur.")
    family: str
    given: str
    found_at: datetime
    last_seen_at: datetime
    times: int = Field(description="Nombre de connexions refusées pour cette raison.")
    resolved_at: datetime | None
    resolved_by_id: UUID | None
    kept_id: UUID | None
    reason: str | None

    @classmethod
    def of(cls, row: AccountConflict) -> "ConflictOut":
        """Return the shape of one row."""
        return cls.model_validate(row, from_attributes=True)
