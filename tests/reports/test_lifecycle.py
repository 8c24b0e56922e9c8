"""The report machine: every pair of state and event."""

from itertools import product

import pytest

from ris.reports.errors import IllegalTransition
from ris.reports.lifecycle import LABELS, Event, State, after

ALLOWED = {
    (State.DRAFT, Event.SUBMIT): State.PRELIMINARY,
    (State.DRAFT, Event.VALIDATE): State.VALIDATED,
    (State.DRAFT, Event.CANCEL): State.CANCELLED,
    (State.PRELIMINARY, Event.VALIDATE): State.VALIDATED,
    (State.PRELIMINARY, Event.CANCEL): State.CANCELLED,
    (State.VALIDATED, Event.REPLACE): State.REPLACED,
    (State.VALIDATED, Event.DELETE): State.DELETED,
}


@pytest.mark.rem("RIS.CRR.04", scenario="CRI/va1.04.01")
@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_pair_leads_where_the_specification_says_or_is_refused(
    state: State, event: Event
) -> None:
    if expected := ALLOWED.get((state, event)):
        assert after(state, event) is expected
    else:
        with pytest.raises(IllegalTransition):
            after(state, event)


def test_every_state_has_a_french_label() -> None:
    assert set(LABELS) == set(State)
