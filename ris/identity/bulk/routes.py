"""The API of the verifications in bulk: begin one, follow it, begin it again. No rule here."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.identity.bulk import service as bulk
from ris.identity.bulk.model import BatchState, InsiBatch
from ris.identity.compartment import visible
from ris.identity.feature import IdentityFeature
from ris.identity.insi.desk import CallIn, calling
from ris.identity.insi.values import CallMode
from ris.identity.insi.verification import Verdict
from ris.identity.route_inputs import Superuser
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])

InsiCaller = Annotated[Principal, Depends(require(Permission.INSI_CALL))]


class BatchOut(BaseModel):
    """Une vérification en masse. `verdicts` compte les identités appliquées, par résultat ;
    `account_id` est vide quand le logiciel l'a lancée de lui-même.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="Identifiant du lot")
    state: BatchState = Field(
        description="created, sent, answered, applied, ou failed : attend une personne"
    )
    structure: str = Field(description="Cabinet au nom duquel INSi est appelé")
    mode: CallMode = Field(description="AUTO : lancée par le logiciel ; MANU : par une personne")
    size: int = Field(description="Nombre d'identités du lot")
    account_id: UUID | None = Field(description="Compte qui a lancé le lot, vide pour le logiciel")
    created_at: datetime = Field(description="Création du lot")
    due_at: datetime = Field(description="Prochaine étape, au plus tôt")
    sent_at: datetime | None = Field(description="Envoi à INSi")
    answered_at: datetime | None = Field(description="Réponse d'INSi")
    applied_at: datetime | None = Field(description="Fin d'application")
    error: str = Field(description="Code de la dernière panne, vide sans panne")
    verdicts: dict[Verdict, int] = Field(
        default={}, description="Nombre d'identités appliquées par résultat"
    )


class BatchItemOut(BaseModel):
    """Une identité d'un lot, sans trait ni matricule."""

    model_config = ConfigDict(from_attributes=True)

    rank: int = Field(description="Rang dans le lot")
    patient_id: UUID = Field(description="Dossier vérifié")
    code: str | None = Field(description="Code rendu par INSi")
    verdict: Verdict | None = Field(description="Résultat appliqué, vide en attente")
    applied_at: datetime | None = Field(description="Instant d'application")


class BatchDetailOut(BatchOut):
    """Une vérification en masse et ce qu'il advient de chaque identité."""

    items: list[BatchItemOut] = Field(description="Ce qu'il advient de chaque identité")


@router.post("/insi-batches", status_code=201, summary="Lancer une vérification INSi en masse")
@satisfies("RIS.INS.42")
def start_batch(
    request: Request, session: Db, principal: Superuser, body: CallIn | None = None
) -> BatchOut:
    """Lance la vérification INSi de toutes les identités dont l'échéance est passée."""
    feature: IdentityFeature = request.app.state.identity
    by = calling(session, feature, principal, body or CallIn())
    return _shown(session, bulk.start(session, feature, by.caller, actor=by.actor))


@router.get("/insi-batches", summary="Vérifications INSi en masse")
@satisfies("RIS.INS.42")
def list_batches(session: Db, _principal: InsiCaller) -> list[BatchOut]:
    """Donne les vérifications en masse, la plus récente d'abord."""
    return [_shown(session, batch) for batch in bulk.listed(session)]


@router.get("/insi-batches/{batch_id}", summary="Une vérification INSi en masse")
@satisfies("RIS.INS.42")
def read_batch(
    request: Request, batch_id: UUID, session: Db, principal: InsiCaller
) -> BatchDetailOut:
    """Donne une vérification en masse, identité par identité."""
    feature: IdentityFeature = request.app.state.identity
    shown = visible(feature, principal.compartment.patients)
    batch, items = bulk.seen(session, batch_id, shown)
    listed = [BatchItemOut.model_validate(item) for item in items]
    return BatchDetailOut(**_shown(session, batch).model_dump(), items=listed)


@router.post("/insi-batches/{batch_id}/retry", summary="Relancer une vérification INSi en masse")
@satisfies()
def retry_batch(batch_id: UUID, session: Db, principal: Superuser) -> BatchOut:
    """Relance une vérification en masse en échec, là où elle en était."""
    return _shown(session, bulk.retry(session, batch_id, actor=principal.actor))


def _shown(session: Session, batch: InsiBatch) -> BatchOut:
    counted = {Verdict(name): n for name, n in bulk.counts(session, batch.id).items() if name}
    shown = BatchOut.model_validate(batch)
    return shown.model_copy(update={"verdicts": counted})
