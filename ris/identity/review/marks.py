"""Writes on a record why it waits for a person. Called by what changes an identity; asks nothing.

Each reason keeps the instant it was first given.
"""

from collections.abc import Iterable

from ris.core import clock
from ris.identity.model import Patient
from ris.identity.review.reasons import STARTED_BY, ReviewReason, ended_by
from ris.identity.states import Event
from ris.identity.values import Attribute


def give(patient: Patient, reason: ReviewReason) -> None:
    """Put *patient* on the worklist for *reason*; an earlier instant of it is kept."""
    patient.review = {reason.value: clock.now().isoformat(), **(patient.review or {})}


def end(patient: Patient, reasons: Iterable[ReviewReason]) -> None:
    """Take these *reasons* off *patient*; the last one takes it off the worklist."""
    ended = set(reasons)
    held = patient.review or {}
    patient.review = {reason: since for reason, since in held.items() if reason not in ended}


def follow(patient: Patient, event: Event, *, queued: bool) -> None:
    """Bring the reasons of *patient* up to date after *event*; *queued*: it asks for a person."""
    end(patient, ended_by(event))
    if queued:
        give(patient, STARTED_BY[event])
    if Attribute.DOUTEUSE in patient.attributes:
        give(patient, ReviewReason.DOUBTFUL)
    else:
        end(patient, [ReviewReason.DOUBTFUL])
