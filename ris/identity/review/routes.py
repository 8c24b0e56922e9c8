"""The API of the identities that wait for a person. No rule here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ris.identity import schemas
from ris.identity.compartment import visible
from ris.identity.model import Patient
from ris.identity.review import worklist
from ris.identity.review.reasons import ReviewReason
from ris.identity.route_inputs import Feature, Reader, Validator, Version, etag, kept
from ris.rem import satisfies
from ris.web.idempotency import Once
from ris.web.pages import Page, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])


class ReviewCloseIn(schemas.Body):
    """Ce qui a été fait de cette identité."""

    reason: schemas.Reason = ""


@router.get("/identity-worklist", summary="Identités à revoir")
@satisfies("RIS.INS.43")
def read_identity_worklist(
    *,
    request: Request,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Reader,
    paging: Paging,
    reason: Annotated[
        list[ReviewReason] | None,
        Query(description="Motifs voulus ; `verification_ko` seul : les démentis d'INSi"),
    ] = None,
) -> Page[schemas.PatientOut]:
    """Donne les identités à revoir, chacune avec ses motifs et leur date (`review`).

    Une recherche d'INS sans résultat, ou qui en trouve plusieurs, n'y mène pas : elle ne change
    rien au dossier. Les INS reçues d'ailleurs ont leur propre liste (`/v1/foreign-identities`).
    """
    within = visible(feature, principal.compartment.patients)(Patient)
    rows, following = worklist.listed(
        session, reason or (), paging, within=within, actor=principal.actor
    )
    link(request, response, following)
    extra = feature.settings.banner
    return Page(items=[schemas.shown(row, extra, ins_right=False) for row in rows], next=following)


@router.post(
    "/patients/{patient_id}/review/{reason}/close",
    status_code=200,
    response_model=schemas.PatientOut,
    summary="Retirer un motif de revue",
)
@satisfies()
def close_identity_review(
    patient_id: UUID,
    reason: ReviewReason,
    *,
    body: ReviewCloseIn,
    session: Db,
    feature: Feature,
    once: Once,
    principal: Validator,
    version: Version,
) -> Response:
    """Retire un motif de revue d'une identité, une fois traité par une personne ; motif au journal.

    Le statut ne change pas. Une collision ou un doute se retirent par leur propre acte
    (409 `REVIEW_BY_ITS_ACT`).
    """

    def effect() -> schemas.PatientOut:
        patient = worklist.close(
            session, patient_id, reason, version=version, because=body.reason,
            actor=principal.actor,
        )  # fmt: skip
        return kept(session, patient, feature, principal, once.key)

    return once(principal.account_id, effect, status=200, headers=etag)
