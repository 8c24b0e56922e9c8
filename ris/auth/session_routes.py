"""HTTP of one's own sessions: lock this one, see and close the others. No rule here.

Leaving a lock is signing in again, by any method (`sign_in_routes.py`…).
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from ris.auth import session_trace, sessions
from ris.auth.dependencies import Principal, desk_of, own_session, require
from ris.auth.errors import SessionExpired
from ris.auth.model import CloseReason, RisSession
from ris.auth.rights import Permission
from ris.auth.session_states import SessionState
from ris.core.errors import NotFound
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["auth"])

Own = Annotated[Principal, Depends(require(Permission.SESSION_OWN))]


class OtherSessionOut(BaseModel):
    """Une autre session ouverte de la même personne."""

    id: UUID = Field(description="Identifiant, pour la fermer ; il n'ouvre rien.")
    state: SessionState = Field(description="ACTIVE, NEEDS_SITUATION ou LOCKED")
    workstation: str | None = Field(description="Poste annoncé à la connexion.")
    method: str = Field(description="Moyen de connexion, par exemple PSC_CODE.")
    opened_at: datetime = Field(description="Ouverture.")
    last_seen_at: datetime = Field(description="Dernière utilisation, à quelques secondes près.")


@router.post("/session/lock", status_code=204, summary="Verrouiller la session")
@satisfies("SC.SSI/IE.39")
def lock_session(session: Db, principal: Own) -> None:
    """Verrouille la session : plus rien ne s'affiche, le travail et la situation restent.

    La même personne la retrouve en se reconnectant ; une autre la ferme en se connectant.
    """
    row = _mine(session, principal)
    sessions.lock(session, row, principal.actor)


@router.get("/session/others", summary="Mes autres sessions")
@satisfies()
def list_other_sessions(request: Request, session: Db, principal: Own) -> list[OtherSessionOut]:
    """Donne les autres sessions ouvertes de la personne connectée, la plus récente d'abord."""
    row = _mine(session, principal)
    found = sessions.others_of(session, row, desk_of(request).settings)
    return [
        OtherSessionOut(
            id=one.id,
            state=standing.state,
            workstation=one.workstation,
            method=one.method,
            opened_at=one.created_at,
            last_seen_at=one.last_seen_at,
        )
        for one, standing in found
    ]


@router.post(
    "/session/others/{session_id}/close",
    status_code=204,
    summary="Fermer une autre de mes sessions",
)
@satisfies()
def close_other_session(request: Request, session_id: UUID, session: Db, principal: Own) -> None:
    """Ferme une autre session de la même personne ; 404 pour celle de quelqu'un d'autre."""
    row = _mine(session, principal)
    found = sessions.others_of(session, row, desk_of(request).settings)
    other = next((one for one, _ in found if one.id == session_id), None)
    if other is None:
        raise NotFound("Session inconnue ou déjà fermée.", code="SESSION_UNKNOWN")
    sessions.close(session, other, CloseReason.ELSEWHERE)
    session_trace.closed(session, other, principal.actor)


def _mine(session: Db, principal: Principal) -> RisSession:
    row = session.get(RisSession, own_session(principal))
    if row is None:
        raise SessionExpired
    return row
