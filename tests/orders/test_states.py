"""Every (status, event) pair of the exam machine, the refused ones included."""

import pytest

from ris.orders.errors import ExamTransitionRefused
from ris.orders.states import TRANSITIONS, ExamEvent, ExamStatus, after

FINAL = {ExamStatus.CANCELLED, ExamStatus.NO_SHOW}


@pytest.mark.parametrize("status", ExamStatus)
@pytest.mark.parametrize("event", ExamEvent)
def test_each_pair_is_listed_or_refused(status: ExamStatus, event: ExamEvent) -> None:
    expected = TRANSITIONS.get((status, event))
    if expected is None:
        with pytest.raises(ExamTransitionRefused) as refusal:
            after(status, event)
        assert refusal.value.status == 409
        assert event.value not in refusal.value.detail.split()
    else:
        assert after(status, event) is expected


def test_a_refusal_is_told_in_french() -> None:
    with pytest.raises(ExamTransitionRefused) as refusal:
        after(ExamStatus.SCHEDULED, ExamEvent.COMPLETE)
    expected = "« terminer » n'est pas possible pour un examen « programmé »."
    assert refusal.value.detail == expected


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_final_status_never_leaves(status: ExamStatus) -> None:
    assert not [pair for pair in TRANSITIONS if pair[0] is status]


def test_images_close_an_exam_even_without_any_click_and_never_reopen_it() -> None:
    assert after(ExamStatus.SCHEDULED, ExamEvent.STUDY_RECEIVED) is ExamStatus.COMPLETED
    assert after(ExamStatus.COMPLETED, ExamEvent.STUDY_RECEIVED) is ExamStatus.COMPLETED
    with pytest.raises(ExamTransitionRefused):
        after(ExamStatus.COMPLETED, ExamEvent.START)


def test_an_exam_that_started_cannot_be_cancelled_only_stopped() -> None:
    with pytest.raises(ExamTransitionRefused):
        after(ExamStatus.STARTED, ExamEvent.CANCEL)
    assert after(ExamStatus.STARTED, ExamEvent.STOP) is ExamStatus.DISCONTINUED


def test_images_of_a_stopped_exam_are_filed_and_nothing_else_moves_it() -> None:
    leaving = {event for status, event in TRANSITIONS if status is ExamStatus.DISCONTINUED}
    assert leaving == {ExamEvent.STUDY_RECEIVED}
    stopped = after(ExamStatus.DISCONTINUED, ExamEvent.STUDY_RECEIVED)
    assert stopped is ExamStatus.DISCONTINUED
