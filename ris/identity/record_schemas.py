"""The JSON of a record beside others: duplicates, merges, collisions, messages, partners."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.core.audit import AuditEvent
from ris.identity.duplicates.merge_model import CollisionState, IdentityCollision, PairState
from ris.identity.duplicates.pairs import Listed
from ris.identity.model import Patient
from ris.identity.propagation.model import Kind, OutboxState
from ris.identity.schemas import Account, Body, HistoryOut, Instant, PsIdNat, Reason
from ris.identity.values import Status
from ris.web.moments import Day

Score = Annotated[int, Field(description="Ressemblance, sur 100")]
Reasons = Annotated[
    list[str],
    Field(description="Codes des raisons : same_birth_family, names_swapped, same_ins…"),
]
State = Annotated[
    PairState, Field(description="DPOT à examiner, DOUA doublon avéré, HOMA deux personnes")
]


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class MergeIn(Body):
    """Le dossier à absorber, tel qu'il a été lu, et pourquoi."""

    absorbed_id: UUID = Field(description="Dossier qui disparaît des listes ; son IPP reste")
    absorbed_version: int = Field(description="`version` lue de ce dossier")
    reason: Annotated[Reason, Field(description="Pourquoi c'est une même personne")] = ""


class UndoIn(Body):
    """Pourquoi une fusion est annulée."""

    reason: Reason = ""


class MergeOut(_Row):
    """Une fusion ; `undone_at` quand les dossiers ont été séparés à nouveau."""

    id: UUID = Field(description="Identifiant de la fusion")
    survivor_id: UUID = Field(description="Dossier conservé")
    absorbed_id: UUID = Field(description="Dossier absorbé")
    at: Instant
    reason: str = Field(description="Motif de la fusion")
    account_id: Account
    undone_at: datetime | None = Field(description="Date et heure de l'annulation")
    undone_reason: str = Field(description="Motif de l'annulation")


class SuspectOut(BaseModel):
    """Un dossier qui est peut-être celui de la même personne."""

    patient_id: UUID = Field(description="L'autre dossier")
    ipp: str = Field(description="Son IPP")
    version: int = Field(description="Sa version, pour une fusion")
    status: str = Field(description="Son statut d'identité")
    score: Score
    reasons: Reasons
    state: State
    pair_version: int = Field(description="Version de la paire, pour If-Match ; 0 : jamais décidée")


class PairIn(Body):
    """Ce qu'une personne dit de deux dossiers."""

    state: Literal[PairState.PROVEN, PairState.HOMONYMS] = Field(
        description="DOUA : une seule personne, à fusionner ; HOMA : deux personnes"
    )
    reason: Reason = ""


class TwinOut(BaseModel):
    """Un dossier d'une paire."""

    id: UUID = Field(description="Identifiant du dossier")
    ipp: str = Field(description="IPP")
    version: int = Field(description="Version du dossier")
    status: Status = Field(description="Statut d'identité")


class PairOut(BaseModel):
    """Deux dossiers qui se ressemblent, et ce qui en a été dit."""

    records: list[TwinOut] = Field(description="Les deux dossiers")
    score: Score
    reasons: Reasons
    state: State
    found_at: Instant
    decided_at: datetime | None = Field(description="Null tant que personne n'a décidé")
    account_id: Account
    version: int = Field(description="Version de la paire, pour If-Match")


class PairDecisionOut(_Row):
    """Une ligne de l'historique d'une paire ; sans compte : la recherche nocturne."""

    at: Instant
    state: State
    score: Score
    reasons: Reasons
    reason: str = Field(description="Motif donné")
    account_id: Account


class CollisionIn(Body):
    """Une collision soupçonnée : deux personnes dans un dossier."""

    suspected_since: Day = Field(
        ge=date(1900, 1, 1),
        description="Premier jour où le dossier a pu mêler deux personnes",
        examples=["2026-03-02"],
    )
    reason: Annotated[Reason, Field(min_length=1, description="Ce qui le fait penser")]


class CollisionDecisionIn(Body):
    """Ce qu'une personne conclut d'une collision soupçonnée."""

    state: Literal[CollisionState.PROVEN, CollisionState.NONE] = Field(
        description="COLV : avérée, l'identité devient douteuse ; NONE : il n'y en a pas"
    )
    reason: Annotated[Reason, Field(min_length=1, description="Ce qui permet de conclure")]


