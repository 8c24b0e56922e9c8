"""Merge of two records of one person, and its undoing: one transaction, everything on record.

Human and reasoned, never automatic (ins.md R-MRG-01). What other rooms filed under the absorbed
record moves to the survivor; identity's own rows (history, calls, documents) stay where they were.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Table, or_, select, update
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.db import Base
from ris.core.errors import Stale
from ris.identity import change, service
from ris.identity.duplicates import pairs
from ris.identity.duplicates.merge_model import CollisionState, IdentityCollision, PatientMerge
from ris.identity.errors import MergeDataConflict, MergeInsConflict, MergeRefused, ReasonRequired
from ris.identity.feature import IdentityFeature
from ris.identity.model import IdentityHistory, InsiCall, Patient
from ris.identity.states import Event
from ris.identity.values import Ins, Status

_ROOM: Final = "ris.identity."
_RANK: Final = (Status.PROVISOIRE, Status.VALIDEE, Status.RECUPEREE, Status.QUALIFIEE)


def merge(
    session: Session,
    feature: IdentityFeature,
    survivor_id: UUID,
    absorbed_id: UUID,
    *,
    versions: tuple[int, int],
    reason: str,
    actor: Actor,
) -> PatientMerge:
    """Merge *absorbed_id* into *survivor_id*, as the caller read them (*versions*, same order).

    Raises `ReasonRequired`, `Stale`, `PatientMerged`, `MergeRefused` (same record, or the absorbed
    one has the better status), `MergeInsConflict`, `MergeDataConflict`, `RiIsExternal` (unless
    the absorbed record was created in degraded mode).
    """
    if not reason.strip():
        raise ReasonRequired("Indiquer pourquoi ces dossiers sont ceux d'une même personne.")
    if not _degraded(session, absorbed_id):
        feature.require_repository()
    rows = {
        one: service.locked(session, one, against_filing=True)
        for one in sorted({survivor_id, absorbed_id})
    }
    survivor, absorbed = rows[survivor_id], rows[absorbed_id]
    if (survivor.version, absorbed.version) != versions:
        raise Stale
    if _RANK.index(Status(absorbed.status)) > _RANK.index(Status(survivor.status)):
        raise MergeRefused("Le dossier conservé doit être celui du meilleur statut d'identité.")
    return absorb(session, feature, survivor, absorbed, reason=reason, actor=actor)


def absorb(
    session: Session,
    feature: IdentityFeature,
    survivor: Patient,
    absorbed: Patient,
    *,
    reason: str,
    actor: Actor,
) -> PatientMerge:
    """Let *survivor* absorb *absorbed*, both locked: its traits, status and INS stay its own.

    The absorbed record keeps its IPP for ever and points to the survivor (R-MRG-02). Raises
    `MergeRefused` while one of them is suspected of holding two persons: it would hold three.
    """
    if survivor.id == absorbed.id:
        raise MergeRefused("Un dossier ne fusionne pas avec lui-même.")
    service.active(survivor)
    service.active(absorbed)
    _check_ins(session, survivor, absorbed)
    _check_collisions(session, survivor, absorbed)
    done = PatientMerge(
        survivor_id=survivor.id, absorbed_id=absorbed.id, reason=reason, account_id=actor.account_id
    )
    session.flush()
    done.moved = {table.name: keys for table, column in _files()
                  if (keys := _move(session, table, column, absorbed, survivor))}  # fmt: skip
    session.add(done)
    session.flush()
    evidence = {"merge": str(done.id)}
    absorbed.merged_into_id = survivor.id
    for row, event, retired in (
        (absorbed, Event.ABSORBED, ""),
        (survivor, Event.MERGED, absorbed.ipp),
    ):
        row.updated_at = clock.now()
        change.apply(
            session, feature, row, event, actor=actor, reason=reason, evidence=evidence,
            absorbed_ipp=retired,
        )  # fmt: skip
    absorbed.review = {}
    _journal(session, "patient.merged", done, actor)
    return done


def undo(
    session: Session,
    feature: IdentityFeature,
    merge_id: UUID,
    *,
    version: int | None = None,
    reason: str,
    actor: Actor,
) -> PatientMerge:
    """Part two records again: what moved goes back, both are provisoire and to review (R-MRG-03).

    What was filed under the survivor since stays there, for a person to judge; a pair once called
    one person's is to be examined again (`pairs.reopen`). *version* is that
    of the survivor as read. Raises `ReasonRequired`, `MergeRefused` when it was undone already or
    the survivor merged since, `RiIsExternal`, `Stale`.
    """
    if not reason.strip():
        raise ReasonRequired("Indiquer pourquoi cette fusion est annulée.")
    done = session.get(PatientMerge, merge_id, with_for_update=True, populate_existing=True)
    if done is None or done.undone_at is not None:
        raise MergeRefused("Cette fusion n'existe pas ou est déjà annulée.")
    pair = sorted((done.survivor_id, done.absorbed_id))
    rows = {one: service.locked(session, one, against_filing=True) for one in pair}
    survivor, absorbed = rows[done.survivor_id], rows[done.absorbed_id]
    if version is not None and survivor.version != version:
        raise Stale
    if not _degraded(session, absorbed.id):
        feature.require_repository()
    if survivor.merged_into_id is not None:
        raise MergeRefused("Annuler d'abord la fusion suivante.")
    for table, column in _files():
        if keys := done.moved.get(table.name):
            _move(session, table, column, survivor, absorbed, only=keys)
    absorbed.merged_into_id = None
    done.undone_at, done.undone_reason, done.undone_by = clock.now(), reason, actor.account_id
    for row in (survivor, absorbed):
        row.updated_at = clock.now()
        evidence = {"merge": str(done.id)}
        change.apply(
            session, feature, row, Event.SEPARATED, actor=actor, reason=reason, evidence=evidence
        )
    pairs.reopen(session, survivor.id, absorbed.id, reason=reason, actor=actor)
    _journal(session, "patient.separated", done, actor)
    return done


def listed(session: Session, patient_id: UUID) -> tuple[PatientMerge, ...]:
    """Return the merges this record took part in, oldest first, undone ones included."""
    service.get(session, patient_id)
    mine = or_(PatientMerge.survivor_id == patient_id, PatientMerge.absorbed_id == patient_id)
    return tuple(session.scalars(select(PatientMerge).where(mine).order_by(PatientMerge.at)))


def _degraded(session: Session, patient_id: UUID) -> bool:
    """Say whether the record was created in an emergency, without the repository (R-PAM-04)."""
    mode = IdentityHistory.evidence["mode"].astext == service.DEGRADED
    query = select(IdentityHistory.id).where(IdentityHistory.patient_id == patient_id, mode)
    return session.scalar(query.limit(1)) is not None


def _check_ins(session: Session, survivor: Patient, absorbed: Patient) -> None:
    """Refuse two different INS, unless INSi once said that they are one person's (INSHISTO)."""
    mine, theirs = survivor.identity.ins, absorbed.identity.ins
    if mine is None or theirs is None or mine == theirs:
        return
    query = select(InsiCall).where(InsiCall.patient_id.in_((survivor.id, absorbed.id)))
    if not any(_links(call.answer, mine, theirs) for call in session.scalars(query)):
        raise MergeInsConflict


