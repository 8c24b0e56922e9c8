"""HTTP of the journal: the reviewer's reading and export, one's own acts, a patient's accesses.

No rule here; every reading leaves its own line in the journal.
"""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal, require
from ris.auth.journal import reading as journal
from ris.auth.journal.reading import MAX_EXPORT, Seen, Wanted
from ris.auth.rights import Permission
from ris.core import audit
from ris.rem import satisfies
from ris.web.moments import Instant
from ris.web.pages import BadCursor, Page, PageQuery, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, prefix="/audit", tags=["journal"])

Own = Annotated[Principal, Depends(require(Permission.SESSION_OWN))]
Reviewer = Annotated[Principal, Depends(require(Permission.AUDIT_READ))]
Exporter = Annotated[Principal, Depends(require(Permission.AUDIT_EXPORT))]
NDJSON: Final = "application/x-ndjson"
_LAST: Final = 2**63 - 1  # what the number's column can hold


class EventOut(BaseModel):
    """Un événement du journal : identifiants et codes, jamais de donnée de santé ni de matricule.

    Après sa durée de conservation, il ne reste que son numéro, sa date, son action et son résultat.
    """

    seq: int = Field(description="Numéro dans la chaîne, sans trou.")
    at: AwareDatetime
    action: str = Field(description="Ce qui a été fait, par exemple `report.signed`.")
    outcome: str = Field(description="`success` ou `failure`.")
    reason: str | None
    account_id: UUID | None
    person: str = Field(description="Nom de la personne qui agit, vide pour le système.")
    ps_idnat: str | None
    role: str | None
    on_behalf_of: str = Field(description="Nom de celui pour qui elle agit, sinon vide.")
    structure: str | None = Field(description="Struct_IdNat de la structure d'exercice.")
    auth_method: str | None
    acr: str | None
    origin_ip: str | None
    workstation: str | None
    target_type: str | None
    target_id: str | None
    patient_id: UUID | None
    request_id: str | None
    detail: dict[str, Any]
    erased_at: AwareDatetime | None = Field(description="Date d'effacement du contenu.")

    @classmethod
    def of(cls, seen: Seen) -> "EventOut":
        """Return the shape of one event."""
        row = seen.event
        same = {
            name: getattr(row, name)
            for name in cls.model_fields.keys() & audit.AuditEvent.__table__.columns.keys()
        }
        return cls(
            **same,
            account_id=row.actor_id,
            person=seen.person,
            ps_idnat=row.actor_ps_idnat,
            role=row.actor_role,
            on_behalf_of=seen.on_behalf_of,
            structure=row.acting_struct_idnat,
        )


def _period(
    since: Annotated[Instant | None, Query(description="Début, inclus.")] = None,
    until: Annotated[Instant | None, Query(description="Fin, non incluse.")] = None,
) -> Wanted:
    return Wanted(since=since, until=until)


def _wanted(
    period: Annotated[Wanted, Depends(_period)],
    action: Annotated[
        str | None,
        Query(
            pattern=r"^[a-z_]+(\.[a-z_]+)?$",
            description="Action entière (`auth.break_glass`) ou famille d'actions (`auth`).",
        ),
    ] = None,
    outcome: Literal["success", "failure"] | None = None,
    account_id: UUID | None = None,
    patient_id: UUID | None = None,
) -> Wanted:
    return Wanted(period.since, period.until, action, outcome, account_id, patient_id)


@router.get("/events")
@satisfies()
def list_events(
    *,
    session: Db,
    principal: Reviewer,
    page: Paging,
    wanted: Annotated[Wanted, Depends(_wanted)],
    request: Request,
    response: Response,
) -> Page[EventOut]:
    """Lit le journal, du plus récent au plus ancien. La lecture est elle-même tracée."""
    found = _page(session, wanted, page, request, response)
    audit.record(session, "audit.read", actor=principal.actor, patient_id=wanted.patient_id)
    return found


@router.get("/mine")
@satisfies()
def list_own_events(
    *,
    session: Db,
    principal: Own,
    page: Paging,
    period: Annotated[Wanted, Depends(_period)],
    request: Request,
    response: Response,
) -> Page[EventOut]:
    """Lit ses propres traces : ce que l'appelant a fait, ou qui a été fait en son nom."""
    own = Wanted(since=period.since, until=period.until, account_id=principal.account_id)
    found = _page(session, own, page, request, response)
    audit.record(session, "audit.own_read", actor=principal.actor)
    return found


@router.get("/patients/{patient_id}/accesses")
@satisfies()
def list_patient_accesses(
    *,
    patient_id: UUID,
    session: Db,
    principal: Reviewer,
    page: Paging,
    period: Annotated[Wanted, Depends(_period)],
    request: Request,
    response: Response,
) -> Page[EventOut]:
    """Rend l'historique des accès à un dossier, pour répondre au patient qui le demande."""
    wanted = Wanted(since=period.since, until=period.until, patient_id=patient_id)
    found = _page(session, wanted, page, request, response)
    audit.record(session, "audit.accesses_read", actor=principal.actor, patient_id=patient_id)
    return found


@router.get("/export", response_class=Response, responses={200: {"content": {NDJSON: {}}}})
@satisfies()
def export_events(
    *,
    session: Db,
    principal: Exporter,
    request: Request,
    start: Annotated[int, Query(ge=1, le=_LAST, description="Premier numéro.")] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_EXPORT)] = MAX_EXPORT,
) -> Response:
    """Exporte le journal, un événement JSON par ligne, dans l'ordre de la chaîne.

    L'en-tête `Link` donne la suite. Mises bout à bout depuis le numéro 1, les lignes se vérifient
    sans la base : `ris audit verify --file`.
    """
    events = journal.numbered(session, start=start, limit=limit)
    text = "".join(audit.exported(event) + "\n" for event in events)
    answer = Response(text, media_type=NDJSON)
    if len(events) == limit:
        url = request.url.include_query_params(start=events[-1].seq + 1)
        answer.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    detail = {"start": start, "count": len(events)}
    audit.record(session, "audit.exported", actor=principal.actor, detail=detail)
    return answer


def _page(
    session: Session, wanted: Wanted, page: PageQuery, request: Request, response: Response
) -> Page[EventOut]:
    rows = journal.newest(session, wanted, before=_before(page), limit=page.limit)
    shown, following = page.cut(rows, lambda seen: (seen.event.seq,))
    link(request, response, following)
    return Page(items=[EventOut.of(seen) for seen in shown], next=following)


def _before(page: PageQuery) -> int | None:
    match page.after:
        case None:
            return None
        case (int() as seq,) if 0 < seq <= _LAST:
            return seq
        case _:
            raise BadCursor
