"""The API of the HL7 v2 messages received: those refused or not applied yet, and their replay.

Codes and identifiers only: no content of a message, no trait, no INS.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.core.audit import record
from ris.interop.hl7v2.model import Hl7Message, Hl7State
from ris.interop.hl7v2.schemas import Hl7MessageOut
from ris.interop.hl7v2.service import Inbox
from ris.rem import satisfies
from ris.web.pages import BadCursor, Page, PageQuery, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["interop"])
Controller = Annotated[Principal, Depends(require(Permission.HL7_CONTROL))]


@router.get("/interop/hl7v2/messages")
@satisfies()
def list_messages(
    *,
    request: Request,
    response: Response,
    session: Db,
    principal: Controller,
    page: Paging,
    state: Hl7State = Hl7State.REFUSED,
) -> Page[Hl7MessageOut]:
    """Donne les messages HL7 v2 reçus dans un état, du plus récent au plus ancien.

    Par défaut les refusés, avec leur motif ; `received` : conservés, pas encore appliqués. Aucun
    contenu de message n'est montré ; le patient n'est nommé qu'à qui peut consulter les patients.
    """
    query = select(Hl7Message).where(Hl7Message.state == state.value)
    if page.after:
        query = query.where(Hl7Message.seq < _last_seen(page))
    rows = session.scalars(query.order_by(Hl7Message.seq.desc()).limit(page.limit + 1)).all()
    shown, following = page.cut(rows, lambda row: (row.seq,))
    link(request, response, following)
    detail = {"state": state.value, "found": len(shown)}
    record(session, "hl7.listed", actor=principal.actor, detail=detail)
    return Page(items=[_out(row, principal) for row in shown], next=following)


@router.post("/interop/hl7v2/messages/{message_id}/replay", status_code=200)
@satisfies()
def replay_message(
    message_id: UUID, request: Request, session: Db, principal: Controller
) -> Hl7MessageOut:
    """Applique de nouveau un message refusé, une fois sa cause corrigée (réglage, contrat…).

    La réponse dit ce qu'il en est : appliqué, ou encore refusé et pourquoi.
    """
    inbox: Inbox = request.app.state.hl7
    return _out(inbox.replay(session, message_id, actor=principal.actor), principal)


def _out(row: Hl7Message, principal: Principal) -> Hl7MessageOut:
    return Hl7MessageOut.of(row, patient=Permission.PATIENT_READ in principal.permissions)


def _last_seen(page: PageQuery) -> int:
    match page.after:
        case (int(seq),):
            return seq
    raise BadCursor
