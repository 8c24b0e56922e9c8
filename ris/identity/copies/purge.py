"""Erasing copies: at their term, every day, or on request; each leaves a signed record.

Crypto-erase: the wrapped data key goes with the row, the record keeps nothing that opens it.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ris.core import audit, clock
from ris.core.audit import SYSTEM, Actor
from ris.core.db import Database
from ris.identity.copies.feature import CopyFeature, Term
from ris.identity.copies.model import Erasure, IdCopy, IdCopyPurge, IdCopyPurgeKey
from ris.identity.copies.service import find
from ris.identity.copies.signature import holds, sign, statement
from ris.identity.feature import Change
from ris.identity.model import IdentityDocument
from ris.identity.states import Event
from ris.rem import satisfies

EVERY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Proof:
    """One erasure and whether its signature holds."""

    record: IdCopyPurge
    public_key: bytes
    sound: bool

    def line(self) -> str:
        """Return one line of JSON: what was signed, the signature, the public key, the verdict."""
        told = {
            "signed": statement(self.record).decode(),
            "signature": b64encode(self.record.signature).decode(),
            "public_key": b64encode(self.public_key).decode(),
            "sound": self.sound,
        }
        return json.dumps(told, ensure_ascii=False)


@satisfies("RIS.INS.58", "LOC-CNI-02")
def purge_due(database: Database, feature: CopyFeature) -> int:
    """Erase every copy whose term has come; return how many. One transaction each.

    Runs whether the profile is on or off: a site that gives it up keeps no copy for ever.
    """
    with database.transaction() as session:
        terms = feature.terms(session)
        now = clock.now()
        due = [patient_id for patient_id, term in terms.items() if term.due_at <= now]
        listed = session.scalars(select(IdCopy.id).where(IdCopy.patient_id.in_(due))).all()
    erased = 0
    for copy_id in listed:
        with database.transaction() as session:
            erased += _purge(session, feature, copy_id)
    return erased


@satisfies("LOC-CNI-02")
def erase_on_request(
    session: Session, feature: CopyFeature, patient_id: UUID, copy_id: UUID, *, actor: Actor
) -> IdCopyPurge:
    """Erase one copy before its term, for the patient asked; the status does not change.

    Raises `CopyNotFound`, `CopyGone`.
    """
    copy = find(session, patient_id, copy_id)
    term = feature.terms(session, [patient_id])[patient_id]
    return _erase(session, feature, copy, term, reason=Erasure.REQUEST, actor=actor)


def on_identity_changed(session: Session, feature: CopyFeature, change: Change) -> None:
    """Erase the copies of a record that was just absorbed (ins.md R-MRG-02).

    They support no check of the survivor: the absorbed record's documents stay with it.
    """
    if change.event is not Event.ABSORBED:
        return
    term = feature.terms(session, [change.patient_id])[change.patient_id]
    held = select(IdCopy).where(IdCopy.patient_id == change.patient_id).with_for_update()
    for copy in session.scalars(held).all():
        _erase(session, feature, copy, term, reason=Erasure.MERGE, actor=SYSTEM)


def proofs(session: Session) -> Iterator[Proof]:
    """Yield every erasure, oldest first, with the check of its signature."""
    rows = session.execute(
        select(IdCopyPurge, IdCopyPurgeKey.public_key)
        .join(IdCopyPurgeKey, IdCopyPurgeKey.id == IdCopyPurge.key_id)
        .order_by(IdCopyPurge.erased_at, IdCopyPurge.copy_id)
        .execution_options(yield_per=1000)
    )
    for record, public_key in rows:
        yield Proof(record, public_key, holds(record, public_key))


def _purge(session: Session, feature: CopyFeature, copy_id: UUID) -> bool:
    """Erase one copy unless someone did, or the patient came back, since it was listed."""
    copy = session.get(IdCopy, copy_id, with_for_update=True)
    if copy is None:
        return False
    term = feature.terms(session, [copy.patient_id])[copy.patient_id]
    if term.due_at > clock.now():
        return False
    _erase(session, feature, copy, term, reason=Erasure.RETENTION, actor=SYSTEM)
    return True


def _erase(
    session: Session, feature: CopyFeature, copy: IdCopy, term: Term, *, reason: Erasure,
    actor: Actor,
) -> IdCopyPurge:  # fmt: skip
    document = session.get_one(IdentityDocument, copy.document_id)
    record = IdCopyPurge(
        copy_id=copy.id,
        patient_id=copy.patient_id,
        document_type=document.type,
        stored_at=copy.created_at,
        last_activity_at=term.last_activity_at,
        due_at=term.due_at,
        erased_at=clock.now(),
        reason=reason,
        account_id=actor.account_id,
    )
    sign(session, feature.sealer, record)
    session.execute(delete(IdCopy).where(IdCopy.id == copy.id))
    session.add(record)
    session.flush()
    audit.record(
        session,
        "identity.copy_erased",
        actor=actor,
        reason=reason,
        target=("id_copy", record.copy_id),
        patient_id=record.patient_id,
        detail={"document": record.document_type, "purge_key": record.key_id},
    )
    return record
