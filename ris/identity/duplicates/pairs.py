"""Suspected duplicates: those of one record, the worklist of pairs, what a person decides.

Nothing is ever merged here (`merge.py`), and nothing is searched for (`scan.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from ris.core import clock
from ris.core.audit import SYSTEM, Actor, record
from ris.core.errors import Stale
from ris.identity import service, validation
from ris.identity.compartment import Visible, everybody
from ris.identity.duplicates.likeness import SAME_INS, THRESHOLD, Score, score
from ris.identity.duplicates.merge_model import DuplicateDecision, DuplicatePair, PairState
from ris.identity.errors import MergeRefused
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record that may be the same person's; *state* is what was said of the pair.

    *version* is that of the pair, 0 while nothing was said of it.
    """

    patient: Patient
    score: Score
    state: PairState
    version: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One pair of the worklist, with both records."""

    pair: DuplicatePair
    low: Patient
    high: Patient


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the worklist starts: after this score and this pair."""

    score: int
    low_id: UUID
    high_id: UUID


def suspects(
    session: Session, patient_id: UUID, visible: Visible = everybody
) -> tuple[Suspect, ...]:
    """Return the suspected duplicates of a record that are *visible*, most alike first.

    Settled homonyms are left out.
    """
    patient = service.get(session, patient_id)
    said = _said(session, patient.id)
    alike_born = Patient.birth_date == patient.birth_date
    others = or_(alike_born, Patient.id.in_(list(said)))
    query = select(Patient).where(
        others, Patient.id != patient.id, Patient.merged_into_id.is_(None), visible(Patient)
    )
    found = []
    for other in session.scalars(query):
        pair, alike = said.get(other.id), score(patient.traits, other.traits)
        state = PairState(pair.state) if pair else PairState.SUSPECT
        kept = alike.points >= THRESHOLD or (pair is not None and SAME_INS in pair.reasons)
        if kept and state is not PairState.HOMONYMS:
            found.append(Suspect(other, alike, state, pair.version if pair else 0))
    return tuple(sorted(found, key=lambda one: (-one.score.points, one.patient.ipp)))


def worklist(
    session: Session,
    state: PairState,
    limit: int,
    after: Place | None,
    visible: Visible = everybody,
) -> tuple[Listed, ...]:
    """Return the pairs of this state, most alike first; pairs of an absorbed record left out.

    Both records must be *visible*.
    """
    low, high = aliased(Patient), aliased(Patient)
    order = (-DuplicatePair.score, DuplicatePair.low_id, DuplicatePair.high_id)
    query = (
        select(DuplicatePair, low, high)
        .join(low, low.id == DuplicatePair.low_id)
        .join(high, high.id == DuplicatePair.high_id)
        .where(DuplicatePair.state == state)
        .where(low.merged_into_id.is_(None), high.merged_into_id.is_(None))
        .where(visible(low), visible(high))
    )
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(-after.score, after.low_id, after.high_id))
    rows = session.execute(query.order_by(*order).limit(limit)).all()
    return tuple(Listed(*row) for row in rows)


def history(session: Session, patient_id: UUID, other_id: UUID) -> Sequence[DuplicateDecision]:
    """Return all that was said of a pair, oldest first."""
    low, high = sorted((patient_id, other_id))
    said = DuplicateDecision
    query = select(said).where(said.low_id == low, said.high_id == high)
    return session.scalars(query.order_by(said.at, said.id)).all()


