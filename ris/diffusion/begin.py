"""Opens an attempt, in one short transaction: may it start, what must be done first.

Everything that can stop a sending before the wire is here; the remote call is in `attempt`.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from ris.core import breaker
from ris.diffusion.attempt import Begun
from ris.diffusion.decision import Decision, decide
from ris.diffusion.model import AttemptOutcome, Delivery, DeliveryAttempt
from ris.diffusion.plan import ALWAYS, initial
from ris.diffusion.schedule import addressee, database_now, key_of, prepare, unblock
from ris.diffusion.settings import ENDPOINTS
from ris.diffusion.states import ACCEPTED, State, check
from ris.diffusion.wiring import Diffusion
from ris.rem import satisfies
from ris.reports.channels import ChannelName, Operation, Ticket

_STARTABLE: Final = frozenset({State.PENDING, State.UNKNOWN, State.RUNNING})
_NEVER_CAME: Final = frozenset({State.CANCELLED, State.NOT_APPLICABLE})


@satisfies("RIS.INS.37", "LOC-DMP-01")
def begin(
    session: Session, diffusion: Diffusion, delivery_id: UUID, worker: str
) -> Begun | datetime | None:
    """Open the next attempt of a delivery; an instant means "not before", None "nothing to do".

    The sending decision is taken again here: an identity may have been downgraded since the
    signature. A row found `running` was abandoned by a dead worker: its attempt is closed as lost
    and the channel probes before it sends.
    """
    row = session.get(Delivery, delivery_id, with_for_update=True, populate_existing=True)
    if row is None or State(row.state) not in _STARTABLE or not _free(session, row):
        return None
    now = database_now(session)
    if row.state == State.RUNNING:
        _close_lost(session, row, now)
    if row.due_at > now:
        return row.due_at
    suspect = row.state == State.UNKNOWN
    decision = reconsider(session, diffusion, row)
    allowed = decision.state is State.PENDING
    if not allowed and not suspect:
        stop(session, diffusion, row, decision)
        return None
    endpoint = ENDPOINTS[ChannelName(row.channel)]
    wait = breaker.admit(session, endpoint, now, diffusion.settings.breaker)
    if wait is not None:
        return wait
    if row.external_id is None:
        row.visibility = sorted(decision.visibility)
        prepare(session, diffusion, row, diffusion.documents.load(session, row.document_id))
        if row.external_id is None:
            return _unprepared(diffusion, row, now)
    ticket = _open(session, row, worker, now)
    return Begun(ticket, now, worker, suspect, None if allowed else decision)


def reconsider(session: Session, diffusion: Diffusion, row: Delivery) -> Decision:
    """Decide again on the facts of now; a withdrawal always goes where the document went."""
    if row.operation in ALWAYS:
        return Decision(State.PENDING)
    facts = diffusion.facts(session, row.document_id)
    person = addressee(row)
    decision = decide(
        ChannelName(row.channel), facts, has_address=bool(person and person.mss_address)
    )
    if decision.state is State.PENDING:
        row.with_ins = facts.qualified
        if row.external_id is not None and not decision.visibility <= set(row.visibility):
            return Decision(State.HELD, "VISIBILITY_CHANGED")
    return decision


def stop(session: Session, diffusion: Diffusion, row: Delivery, decision: Decision) -> None:
    """Take a delivery off its way because the decision changed; nothing was put on the wire."""
    now = database_now(session)
    if row.state != decision.state:
        check(State(row.state), decision.state)
    row.state, row.reason = decision.state, decision.reason
    row.due_at = now + timedelta(seconds=diffusion.settings.recheck_s)
    session.flush()
    if decision.state is State.NOT_APPLICABLE:
        row.finished_at = now
        unblock(session, row.id)


def _open(session: Session, row: Delivery, worker: str, now: datetime) -> Ticket:
    check(State(row.state), State.RUNNING)
    row.state, row.reason = State.RUNNING, None
    row.attempt_no += 1
    row.running_since, row.worker = now, worker
    session.flush()
    return Ticket(
        row.id,
        row.document_id,
        ChannelName(row.channel),
        Operation(row.operation),
        row.attempt_no,
        row.external_id or "",
    )


def _unprepared(diffusion: Diffusion, row: Delivery, now: datetime) -> datetime | None:
    """The channel could not freeze its row: settled already, or to be tried again soon."""
    if row.state != State.PENDING:
        return None
    row.due_at = now + timedelta(seconds=diffusion.settings.own_failure_s)
    return row.due_at


def _close_lost(session: Session, row: Delivery, now: datetime) -> None:
    """Record that the running attempt's worker died: the effect is unknown."""
    session.add(
        DeliveryAttempt(
            delivery_id=row.id,
            n=row.attempt_no,
            started_at=row.running_since,
            worker=row.worker or "",
            outcome=AttemptOutcome.LOST,
            ended_at=now,
            error_code="WORKER_LOST",
        )
    )
    row.state, row.reason, row.due_at = State.UNKNOWN, "WORKER_LOST", now
    session.flush()


def _free(session: Session, row: Delivery) -> bool:
    """Say whether the delivery it waits for is over, and adapt the operation to how it ended."""
    if row.blocked_by is None:
        return True
    blocker = session.get_one(Delivery, row.blocked_by, populate_existing=True)
    state = State(blocker.state)
    if state in ACCEPTED or state is State.BOUNCED:
        row.blocked_by = None
        return True
    if state not in _NEVER_CAME:
        row.reason = "BLOCKED_BY_EARLIER"
        return False
    return _without(session, row, blocker)


def _without(session: Session, row: Delivery, blocker: Delivery) -> bool:
    """The blocker never left: act on what it would have replaced, or start from nothing."""
    row.blocked_by, row.replaces_id = None, blocker.replaces_id
    if row.replaces_id is None and row.operation == Operation.REPLACE:
        row.operation = initial(ChannelName(row.channel))
        row.idempotency_key = key_of(row)
    elif row.replaces_id is None:
        row.state, row.reason = State.CANCELLED, "NOTHING_TO_WITHDRAW"
        row.finished_at = database_now(session)
    session.flush()
    return row.state != State.CANCELLED
