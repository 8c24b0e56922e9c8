"""The one audit journal: append-only, hash-chained, written in the transaction of the act.

Every feature records here and nowhere else. Domain histories (identity history, INSi calls,
delivery attempts) are domain tables, not journals. `detail` holds codes and identifiers, never
traits, addresses, matricules or tokens (engineering.md §2.4, auth.md §10).
"""

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, LargeBinary, Uuid, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.event import listen, remove
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column

from ris.core import clock
from ris.core.db import Base

GENESIS: Final = bytes(32)
ERASED: Final = "audit.erased"
_LOCK: Final = 0x5249_5341  # "RISA": the advisory lock that serialises appends
_GATHERED: Final = "ris.audit.gathered"

DDL_AUDIT_EVENT_IS_APPEND_ONLY: Final = """
CREATE OR REPLACE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_event is append-only';
END $$;
CREATE OR REPLACE FUNCTION audit_event_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL OR NEW.erased_at IS NULL
        OR OLD.at > NEW.erased_at - interval '180 days' OR NEW.erased_at > now()
        OR ROW(NEW.seq, NEW.at, NEW.action, NEW.outcome, NEW.prev_hash, NEW.hash)
            IS DISTINCT FROM ROW(OLD.seq, OLD.at, OLD.action, OLD.outcome, OLD.prev_hash, OLD.hash)
        OR NEW.detail <> '{}' OR jsonb_strip_nulls(to_jsonb(NEW) - ARRAY['seq', 'at', 'action',
            'outcome', 'detail', 'prev_hash', 'hash', 'erased_at']) <> '{}'
    THEN
        RAISE EXCEPTION 'audit_event is append-only';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS audit_event_is_append_only ON audit_event;
CREATE TRIGGER audit_event_is_append_only BEFORE DELETE OR TRUNCATE
    ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();
CREATE TRIGGER audit_event_erasure BEFORE UPDATE
    ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_erasure();
"""
DDL_AUDIT_EVENT_IS_NOT_APPEND_ONLY: Final = (
    "DROP FUNCTION IF EXISTS audit_event_is_append_only() CASCADE;"
    "DROP FUNCTION IF EXISTS audit_event_erasure() CASCADE;"
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as whom, how they proved it, and from where. Identifiers only."""

    account_id: UUID | None = None
    ps_idnat: str | None = None
    role: str | None = None
    on_behalf_of_id: UUID | None = None
    acting_struct_idnat: str | None = None
    situation_id: UUID | None = None
    auth_method: str | None = None
    acr: str | None = None
    auth_time: datetime | None = None
    psc_session_state: str | None = None
    session_hash: str | None = None
    workstation: str | None = None
    origin_ip: str | None = None
    origin_port: int | None = None
    request_id: str | None = None


SYSTEM: Final = Actor(role="SYSTEM", auth_method="none")


class AuditEvent(Base):
    """One line of the journal. DELETE, TRUNCATE and any UPDATE but an erasure are refused.

    An erasure (`audit_retention`) empties a line whose keeping time is over: its number, instant,
    action, outcome and hashes stay, so the chain holds; the journal must own up to it.
    """

    __tablename__ = "audit_event"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    action: Mapped[str]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    actor_ps_idnat: Mapped[str | None]
    actor_role: Mapped[str | None]
    on_behalf_of_id: Mapped[UUID | None] = mapped_column(Uuid)
    acting_struct_idnat: Mapped[str | None]
    situation_id: Mapped[UUID | None] = mapped_column(Uuid)
    auth_method: Mapped[str | None]
    acr: Mapped[str | None]
    auth_time: Mapped[datetime | None]
    psc_session_state: Mapped[str | None]
    session_hash: Mapped[str | None]
    workstation: Mapped[str | None]
    origin_ip: Mapped[str | None]
    origin_port: Mapped[int | None]
    target_type: Mapped[str | None]
    target_id: Mapped[str | None]
    patient_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    request_id: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    prev_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    erased_at: Mapped[datetime | None]


_HASHED: Final = tuple(
    column.name
    for column in AuditEvent.__table__.columns
    if column.name not in ("prev_hash", "hash", "erased_at")
)


def record(
    session: Session,
    action: str,
    *,
    actor: Actor = SYSTEM,
    outcome: str = "success",
    reason: str | None = None,
    target: tuple[str, object] | None = None,
    patient_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Append one event in the caller's transaction and return it.

    *action* is dotted lower case (`report.signed`); *target* is `(type, id)`. Call it last: the
    lock it takes lasts until the commit. Inside `together`, hence in a request, the event gets its
    link at the end.
    """
    event = AuditEvent(
        at=clock.now(),
        action=action,
        outcome=outcome,
        reason=reason,
        actor_id=actor.account_id,
        actor_ps_idnat=actor.ps_idnat,
        actor_role=actor.role,
        on_behalf_of_id=actor.on_behalf_of_id,
        acting_struct_idnat=actor.acting_struct_idnat,
        situation_id=actor.situation_id,
        auth_method=actor.auth_method,
        acr=actor.acr,
        auth_time=actor.auth_time,
        psc_session_state=actor.psc_session_state,
        session_hash=actor.session_hash,
        workstation=actor.workstation,
        origin_ip=actor.origin_ip,
        origin_port=actor.origin_port,
        target_type=target[0] if target else None,
        target_id=str(target[1]) if target else None,
        patient_id=patient_id,
        request_id=actor.request_id,
        detail=dict(detail or {}),
    )
    gathered: _Gathered | None = session.info.get(_GATHERED)
    if gathered is None:
        _append(session, [event])
    else:
        gathered.add(event)
    return event


@contextmanager
def together(session: Session, *, flushing: bool = False) -> Iterator[None]:
    """Append what is recorded during the block at its end: the lock is then taken once, and late.

    For transactions that hold several acts, and for requests: between the end of a route and its
    commit FastAPI asks for a thread, which all those waiting for the lock would hold for ever.
    What was recorded since a savepoint goes with it. With *flushing* each record still writes what
    is pending, as it does outside. Inside another block it does nothing.
    """
    if _GATHERED in session.info:
        yield
        return
    gathered = session.info[_GATHERED] = _Gathered(session, flushing=flushing)
    listen(session, "after_soft_rollback", gathered.rolled_back)
    try:
        yield
    finally:
        remove(session, "after_soft_rollback", gathered.rolled_back)
        del session.info[_GATHERED]
    if gathered.events:
        _append(session, [event for event, _ in gathered.events])


class _Gathered:
    """Events that wait for their link, each with the savepoints it was recorded under."""

    def __init__(self, session: Session, *, flushing: bool) -> None:
        self._session = session
        self._flushing = flushing
        self.events: list[tuple[AuditEvent, list[SessionTransaction]]] = []

    def add(self, event: AuditEvent) -> None:
        """Keep *event* for the end."""
        if self._flushing:
            self._session.flush()
        under, savepoint = [], self._session.get_nested_transaction()
        while savepoint is not None:
            under.append(savepoint)
            savepoint = savepoint.parent
        self.events.append((event, under))

    def rolled_back(self, _session: Session, ended: SessionTransaction) -> None:
        """Forget what was recorded since *ended* began."""
        self.events = [kept for kept in self.events if ended not in kept[1]]


def _append(session: Session, events: Iterable[AuditEvent]) -> None:
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = session.execute(
        select(AuditEvent.seq, AuditEvent.hash).order_by(AuditEvent.seq.desc()).limit(1)
    ).first()
    seq, link = (last.seq, last.hash) if last else (0, GENESIS)
    for event in events:
        seq += 1
        event.seq, event.prev_hash = seq, link
        link = event.hash = chain(link, canonical(event))
        session.add(event)
    session.flush()


def canonical(event: AuditEvent) -> bytes:
    """Return the bytes that are hashed: JSON, sorted keys, no spaces, instants in UTC."""
    values = {name: _plain(getattr(event, name)) for name in _HASHED}
    return _json(values).encode()


def exported(event: AuditEvent) -> str:
    """Return one event as a JSON line that `broken_lines` can verify without the database."""
    links = {"prev_hash": event.prev_hash.hex(), "hash": event.hash.hex()}
    if event.erased_at is not None:
        links["erased_at"] = str(_plain(event.erased_at))
    return _json(json.loads(canonical(event)) | links)


def broken_lines(lines: Iterable[str]) -> Iterator[int]:
    """Yield the `seq` of every exported event whose number, link or content is wrong."""
    previous, expected = GENESIS.hex(), 1
    events = [json.loads(line) for line in lines]
    owned = Owned(told["detail"] for told in events if told["action"] == ERASED)
    for told in events:
        link, claimed = told.pop("prev_hash"), told.pop("hash")
        erased = told.pop("erased_at", None) is not None
        content = claimed if erased else chain(bytes.fromhex(link), _json(told).encode()).hex()
        sound = told["seq"] == expected and link == previous and claimed == content
        if not sound or (erased and told["seq"] not in owned):
            yield told["seq"]
        previous, expected = claimed, told["seq"] + 1


def chain(previous: bytes, content: bytes) -> bytes:
    """Return SHA-256(*previous* ‖ *content*), the hash of one link."""
    return hashlib.sha256(previous + content).digest()


def broken_links(session: Session, *, start: int = 1) -> Generator[int, None, None]:
    """Yield the `seq` of every event, from *start*, whose number, link or content is wrong."""
    previous = GENESIS
    expected = start
    if start > 1:
        before = session.get(AuditEvent, start - 1)
        if before is None:
            yield start - 1
            return
        previous = before.hash
    owned = Owned(session.scalars(select(AuditEvent.detail).where(AuditEvent.action == ERASED)))
    query = select(AuditEvent).where(AuditEvent.seq >= start).order_by(AuditEvent.seq)
    with closing(session.scalars(query.execution_options(yield_per=1000))) as events:
        for event in events:
            sound = event.seq == expected and event.prev_hash == previous
            if not sound or not _content_holds(event, owned):
                yield event.seq
            previous, expected = event.hash, event.seq + 1


class Owned:
    """The numbers that the journal itself says were erased, out of its `audit.erased` events.

    *details* hold `ranges`: `[[first, last], …]`.
    """

    def __init__(self, details: Iterable[Mapping[str, Any]]) -> None:
        self._ranges = [range(a, b + 1) for told in details for a, b in told.get("ranges", ())]

    def __contains__(self, seq: int) -> bool:
        """Say whether the erasure of event *seq* is owned up to."""
        return any(seq in one for one in self._ranges)


def _content_holds(event: AuditEvent, owned: Owned) -> bool:
    if event.erased_at is not None:
        return event.seq in owned
    return event.hash == chain(event.prev_hash, canonical(event))


@dataclass(frozen=True, slots=True)
class Head:
    """The last link: exported where the database's administrator cannot write, it proves the tail.

    A chain alone does not show that its end was cut or that it was wholly rewritten.
    """

    seq: int
    at: datetime
    hash: str

    def line(self) -> str:
        """Return the head as one line of text: `<seq> <instant UTC> <hash, hexadecimal>`."""
        return f"{self.seq} {_plain(self.at)} {self.hash}"


def head(session: Session) -> Head | None:
    """Return the last link of the journal, None when it is empty."""
    last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).first()
    return Head(last.seq, last.at, last.hash.hex()) if last else None


def still_holds(session: Session, exported: Head) -> bool:
    """Say whether the link once *exported* is still in the journal, unchanged."""
    event = session.get(AuditEvent, exported.seq)
    return event is not None and event.hash.hex() == exported.hash


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, UUID) else value
