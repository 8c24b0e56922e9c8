"""Shapes of the delegation API. No rule."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ris.auth.accounts import role_of
from ris.auth.delegation.service import Seen, Wanted, name_of
from ris.auth.delegation.values import DelegatedAction
from ris.auth.model import Account
from ris.auth.rights import Role


class DelegationIn(BaseModel):
    """Ce qu'un médecin délègue, à qui, pour lequel de ses cabinets et jusqu'à quand."""

    model_config = ConfigDict(extra="forbid")

    delegate_id: UUID = Field(description="Compte de la personne qui agira.")
    struct_idnat: str = Field(max_length=64, description="Un de vos cabinets (Struct_IdNat).")
    actions: set[DelegatedAction] = Field(
        min_length=1,
        description="`mss.send` : envoyer par MSSanté ; `delivery.retry` : relancer ou annuler un"
        " envoi. La signature ne se délègue pas.",
    )
    valid_from: AwareDatetime | None = Field(None, description="Début, tout de suite si absent.")
    valid_to: AwareDatetime = Field(description="Fin, non incluse.")

    def wanted(self, now: datetime) -> Wanted:
        """Return the plain value, *now* being the default beginning."""
        return Wanted(
            self.delegate_id,
            self.struct_idnat,
            frozenset(self.actions),
            self.valid_from or now,
            self.valid_to,
        )


class DelegationOut(BaseModel):
    """Une délégation, telle que ses deux parties la voient."""

    id: UUID
    delegator_id: UUID
    delegator: str = Field(description="Nom du médecin.")
    delegate_id: UUID
    delegate: str = Field(description="Nom de la personne qui agit en son nom.")
    struct_idnat: str
    actions: list[DelegatedAction]
    labels: list[str] = Field(description="Les mêmes actions, en toutes lettres.")
    valid_from: AwareDatetime
    valid_to: AwareDatetime
    revoked_at: AwareDatetime | None
    in_force: bool = Field(description="Elle permet d'agir en ce moment.")

    @classmethod
    def of(cls, seen: Seen, now: datetime) -> "DelegationOut":
        """Return the shape of one delegation at *now*."""
        row, given = seen.row, seen.row.value
        return cls(
            id=row.id,
            delegator_id=row.delegator_id,
            delegator=name_of(seen.delegator),
            delegate_id=row.delegate_id,
            delegate=name_of(seen.delegate),
            struct_idnat=row.struct_idnat,
            actions=sorted(given.actions),
            labels=[one.label for one in sorted(given.actions)],
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            revoked_at=row.revoked_at,
            in_force=row.revoked_at is None and given.period.holds(now),
        )


class DelegateOut(BaseModel):
    """Une personne du site à qui déléguer."""

    account_id: UUID
    name: str
    role: Role

    @classmethod
    def of(cls, account: Account) -> "DelegateOut":
        """Return the shape of one account."""
        return cls(account_id=account.id, name=name_of(account), role=role_of(account))
