"""The inbox: each message stored once, applied once, answered the same for ever.

Store and application are one transaction in original mode, so that AA says "committed"; in enhanced
mode (MSH-15) the answer says "stored" and `apply_waiting` follows. Sockets are `mllp.py`.
"""

import re
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from ris.core import clock, ids
from ris.core.audit import SYSTEM, Actor, record
from ris.core.crypto import Sealer
from ris.core.db import Database
from ris.core.errors import RisError, Stale
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import service as foreign
from ris.identity.foreign.feed import Received
from ris.interop.hl7v2 import acks, adt, parser
from ris.interop.hl7v2.acks import Notice
from ris.interop.hl7v2.adt import Reading
from ris.interop.hl7v2.errors import (
    APPLICATION,
    DATA_TYPE,
    UNSUPPORTED_PROCESSING,
    MessageNotFound,
    NotReplayable,
    Refused,
    Unframed,
)
from ris.interop.hl7v2.message import Message, Segment
from ris.interop.hl7v2.model import Hl7Message, Hl7State
from ris.interop.hl7v2.pid import Complement
from ris.interop.hl7v2.settings import Hl7Settings, LinkSettings
from ris.rem import satisfies

APPLIER: Final = 0x5249_5337  # "RIS7": one applier at a time keeps the order of arrival
_TRIES: Final = 5
_ENHANCED: Final = frozenset({"AL", "ER", "SU"})
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{0,10}")
_TOO_LONG: Final = Refused(DATA_TYPE, "PID", "Une valeur dépasse la longueur admise.")
_PLACES: Final = {
    "/birth_family": "PID^1^5", "/first_birth_given": "PID^1^5", "/birth_given_names": "PID^1^5",
    "/used_family": "PID^1^5", "/used_given": "PID^1^5", "/birth_date": "PID^1^7",
    "/sex": "PID^1^8", "/birth_place": "PID^1^11", "/ipp": "PID^1^3",
}  # fmt: skip


