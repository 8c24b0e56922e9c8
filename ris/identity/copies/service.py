"""Keeping a copy, listing copies, showing one: sealed on the way in, journaled on the way out.

Erasing is `purge.py`. The plain bytes live in memory only, for the length of one request.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import audit, clock, ids
from ris.core.audit import Actor
from ris.identity.copies.errors import (
    CopyDocumentUnknown,
    CopyGone,
    CopyLocked,
    CopyNotFound,
    CopyTooLarge,
)
from ris.identity.copies.feature import CopyFeature, Term
from ris.identity.copies.media import MediaType, recognise
from ris.identity.copies.model import IdCopy, IdCopyPurge, Informed
from ris.identity.model import IdentityDocument
from ris.identity.service import get, still_open
from ris.identity.states import BLOCKING
from ris.rem import satisfies


class ViewReason(StrEnum):
    """Why a copy is looked at; it goes on the journal."""

    IDENTITY_CHECK = "identity_check"
    DUPLICATE = "duplicate"
    DISPUTE = "dispute"
    PATIENT_REQUEST = "patient_request"


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy as a list shows it: no byte of it. *type* is the code of the document."""

    copy: IdCopy
    type: str
    term: Term


@dataclass(frozen=True, slots=True)
class Viewed:
    """The plain bytes of one copy, for the response and nowhere else."""

    content: bytes
    media_type: MediaType


def context(copy_id: object, patient_id: object) -> bytes:
    """Return what a copy is bound to: moved to another patient, it does not open (§2.5)."""
    return f"ris.id_copy.v1|{copy_id}|{patient_id}".encode()


@satisfies("RIS.INS.58", "LOC-CNI-01")
def store(
    session: Session,
    feature: CopyFeature,
    patient_id: UUID,
    content: bytes,
    *,
    declared: str,
    document_id: UUID,
    informed: Informed,
    actor: Actor,
) -> Kept:
    """Seal *content*, the copy of a document recorded for this patient; *declared* is its type.

    Raises `CopiesDisabled`, `PatientNotFound`, `PatientMerged`, `CopyDocumentUnknown`,
    `CopyTooLarge`, `CopyTypeRefused`.
    """
    feature.require_enabled()
    still_open(session, patient_id)
    document = session.get(IdentityDocument, document_id)
    if document is None or document.patient_id != patient_id:
        raise CopyDocumentUnknown
    if len(content) > feature.settings.max_bytes:
        raise CopyTooLarge
    kind = recognise(content, declared)
    copy = IdCopy(
        id=ids.new(),
        patient_id=patient_id,
        document_id=document.id,
        media_type=kind,
        size=len(content),
        informed=informed,
        account_id=actor.account_id,
        ps_idnat=actor.ps_idnat,
    )
    copy.envelope = feature.sealer.encrypt(content, context(copy.id, patient_id))
    session.add(copy)
    session.flush()
    kept = Kept(copy, document.type, feature.terms(session, [patient_id])[patient_id])
    detail = {"document": document.type, "media_type": kind.value, "kek": copy.kek_id}
    _journal(session, "identity.copy_stored", copy, actor, detail=detail)
    return kept


def listed(session: Session, feature: CopyFeature, patient_id: UUID, *, actor: Actor) -> list[Kept]:
    """Return what copies the patient has, oldest first. Raises `CopiesDisabled`."""
    feature.require_enabled()
    get(session, patient_id)
    rows = session.execute(
        select(IdCopy, IdentityDocument.type)
        .join(IdentityDocument, IdentityDocument.id == IdCopy.document_id)
        .where(IdCopy.patient_id == patient_id)
        .order_by(IdCopy.created_at, IdCopy.id)
    ).all()
    terms = feature.terms(session, [patient_id])
    target = ("patient", patient_id)
    audit.record(
        session, "identity.copies_listed", actor=actor, target=target, patient_id=patient_id,
        detail={"copies": len(rows)},
    )  # fmt: skip
    return [Kept(copy, kind, terms[patient_id]) for copy, kind in rows]


@satisfies("RIS.INS.58")
def view(
    session: Session,
    feature: CopyFeature,
    patient_id: UUID,
    copy_id: UUID,
    *,
    reason: ViewReason,
    actor: Actor,
) -> Viewed:
    """Open one copy and write the view on the journal, in the same transaction.

    Raises `CopiesDisabled`, `CopyNotFound`, `CopyGone`, `CopyLocked`, `SealBroken`.
    """
    feature.require_enabled()
    copy = find(session, patient_id, copy_id)
    if feature.terms(session, [patient_id])[patient_id].due_at <= clock.now():
        raise CopyGone
    if BLOCKING & get(session, patient_id).identity.attributes:
        raise CopyLocked
    plain = feature.sealer.decrypt(copy.envelope, context(copy.id, copy.patient_id))
    _journal(session, "identity.copy_viewed", copy, actor, reason=reason)
    return Viewed(plain, MediaType(copy.media_type))


def find(session: Session, patient_id: UUID, copy_id: UUID) -> IdCopy:
    """Return one copy of this patient; raises `CopyNotFound`, or `CopyGone` once erased."""
    copy = session.get(IdCopy, copy_id)
    if copy is not None and copy.patient_id == patient_id:
        return copy
    erased = session.get(IdCopyPurge, copy_id)
    raise CopyGone if erased is not None and erased.patient_id == patient_id else CopyNotFound


def _journal(
    session: Session,
    action: str,
    copy: IdCopy,
    actor: Actor,
    *,
    reason: str | None = None,
    detail: dict[str, str] | None = None,
) -> None:
    target = ("id_copy", copy.id)
    audit.record(
        session, action, actor=actor, target=target, patient_id=copy.patient_id, reason=reason,
        detail=detail,
    )  # fmt: skip
