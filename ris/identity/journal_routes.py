"""The journals of identity over HTTP: whole site by the auditor, one patient by who may see him."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from ris.core.text import ONE_LINE
from ris.identity import journals, schemas
from ris.identity.insi import schemas as insi_schemas
from ris.identity.record_schemas import AccessOut, ChangeOut, DisclosureOut, access_shown
from ris.identity.route_inputs import Auditor, InsReader
from ris.rem import satisfies
from ris.web.moments import Instant
from ris.web.pages import Page, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])


def _window(
    since: Annotated[
        Instant | None, Query(description="À partir de cet instant, avec fuseau")
    ] = None,
    until: Annotated[Instant | None, Query(description="Avant cet instant")] = None,
    account_id: Annotated[UUID | None, Query(description="Actes de ce compte")] = None,
    patient_id: Annotated[UUID | None, Query(description="Lignes de ce dossier")] = None,
) -> journals.Window:
    """Return which lines are asked for."""
    return journals.Window(since, until, account_id, patient_id)


Window = Annotated[journals.Window, Depends(_window)]


@router.get("/ins-accesses", summary="Journal des accès à l'INS")
@satisfies("RIS.INS.03")
def list_ins_accesses(
    *,
    request: Request,
    response: Response,
    session: Db,
    principal: Auditor,
    window: Window,
    paging: Paging,
) -> Page[AccessOut]:
    """Donne chaque accès à une INS, du plus ancien au plus récent : qui, quand, celle de qui.

    Filtres par période, compte et dossier. La lecture est elle-même au journal.
    """
    rows, following = journals.accesses(session, window, paging, actor=principal.actor)
    link(request, response, following)
    return Page(items=[access_shown(row) for row in rows], next=following)


@router.get("/insi-calls", summary="Journal des appels INSi")
@satisfies("RIS.INS.04", "RIS.INS.40", "RIS.INS.42")
def list_all_insi_calls(
    *,
    request: Request,
    response: Response,
    session: Db,
    principal: Auditor,
    window: Window,
    paging: Paging,
) -> Page[insi_schemas.InsiCallOut]:
    """Donne chaque appel d'INSi : qui, quand, par quel moyen, avec quel code retour ou incident.

    La réponse complète d'un appel : GET /v1/insi-calls/{call_id}.
    """
    rows, following = journals.insi_calls(session, window, paging, actor=principal.actor)
    link(request, response, following)
    return Page(items=[insi_schemas.call_shown(row) for row in rows], next=following)


@router.get("/identity-changes", summary="Journal des changements d'identité")
@satisfies("RIS.INS.17", "RIS.INS.26")
def list_identity_changes(
    *,
    request: Request,
    response: Response,
    session: Db,
    principal: Auditor,
    window: Window,
    paging: Paging,
) -> Page[ChangeOut]:
    """Donne chaque changement de statut, de trait ou d'attribut : quoi, quand, qui, pourquoi."""
    rows, following = journals.changes(session, window, paging, actor=principal.actor)
    link(request, response, following)
    items = [
        ChangeOut(patient_id=row.patient_id, **schemas.history_shown(row).model_dump())
        for row in rows
    ]
    return Page(items=items, next=following)


@router.get("/ins-disclosures", summary="Journal des partenaires ayant reçu une INS")
@satisfies("RIS.INS.51")
def list_all_disclosures(
    *,
    request: Request,
    response: Response,
    session: Db,
    principal: Auditor,
    window: Window,
    paging: Paging,
    partner: Annotated[
        str, Query(max_length=320, pattern=ONE_LINE, description="Destinataire exact")
    ] = "",
) -> Page[DisclosureOut]:
    """Donne chaque sortie d'une INS : quand, de qui, vers qui, par quel canal.

    Le compte ne filtre rien ici : une sortie est un acte du logiciel.
    """
    rows, following = journals.partners(
        session, window, paging, partner=partner, actor=principal.actor
    )
    link(request, response, following)
    return Page(items=[DisclosureOut.model_validate(row) for row in rows], next=following)


@router.get("/patients/{patient_id}/ins-disclosures", summary="Partenaires ayant reçu l'INS")
@satisfies("RIS.INS.51")
def list_disclosures(
    *,
    request: Request,
    response: Response,
    patient_id: UUID,
    session: Db,
    principal: InsReader,
    paging: Paging,
) -> Page[DisclosureOut]:
    """Donne les partenaires qui ont reçu l'INS de ce patient : quand, de qui, à qui."""
    window = journals.Window(patient_id=patient_id)
    scope = principal.compartment.exams
    rows, following = journals.partners(session, window, paging, scope=scope, actor=principal.actor)
    link(request, response, following)
    return Page(items=[DisclosureOut.model_validate(row) for row in rows], next=following)
