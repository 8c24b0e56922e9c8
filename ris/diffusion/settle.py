"""Closes an attempt, in one short transaction, unless it was taken over meanwhile (fencing).

Turns an outcome into the delivery's next state, feeds the breaker, frees the followers.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import audit, breaker
from ris.diffusion import engine
from ris.diffusion.attempt import DEFECT, Begun, Outcome
from ris.diffusion.model import AttemptOutcome, Delivery, DeliveryAttempt
from ris.diffusion.retry import backoff
from ris.diffusion.schedule import database_now, unblock
from ris.diffusion.settings import ENDPOINTS
from ris.diffusion.states import NEVER_LEFT, TERMINAL, State, check
from ris.diffusion.wiring import Diffusion
from ris.identity import disclosures
from ris.rem import satisfies
from ris.reports.channels import ChannelName, Operation

_SUPERSEDES: Final = frozenset({Operation.REPLACE, Operation.DELETE, Operation.ANNOUNCE_DELETION})


@dataclass(frozen=True, slots=True)
class Settled:
    """*done* is False when another worker owns the delivery now: the result is discarded."""

    done: bool
    again_at: datetime | None = None


@satisfies("RIS.TBB.03", "LOC-MSS-01")
def settle(session: Session, diffusion: Diffusion, begun: Begun, outcome: Outcome) -> Settled:
    """Record how *begun* ended. A stale worker changes nothing (`attempt_no` has moved on)."""
    ticket = begun.ticket
    row = session.scalar(
        select(Delivery)
        .where(
            Delivery.id == ticket.delivery_id,
            Delivery.attempt_no == ticket.attempt_no,
            Delivery.state == State.RUNNING,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        return Settled(False)
    now = database_now(session)
    session.add(_line(begun, outcome))
    is_open = _feed_breaker(session, diffusion, begun, outcome, now)
    _move(session, diffusion, row, outcome, now, may_give_up=not is_open)
    session.flush()
    if State(row.state) in TERMINAL:
        unblock(session, row.id)
        _trace(session, row)
        _disclose(session, row)
    again = row.due_at if row.state in (State.PENDING, State.UNKNOWN) else None
    return Settled(True, again)


def _move(
    session: Session,
    diffusion: Diffusion,
    row: Delivery,
    outcome: Outcome,
    now: datetime,
    *,
    may_give_up: bool,
) -> None:
    row.last_error_code = None if outcome.result is AttemptOutcome.OK else outcome.code
    row.remote_reference = outcome.reference or row.remote_reference
    state, reason = _next(outcome)
    if state in (State.PENDING, State.UNKNOWN):
        row.tries += 1
        row.due_at = _due(diffusion, row, state, outcome, now)
        exhausted = now >= row.expires_at and may_give_up
        if exhausted or (outcome.code == DEFECT and row.tries >= diffusion.settings.defects):
            state = State.DEAD
    if state is State.HELD and outcome.decision is None:
        state = _hold(diffusion, row, outcome, now)
    if state in NEVER_LEFT and _has_successor(session, row):
        state, reason = State.CANCELLED, "SUPERSEDED"
    check(State(row.state), state)
    row.state, row.reason = state, reason
    row.running_since = None
    if state in TERMINAL:
        row.finished_at = now
    if state is not State.HELD:
        row.held_since = None


def _next(outcome: Outcome) -> tuple[State, str | None]:
    """Return the state and the reason that an outcome leads to, give-up rules aside."""
    if outcome.decision is not None:
        return outcome.decision.state, outcome.decision.reason
    return {
        AttemptOutcome.OK: (State.DELIVERED, None),
        AttemptOutcome.RETRY: (State.PENDING, outcome.code),
        AttemptOutcome.HELD: (State.HELD, outcome.code),
        AttemptOutcome.PERMANENT: (State.FAILED, outcome.code),
    }.get(outcome.result, (State.UNKNOWN, outcome.code))


def _due(
    diffusion: Diffusion, row: Delivery, state: State, outcome: Outcome, now: datetime
) -> datetime:
    """Return the instant of the next attempt: the remote hint, a quick probe, or the back-off."""
    if outcome.retry_at is not None:
        return max(outcome.retry_at, now)
    settings = diffusion.settings
    policy = settings.policy(ChannelName(row.channel))
    if state is State.UNKNOWN and outcome.code not in (DEFECT, "PROBE_UNCLEAR"):
        return now + timedelta(seconds=policy.probe_s)
    low, high = settings.jitter
    factor = low + (high - low) * secrets.randbelow(1001) / 1000
    return now + backoff(policy, row.tries, factor)


def _hold(diffusion: Diffusion, row: Delivery, outcome: Outcome, now: datetime) -> State:
    """Keep waiting for the cause to be lifted, or fail after the longest wait (NO_DMP: 30 days)."""
    settings = diffusion.settings
    row.held_since = row.held_since or now
    if now - row.held_since >= timedelta(seconds=settings.hold_give_up_s):
        return State.FAILED
    wait = settings.holds_s.get(outcome.code or "", settings.hold_default_s)
    row.due_at = now + timedelta(seconds=wait)
    return State.HELD


def _has_successor(session: Session, row: Delivery) -> bool:
    """Say whether a newer version, or a withdrawal, waits for this one to be over."""
    followers = select(Delivery.id).where(
        Delivery.blocked_by == row.id,
        Delivery.operation.in_(_SUPERSEDES),
        Delivery.state.in_(NEVER_LEFT),
    )
    return session.scalar(followers.limit(1)) is not None


def _feed_breaker(
    session: Session, diffusion: Diffusion, begun: Begun, outcome: Outcome, now: datetime
) -> bool:
    """Tell the breaker what the endpoint did; return True while it is open."""
    endpoint = ENDPOINTS[begun.ticket.channel]
    if outcome.transport:
        return breaker.failed(session, endpoint, begun.started_at, now, diffusion.settings.breaker)
    if outcome.answered:
        opened_at = breaker.succeeded(session, endpoint)
        if opened_at is not None:
            _wake(session, diffusion, endpoint, opened_at, now)
    return False


def _wake(
    session: Session, diffusion: Diffusion, endpoint: str, opened_at: datetime, now: datetime
) -> None:
    """An outage is over: give back the time it took and send everything now, paced, oldest first.

    Rows that a worker holds are skipped: they are being dealt with.
    """
    channels = [channel for channel, name in ENDPOINTS.items() if name == endpoint]
    waiting = session.scalars(
        select(Delivery)
        .where(
            Delivery.channel.in_(channels),
            Delivery.state.in_((State.PENDING, State.UNKNOWN)),
        )
        .order_by(Delivery.created_at, Delivery.id)
        .with_for_update(skip_locked=True)
    )
    moved = []
    for rank, row in enumerate(waiting):
        row.expires_at += now - max(opened_at, row.created_at)
        row.due_at = now + timedelta(seconds=rank * diffusion.settings.pace_s)
        moved.append((row.id, row.due_at))
    session.flush()
    engine.reschedule(session, moved)


def _line(begun: Begun, outcome: Outcome) -> DeliveryAttempt:
    return DeliveryAttempt(
        delivery_id=begun.ticket.delivery_id,
        n=begun.ticket.attempt_no,
        started_at=begun.started_at,
        worker=begun.worker,
        outcome=outcome.result,
        error_code=outcome.code,
        error_detail=outcome.detail,
        remote_reference=outcome.reference,
    )


@satisfies("RIS.INS.51")
def _disclose(session: Session, row: Delivery) -> None:
    """Name the partner among those that received the INS of the patient."""
    if row.state == State.DELIVERED and row.with_ins:
        disclosures.note(
            session,
            row.patient_id,
            sender=row.struct_idnat or "",
            partner=row.recipient or row.channel,
            channel=row.channel,
            reference=str(row.id),
        )


def _trace(session: Session, row: Delivery) -> None:
    """Leave the end of the delivery in the journal; the attempts are a domain record."""
    audit.record(
        session,
        f"delivery.{row.state}",
        outcome="success" if row.state == State.DELIVERED else "failure",
        reason=row.reason,
        target=("delivery", row.id),
        patient_id=row.patient_id,
        detail={"channel": row.channel, "operation": row.operation, "attempts": row.attempt_no},
    )
