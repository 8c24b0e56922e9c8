"""The API of a record beside others: duplicates, merges, collisions, propagation."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ris.auth.dependencies import Principal
from ris.core.audit import record
from ris.identity import service
from ris.identity.compartment import Visible, visible
from ris.identity.duplicates import collisions, merge
from ris.identity.duplicates import pairs as duplicates
from ris.identity.duplicates.merge_model import CollisionState, IdentityCollision, PairState
from ris.identity.propagation import run as propagation_run
from ris.identity.propagation.model import IdentityOutbox
from ris.identity.record_schemas import (
    CollisionDecisionIn,
    CollisionDetail,
    CollisionIn,
    CollisionOut,
    MergeIn,
    MergeOut,
    OutboxOut,
    PairDecisionOut,
    PairIn,
    PairOut,
    SentOut,
    SuspectOut,
    UndoIn,
    collision_shown,
    pair_shown,
)
from ris.identity.route_inputs import Feature, Reader, Superuser, Validator, Version, etag
from ris.rem import satisfies
from ris.web.etag import tag
from ris.web.idempotency import Once
from ris.web.pages import BadCursor, Page, PageQuery, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])


@router.post(
    "/patients/{patient_id}/merges",
    status_code=201,
    response_model=MergeOut,
    summary="Fusionner un doublon",
)
@satisfies()
def merge_patients(
    patient_id: UUID,
    *,
    body: MergeIn,
    session: Db,
    once: Once,
    feature: Feature,
    principal: Superuser,
    version: Version,
) -> Response:
    """Fusionne un doublon dans ce dossier, qui garde ses traits, son statut et son INS.

    `If-Match` porte la version du dossier conservé, qui doit avoir le meilleur statut. Deux INS
    différentes qu'INSi ne relie pas : 409 `MERGE_INS_CONFLICT`. Tout ce qui était classé sous le
    doublon passe au dossier conservé ; son IPP reste connu. Référentiel externe : seul un dossier
    créé en urgence peut être absorbé.
    """

    def effect() -> MergeOut:
        done = merge.merge(
            session,
            feature,
            patient_id,
            body.absorbed_id,
            versions=(version, body.absorbed_version),
            reason=body.reason,
            actor=principal.actor,
        )
        return MergeOut.model_validate(done)

    def headers(_: object) -> dict[str, str]:
        return {"ETag": tag(service.get(session, patient_id).version)}

    return once(principal.account_id, effect, headers=headers)


@router.get("/patients/{patient_id}/merges", summary="Fusions d'un dossier")
@satisfies()
def list_merges(patient_id: UUID, session: Db, principal: Reader) -> list[MergeOut]:
    """Donne les fusions auxquelles ce dossier a pris part, annulées comprises."""
    _read(session, principal, "patient.merges_read", patient_id)
    return [MergeOut.model_validate(one) for one in merge.listed(session, patient_id)]


@router.post(
    "/patient-merges/{merge_id}/undo",
    status_code=200,
    response_model=MergeOut,
    summary="Annuler une fusion",
)
@satisfies()
def undo_merge(
    merge_id: UUID,
    *,
    body: UndoIn,
    session: Db,
    once: Once,
    feature: Feature,
    principal: Superuser,
    version: Version,
) -> Response:
    """Annule une fusion : chacun reprend ses données, les deux identités sont provisoires.

    `If-Match` porte la version du dossier conservé. Ce qui y a été classé depuis la fusion y
    reste, à trier par une personne.
    """

    def effect() -> MergeOut:
        done = merge.undo(
            session, feature, merge_id, version=version, reason=body.reason, actor=principal.actor
        )
        return MergeOut.model_validate(done)

    return once(principal.account_id, effect, status=200)


@router.get("/patients/{patient_id}/duplicates", summary="Doublons potentiels d'un dossier")
@satisfies()
def list_duplicates(
    patient_id: UUID, session: Db, feature: Feature, principal: Reader
) -> list[SuspectOut]:
    """Donne les doublons potentiels du dossier, avec leur score et ses raisons.

    Les paires dites « deux personnes » (HOMA) n'y sont plus.
    """
    _read(session, principal, "patient.duplicates_read", patient_id)
    return [
        SuspectOut(
            patient_id=one.patient.id,
            ipp=one.patient.ipp,
            version=one.patient.version,
            status=one.patient.status,
            score=one.score.points,
            reasons=list(one.score.reasons),
            state=one.state,
            pair_version=one.version,
        )
        for one in duplicates.suspects(session, patient_id, _seen(feature, principal))
    ]


@router.put("/patients/{patient_id}/duplicates/{other_id}", summary="Décider d'une paire")
@satisfies()
def decide_duplicate(
    patient_id: UUID,
    other_id: UUID,
    *,
    body: PairIn,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Validator,
    version: Version,
) -> PairOut:
    """Dit d'une paire : doublon avéré (à fusionner ensuite), ou deux personnes homonymes.

    `If-Match` porte la version de la paire (`"0"` si rien n'en a été dit). Deux personnes : les
    deux dossiers reçoivent l'attribut « homonyme », qui avertit sans changer le statut.
    """
    pair = duplicates.decide(
        session,
        feature,
        patient_id,
        other_id,
        body.state,
        version=version,
        reason=body.reason,
        actor=principal.actor,
    )
    response.headers["ETag"] = tag(pair.version)
    low, high = (service.get(session, one) for one in (pair.low_id, pair.high_id))
    return pair_shown(duplicates.Listed(pair, low, high))


@router.get(
    "/patients/{patient_id}/duplicates/{other_id}/history", summary="Historique d'une paire"
)
@satisfies()
def read_duplicate_history(
    patient_id: UUID, other_id: UUID, session: Db, _principal: Reader
) -> list[PairDecisionOut]:
    """Donne tout ce qui a été dit d'une paire : recherche nocturne et décisions, dans l'ordre."""
    said = duplicates.history(session, patient_id, other_id)
    return [PairDecisionOut.model_validate(one) for one in said]


@router.get("/duplicates", summary="Doublons à traiter")
@satisfies()
def list_duplicate_pairs(
    *,
    request: Request,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Reader,
    paging: Paging,
    state: Annotated[PairState, Query(description="État des paires voulues")] = PairState.SUSPECT,
) -> Page[PairOut]:
    """Donne les paires trouvées chaque nuit ou signalées, les plus ressemblantes d'abord.

    Une paire quitte la liste quand une personne décide (PUT
    /v1/patients/{id}/duplicates/{autre}) ou quand l'un des dossiers est absorbé.
    """
    seen = _seen(feature, principal)
    rows = duplicates.worklist(session, state, paging.limit + 1, _pair_place(paging), seen)
    shown, following = paging.cut(
        rows, lambda one: (one.pair.score, str(one.pair.low_id), str(one.pair.high_id))
    )
    link(request, response, following)
    return Page(items=[pair_shown(one) for one in shown], next=following)


@router.post(
    "/patients/{patient_id}/collisions",
    status_code=201,
    response_model=CollisionOut,
    summary="Signaler une collision",
)
@satisfies()
def declare_collision(
    patient_id: UUID,
    *,
    body: CollisionIn,
    session: Db,
    once: Once,
    principal: Validator,
    version: Version,
) -> Response:
    """Signale que le dossier mêle peut-être deux personnes ; il entre dans la liste à revoir.

    `If-Match` porte la version du dossier. Rien d'autre ne change tant que personne n'a conclu.
    """

    def effect() -> CollisionOut:
        row = collisions.declare(
            session,
            patient_id,
            suspected_since=body.suspected_since,
            reason=body.reason,
            version=version,
            actor=principal.actor,
        )
        return collision_shown(row)

    return once(principal.account_id, effect, headers=etag)


@router.get("/collisions", summary="Collisions")
@satisfies()
def list_collisions(
    *,
    request: Request,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Reader,
    paging: Paging,
    state: Annotated[CollisionState, Query(description="État voulu")] = CollisionState.SUSPECT,
) -> Page[CollisionOut]:
    """Donne les collisions soupçonnées (ou de l'état demandé), par ancienneté."""
    rows, following = collisions.listed(session, state, paging, _seen(feature, principal))
    _read(session, principal, "collision.worklist_read", None)
    link(request, response, following)
    return Page(items=[collision_shown(row) for row in rows], next=following)


@router.get("/collisions/{collision_id}", summary="Lire une collision")
@satisfies()
def read_collision(
    collision_id: UUID, response: Response, session: Db, feature: Feature, principal: Reader
) -> CollisionDetail:
    """Donne une collision et les documents partis depuis le premier jour suspect."""
    row = collisions.get(session, collision_id)
    _read(session, principal, "collision.read", row.patient_id)
    response.headers["ETag"] = tag(row.version)
    return _detail(session, feature, row, principal)


@router.put("/collisions/{collision_id}", summary="Conclure sur une collision")
@satisfies()
def settle_collision(
    collision_id: UUID,
    *,
    body: CollisionDecisionIn,
    response: Response,
    session: Db,
    feature: Feature,
    principal: Validator,
    version: Version,
) -> CollisionDetail:
    """Conclut : avérée (COLV), l'identité devient douteuse et plus rien ne part ; ou écartée.

    La réponse liste ce qui est parti depuis le premier jour suspect, à corriger dans le DMP et
    par MSSanté.
    """
    row = collisions.settle(
        session,
        feature,
        collision_id,
        body.state,
        version=version,
        reason=body.reason,
        actor=principal.actor,
    )
    response.headers["ETag"] = tag(row.version)
    return _detail(session, feature, row, principal)


@router.get("/patients/{patient_id}/propagation", summary="Messages d'identité d'un dossier")
@satisfies("RIS.INS.34", "RIS.INS.36")
def list_propagation(patient_id: UUID, session: Db, principal: Reader) -> list[OutboxOut]:
    """Donne les messages d'identité émis ou à émettre vers les systèmes rattachés."""
    _read(session, principal, "patient.propagation_read", patient_id)
    rows: tuple[IdentityOutbox, ...] = propagation_run.listed(session, patient_id)
    return [OutboxOut.model_validate(row) for row in rows]


@router.post(
    "/identity-outbox/{outbox_id}/retry",
    status_code=200,
    response_model=OutboxOut,
    summary="Renvoyer un message d'identité",
)
@satisfies()
def retry_propagation(outbox_id: UUID, session: Db, once: Once, principal: Superuser) -> Response:
    """Renvoie un message d'identité refusé par un partenaire, et ceux qui attendaient derrière."""

    def effect() -> OutboxOut:
        row = propagation_run.retry(session, outbox_id, actor=principal.actor)
        return OutboxOut.model_validate(row)

    return once(principal.account_id, effect, status=200)


def _seen(feature: Feature, principal: Principal) -> Visible:
    return visible(feature, principal.compartment.patients)


def _detail(
    session: Db, feature: Feature, row: IdentityCollision, principal: Principal
) -> CollisionDetail:
    scope = principal.compartment.exams
    sent = feature.sent_since(session, row.patient_id, row.suspected_since, scope)
    listed = [SentOut.model_validate(one) for one in sent]
    return CollisionDetail(**collision_shown(row).model_dump(), sent=listed)


def _pair_place(paging: PageQuery) -> duplicates.Place | None:
    """Return where the page starts; raises `BadCursor`."""
    match paging.after:
        case None:
            return None
        case (int(score), str(low), str(high)):
            try:
                return duplicates.Place(score, UUID(low), UUID(high))
            except ValueError as error:
                raise BadCursor from error
    raise BadCursor


def _read(session: Db, principal: Principal, action: str, patient_id: UUID | None) -> None:
    """Journal what was read; the identifier given may be that of no patient."""
    record(session, action, actor=principal.actor, patient_id=patient_id)
