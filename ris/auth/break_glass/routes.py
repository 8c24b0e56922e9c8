"""HTTP of the break-glass: open it, what is hidden, who did, « vu ». No rule here.

`request.app.state.compartments` tells which practices a patient's things belong to.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from ris.auth.break_glass import review as reviewing
from ris.auth.break_glass import service
from ris.auth.break_glass.schemas import ElsewhereOut, GlassIn, GlassOut, GlassReviewOut
from ris.auth.compartments.guard import Doors
from ris.auth.dependencies import Principal, desk_of, require
from ris.auth.rights import Permission
from ris.rem import satisfies
from ris.web.pages import Page, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["break-glass"])

Holder = Annotated[Principal, Depends(require(Permission.BREAK_GLASS))]
Breaker = Annotated[Principal, Depends(require(Permission.BREAK_GLASS, fresh=True))]
Reviewer = Annotated[Principal, Depends(require(Permission.BREAK_GLASS_REVIEW))]


def _doors(request: Request) -> Doors:
    doors: Doors = request.app.state.compartments
    return doors


Wired = Annotated[Doors, Depends(_doors)]


@router.post("/patients/{patient_id}/break-glass", status_code=201, summary="Briser la glace")
@satisfies()
def break_glass(
    patient_id: UUID,
    body: GlassIn,
    *,
    request: Request,
    session: Db,
    doors: Wired,
    principal: Breaker,
) -> GlassOut:
    """Ouvre, en lecture seule et pour un temps, ce que d'autres cabinets ont d'un patient.

    Connexion récente exigée ; motif au journal, précision chiffrée ; chaque lecture est tracée et
    les cabinets concernés la voient. 409 `BREAK_GLASS_NOT_NEEDED` pour qui voit tout le site.
    """
    belongs = doors.practices_of(session, patient_id)
    scope = principal.compartment
    owners = {one for one in doors.owners(session, patient_id, scope.exams) if one}
    glass = service.open_for(
        session,
        desk_of(request).settings.break_glass,
        principal,
        patient_id,
        reason=body.reason,
        comment=body.comment,
        practices=owners | (set() if scope.patients.meets(belongs) else belongs),
    )
    return GlassOut.of(glass)


@router.get("/patients/{patient_id}/break-glass", summary="Ce que d'autres cabinets ont")
@satisfies()
def read_elsewhere(patient_id: UUID, session: Db, doors: Wired, principal: Holder) -> ElsewhereOut:
    """Dit combien d'examens d'autres cabinets sont fermés à l'appelant, sans rien en montrer."""
    doors.practices_of(session, patient_id)
    held = service.held(session, principal, patient_id)
    return ElsewhereOut(
        hidden_exams=len(doors.owners(session, patient_id, principal.compartment.exams)),
        open=GlassOut.of(held) if held else None,
    )


@router.get("/break-glass", summary="Bris de glace à contrôler")
@satisfies()
def list_break_glass(
    *,
    request: Request,
    response: Response,
    session: Db,
    principal: Reviewer,
    paging: Paging,
    unseen: Annotated[bool, Query(description="Seulement ceux que personne n'a vus.")] = False,
) -> Page[GlassReviewOut]:
    """Donne les bris de glace du site à l'auditeur, à un médecin ceux qui concernent son cabinet.

    La consultation est elle-même au journal.
    """
    found, following = reviewing.listed(session, principal, paging, unseen=unseen)
    link(request, response, following)
    clinical = Permission.REPORT_READ in principal.permissions
    items = [GlassReviewOut.seen(one, clinical=clinical) for one in found]
    return Page(items=items, next=following)


@router.post("/break-glass/{break_glass_id}/review", status_code=200, summary="Marquer comme vu")
@satisfies()
def review_break_glass(break_glass_id: UUID, session: Db, principal: Reviewer) -> GlassReviewOut:
    """Marque un bris de glace comme vu par l'appelant, qui ne peut être celui qui l'a ouvert."""
    seen = reviewing.review(session, principal, break_glass_id)
    return GlassReviewOut.seen(seen, clinical=Permission.REPORT_READ in principal.permissions)