class SentOut(_Row):
    """Un document parti depuis le premier jour suspect, à corriger là où il est allé."""

    at: Instant
    report_id: UUID = Field(description="Compte rendu")
    delivery_id: UUID = Field(description="Envoi")
    channel: str = Field(description="dmp, mss_ps ou mss_patient")
    state: str = Field(description="État de l'envoi")
    with_ins: bool = Field(description="Parti avec l'INS")


class CollisionOut(_Row):
    """Une collision et ce qui en a été conclu."""

    id: UUID = Field(description="Identifiant de la collision")
    patient_id: UUID = Field(description="Le dossier")
    state: CollisionState = Field(description="COLP soupçonnée, COLV avérée, NONE écartée")
    suspected_since: date = Field(description="Premier jour suspect")
    reason: str = Field(description="Ce qui l'a fait penser")
    declared_at: Instant
    account_id: Account
    settled_at: datetime | None = Field(description="Date et heure de la conclusion")
    settled_reason: str = Field(description="Motif de la conclusion")
    version: int = Field(description="Version, pour If-Match")


class CollisionDetail(CollisionOut):
    """Une collision, et les documents partis depuis le premier jour suspect."""

    sent: list[SentOut] = Field(description="À rappeler ou corriger, canal par canal")


class OutboxOut(_Row):
    """Un message d'identité vers un système rattaché."""

    id: UUID = Field(description="Identifiant du message")
    seq: int = Field(description="Ordre d'émission")
    partner: str = Field(description="Système rattaché")
    kind: Kind = Field(description="A28, A31, A40 ou A47")
    event: str = Field(description="Ce qui s'est passé")
    to_status: str = Field(description="Statut annoncé")
    state: OutboxState = Field(description="pending, sent ou failed")
    attempt_no: int = Field(description="Nombre d'essais")
    occurred_at: Instant
    sent_at: datetime | None = Field(description="Date et heure de l'envoi")
    error: str = Field(description="Dernier refus")


class DisclosureOut(_Row):
    """Une sortie de l'INS."""

    patient_id: UUID = Field(description="Dossier")
    at: Instant
    sender: str = Field(description="Émetteur : domaine (OID) ou boîte aux lettres")
    partner: str = Field(description="Destinataire")
    channel: str = Field(description="hl7_pam, dmp, mss_ps, mss_patient")
    reference: str = Field(description="Message ou envoi")


class AccessOut(BaseModel):
    """Un accès à l'INS : qui, quand, celle de qui, d'où."""

    seq: int = Field(description="Numéro au journal")
    at: Instant
    patient_id: UUID | None = Field(description="Dossier")
    account_id: Account
    ps_idnat: PsIdNat
    role: str | None = Field(description="Rôle de la personne")
    workstation: str | None = Field(description="Poste")
    origin_ip: str | None = Field(description="Adresse d'origine")


class ChangeOut(HistoryOut):
    """Un changement d'identité, avec le dossier qu'il concerne."""

    patient_id: UUID = Field(description="Dossier")


def pair_shown(listed: Listed) -> PairOut:
    """Return one pair of the worklist for JSON."""
    pair = listed.pair
    return PairOut(
        records=[_twin(row) for row in (listed.low, listed.high)],
        score=pair.score,
        reasons=pair.reasons,
        state=PairState(pair.state),
        found_at=pair.found_at,
        decided_at=pair.decided_at,
        account_id=pair.account_id,
        version=pair.version,
    )


def access_shown(event: AuditEvent) -> AccessOut:
    """Return one access for JSON."""
    return AccessOut(
        seq=event.seq,
        at=event.at,
        patient_id=event.patient_id,
        account_id=event.actor_id,
        ps_idnat=event.actor_ps_idnat,
        role=event.actor_role,
        workstation=event.workstation,
        origin_ip=event.origin_ip,
    )


def collision_shown(row: IdentityCollision) -> CollisionOut:
    """Return one collision for JSON."""
    return CollisionOut.model_validate(row)


def _twin(row: Patient) -> TwinOut:
    return TwinOut(id=row.id, ipp=row.ipp, version=row.version, status=Status(row.status))
