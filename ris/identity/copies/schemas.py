"""What the API says of copies and erasures. Never a byte of an image, never its digest."""

import base64
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from ris.identity.copies.media import MediaType
from ris.identity.copies.model import Erasure, IdCopyPurge, Informed
from ris.identity.copies.service import Kept


class CopyOut(BaseModel):
    """One copy that is kept."""

    id: UUID
    document_id: UUID = Field(description="Titre présenté dont c'est la copie.")
    document_type: str = Field(description="Code du titre dans la liste du site.")
    media_type: MediaType
    size: int = Field(description="Taille en octets, avant chiffrement.")
    informed: Informed
    created_at: datetime
    purge_at: datetime = Field(
        description="Suppression automatique, si le patient n'a plus d'activité d'ici là."
    )


class ErasureOut(BaseModel):
    """The signed record of one erasure."""

    copy_id: UUID
    document_type: str
    stored_at: datetime
    erased_at: datetime
    reason: Erasure
    key_id: str = Field(description="Empreinte de la clé publique Ed25519.")
    signature: str = Field(description="Signature Ed25519, en base64.")


def shown(kept: Kept) -> CopyOut:
    """Return a copy as the API shows it."""
    copy = kept.copy
    return CopyOut(
        id=copy.id,
        document_id=copy.document_id,
        document_type=kept.type,
        media_type=MediaType(copy.media_type),
        size=copy.size,
        informed=Informed(copy.informed),
        created_at=copy.created_at,
        purge_at=kept.term.due_at,
    )


def erasure_shown(record: IdCopyPurge) -> ErasureOut:
    """Return an erasure as the API shows it."""
    return ErasureOut(
        copy_id=record.copy_id,
        document_type=record.document_type,
        stored_at=record.stored_at,
        erased_at=record.erased_at,
        reason=Erasure(record.reason),
        key_id=record.key_id,
        signature=base64.b64encode(record.signature).decode(),
    )
