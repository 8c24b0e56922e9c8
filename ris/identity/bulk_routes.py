"""The API of the verifications in bulk: begin one, follow it, begin it again. No rule here."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.identity import bulk
from ris.identity.bulk_model import BatchState, InsiBatch
from ris.identity.feature import IdentityFeature
from ris.identity.insi_desk import CallIn, calling
from ris.identity.insi_values import CallMode
from ris.identity.verification import Verdict
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])

InsiCaller = Annotated[Principal, Depends(require(Permission.INSI_CALL))]
Superuser = Annotated[Principal, Depends(require(Permission.IDENTITY_SUPERUSER))]


class BatchOut(BaseModel):
    """Une vérification en masse. `verdicts` compte les identités appliquées, par résultat ;
    `account_id` est vide quand le logiciel l'a lancée de lui-même.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    state: BatchState
    structure: str
    mode: CallMode
    size: int
    account_id: UUID | None
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    applied_at: datetime | None
    error: str
    verdicts: dict[Verdict, int] = {}


class BatchItemOut(BaseModel):
    """Une identité d'un lot, sans trait ni matricule."""

    model_config = ConfigDict(from_attributes=True)

    rank: int
    patient_id: UUID
    code: str | None
    verdict: Verdict | None
    applied_at: datetime | None


class BatchDetailOut(BatchOut):
    """Une vérification en masse et ce qu'il advient de chaque identité."""

    items: list[BatchItemOut]


@router.post("/insi-batches", status_code=201)
@satisfies("RIS.INS.42")
def start_batch(
    request: Request, session: Db, principal: Superuser, body: CallIn | None = None
) -> BatchOut:
    """Lance la vérification INSi de toutes les identités dont l'échéance est passée."""
    feature: IdentityFeature = request.app.state.identity
    by = calling(session, feature, principal, body or CallIn())
    return _shown(session, bulk.start(session, feature, by.caller, actor=by.actor))


@router.get("/insi-batches")
@satisfies("RIS.INS.42")
def list_batches(session: Db, _principal: InsiCaller) -> list[BatchOut]:
    """Donne les vérifications en masse, la plus récente d'abord."""
    return [_shown(session, batch) for batch in bulk.listed(session)]


@router.get("/insi-batches/{batch_id}")
@satisfies("RIS.INS.42")
def read_batch(batch_id: UUID, session: Db, _principal: InsiCaller) -> BatchDetailOut:
    """Donne une vérification en masse, identité par identité."""
    batch, items = bulk.seen(session, batch_id)
    listed = [BatchItemOut.model_validate(item) for item in items]
    return BatchDetailOut(**_shown(session, batch).model_dump(), items=listed)


@router.post("/insi-batches/{batch_id}/retry")
@satisfies()
def retry_batch(batch_id: UUID, session: Db, principal: Superuser) -> BatchOut:
    """Relance une vérification en masse en échec, là où elle en était."""
    return _shown(session, bulk.retry(session, batch_id, actor=principal.actor))


def _shown(session: Session, batch: InsiBatch) -> BatchOut:
    counted = {Verdict(name): n for name, n in bulk.counts(session, batch.id).items() if name}
    shown = BatchOut.model_validate(batch)
    return shown.model_copy(update={"verdicts": counted})