@dataclass(frozen=True)
class Inbox:
    """Receives messages of the identity feed; every method opens its own transactions."""

    database: Database
    sealer: Sealer
    feature: IdentityFeature
    settings: Hl7Settings

    @satisfies("RIS.INS.55", "RIS.INS.56")
    def receive(self, data: bytes, origin: str = "", whole: bool = True) -> bytes | None:
        """Take one message and return its answer, `b""` when the sender wants none.

        None: no header can be read, close the connection. *origin* is the peer's address, not
        *whole* a frame over the cap, of which *data* is the head. The answer is given after the
        commit; a failure of ours is AR, "send it again".
        """
        try:
            msh = parser.header(data)
        except Unframed:
            structlog.get_logger().warning("hl7.no_header", origin=origin)
            return None
        if not whole:
            return answer(msh, "AR", [Notice("E", DATA_TYPE, code="HL7_TOO_BIG")])
        try:
            with self.database.transaction() as session:
                return self._take(session, msh, data, origin)
        except Exception as error:  # whatever broke here, the sender must keep the message
            structlog.get_logger().error("hl7.not_taken", error=type(error).__name__)
            return answer(msh, "AR", [Notice("E", APPLICATION, code="HL7_TRY_AGAIN")])

    def apply_waiting(self, most: int | None = None) -> int:
        """Apply the messages stored in enhanced mode, in order of arrival; return how many.

        At most *most* of them.

        One that keeps failing is set aside as refused, so that it does not block the others.
        """
        done = 0
        while done != most and (waiting := self._next_waiting()) is not None:
            try:
                with self.database.transaction() as session:
                    if not self._apply(session, waiting):
                        return done
            except Exception as error:  # the message stays, its next turn may succeed
                structlog.get_logger().error("hl7.not_applied", error=type(error).__name__)
                if not self._give_up(waiting, type(error).__name__):
                    return done
            done += 1
        return done

    def purge(self) -> int:
        """Delete the settled messages older than `keep_days`; return how many."""
        before = clock.now() - timedelta(days=self.settings.keep_days)
        with self.database.transaction() as session:
            gone = delete(Hl7Message).where(Hl7Message.settled_at < before)
            return len(session.scalars(gone.returning(Hl7Message.id)).all())

    def _take(self, session: Session, msh: Segment, data: bytes, origin: str) -> bytes:
        try:
            application, facility, control = parser.control_of(msh)
        except Refused as error:
            record(session, "hl7.refused", outcome="failure", reason=error.condition)
            return answer(msh, error.ack, [acks.refusal(error)])
        key = {"sender_application": application, "sender_facility": facility}
        row = self._claim(session, {**key, "control_id": control}, msh, data)
        if row.digest != self._digest(data):
            record(session, "hl7.control_id_reused", outcome="failure", target=_target(row))
            reused = Refused(APPLICATION, "MSH^1^10", "MSH-10 déjà employé pour un autre message.",
                             ack="AR", code="HL7_CONTROL_ID_REUSED")  # fmt: skip
            return answer(msh, reused.ack, [acks.refusal(reused)])
        if row.ack_code and row.ack_code not in ("AR", "CR"):
            return row.ack
        if is_enhanced(msh):
            self._store(session, row, msh, data)
        else:
            self._settle(session, row, msh, data, replace(SYSTEM, origin_ip=origin or None))
        return row.ack

    def replay(self, session: Session, message_id: UUID, *, actor: Actor) -> Hl7Message:
        """Apply a refused message again, in the caller's transaction, and return its row.

        It may be refused again; its sender is answered accordingly when it repeats it. Raises
        `MessageNotFound`, `NotReplayable` for a message that is not refused.
        """
        row = session.get(Hl7Message, message_id, with_for_update=True)
        if row is None:
            raise MessageNotFound
        if row.state != Hl7State.REFUSED:
            raise NotReplayable
        data = self.opened(row)
        msh = parser.header(data)
        if is_enhanced(msh):
            row.ack_code, row.ack = "CA", accept(msh, "CA", self.reserves(msh))
        self._settle(session, row, msh, data, actor)
        record(session, "hl7.replayed", actor=actor, target=_target(row),
               patient_id=row.patient_id, detail={"state": row.state})  # fmt: skip
        return row

    def kept(self, msh: Segment, data: bytes) -> dict[str, Any]:
        """Return the columns of a message not settled yet; its key is the caller's to add."""
        new = ids.new()
        return {
            "id": new, "kind": adt.kind(msh), "digest": self._digest(data),
            "sealed": self.sealer.seal(data, _context(new)), "state": Hl7State.REFUSED.value,
            "ack_code": "", "ack": b"", "error": "", "outcome": {}, "received_at": clock.now(),
        }  # fmt: skip

    def reserves(self, msh: Segment) -> list[Notice]:
        """Return what a sender must be told of a message stored: that no answer will follow CA."""
        deaf = _wants_reply(msh) and self._answers_to(msh) is None
        return [acks.warning("HL7_NO_RETURN_LINK")] if deaf else []

    def promise(self, row: Hl7Message, msh: Segment, code: str, notices: list[Notice]) -> None:
        """Note the application answer *code* that MSH-16 asks for; `Replies` sends it."""
        wanted = {"AL": True, "ER": code != "AA", "SU": code == "AA"}
        if not is_enhanced(msh) or not wanted.get(msh.text(16)) or self._answers_to(msh) is None:
            return
        row.reply = acks.acknowledge(
            msh, code, control_id=str(ids.new()), at=clock.now(), notices=notices, deferred=True
        )
        row.reply_due_at, row.reply_tries, row.replied_at = clock.now(), 0, None

    def _answers_to(self, msh: Segment) -> LinkSettings | None:
        return self.settings.answers_to(msh.text(3), msh.text(4))

    def opened(self, row: Hl7Message) -> bytes:
        """Return the bytes of a message as they were received."""
        return self.sealer.open(row.sealed, _context(row.id))

    def read(self, message: Message, received_at: datetime) -> Reading:
        """Return what *message* says of an identity; raises `Refused`."""
        if message.msh.text(11) not in self.settings.processing_ids:
            raise Refused(
                UNSUPPORTED_PROCESSING, "MSH^1^11", "Mode de traitement refusé ici.", ack="AR"
            )
        sender = self.settings.domain(message.msh.text(3), message.msh.text(4))
        return adt.read(message, sender=sender, received_at=received_at)

    def _digest(self, data: bytes) -> str:
        return self.sealer.digest(data, b"hl7_message").hex()

    def _claim(
        self, session: Session, key: dict[str, str], msh: Segment, data: bytes
    ) -> Hl7Message:
        """Return the one row of *key*, locked; two connections with one message wait here."""
        values = key | self.kept(msh, data)
        claimed = insert(Hl7Message).values(**values).on_conflict_do_nothing()
        row = session.scalars(claimed.returning(Hl7Message)).first()
        held = select(Hl7Message).filter_by(**key).with_for_update()
        return row or session.scalars(held).one()

    def _store(self, session: Session, row: Hl7Message, msh: Segment, data: bytes) -> None:
        """Keep a message for `apply_waiting` and answer CA; refuse at once what cannot be read."""
        try:
            adt.check_supported(parser.parse(data, self.settings.caps).msh)
        except Refused as error:
            _refuse(row, "C" + error.ack[1], error)
        else:
            row.state, row.ack_code = Hl7State.RECEIVED.value, "CA"
        row.ack = accept(msh, row.ack_code, _notices_of(row) or self.reserves(msh))
        session.flush()

    def _settle(
        self, session: Session, row: Hl7Message, msh: Segment, data: bytes, actor: Actor
    ) -> None:
        """Apply a message in this transaction; a refusal undoes its effects, not its storage."""
        notices: list[Notice]
        try:
            with session.begin_nested():
                notices = self._integrate(session, row, data, actor)
        except Stale:
            raise
        except (RisError, DataError) as failure:
            error = failure if isinstance(failure, RisError) else _TOO_LONG
            code = error.ack if isinstance(error, Refused) else "AE"
            _refuse(row, code, error)
            notices = _refusals(error)
        else:
            code, row.state, row.error = "AA", Hl7State.APPLIED.value, ""
            row.ack_code = row.ack_code if row.ack_code == "CA" else code
        row.settled_at = clock.now()
        if row.ack_code[0] == "A":
            row.ack = answer(msh, row.ack_code, notices)
        else:
            self.promise(row, msh, code, notices)
        session.flush()
        if row.state == Hl7State.REFUSED:  # what is applied is journaled by the identity room
            record(
                session, "hl7.refused", actor=actor, outcome="failure", reason=row.error,
                target=_target(row), detail={"kind": row.kind, "ack": row.ack_code},
            )  # fmt: skip

    def _integrate(
        self, session: Session, row: Hl7Message, data: bytes, actor: Actor
    ) -> list[Notice]:
        reading = self.read(parser.parse(data, self.settings.caps), row.received_at)
        received = foreign.receive(session, self.feature, reading.inbound, actor=actor)
        row.patient_id = received.patient_id
        row.outcome = outcome(received, reading.complement)
        return warnings(received)

    def _next_waiting(self) -> UUID | None:
        waiting = select(Hl7Message.id).where(Hl7Message.state == Hl7State.RECEIVED.value)
        with self.database.transaction() as session:
            return session.scalars(waiting.order_by(Hl7Message.seq).limit(1)).first()

    def _apply(self, session: Session, message_id: UUID) -> bool:
        """Apply one stored message; False when another process is at it."""
        if not session.scalar(text("select pg_try_advisory_xact_lock(:key)"), {"key": APPLIER}):
            return False
        row = session.get(Hl7Message, message_id, with_for_update=True)
        if row is not None and row.state == Hl7State.RECEIVED.value:
            data = self.opened(row)
            self._settle(session, row, parser.header(data), data, SYSTEM)
        return True

    def _give_up(self, message_id: UUID, error: str) -> bool:
        """Count a failure; at the last one set the message aside and say True."""
        with self.database.transaction() as session:
            row = session.get_one(Hl7Message, message_id, with_for_update=True)
            tries = int(row.outcome.get("tries", 0)) + 1
            row.outcome = {"tries": tries}
            if tries < _TRIES:
                return False
            row.state, row.error, row.settled_at = Hl7State.REFUSED.value, error, clock.now()
            msh = parser.header(self.opened(row))
            self.promise(row, msh, "AE", [Notice("E", APPLICATION, code="HL7_SET_ASIDE")])
            record(session, "hl7.set_aside", outcome="failure", target=_target(row))
            return True


