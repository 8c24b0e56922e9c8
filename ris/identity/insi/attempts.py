"""Which search to try next when INSi found nobody, or several (ins.md R-INSI-02). Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ris.identity.insi.values import AnswerCode, Subject, TraitsQuery
from ris.identity.traits import UNKNOWN_PLACE, sendable
from ris.identity.values import Traits

Tried = tuple[TraitsQuery, AnswerCode]


def next_query(subject: Subject, tried: Sequence[Tried], *, limit: int) -> TraitsQuery | None:
    """Return the next query, or None when the search is over: `00`, ideas or *limit* exhausted.

    After `02`: all given names, then the birthplace. After `01`: the other form of a birth date
    that was interpreted (R-DAT-03), each other given name, the whole list as one, the composite
    name written with a space or a hyphen.
    """
    if not tried:
        return first_query(subject)
    last, code = tried[-1]
    if code is AnswerCode.FOUND or len(tried) >= limit:
        return None
    several = code is AnswerCode.SEVERAL
    ideas = _refined(subject.traits, last) if several else _varied(subject)
    done = [query for query, _ in tried]
    return next((idea for idea in ideas if idea not in done), None)


def first_query(subject: Subject) -> TraitsQuery:
    """Return the plain query: birth name, first given name, sex, birth date as it was told."""
    traits = subject.traits
    return TraitsQuery(
        birth_family=traits.birth_family,
        given=(traits.first_birth_given,),
        sex=traits.sex.value,
        birth_date=subject.birth_date_raw or traits.birth_date.isoformat(),
    )


def _refined(traits: Traits, last: TraitsQuery) -> Iterator[TraitsQuery]:
    everyone = (traits.first_birth_given, *_others(traits))
    named = replace(last, given=everyone)
    yield named
    if traits.birth_place not in ("", UNKNOWN_PLACE):
        yield replace(named, birth_place=traits.birth_place)


def _varied(subject: Subject) -> Iterator[TraitsQuery]:
    base, traits = first_query(subject), subject.traits
    if subject.birth_date_raw:
        yield replace(base, birth_date=traits.birth_date.isoformat())
    for given in _others(traits):
        yield replace(base, given=(given,))
    first = traits.first_birth_given
    whole = " ".join(traits.birth_given_names)
    for given in (whole, first.replace("-", " "), first.replace(" ", "-")):
        if sendable(given):
            yield replace(base, given=(given,))


def _others(traits: Traits) -> tuple[str, ...]:
    listed = traits.birth_given_names
    skipped = len(traits.first_birth_given.split())
    return tuple(given for given in listed[skipped:] if sendable(given))