def decide(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    other_id: UUID,
    state: PairState,
    *,
    version: int,
    reason: str,
    actor: Actor,
) -> DuplicatePair:
    """Record what a person says of a pair: proven duplicate (to merge), or two persons.

    Two persons: both records get the attribute homonyme, which warns and changes no status.
    *version* is that of the pair as read. Raises `MergeRefused` for a record and itself,
    `PatientNotFound`, `PatientMerged`, `Stale`.
    """
    if patient_id == other_id:
        raise MergeRefused("Un dossier n'est pas son propre doublon.")
    rows = [service.active(service.locked(session, one)) for one in sorted((patient_id, other_id))]
    pair = session.get(DuplicatePair, (rows[0].id, rows[1].id))
    if (pair.version if pair else 0) != version:
        raise Stale
    alike = score(rows[0].traits, rows[1].traits)
    pair = pair or DuplicatePair(low_id=rows[0].id, high_id=rows[1].id)
    pair.decided_at, pair.account_id = clock.now(), actor.account_id
    _put(session, pair, state, alike)
    _say(session, pair, reason=reason, actor=actor)
    if state is PairState.HOMONYMS:
        for row in rows:
            validation.mark_homonym(session, feature, row, reason=reason, actor=actor)
    detail = {"other": str(other_id), "state": state.value, "score": alike.points}
    target = ("patient", patient_id)
    record(session, "duplicate.decided", actor=actor, target=target, patient_id=patient_id,
           detail=detail)  # fmt: skip
    return pair


def found(session: Session, one: UUID, other: UUID, alike: Score) -> bool:
    """Put a pair on the worklist; False when something was said of it already."""
    low, high = sorted((one, other))
    pair = session.get(DuplicatePair, (low, high))
    same_ins = SAME_INS in alike.reasons
    if pair is not None and (not same_ins or pair.state != PairState.HOMONYMS):
        return False
    made = pair or DuplicatePair(low_id=low, high_id=high)
    made.decided_at = made.account_id = None
    _put(session, made, PairState.SUSPECT, alike)
    _say(session, made, reason="", actor=SYSTEM)
    return True


def note_same_ins(session: Session, patient_id: UUID, ipp: str) -> None:
    """Put on the worklist two records that INSi gives one INS to (ins.md R-DUP-01).

    *ipp* is that of the record which holds the INS. Overrules an earlier "two persons".
    """
    other = session.scalar(select(Patient.id).where(Patient.ipp == ipp))
    if other is not None and other != patient_id:
        found(session, patient_id, other, Score(100, (SAME_INS,)))
        target = ("patient", patient_id)
        record(session, "duplicate.found", target=target, patient_id=patient_id,
               detail={"other": str(other), "reasons": [SAME_INS]})  # fmt: skip


def reopen(session: Session, one: UUID, other: UUID, *, reason: str, actor: Actor) -> None:
    """Take back "proven duplicate" of two records that an undone merge parts: examine them again.

    Nobody said that they are two persons, and `DOUA` would have them merged once more: `DPOT`
    (ins.md R-DUP-02 and R-MRG-03 leave it open).
    """
    low, high = sorted((one, other))
    pair = session.get(DuplicatePair, (low, high), with_for_update=True)
    if pair is None or pair.state != PairState.PROVEN:
        return
    pair.state, pair.decided_at, pair.account_id = PairState.SUSPECT.value, None, None
    _say(session, pair, reason=reason, actor=actor)
    target = ("patient", one)
    record(session, "duplicate.reopened", actor=actor, target=target, patient_id=one,
           detail={"other": str(other)})  # fmt: skip


def _put(session: Session, pair: DuplicatePair, state: PairState, alike: Score) -> None:
    pair.state, pair.score, pair.reasons = state.value, alike.points, list(alike.reasons)
    session.add(pair)
    session.flush()


def _say(session: Session, pair: DuplicatePair, *, reason: str, actor: Actor) -> None:
    session.add(
        DuplicateDecision(
            low_id=pair.low_id,
            high_id=pair.high_id,
            state=pair.state,
            score=pair.score,
            reasons=pair.reasons,
            reason=reason,
            account_id=actor.account_id,
        )
    )
    session.flush()


def _said(session: Session, patient_id: UUID) -> dict[UUID, DuplicatePair]:
    mine = or_(DuplicatePair.low_id == patient_id, DuplicatePair.high_id == patient_id)
    pairs = session.scalars(select(DuplicatePair).where(mine))
    return {p.high_id if p.low_id == patient_id else p.low_id: p for p in pairs}
