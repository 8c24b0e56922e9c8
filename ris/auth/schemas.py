"""Shapes of the sign-in, session, account and directory API. No rule, no token."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from ris.auth.directory.values import DirectoryEntry
from ris.auth.model import Account, AccountStatus, Situation, SituationSource
from ris.auth.rights import Permission, Role
from ris.auth.session_states import SessionState


class PscState(StrEnum):
    """Whether what needs Pro Santé Connect is possible; local work always is."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"


class SituationOut(BaseModel):
    """A situation d'exercice; *usable* says whether its acts may leave the RIS."""

    id: UUID
    name: str
    struct_idnat: str
    profession: str
    specialty: str
    sector: str
    mode: str
    source: SituationSource = Field(description="PSC, ou MANUAL : donnée par l'administrateur.")
    valid_to: datetime | None = Field(description="Dernier instant d'une situation MANUAL.")
    usable: bool
    chosen: bool

    @classmethod
    def of(cls, row: Situation, chosen: UUID | None, *, usable: bool) -> "SituationOut":
        """Return the shape of one row."""
        return cls(
            id=row.id,
            name=row.name,
            struct_idnat=row.struct_idnat,
            profession=row.profession,
            specialty=row.specialty,
            sector=row.sector,
            mode=row.mode,
            source=SituationSource(row.source),
            valid_to=row.valid_to,
            usable=usable,
            chosen=row.id == chosen,
        )


class SessionOut(BaseModel):
    """Who is signed in; *csrf_token* goes back in `X-CSRF-Token` on every unsafe request."""

    account_id: UUID
    ps_idnat: str | None = Field(description="null pour un compte local d'administration.")
    family: str
    given: str
    role: Role
    permissions: list[Permission]
    state: SessionState = Field(description="ACTIVE ou NEEDS_SITUATION")
    acr: str
    auth_time: datetime
    auth_method: str | None = Field(description="Moyen de connexion, par exemple PSC_CODE.")
    emergency: bool = Field(description="Session de secours : à signaler sur chaque écran.")
    banner: str = Field(description="Bandeau à afficher ; vide le plus souvent.")
    situations: list[SituationOut]
    csrf_token: str = Field(description="Vide pour un appel d'API par jeton.")
    psc_state: PscState = Field(description="Lien avec Pro Santé Connect.")
    workstation: str | None = Field(description="Poste annoncé à la connexion.")
    shared: bool = Field(description="Poste partagé : toujours se déconnecter partout.")
    idle_lock_s: int | None = Field(
        description="Secondes sans utilisation avant le verrouillage ; l'écran se masque alors."
    )
    ends_at: datetime | None = Field(description="Fin de la session, quoi qu'il arrive.")
    ends_soon: bool = Field(description="Moins de dix minutes : proposer une reconnexion.")


class PscOut(BaseModel):
    """Pro Santé Connect confirms that this person's session is still open there."""

    psc_state: PscState


class SituationChoice(BaseModel):
    """The acting situation wanted."""

    model_config = ConfigDict(extra="forbid")

    situation_id: UUID


class LogoutOut(BaseModel):
    """The local session is closed; *psc_logout_url* closes Pro Santé Connect's too."""

    psc_logout_url: str | None


class Grant(BaseModel):
    """A role to give to a person, by PS_IdNat."""

    model_config = ConfigDict(extra="forbid")

    ps_idnat: str = Field(min_length=2, max_length=64)
    role: Role
    identity_habilitated: StrictBool = False
    convert: StrictBool = Field(
        default=False,
        description="Convertir le compte d'un rôle de soins à un rôle d'administration, ou "
        "l'inverse : ses sessions se ferment. Sinon refusé (`role_separation`).",
    )


class AccountOut(BaseModel):
    """An account as administrators see it."""

    id: UUID
    ps_idnat: str | None
    family: str
    given: str
    role: Role
    identity_habilitated: bool
    status: AccountStatus

    @classmethod
    def of(cls, row: Account) -> "AccountOut":
        """Return the shape of one row."""
        return cls.model_validate(row, from_attributes=True)


class MailboxOut(BaseModel):
    """A mailbox that may be shown (never red-listed)."""

    address: str
    kind: str | None
    rank: int | None
    struct_idnat: str | None


class CorrespondentOut(BaseModel):
    """A professional of the directory, with the age of the data."""

    ps_idnat: str
    rpps: str | None
    family: str
    given: str
    title: str
    profession: str
    specialty: str
    structure: str | None
    active: bool
    mailboxes: list[MailboxOut]
    fetched_at: datetime

    @classmethod
    def of(cls, entry: DirectoryEntry) -> "CorrespondentOut":
        """Return the shape of one entry; red-listed mailboxes stay hidden."""
        person = entry.professional
        shown = [box for box in entry.mailboxes if not box.red_list]
        return cls(
            ps_idnat=person.ps_idnat,
            rpps=person.rpps,
            family=person.family,
            given=person.given,
            title=person.title,
            profession=person.profession,
            specialty=person.specialty,
            structure=person.structure.name if person.structure else None,
            active=entry.active,
            mailboxes=[MailboxOut.model_validate(box, from_attributes=True) for box in shown],
            fetched_at=entry.fetched_at,
        )
