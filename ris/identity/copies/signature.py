"""The signature of an erasure record: Ed25519, so that an auditor verifies it without any secret.

The private key is made at the first erasure and sealed by the key ring like any secret, so an HSM
behind the ring protects it too. Its fingerprint goes on the journal, whose chain binds it.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import audit
from ris.core.crypto import Sealer
from ris.identity.copies.model import IdCopyPurge, IdCopyPurgeKey
from ris.rem import satisfies

FORMAT: Final = "ris.id_copy_purge.v1"
SIGNED: Final = (
    "copy_id", "patient_id", "document_type", "stored_at", "last_activity_at", "due_at",
    "erased_at", "reason", "account_id", "key_id",
)  # fmt: skip


def key_context(key_id: str) -> bytes:
    """Return what the sealed private key is bound to."""
    return f"ris.id_copy_purge_key.v1|{key_id}".encode()


def statement(record: IdCopyPurge) -> bytes:
    """Return the bytes that are signed: JSON, sorted keys, no spaces, instants in UTC."""
    values = {name: _plain(getattr(record, name)) for name in SIGNED}
    return json.dumps({**values, "format": FORMAT}, sort_keys=True, separators=(",", ":")).encode()


@satisfies("LOC-CNI-02")
def sign(session: Session, sealer: Sealer, record: IdCopyPurge) -> None:
    """Fill `key_id` and `signature` of *record*, its other fields being final."""
    key = _current(session, sealer)
    record.key_id = key.id
    private = Ed25519PrivateKey.from_private_bytes(
        sealer.open(key.sealed_private_key, key_context(key.id))
    )
    record.signature = private.sign(statement(record))


def holds(record: IdCopyPurge, public_key: bytes) -> bool:
    """Say whether *record* is what the owner of *public_key* (32 bytes) signed."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(record.signature, statement(record))
    except (InvalidSignature, ValueError):
        return False
    return record.key_id == fingerprint(public_key)


def fingerprint(public_key: bytes) -> str:
    """Return the first 128 bits of the SHA-256 of *public_key*, hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def _current(session: Session, sealer: Sealer) -> IdCopyPurgeKey:
    """Return the signing key, made on first need. Two made at once are both good."""
    oldest = select(IdCopyPurgeKey).order_by(IdCopyPurgeKey.created_at).limit(1)
    found = session.scalars(oldest).first()
    if found is not None:
        return found
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = fingerprint(public)
    sealed = sealer.seal(private.private_bytes_raw(), key_context(key_id))
    made = IdCopyPurgeKey(id=key_id, public_key=public, sealed_private_key=sealed)
    session.add(made)
    session.flush()
    audit.record(session, "identity.copy_purge_key_created", target=("id_copy_purge_key", key_id))
    return made


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, UUID) else value
