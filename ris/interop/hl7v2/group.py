"""Several messages in one transaction: one commit, one turn at the journal, then every answer.

The good path only. Whatever does not go smoothly is left to the inbox, one message at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from ris.core import audit, clock
from ris.core.audit import SYSTEM, Actor
from ris.identity.foreign import service as foreign
from ris.identity.foreign.feed import Inbound, Received
from ris.identity.foreign.feed_match import apart
from ris.interop.hl7v2 import adt, parser
from ris.interop.hl7v2.adt import Reading
from ris.interop.hl7v2.message import Message, Segment
from ris.interop.hl7v2.model import Hl7Message, Hl7State
from ris.interop.hl7v2.service import (
    APPLIER,
    Inbox,
    accept,
    answer,
    is_enhanced,
    outcome,
    warnings,
)

_APPLIED_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as the listener read it; not *whole*: only the head of one over the cap."""

    data: bytes
    origin: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Opened:
    """One message, read; *values* are the columns of its row, settled or not."""

    msh: Segment
    reading: Reading | None
    actor: Actor
    values: dict[str, Any]


class _Apart(Exception):
    """One of these messages needs a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """The inbox for several messages at a time: same effects, same answers, fewer commits."""

    inbox: Inbox

    def receive(self, arrivals: Sequence[Arrival]) -> list[bytes | None]:
        """Take messages and return their answers, in order, once all are committed."""
        if len(arrivals) > 1:
            try:
                return self._taken([self._opened(one) for one in arrivals])
            except Exception as error:
                structlog.get_logger().info("hl7.one_by_one", error=type(error).__name__)
        return [self.inbox.receive(one.data, one.origin, one.whole) for one in arrivals]

    def apply_waiting(self) -> int:
        """Apply the messages stored in enhanced mode, in order of arrival; return how many."""
        done = 0
        while count := self.apply_next():
            done += count
        return done

    def apply_next(self) -> int:
        """Apply the first messages that wait; return how many, 0 when none can be applied."""
        try:
            return self._applied()
        except Exception as error:
            structlog.get_logger().info("hl7.one_by_one", error=type(error).__name__)
            return self.inbox.apply_waiting(_APPLIED_AT_ONCE)

    def _opened(self, arrival: Arrival) -> _Opened:
        msh = parser.header(arrival.data)
        application, facility, control = parser.control_of(msh)
        if not arrival.whole:
            raise _Apart
        values = self.inbox.kept(msh, arrival.data) | {
            "sender_application": application, "sender_facility": facility, "control_id": control,
        }  # fmt: skip
        message = parser.parse(arrival.data, self.inbox.settings.caps)
        adt.check_supported(message.msh)
        deferred = is_enhanced(msh)
        reading = None if deferred else self.inbox.read(message, values["received_at"])
        return _Opened(msh, reading, replace(SYSTEM, origin_ip=arrival.origin or None), values)

    def _taken(self, opened: list[_Opened]) -> list[bytes | None]:
        with self.inbox.database.transaction() as session, audit.together(session):
            told = [(one.reading.inbound, one.actor) for one in opened if one.reading]
            received = self._integrated(session, told)
            rows = [one.values | self._settled(one, received) for one in opened]
            session.execute(insert(Hl7Message), rows)
        return [row["ack"] for row in rows]

    def _integrated(
        self, session: Session, told: list[tuple[Inbound, Actor]]
    ) -> Iterator[Received]:
        if len(list(apart(inbound for inbound, _ in told))) != len(told):
            raise _Apart
        feature = self.inbox.feature
        return iter(foreign.receive_all(session, feature, told) if told else [])

    def _applied(self) -> int:
        """Apply the first messages that wait, as many as speak of different patients."""
        waiting = select(Hl7Message).where(Hl7Message.state == Hl7State.RECEIVED.value)
        first = waiting.order_by(Hl7Message.seq).limit(_APPLIED_AT_ONCE).with_for_update()
        with self.inbox.database.transaction() as session, audit.together(session):
            if not session.scalar(select(func.pg_try_advisory_xact_lock(APPLIER))):
                return 0
            rows = session.scalars(first).all()
            read = [self._reread(row) for row in rows]
            told = [(one, SYSTEM) for one in apart(reading.inbound for reading in read)]
            received = self._integrated(session, told)
            for row, reading, done in zip(rows, read, received, strict=False):
                row.state, row.error = Hl7State.APPLIED.value, ""
                row.patient_id, row.settled_at = done.patient_id, clock.now()
                row.outcome = outcome(done, reading.complement)
                msh = parser.header(self.inbox.opened(row))
                self.inbox.promise(row, msh, "AA", warnings(done))
            return len(told)

    def _reread(self, row: Hl7Message) -> Reading:
        message: Message = parser.parse(self.inbox.opened(row), self.inbox.settings.caps)
        return self.inbox.read(message, row.received_at)

    def _settled(self, one: _Opened, received: Iterator[Received]) -> dict[str, Any]:
        """Return the columns that say what became of a message: stored, or applied."""
        columns = {"state": Hl7State.RECEIVED.value, "ack_code": "CA", "patient_id": None,
                   "settled_at": None}  # fmt: skip
        if one.reading is None:
            return columns | {"ack": accept(one.msh, "CA", self.inbox.reserves(one.msh))}
        done = next(received)
        return columns | {
            "state": Hl7State.APPLIED.value, "ack_code": "AA", "settled_at": clock.now(),
            "patient_id": done.patient_id, "outcome": outcome(done, one.reading.complement),
            "ack": answer(one.msh, "AA", warnings(done)),
        }  # fmt: skip
