"""HTTP of MSSanté: the patient's refusals, and what may be seen of a message.

`request.app.state.mss` is an `MssDesk`. Sending has no route here: it belongs to the deliveries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.core.crypto import Sealer
from ris.mss import consent
from ris.mss.address import PATIENT_DOMAIN
from ris.mss.channel import open_recipient
from ris.mss.errors import MessageNotFound
from ris.mss.model import MssMessage
from ris.mss.schemas import MessageOut, RefusalsIn, RefusalsOut
from ris.rem import satisfies
from ris.reports.channels import ChannelName
from ris.web.etag import IfMatch, read_version
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["mss"])
Reader = Annotated[Principal, Depends(require(Permission.PATIENT_READ))]
Writer = Annotated[Principal, Depends(require(Permission.PATIENT_WRITE))]
Watcher = Annotated[Principal, Depends(require(Permission.DELIVERY_READ))]
_MASKED: Final = f"•••@{PATIENT_DOMAIN}"


@dataclass(frozen=True, slots=True)
class MssDesk:
    """What the routes need: *refusals_changed*(session, patient id) runs in the same work."""

    sealer: Sealer
    refusals_changed: Callable[[Session, UUID], None]


@router.get("/patients/{patient_id}/mss-refusals")
@satisfies("RIS.MSS.21", "RIS.MSS.25")
def get_mss_refusals(
    patient_id: UUID, session: Db, _principal: Reader, response: Response
) -> RefusalsOut:
    """Return what the patient refuses of MSSanté."""
    return _shown(consent.refusals(session, patient_id), response)


@router.put("/patients/{patient_id}/mss-refusals")
@satisfies("RIS.MSS.21", "RIS.MSS.25")
def put_mss_refusals(
    patient_id: UUID,
    body: RefusalsIn,
    session: Db,
    *,
    principal: Writer,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> RefusalsOut:
    """Record what the patient refuses; If-Match carries the version read (`"0"` at first)."""
    recorded = consent.record(
        session,
        patient_id,
        professional=body.professional,
        patient=body.patient,
        version=read_version(if_match),
        actor=principal.actor,
    )
    request.app.state.mss.refusals_changed(session, patient_id)
    return _shown(recorded, response)


@router.get("/deliveries/{delivery_id}/message")
@satisfies("RIS.MSS.18")
def get_delivery_message(
    delivery_id: UUID, session: Db, _principal: Watcher, request: Request
) -> MessageOut:
    """Return what is known of the mail of a delivery, its receipts included."""
    row = session.get(MssMessage, delivery_id)
    if row is None:
        raise MessageNotFound
    to_patient = row.channel == ChannelName.MSS_PATIENT
    desk: MssDesk = request.app.state.mss
    return MessageOut(
        delivery_id=row.delivery_id,
        message_id=row.message_id,
        mailbox=row.mailbox,
        recipient=_MASKED if to_patient else open_recipient(desk.sealer, row),
        purpose=row.purpose,
        in_reply_to=row.thread[-1] if row.thread else None,
        size=row.size,
        sha256=row.raw_sha256,
        archive_sha256=row.archive_sha256,
        ins_qualified=row.ins_qualified,
        codes=row.codes,
        created_at=row.created_at,
        accepted_at=row.accepted_at,
        smtp_reply=row.smtp_reply,
        tls_session=row.tls_session,
        delivery_receipt=row.dsn,
        delivery_receipt_cause=row.dsn_cause,
        delivery_receipt_at=row.dsn_at,
        read_receipt=row.mdn,
        read_receipt_code=row.mdn_code,
        read_receipt_at=row.mdn_at,
    )


def _shown(refusals: consent.Refusals, response: Response) -> RefusalsOut:
    response.headers["ETag"] = f'"{refusals.version}"'
    return RefusalsOut(
        professional=refusals.professional, patient=refusals.patient, version=refusals.version
    )
