"""The API of a record beside others: duplicates, merges, propagation, who received the INS."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.identity import disclosures, duplicates, merge, propagation_run, service
from ris.identity.feature import IdentityFeature
from ris.identity.merge_model import PairState
from ris.identity.propagation_model import IdentityOutbox, Kind, OutboxState
from ris.rem import satisfies
from ris.web.etag import IfMatch, read_version, tag
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])

Reader = Annotated[Principal, Depends(require(Permission.PATIENT_READ))]
InsReader = Annotated[Principal, Depends(require(Permission.INS_READ))]
Validator = Annotated[Principal, Depends(require(Permission.IDENTITY_VALIDATE))]
Superuser = Annotated[Principal, Depends(require(Permission.IDENTITY_SUPERUSER))]


class MergeIn(BaseModel):
    """The record to absorb, as the caller read it, and why."""

    model_config = ConfigDict(extra="forbid")

    absorbed_id: UUID
    absorbed_version: int
    reason: str = Field("", max_length=500)


class UndoIn(BaseModel):
    """Why a merge is undone."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=500)


class MergeOut(BaseModel):
    """A merge; `undone_at` once the records were parted again."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    survivor_id: UUID
    absorbed_id: UUID
    at: datetime
    reason: str
    account_id: UUID | None
    undone_at: datetime | None
    undone_reason: str


class SuspectOut(BaseModel):
    """A record that may be the same person's: how alike (out of 100), why, what was said of it."""

    patient_id: UUID
    ipp: str
    version: int
    status: str
    score: int
    reasons: list[str]
    state: PairState


class PairIn(BaseModel):
    """What a person says of two records: `DOUA` one person, to merge; `HOMA` two persons."""

    model_config = ConfigDict(extra="forbid")

    state: Literal[PairState.PROVEN, PairState.HOMONYMS]


class OutboxOut(BaseModel):
    """One message towards one partner."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    seq: int
    partner: str
    kind: Kind
    event: str
    to_status: str
    state: OutboxState
    attempt_no: int
    occurred_at: datetime
    sent_at: datetime | None
    error: str


class DisclosureOut(BaseModel):
    """One output of the INS: when, from whom, to whom."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    sender: str
    partner: str
    channel: str
    reference: str


@router.post("/patients/{patient_id}/merges", status_code=201)
@satisfies()
def merge_patients(
    patient_id: UUID,
    *,
    body: MergeIn,
    request: Request,
    response: Response,
    session: Db,
    principal: Superuser,
    if_match: IfMatch = None,
) -> MergeOut:
    """Fusionne un doublon dans ce dossier, qui garde ses traits, son statut et son INS."""
    feature: IdentityFeature = request.app.state.identity
    done = merge.merge(
        session,
        feature,
        patient_id,
        body.absorbed_id,
        versions=(read_version(if_match), body.absorbed_version),
        reason=body.reason,
        actor=principal.actor,
    )
    response.headers["ETag"] = tag(service.get(session, patient_id).version)
    return MergeOut.model_validate(done)


@router.get("/patients/{patient_id}/merges")
@satisfies()
def list_merges(patient_id: UUID, session: Db, _principal: Reader) -> list[MergeOut]:
    """Donne les fusions auxquelles ce dossier a pris part."""
    return [MergeOut.model_validate(one) for one in merge.listed(session, patient_id)]


@router.post("/patient-merges/{merge_id}/undo")
@satisfies()
def undo_merge(
    merge_id: UUID, body: UndoIn, request: Request, session: Db, principal: Superuser
) -> MergeOut:
    """Annule une fusion : chacun reprend ses données, les deux identités sont provisoires."""
    feature: IdentityFeature = request.app.state.identity
    done = merge.undo(session, feature, merge_id, reason=body.reason, actor=principal.actor)
    return MergeOut.model_validate(done)


@router.get("/patients/{patient_id}/duplicates")
@satisfies()
def list_duplicates(patient_id: UUID, session: Db, _principal: Reader) -> list[SuspectOut]:
    """Donne les doublons potentiels du dossier, avec leur score et ses raisons."""
    return [
        SuspectOut(
            patient_id=one.patient.id,
            ipp=one.patient.ipp,
            version=one.patient.version,
            status=one.patient.status,
            score=one.score.points,
            reasons=list(one.score.reasons),
            state=one.state,
        )
        for one in duplicates.suspects(session, patient_id)
    ]


@router.put("/patients/{patient_id}/duplicates/{other_id}")
@satisfies()
def decide_duplicate(
    patient_id: UUID, other_id: UUID, body: PairIn, session: Db, principal: Validator
) -> PairIn:
    """Dit d'une paire : doublon avéré (à fusionner), ou deux personnes homonymes."""
    pair = duplicates.decide(session, patient_id, other_id, body.state, actor=principal.actor)
    return PairIn.model_validate({"state": pair.state})


@router.get("/patients/{patient_id}/propagation")
@satisfies("RIS.INS.34", "RIS.INS.36")
def list_propagation(patient_id: UUID, session: Db, _principal: Reader) -> list[OutboxOut]:
    """Donne les messages d'identité émis ou à émettre vers les systèmes rattachés."""
    rows: tuple[IdentityOutbox, ...] = propagation_run.listed(session, patient_id)
    return [OutboxOut.model_validate(row) for row in rows]


@router.post("/identity-outbox/{outbox_id}/retry")
@satisfies()
def retry_propagation(outbox_id: UUID, session: Db, principal: Superuser) -> OutboxOut:
    """Renvoie un message d'identité refusé par un partenaire."""
    row = propagation_run.retry(session, outbox_id, actor=principal.actor)
    return OutboxOut.model_validate(row)


@router.get("/patients/{patient_id}/ins-disclosures")
@satisfies("RIS.INS.51")
def list_disclosures(patient_id: UUID, session: Db, principal: InsReader) -> list[DisclosureOut]:
    """Donne les partenaires qui ont reçu l'INS de ce patient : quand, de qui, à qui."""
    rows = disclosures.listed(session, patient_id, actor=principal.actor)
    return [DisclosureOut.model_validate(row) for row in rows]
