"""The copies over HTTP, under `/patients/{id}/identity-copies`. No rule here.

The body of a deposit is the file itself: a multipart form would spool it to disk in clear, and an
`Idempotency-Key` would keep its digest outside the sealed table.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.identity.copies import purge, schemas, service
from ris.identity.copies.errors import CopyTooLarge
from ris.identity.copies.feature import CopyFeature
from ris.identity.copies.media import EXTENSIONS, MediaType
from ris.identity.copies.model import Informed
from ris.identity.copies.service import ViewReason
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])
STORE: Final = Permission.IDENTITY_COPY_STORE
READ: Final = Permission.IDENTITY_COPY_READ
ERASE: Final = Permission.IDENTITY_SUPERUSER
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BINARY: Final = {
    kind.value: {"schema": {"type": "string", "format": "binary"}} for kind in MediaType
}
_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": _BINARY}}
_GONE: Final[dict[int | str, dict[str, Any]]] = {
    410: {"description": "`COPY_RETENTION`: kept no longer."}
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": _BINARY}, **_GONE}


def _feature(request: Request) -> CopyFeature:
    feature: CopyFeature = request.app.state.identity_copies
    return feature


Feature = Annotated[CopyFeature, Depends(_feature)]
Storer = Annotated[Principal, Depends(require(STORE))]
Lister = Annotated[Principal, Depends(require(READ))]
Viewer = Annotated[Principal, Depends(require(READ, fresh=True))]
Eraser = Annotated[Principal, Depends(require(ERASE, fresh=True))]


async def _content(request: Request, feature: Feature) -> bytes:
    """Return the body, read no further than the cap; raises CopiesDisabled, CopyTooLarge."""
    feature.require_enabled()
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > feature.settings.max_bytes:
            raise CopyTooLarge
    return bytes(content)


Content = Annotated[bytes, Depends(_content)]


@router.post(
    "/patients/{patient_id}/identity-copies",
    status_code=201,
    openapi_extra=_BODY,
    responses={
        413: {"description": "`ID_COPY_TOO_LARGE`."},
        415: {"description": "`ID_COPY_TYPE_REFUSED`: neither JPEG, PNG nor PDF, or not as said."},
    },
)
@satisfies("RIS.INS.58", "LOC-CNI-01")
def store_identity_copy(
    patient_id: UUID,
    *,
    principal: Storer,
    feature: Feature,
    content: Content,
    session: Db,
    document_id: Annotated[UUID, Query(description="Titre présenté, déjà enregistré.")],
    informed: Annotated[Informed, Query(description="Comment le patient a été informé.")],
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
) -> schemas.CopyOut:
    """Dépose la copie d'un titre présenté : image JPEG ou PNG, ou PDF ; chiffrée aussitôt."""
    kept = service.store(
        session,
        feature,
        patient_id,
        content,
        declared=content_type,
        document_id=document_id,
        informed=informed,
        actor=principal.actor,
    )
    return schemas.shown(kept)


@router.get("/patients/{patient_id}/identity-copies")
@satisfies("RIS.INS.58")
def list_identity_copies(
    patient_id: UUID, principal: Lister, feature: Feature, session: Db
) -> list[schemas.CopyOut]:
    """Donne les copies conservées et la date de leur suppression, sans les ouvrir."""
    found = service.listed(session, feature, patient_id, actor=principal.actor)
    return [schemas.shown(kept) for kept in found]


@router.get(
    "/patients/{patient_id}/identity-copies/{copy_id}/content",
    response_class=Response,
    responses=_FILE,
)
@satisfies("RIS.INS.58")
def view_identity_copy(
    patient_id: UUID,
    copy_id: UUID,
    *,
    principal: Viewer,
    feature: Feature,
    session: Db,
    reason: Annotated[ViewReason, Query(description="Motif, porté au journal.")],
) -> Response:
    """Ouvre une copie : droit propre, connexion récente, motif, trace au journal."""
    seen = service.view(session, feature, patient_id, copy_id, reason=reason, actor=principal.actor)
    name = f"{copy_id}.{EXTENSIONS[seen.media_type]}"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(seen.content, media_type=seen.media_type, headers=headers)


@router.delete("/patients/{patient_id}/identity-copies/{copy_id}", responses=_GONE)
@satisfies("LOC-CNI-02")
def erase_identity_copy(
    patient_id: UUID, copy_id: UUID, principal: Eraser, feature: Feature, session: Db
) -> schemas.ErasureOut:
    """Supprime une copie à la demande du patient ; rend la preuve signée, sans l'image."""
    record = purge.erase_on_request(session, feature, patient_id, copy_id, actor=principal.actor)
    return schemas.erasure_shown(record)
