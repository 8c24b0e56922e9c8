"""What people and receipts do to a delivery: replay, cancel, send to one more, acknowledge.

Acts of one person or one message each; automatic moves are in `begin` and `settle`.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import audit
from ris.core.audit import Actor
from ris.diffusion import engine, schedule
from ris.diffusion.decision import decide
from ris.diffusion.errors import DeliveryNotFound, SendingRefused
from ris.diffusion.model import Delivery, DeliveryAttempt
from ris.diffusion.plan import Plan, Planned, Target, initial
from ris.diffusion.schedule import database_now
from ris.diffusion.states import MOVES, TERMINAL, State, check
from ris.diffusion.wiring import Diffusion
from ris.rem import satisfies
from ris.reports.channels import ChannelName


def get(session: Session, delivery_id: UUID, *, lock: bool = False) -> Delivery:
    """Return a delivery, locked for a change if asked. Raises `DeliveryNotFound`."""
    row = session.get(Delivery, delivery_id, with_for_update=lock or None)
    if row is None:
        raise DeliveryNotFound
    return row


def attempts_of(session: Session, delivery_id: UUID) -> Sequence[DeliveryAttempt]:
    """Return the attempts of a delivery in order: when, by which worker, with what result."""
    return session.scalars(
        select(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id == delivery_id)
        .order_by(DeliveryAttempt.n)
    ).all()


def replay(session: Session, diffusion: Diffusion, delivery_id: UUID, actor: Actor) -> Delivery:
    """Send again a delivery that failed, was given up or is held: same bytes, same identifiers.

    The decision is taken again at the attempt. Raises `IllegalDeliveryMove` in any other state.
    """
    row = get(session, delivery_id, lock=True)
    check(State(row.state), State.PENDING, by_staff=True)
    now = database_now(session)
    give_up = diffusion.settings.policy(ChannelName(row.channel)).give_up_s
    row.state, row.reason, row.finished_at = State.PENDING, None, None
    row.tries, row.held_since = 0, None
    row.due_at, row.expires_at = now, now + timedelta(seconds=give_up)
    engine.enqueue(session, row)
    _trace(session, "delivery.replayed", row, actor)
    return row


def cancel(session: Session, delivery_id: UUID, actor: Actor) -> Delivery:
    """Cancel a delivery that has not left. Raises `IllegalDeliveryMove` when it may have."""
    row = get(session, delivery_id, lock=True)
    schedule.cancel(session, [row.id], "CANCELLED_BY_STAFF")
    _trace(session, "delivery.cancelled", row, actor)
    return row


@satisfies("RIS.MSS.20")
def send_to(
    session: Session, diffusion: Diffusion, report_id: UUID, rpps: str, actor: Actor
) -> Delivery:
    """Send the signed version in force to a professional chosen by a person (mss.md §7.3).

    Same gates as the automatic sending; a new generation when he already got this version, and
    never a new version. Raises `SendingRefused` with the code of the gate.
    """
    document = diffusion.documents.current(session, report_id)
    professional = diffusion.documents.correspondent(session, document, rpps)
    facts = diffusion.facts(session, document.version_id)
    decision = decide(ChannelName.MSS_PS, facts, has_address=bool(professional.mss_address))
    if decision.state is State.NOT_APPLICABLE:
        raise SendingRefused(code=decision.reason)
    target = Target(ChannelName.MSS_PS, professional.ps_idnat, professional)
    planned = Planned(target, initial(ChannelName.MSS_PS), decision)
    (row,) = schedule.write(session, diffusion, document, Plan((), (planned,)))
    _trace(session, "delivery.requested", row, actor)
    return row


@satisfies("RIS.MSS.18")
def on_receipt(session: Session, delivery_id: UUID, *, ok: bool, code: str | None = None) -> bool:
    """Record what a receipt says: acknowledged, or bounced with *code*.

    False asks the caller to come again: our own attempt is not settled yet. True when it is taken,
    or when it adds nothing to what is known.
    """
    row = get(session, delivery_id, lock=True)
    if row.state not in TERMINAL:
        return False
    target = State.ACKNOWLEDGED if ok else State.BOUNCED
    if target in MOVES[State(row.state)]:
        row.state, row.reason = target, code
        row.last_error_code = None if ok else code
        session.flush()
        schedule.unblock(session, row.id)
    return True


def _trace(session: Session, action: str, row: Delivery, actor: Actor) -> None:
    audit.record(
        session,
        action,
        actor=actor,
        target=("delivery", row.id),
        patient_id=row.patient_id,
        detail={"channel": row.channel, "operation": row.operation},
    )