def answer(msh: Segment, code: str, notices: list[Notice]) -> bytes:
    """Return the answer *code* to the message of *msh*, now."""
    return acks.acknowledge(msh, code, control_id=str(ids.new()), at=clock.now(), notices=notices)


def accept(msh: Segment, code: str, notices: list[Notice]) -> bytes:
    """Return the accept answer *code* (CA, CE, CR) when MSH-15 wants it, else nothing."""
    wanted = {"AL": True, "SU": code == "CA", "ER": code != "CA"}
    return answer(msh, code, notices) if wanted.get(msh.text(15)) else b""


def is_enhanced(msh: Segment) -> bool:
    """Say whether the sender wants to know that the message is stored, before it is applied."""
    wanted, application = msh.text(15), msh.text(16)
    return wanted in _ENHANCED or (wanted == "NE" and application in ("", "NE"))


def _wants_reply(msh: Segment) -> bool:
    return is_enhanced(msh) and msh.text(16) in _ENHANCED


def _context(message_id: UUID) -> bytes:
    return f"ris.hl7_message.v1|{message_id}".encode()


def _target(row: Hl7Message) -> tuple[str, object]:
    return "hl7_message", row.id


def _refuse(row: Hl7Message, code: str, error: RisError) -> None:
    row.state, row.error, row.settled_at = Hl7State.REFUSED.value, error.code, clock.now()
    if row.ack_code != "CA":
        row.ack_code = code
    row.outcome = {"condition": getattr(error, "condition", APPLICATION)}


