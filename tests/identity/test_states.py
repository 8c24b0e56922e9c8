"""Every (status × event) pair of the machine, the refused ones included (rem.md §11.5)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.identity.errors import InsAttributeBlocks, TransitionRefused
from ris.identity.states import Event, InsEffect, transition
from ris.identity.values import Attribute, Status

P, R, V, Q = Status.PROVISOIRE, Status.RECUPEREE, Status.VALIDEE, Status.QUALIFIEE
KEEP, REMOVE, FROM_INSI, NONE = (
    InsEffect.KEEP,
    InsEffect.REMOVE,
    InsEffect.FROM_INSI,
    InsEffect.NONE,
)
# (from, event): (to, what becomes of the INS, worklist, propagate) - rem.md §9.1, rulings 2 to 5
EXPECTED = {
    (None, Event.CREATED): (P, NONE, False, True),
    (None, Event.FOREIGN_CONFIRMED): (R, KEEP, False, True),
    (None, Event.FOREIGN_TRUSTED): (Q, KEEP, False, True),
    (None, Event.FOREIGN_DENIED): (P, REMOVE, True, True),
    (P, Event.DOCUMENT_VALIDATED): (V, NONE, False, True),
    (P, Event.INSI_ACCEPTED): (R, FROM_INSI, False, True),
    (P, Event.STRICT_TRAIT_CHANGED): (P, NONE, False, True),
    (P, Event.COMPLEMENTARY_TRAIT_CHANGED): (P, KEEP, False, True),
    (P, Event.ATTRIBUTE_SET): (P, NONE, False, True),
    (P, Event.ATTRIBUTE_REMOVED): (P, NONE, False, True),
    (P, Event.FOREIGN_DENIED): (P, KEEP, False, False),
    (P, Event.FOREIGN_CONFIRMED): (R, FROM_INSI, False, True),
    (V, Event.FOREIGN_CONFIRMED): (V, NONE, True, False),
    **{(s, Event.FOREIGN_TRUSTED): (Q, KEEP, False, True) for s in Status},
    **{(s, Event.FOREIGN_VALIDATED): (V, REMOVE, False, True) for s in (None, *Status)},
    **{(s, Event.FOREIGN_RETRIEVED): (R, REMOVE, False, True) for s in (None, *Status)},
    **{(s, Event.FOREIGN_PROVISIONAL): (P, REMOVE, False, True) for s in (None, *Status)},
    **{(s, Event.MERGED): (s, KEEP, False, True) for s in Status},
    **{(s, Event.ABSORBED): (P, REMOVE, False, False) for s in Status},
    **{(s, Event.SEPARATED): (P, REMOVE, True, True) for s in Status},
    (R, Event.DOCUMENT_VALIDATED): (Q, KEEP, False, True),
    (R, Event.INSI_CONFIRMED): (R, KEEP, False, False),
    (R, Event.INSI_DENIED): (P, REMOVE, True, True),
    (R, Event.STRICT_TRAIT_CHANGED): (P, REMOVE, False, True),
    (R, Event.COMPLEMENTARY_TRAIT_CHANGED): (R, KEEP, False, True),
    (R, Event.ATTRIBUTE_SET): (P, REMOVE, False, True),
    (R, Event.FOREIGN_DENIED): (R, KEEP, False, False),
    (V, Event.INSI_ACCEPTED): (Q, FROM_INSI, False, True),
    (V, Event.STRICT_TRAIT_CHANGED): (P, NONE, False, True),
    (V, Event.COMPLEMENTARY_TRAIT_CHANGED): (V, KEEP, False, True),
    (V, Event.ATTRIBUTE_SET): (P, REMOVE, False, True),
    (V, Event.FOREIGN_DENIED): (V, KEEP, False, False),
    (Q, Event.INSI_CONFIRMED): (Q, KEEP, False, False),
    (Q, Event.INSI_DENIED): (P, REMOVE, True, True),
    (Q, Event.STRICT_TRAIT_CHANGED): (V, REMOVE, False, True),
    (Q, Event.COMPLEMENTARY_TRAIT_CHANGED): (Q, KEEP, False, True),
    (Q, Event.ATTRIBUTE_SET): (P, REMOVE, False, True),
    (Q, Event.FOREIGN_DENIED): (Q, KEEP, False, False),
}
PAIRS = list(itertools.product((None, *Status), Event))
# what raises a status, or confirms a high one: closed to douteuse and fictive (ins.md R-ATT-04)
CLIMBING = {
    Event.DOCUMENT_VALIDATED,
    Event.INSI_ACCEPTED,
    Event.INSI_CONFIRMED,
    Event.FOREIGN_CONFIRMED,
    Event.FOREIGN_TRUSTED,
    Event.FOREIGN_VALIDATED,
    Event.FOREIGN_RETRIEVED,
}
ALLOWED = list(EXPECTED)
CLIMBS = [pair for pair in ALLOWED if pair[1] in CLIMBING]


@pytest.mark.parametrize(("status", "event"), PAIRS)
def test_each_pair_leads_where_the_table_says_or_is_refused(
    status: Status | None, event: Event
) -> None:
    if (status, event) not in EXPECTED:
        with pytest.raises(TransitionRefused):
            transition(status, frozenset(), event)
        return
    step = transition(status, frozenset(), event)
    assert (step.to, step.ins, step.worklist, step.propagate) == EXPECTED[status, event]


@pytest.mark.parametrize("attribute", [Attribute.DOUTEUSE, Attribute.FICTIVE])
@pytest.mark.parametrize(("status", "event"), CLIMBS)
def test_a_doubtful_or_fictitious_identity_cannot_climb(
    status: Status | None, event: Event, attribute: Attribute
) -> None:
    with pytest.raises(InsAttributeBlocks):
        transition(status, {attribute}, event)


@pytest.mark.parametrize("attribute", [Attribute.DOUTEUSE, Attribute.FICTIVE])
@pytest.mark.parametrize(("status", "event"), [one for one in ALLOWED if one not in CLIMBS])
def test_what_does_not_climb_happens_to_a_doubtful_or_fictitious_identity_too(
    status: Status | None, event: Event, attribute: Attribute
) -> None:
    assert transition(status, {attribute}, event).to is EXPECTED[status, event][0]


@pytest.mark.parametrize("attribute", list(Attribute))
@pytest.mark.parametrize(("status", "event"), [one for one in PAIRS if one not in EXPECTED])
def test_no_attribute_opens_a_refused_pair(
    status: Status | None, event: Event, attribute: Attribute
) -> None:
    with pytest.raises(TransitionRefused) as caught:
        transition(status, {attribute}, event)
    assert caught.value.extensions == {"identity_status": status, "event": event}


@pytest.mark.parametrize(("status", "event"), CLIMBS)
def test_an_homonym_climbs_like_anyone(status: Status | None, event: Event) -> None:
    assert transition(status, {Attribute.HOMONYME}, event).to is EXPECTED[status, event][0]


def test_the_table_names_every_pair_and_the_codes_are_those_of_the_stored_history() -> None:
    assert len(PAIRS) == (1 + 4) * 18
    assert [one.value for one in Event] == [
        "created", "document_validated", "insi_accepted", "insi_confirmed", "insi_denied",
        "strict_trait_changed", "complementary_trait_changed", "attribute_set",
        "attribute_removed", "foreign_confirmed", "foreign_trusted", "foreign_denied",
        "foreign_validated", "foreign_retrieved", "foreign_provisional", "merged", "absorbed",
        "separated",
    ]  # fmt: skip
    assert len({one.value for one in InsEffect}) == 4
    assert all(one.value for one in InsEffect)
    assert [one.value for one in Status] == ["provisoire", "récupérée", "validée", "qualifiée"]


@pytest.mark.parametrize(("status", "event"), ALLOWED)
def test_no_ins_survives_below_recuperee(status: Status | None, event: Event) -> None:
    step = transition(status, frozenset(), event)
    if step.to in (P, V) and status in (R, Q):
        assert step.ins is REMOVE
    if step.to in (P, V):
        assert step.ins is not FROM_INSI


@given(st.lists(st.sampled_from(list(Event)), max_size=12))
def test_no_walk_through_the_machine_leaves_an_ins_below_recuperee(events: list[Event]) -> None:
    status: Status | None = None
    attributes: set[Attribute] = set()
    holds_ins = False
    for event in events:
        try:
            step = transition(status, attributes, event)
        except (TransitionRefused, InsAttributeBlocks):
            continue
        received = step.ins is FROM_INSI or (status is None and step.ins is KEEP)
        holds_ins = received or (holds_ins and step.ins is not REMOVE)
        if event is Event.ATTRIBUTE_SET:
            attributes.add(Attribute.DOUTEUSE)
        elif event is Event.ATTRIBUTE_REMOVED:
            attributes.clear()
        status = step.to
        assert not holds_ins or status in (R, Q)
        assert not attributes or status is P
