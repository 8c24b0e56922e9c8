"""Turns a plan into rows and jobs, in the caller's transaction; cancels, releases, unblocks.

The only writer of new `delivery` rows. Never talks to a remote side, never commits.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ris.auth.values import Professional
from ris.core.errors import Held, Permanent, RemoteError
from ris.diffusion import engine
from ris.diffusion.model import Delivery
from ris.diffusion.plan import Earlier, Plan, Planned, Target
from ris.diffusion.states import State, check
from ris.diffusion.wiring import Diffusion
from ris.reports.channels import ChannelName, Operation, SendOrder, SignedDocument
from ris.reports.content import Visibility

_PROFESSIONAL: Final = TypeAdapter(Professional)


def database_now(session: Session) -> datetime:
    """Return the present instant of the database: machines drift, it does not (§1.6)."""
    present: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return present


def earlier_of(session: Session, report_id: UUID) -> list[Earlier]:
    """Return every delivery of a report, oldest first, and lock them against their workers."""
    rows = session.scalars(
        select(Delivery)
        .where(Delivery.report_id == report_id)
        .order_by(Delivery.created_at, Delivery.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [
        Earlier(
            row.id,
            row.document_id,
            Target(ChannelName(row.channel), row.recipient, addressee(row)),
            Operation(row.operation),
            State(row.state),
        )
        for row in rows
    ]


def write(
    session: Session, diffusion: Diffusion, document: SignedDocument, plan: Plan
) -> list[Delivery]:
    """Cancel what the plan cancels, write its rows and enqueue those that may leave."""
    cancel(session, plan.cancelled, "SUPERSEDED")
    rows = []
    for planned in plan.deliveries:
        row = _row(session, diffusion, document, planned)
        session.add(row)
        session.flush()
        if row.state == State.PENDING and row.blocked_by is None:
            _start(session, diffusion, row, document)
        rows.append(row)
    return rows


def _start(session: Session, diffusion: Diffusion, row: Delivery, document: SignedDocument) -> None:
    """Freeze the channel's own row now when the document at hand is the one to send; enqueue."""
    if row.document_id == document.version_id:
        prepare(session, diffusion, row, document)
    if row.state == State.PENDING:
        engine.enqueue(session, row)


def prepare(
    session: Session, diffusion: Diffusion, row: Delivery, document: SignedDocument
) -> None:
    """Let the channel freeze its own row; a refusal settles the delivery without an attempt."""
    person = addressee(row)
    order = SendOrder(
        row.id,
        ChannelName(row.channel),
        Operation(row.operation),
        person,
        frozenset(Visibility(code) for code in row.visibility),
        row.replaces_id,
    )
    try:
        with session.begin_nested():
            row.external_id = diffusion.channels[order.channel].prepare(session, document, order)
    except Held as error:
        row.state, row.reason = State.HELD, error.code
    except Permanent as error:
        row.state, row.reason, row.last_error_code = State.FAILED, error.code, error.code
        row.finished_at = database_now(session)
    except RemoteError as error:
        row.last_error_code = error.code  # left unprepared: the attempt tries again
    session.flush()


def cancel(session: Session, delivery_ids: Iterable[UUID], reason: str) -> None:
    """Cancel deliveries that never left, drop their jobs and free whoever waited for them."""
    listed = list(delivery_ids)
    for delivery_id in listed:
        row = session.get_one(Delivery, delivery_id, with_for_update=True)
        check(State(row.state), State.CANCELLED, by_staff=True)
        row.state, row.reason, row.finished_at = State.CANCELLED, reason, database_now(session)
    session.flush()
    engine.drop(session, listed)
    for delivery_id in listed:
        unblock(session, delivery_id)


def unblock(session: Session, delivery_id: UUID) -> None:
    """Enqueue the deliveries that waited for this one; `begin` says whether they may start."""
    waiting = select(Delivery).where(
        Delivery.blocked_by == delivery_id, Delivery.state == State.PENDING
    )
    for row in session.scalars(waiting):
        engine.enqueue(session, row)


def release(session: Session, row: Delivery) -> None:
    """Put a held delivery back on its way, due at once."""
    check(State(row.state), State.PENDING)
    row.state, row.reason, row.due_at = State.PENDING, None, database_now(session)
    engine.enqueue(session, row)


def addressee(row: Delivery) -> Professional | None:
    """Return the professional recipient as he was when the delivery was planned."""
    return _PROFESSIONAL.validate_python(row.addressee) if row.addressee else None


def key_of(row: Delivery) -> str:
    """Return the idempotency key of a delivery (engineering.md §1.3)."""
    return f"{row.channel}:{row.operation}:{row.document_id}:{row.recipient}:{row.generation}"


def _row(
    session: Session, diffusion: Diffusion, document: SignedDocument, planned: Planned
) -> Delivery:
    target, content = planned.target, document.content
    now = database_now(session)
    policy = diffusion.settings.policy(target.channel)
    person = target.professional
    author = content.author
    row = Delivery(
        document_id=planned.document_id or document.version_id,
        report_id=document.report_id,
        patient_id=document.patient_id,
        channel=target.channel,
        operation=planned.operation,
        recipient=target.recipient,
        addressee=_PROFESSIONAL.dump_python(person, mode="json") if person else None,
        lane=f"{content.n1.set_id}:{target.channel}:{target.recipient}",
        visibility=sorted(planned.decision.visibility),
        state=planned.decision.state,
        reason=planned.decision.reason,
        due_at=now,
        created_at=now,
        expires_at=now + timedelta(seconds=policy.give_up_s),
        finished_at=now if planned.decision.state is State.NOT_APPLICABLE else None,
        blocked_by=planned.blocked_by,
        replaces_id=planned.replaces,
        struct_idnat=author.structure.struct_idnat if author.structure else None,
        ps_idnat=author.ps_idnat,
    )
    row.generation = _generation(session, row)
    row.idempotency_key = key_of(row)
    return row


def _generation(session: Session, row: Delivery) -> int:
    """Return the number of earlier deliveries of the same thing to the same place."""
    same = select(func.count()).where(
        Delivery.document_id == row.document_id,
        Delivery.channel == row.channel,
        Delivery.operation == row.operation,
        Delivery.recipient == row.recipient,
    )
    return session.execute(same).scalar_one()