def _notices_of(row: Hl7Message) -> list[Notice]:
    if row.state != Hl7State.REFUSED:
        return []
    return [Notice("E", str(row.outcome.get("condition", APPLICATION)), code=row.error)]


def _refusals(error: RisError) -> list[Notice]:
    """Return one ERR per fault: the field rules broken, or the error itself."""
    if isinstance(error, Refused):
        return [acks.refusal(error)]
    faults: list[dict[str, str]] = error.extensions.get("errors", [])
    if not faults:
        return [Notice("E", APPLICATION, code=error.code, text=error.detail or error.title)]
    return [
        Notice("E", APPLICATION, _PLACES.get(fault["pointer"], ""), fault["code"], fault["message"])
        for fault in faults
    ]


def warnings(received: Received) -> list[Notice]:
    """Return what a message integrated with reserves must tell its sender."""
    return [acks.warning(alert.value) for alert in received.alerts]


def outcome(received: Received, complement: Complement) -> dict[str, Any]:
    """Return what is kept of what a message did: codes and ids."""
    return {
        "zfd": _plain(asdict(complement)),
        "action": received.action.value,
        "status": received.status.value,
        "alerts": [alert.value for alert in received.alerts],
        "foreign_id": str(received.foreign_id) if received.foreign_id else None,
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return the codes of a ZFD as JSON; the lunar birth date is a trait and stays out.

    So does a text that is no code: nothing tells what a sender wrote there, and this is not sealed.
    """
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
        if name != "lunar" and (not isinstance(value, str) or _CODE.fullmatch(value))
    }
