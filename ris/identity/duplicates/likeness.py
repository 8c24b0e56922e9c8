"""How alike two sets of traits are: a score out of 100 and its reasons (ins.md R-DUP-02). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ris.core.text import fold
from ris.identity.traits import UNKNOWN_PLACE
from ris.identity.values import Traits

THRESHOLD: Final = 70
SAME_INS: Final = "same_ins"
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
_key = lru_cache(maxsize=4096)(fold)


@dataclass(frozen=True, slots=True)
class Score:
    """How alike two sets of traits are, out of 100, and why (codes)."""

    points: int
    reasons: tuple[str, ...]


def score(one: Traits, other: Traits) -> Score:
    """Return how alike two records are. Pure and symmetric; case and punctuation do not count."""
    reasons = tuple(_reasons(one, other))
    return Score(min(100, sum(_POINTS[reason] for reason in reasons)), reasons)


def _reasons(one: Traits, other: Traits) -> Iterator[str]:
    family, family_2 = _key(one.birth_family), _key(other.birth_family)
    first, first_2 = _key(one.first_birth_given), _key(other.first_birth_given)
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
    return {_key(name) for name in (traits.birth_family, traits.used_family) if name}


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
