"""One attempt between its two transactions: call the channel, and make every ending a value.

No database here: `begin` opened the attempt and `settle` records how it ended (§1.6).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from ris.core.errors import Held, Lost, Permanent, RemoteError, Throttled, Transient
from ris.diffusion.decision import Decision
from ris.diffusion.model import AttemptOutcome
from ris.rem import satisfies
from ris.reports.channels import Channel, Probe, Ticket

DEFECT: Final = "DEFECT"


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that is running. *suspect*: an earlier one may have taken effect, so probe first.

    *refused* is the present decision when it no longer allows sending (probe only).
    """

    ticket: Ticket
    started_at: datetime
    worker: str
    suspect: bool = False
    refused: Decision | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. *transport*: the endpoint itself failed (counts for its breaker).

    *answered*: the endpoint spoke. *detail* is redacted text, safe to store.
    """

    result: AttemptOutcome
    code: str | None = None
    detail: str | None = None
    reference: str | None = None
    retry_at: datetime | None = None
    transport: bool = False
    answered: bool = False
    decision: Decision | None = None


@satisfies("LOC-MSS-02")
def perform(channel: Channel, begun: Begun) -> Outcome:
    """Probe when needed, then deliver. Never raises: an unforeseen error is a `DEFECT`."""
    if begun.suspect:
        outcome = _probe(channel, begun)
        if outcome is not None:
            return outcome
    if begun.refused is not None:
        return Outcome(AttemptOutcome.HELD, begun.refused.reason, decision=begun.refused)
    try:
        accepted = channel.deliver(begun.ticket)
    except RemoteError as error:
        return outcome_of(error)
    except Exception as error:
        return _defect(begun, error)
    return Outcome(AttemptOutcome.OK, reference=accepted.remote_reference, answered=True)


def _probe(channel: Channel, begun: Begun) -> Outcome | None:
    """Ask the remote side; None when it does not have it, so that sending again is safe."""
    try:
        found = channel.probe(begun.ticket)
    except RemoteError as error:
        transport = isinstance(error, Transient | Lost) and not isinstance(error, Throttled)
        return Outcome(AttemptOutcome.UNKNOWN, error.code, error.remote_code, transport=transport)
    except Exception as error:
        return _defect(begun, error)
    if found is Probe.FOUND:
        return Outcome(AttemptOutcome.OK, "PROBE_FOUND", answered=True)
    if found is Probe.UNCLEAR:
        return Outcome(AttemptOutcome.UNKNOWN, "PROBE_UNCLEAR", answered=True)
    return None


def outcome_of(error: RemoteError) -> Outcome:
    """Return the ending that an error of a channel means (engineering.md §1.7, classes)."""
    code, detail = error.code, error.remote_code or error.detail or None
    if isinstance(error, Throttled):
        return Outcome(AttemptOutcome.RETRY, code, detail, retry_at=error.retry_at, answered=True)
    if isinstance(error, Transient):
        return Outcome(AttemptOutcome.RETRY, code, detail, transport=True)
    if isinstance(error, Held):
        answered = error.remote_code is not None
        return Outcome(AttemptOutcome.HELD, code, detail, answered=answered)
    if isinstance(error, Permanent):
        return Outcome(AttemptOutcome.PERMANENT, code, detail, answered=True)
    return Outcome(AttemptOutcome.UNKNOWN, code, detail, transport=True)


def _defect(begun: Begun, error: Exception) -> Outcome:
    """A bug may strike after the request left: the effect is unknown, so probe before repeating."""
    structlog.get_logger().error(
        "delivery.defect", delivery_id=str(begun.ticket.delivery_id), error=type(error).__name__
    )
    return Outcome(AttemptOutcome.UNKNOWN, DEFECT, type(error).__name__)
