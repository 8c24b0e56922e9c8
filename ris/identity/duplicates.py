"""Suspected duplicates of a record: scored, with reasons; a person decides (ins.md R-DUP-02).

Candidates share the birth date. Nothing is ever merged here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.text import fold
from ris.identity import service
from ris.identity.errors import MergeRefused
from ris.identity.merge_model import DuplicatePair, PairState
from ris.identity.model import Patient
from ris.identity.traits import UNKNOWN_PLACE
from ris.identity.values import Traits

THRESHOLD: Final = 70
_POINTS: Final = {
    "same_birth_date": 25,
    "same_sex": 20,
    "same_birth_family": 30,
    "similar_birth_family": 20,
    "names_swapped": 35,
    "same_used_family": 15,
    "same_first_given": 20,
    "similar_first_given": 10,
    "same_birth_place": 5,
}


@dataclass(frozen=True, slots=True)
class Score:
    """How alike two sets of traits are, out of 100, and why (codes)."""

    points: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record that may be the same person's; *state* is what a person said of the pair."""

    patient: Patient
    score: Score
    state: PairState


def score(one: Traits, other: Traits) -> Score:
    """Return how alike two records are. Pure and symmetric; case and punctuation do not count."""
    reasons = tuple(_reasons(one, other))
    return Score(min(100, sum(_POINTS[reason] for reason in reasons)), reasons)


def suspects(session: Session, patient_id: UUID) -> tuple[Suspect, ...]:
    """Return the suspected duplicates of a record, most alike first; settled homonyms left out."""
    patient = service.get(session, patient_id)
    born = Patient.birth_date == patient.birth_date
    query = select(Patient).where(born, Patient.id != patient.id, Patient.merged_into_id.is_(None))
    said = _said(session, patient.id)
    found = []
    for other in session.scalars(query):
        state, alike = said.get(other.id, PairState.SUSPECT), score(patient.traits, other.traits)
        if alike.points >= THRESHOLD and state is not PairState.HOMONYMS:
            found.append(Suspect(other, alike, state))
    return tuple(sorted(found, key=lambda one: (-one.score.points, one.patient.ipp)))


def decide(
    session: Session, patient_id: UUID, other_id: UUID, state: PairState, *, actor: Actor
) -> DuplicatePair:
    """Record what a person says of a pair: proven duplicate (to merge), or two persons.

    Raises `MergeRefused` for a record and itself, `PatientNotFound`.
    """
    if patient_id == other_id:
        raise MergeRefused("Un dossier n'est pas son propre doublon.")
    rows = [service.locked(session, one) for one in sorted((patient_id, other_id))]
    alike = score(rows[0].traits, rows[1].traits)
    pair = session.get(DuplicatePair, (rows[0].id, rows[1].id))
    if pair is None:
        pair = DuplicatePair(low_id=rows[0].id, high_id=rows[1].id)
        session.add(pair)
    pair.state, pair.score, pair.reasons = state.value, alike.points, list(alike.reasons)
    pair.decided_at, pair.account_id = clock.now(), actor.account_id
    session.flush()
    detail = {"other": str(other_id), "state": state.value, "score": alike.points}
    target = ("patient", patient_id)
    record(session, "duplicate.decided", actor=actor, target=target, patient_id=patient_id,
           detail=detail)  # fmt: skip
    return pair


def _said(session: Session, patient_id: UUID) -> dict[UUID, PairState]:
    mine = or_(DuplicatePair.low_id == patient_id, DuplicatePair.high_id == patient_id)
    pairs = session.scalars(select(DuplicatePair).where(mine))
    return {p.high_id if p.low_id == patient_id else p.low_id: PairState(p.state) for p in pairs}


def _reasons(one: Traits, other: Traits) -> Iterator[str]:
    family, family_2 = fold(one.birth_family), fold(other.birth_family)
    first, first_2 = fold(one.first_birth_given), fold(other.first_birth_given)
    if one.birth_date == other.birth_date:
        yield "same_birth_date"
    if one.sex is other.sex:
        yield "same_sex"
    if family == family_2:
        yield "same_birth_family"
    elif one_letter_apart(family, family_2):
        yield "similar_birth_family"
    elif (family, first) == (first_2, family_2):
        yield "names_swapped"
    elif _borne(one) & _borne(other):
        yield "same_used_family"
    if first == first_2:
        yield "same_first_given"
    elif one_letter_apart(first, first_2):
        yield "similar_first_given"
    if one.birth_place == other.birth_place != UNKNOWN_PLACE:
        yield "same_birth_place"


def _borne(traits: Traits) -> set[str]:
    return {fold(name) for name in (traits.birth_family, traits.used_family) if name}


def one_letter_apart(one: str, other: str) -> bool:
    """Say whether one letter added, removed, changed, or two neighbours swapped, part two names."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or one == other:
        return False
    start = next(
        (i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short)
    )
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start : start + 2] == long[start : start + 2][::-1]
    return short[start + 1 :] == long[start + 1 :] or (
        swapped and short[start + 2 :] == long[start + 2 :]
    )