def _check_collisions(session: Session, *records: Patient) -> None:
    suspected = select(IdentityCollision.id).where(
        IdentityCollision.patient_id.in_([one.id for one in records]),
        IdentityCollision.state == CollisionState.SUSPECT,
    )
    if session.scalar(suspected.limit(1)) is not None:
        raise MergeRefused("Conclure d'abord la collision soupçonnée dans l'un des dossiers.")


def _links(answer: dict[str, Any], mine: Ins, theirs: Ins) -> bool:
    told = [answer, *answer.get("history", ())]
    return all(
        any((one.get("matricule"), one.get("oid")) == (ins.matricule, ins.oid) for one in told)
        for ins in (mine, theirs)
    )


def _files() -> list[tuple[Table, Column[Any]]]:
    """Return the tables of other rooms that file something under a patient, and the column."""
    found = []
    for mapper in Base.registry.mappers:
        table = mapper.local_table
        if isinstance(table, Table) and not mapper.class_.__module__.startswith(_ROOM):
            columns = [c for c in table.columns if any(_to_patient(c))]
            found += [(table, column) for column in columns]
    return sorted(found, key=lambda pair: pair[0].name)


def _to_patient(column: Column[Any]) -> list[bool]:
    return [True for key in column.foreign_keys if key.column.table is Patient.__table__]


def _move(
    session: Session,
    table: Table,
    column: Column[Any],
    source: Patient,
    target: Patient,
    *,
    only: list[list[str]] | None = None,
) -> list[list[str]]:
    """Move the rows of *source* to *target*; return the primary keys of those moved.

    A table keyed by patient holds one row each: two of them are a person's affair.
    """
    keys = list(table.primary_key.columns)
    if column.primary_key:
        both = select(column).where(column.in_((source.id, target.id)))
        if len(session.scalars(both).all()) > 1:
            raise MergeDataConflict(table=table.name)
    values: dict[str, Any] = {column.name: target.id}
    if "version" in table.columns:
        values["version"] = table.columns["version"] + 1
    step = update(table).where(column == source.id).values(values)
    if only is not None and not column.primary_key:
        step = step.where(keys[0].in_([UUID(key[0]) for key in only]))
    rows = session.execute(step.returning(*keys)).all()
    session.expire_all()
    return [[str(part) for part in row] for row in rows]


def _journal(session: Session, action: str, done: PatientMerge, actor: Actor) -> None:
    moved = {table: len(keys) for table, keys in done.moved.items()}
    detail = {"absorbed": str(done.absorbed_id), "moved": moved}
    target = ("patient_merge", done.id)
    record(session, action, actor=actor, target=target, patient_id=done.survivor_id, detail=detail)
