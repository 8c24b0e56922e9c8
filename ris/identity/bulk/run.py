"""What the worker does with a batch: created → sent → answered → applied, whatever dies meanwhile.

Each step is claim and commit, call, settle and commit; each identity is applied in a transaction of
its own, by the rules of the unit verification (`insi/verification.py`). Where INSi has no bulk
verification, `emulated` asks for each identity in turn.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.errors import StructureUnusable
from ris.core import clock
from ris.core.audit import SYSTEM, Actor, record
from ris.core.db import Database
from ris.core.errors import NotConfigured, RemoteError, RisError, Transient
from ris.identity.bulk import service as bulk
from ris.identity.bulk.model import OPEN, BatchState, InsiBatch, InsiBatchItem
from ris.identity.bulk.values import LotItem, LotState
from ris.identity.feature import IdentityFeature
from ris.identity.insi import caller as insi_caller
from ris.identity.insi import verification
from ris.identity.insi.calls import ask
from ris.identity.insi.errors import (
    BatchEmpty,
    BatchOpen,
    InsiCallerMissing,
    InsiFault,
    InsiRefused,
)
from ris.identity.insi.values import AnswerCode, Caller, CallMode, InsiAnswer, Subject, VerifyQuery
from ris.identity.insi.verification import Verdict, query_of, subject_of
from ris.identity.model import InsiCall, Patient
from ris.identity.rules import traits_digest
from ris.identity.service import locked

LEASE: Final = timedelta(minutes=10)
_STEPS: Final = 20
_CHUNK: Final = 100
_LOST: Final = "LOT_UNKNOWN"
_NOTHING_TO_DO: Final = (BatchEmpty, BatchOpen, InsiCallerMissing, StructureUnusable)


@dataclass(frozen=True, slots=True)
class Claimed:
    """One step of one batch that a worker has taken; *attempt_no* fences one that wakes up late."""

    id: UUID
    attempt_no: int
    state: BatchState
    caller: Caller
    actor: Actor


class BulkVerifications:
    """The periodic job. It does nothing while bulk verification is not configured."""

    def __init__(self, database: Database, feature: IdentityFeature) -> None:
        self._database = database
        self._feature = feature
        self._settings = feature.settings.insi

    def begin_due(self) -> bool:
        """Begin a batch of what is due, unattended; say whether one began."""
        if not (self._ready() and self._settings.bulk_automatic):
            return False
        try:
            with self._database.transaction() as session:
                caller = insi_caller.automatic(session, self._settings)
                bulk.start(session, self._feature, caller, actor=SYSTEM)
        except _NOTHING_TO_DO:
            return False
        return True

    def run(self) -> int:
        """Move every batch that can move, 20 steps at most; return how many were taken."""
        if not self._ready():
            return 0
        for taken in range(_STEPS):
            with self._database.transaction() as session:
                claimed = _claim(session, clock.now())
            if claimed is None:
                return taken
            try:
                self._step(claimed)
            except RisError as error:
                self._failed(claimed, error)
        return _STEPS

    def _ready(self) -> bool:
        insi = self._settings
        return self._feature.insi is not None and insi.bulk != "off" and bool(insi.endpoint)

    def _step(self, claimed: Claimed) -> None:
        match claimed.state:
            case BatchState.CREATED if self._settings.bulk == "emulated":
                self._ask_each(claimed)
            case BatchState.CREATED:
                self._send(claimed)
            case BatchState.SENT:
                self._collect(claimed)
            case _:
                self._apply(claimed)

    def _send(self, claimed: Claimed) -> None:
        """Leave the lot, unless an attempt that never came back had left it."""
        port = self._feature.require_insi()
        if claimed.attempt_no > 1:
            known = port.collect(claimed.id, caller=claimed.caller, message_id=_message_id())
            if known.state is not LotState.UNKNOWN:
                return self._moved(claimed, BatchState.SENT)
        with self._database.transaction() as session:
            items = _frozen(session, claimed)
        if not items:
            return self._moved(claimed, BatchState.ANSWERED)
        port.deposit(claimed.id, items, caller=claimed.caller, message_id=_message_id())
        return self._moved(claimed, BatchState.SENT)

    def _collect(self, claimed: Claimed) -> None:
        port = self._feature.require_insi()
        answer = port.collect(claimed.id, caller=claimed.caller, message_id=_message_id())
        with self._database.transaction() as session:
            batch = _ours(session, claimed)
            if batch is None:
                return
            if answer.state is LotState.UNKNOWN:
                raise InsiFault(remote_code=_LOST)
            if answer.state is LotState.PENDING:
                batch.due_at = clock.now() + timedelta(seconds=self._settings.bulk_poll_s)
                return
            for item in _waiting(session, claimed.id):
                said = answer.answers.get(item.rank)
                item.code = said.value if said else None
            _move(batch, BatchState.ANSWERED, clock.now())

    def _apply(self, claimed: Claimed) -> None:
        """Apply every answer, one transaction each, and close the batch."""
        while True:
            with self._database.transaction() as session:
                if (batch := _ours(session, claimed)) is None:
                    return
                items = _waiting(session, claimed.id, limit=1)
                if not items:
                    _close(session, batch, claimed.actor)
                    return
                _applied(session, self._feature, batch, items[0], claimed)

    def _ask_each(self, claimed: Claimed) -> None:
        """Verify identities one by one, 100 at most; raises what stops the series."""
        for _ in range(_CHUNK):
            with self._database.transaction() as session:
                found = _next(session, claimed)
            if found is None:
                return self._moved(claimed, BatchState.ANSWERED)
            item_rank, patient_id, subject = found
            limit, port = self._settings.max_calls, self._feature.require_insi()
            asked = ask(port, subject, None, caller=claimed.caller, limit=limit)
            error = asked[-1].error
            with self._database.transaction() as session:
                if _ours(session, claimed) is None:
                    return None
                kept = verification.keep(
                    session, self._feature, patient_id, subject, asked,
                    caller=claimed.caller, actor=claimed.actor,
                )  # fmt: skip
                if not _stops(error):
                    item = session.get_one(InsiBatchItem, (claimed.id, item_rank))
                    item.code, item.verdict = kept.calls[-1].code, kept.verdict.value
                    item.applied_at = clock.now()
            if error is not None and _stops(error):
                raise error
        return self._moved(claimed, BatchState.CREATED)

    def _moved(self, claimed: Claimed, state: BatchState) -> None:
        with self._database.transaction() as session:
            if (batch := _ours(session, claimed)) is not None:
                _move(batch, state, clock.now())

    def _failed(self, claimed: Claimed, error: RisError) -> None:
        """Try again later what may pass; leave the rest to a person."""
        with self._database.transaction() as session:
            batch = _ours(session, claimed)
            if batch is None:
                return
            batch.failures, batch.error = batch.failures + 1, error.code
            if isinstance(error, Transient | NotConfigured):
                wait = self._settings.delay(batch.failures)
                batch.due_at = clock.now() + timedelta(seconds=wait)
                return
            if isinstance(error, RemoteError) and error.remote_code == _LOST:
                batch.sent_at = None
            batch.state = BatchState.FAILED.value
            target, detail = ("insi_batch", batch.id), {"error": error.code}
            record(session, "insi.batch_failed", actor=claimed.actor, outcome="failure",
                   target=target, detail=detail)  # fmt: skip


def _stops(error: RemoteError | None) -> bool:
    """Say whether a failure is the service's or ours, not one person's odd answer."""
    odd = isinstance(error, InsiRefused) and (error.remote_code or "CR_").startswith("CR_")
    return error is not None and not odd


def _claim(session: Session, now: datetime) -> Claimed | None:
    waiting = select(InsiBatch).where(InsiBatch.state.in_(OPEN), InsiBatch.due_at <= now)
    ordered = waiting.order_by(InsiBatch.due_at, InsiBatch.id).limit(1)
    batch = session.scalar(ordered.with_for_update(skip_locked=True))
    if batch is None:
        return None
    batch.attempt_no += 1
    batch.due_at = now + LEASE
    person = Actor(account_id=batch.account_id, ps_idnat=batch.ps_idnat, auth_method="batch")
    return Claimed(
        batch.id,
        batch.attempt_no,
        BatchState(batch.state),
        Caller(batch.structure, CallMode.AUTOMATIC),
        person if batch.account_id else SYSTEM,
    )


def _ours(session: Session, claimed: Claimed) -> InsiBatch | None:
    """Return the batch, locked, unless another worker took it meanwhile."""
    batch = session.get(InsiBatch, claimed.id, with_for_update=True, populate_existing=True)
    mine = batch is not None and batch.attempt_no == claimed.attempt_no
    return batch if mine and batch is not None and batch.state == claimed.state else None


def _move(batch: InsiBatch, state: BatchState, now: datetime) -> None:
    batch.state, batch.due_at, batch.failures, batch.error = state.value, now, 0, ""
    if state is BatchState.SENT:
        batch.sent_at = now
    if state is BatchState.ANSWERED:
        batch.answered_at = now


def _waiting(session: Session, batch_id: UUID, *, limit: int | None = None) -> list[InsiBatchItem]:
    items = select(InsiBatchItem).where(
        InsiBatchItem.batch_id == batch_id, InsiBatchItem.applied_at.is_(None)
    )
    return list(session.scalars(items.order_by(InsiBatchItem.rank).limit(limit)))


def _frozen(session: Session, claimed: Claimed) -> list[LotItem]:
    """Return what leaves, and keep its digest; an identity no more verifiable is left out."""
    if _ours(session, claimed) is None:
        return []
    leaving = []
    for item in _waiting(session, claimed.id):
        patient = session.get_one(Patient, item.patient_id)
        if _subject(patient) is None:
            _settled(item, Verdict.UNCLEAR)
            continue
        query = query_of(patient)
        item.digest = _digest(item, query)
        leaving.append(LotItem(item.rank, query))
    return leaving


def _next(session: Session, claimed: Claimed) -> tuple[int, UUID, Subject] | None:
    for item in _waiting(session, claimed.id):
        subject = _subject(session.get_one(Patient, item.patient_id))
        if subject is not None:
            return item.rank, item.patient_id, subject
        _settled(item, Verdict.UNCLEAR)
    return None


def _applied(
    session: Session,
    feature: IdentityFeature,
    batch: InsiBatch,
    item: InsiBatchItem,
    claimed: Claimed,
) -> None:
    """Apply one answer by the rules of the unit verification; the call is written either way."""
    patient = locked(session, item.patient_id)
    subject = _subject(patient)
    call = InsiCall(
        patient_id=patient.id,
        operation="bulk",
        mode=claimed.caller.mode.value,
        message_id=f"uuid:{batch.id}/{item.rank}",
        at=batch.answered_at or clock.now(),
        duration_ms=0,
        account_id=claimed.actor.account_id,
        ps_idnat=claimed.actor.ps_idnat,
        struct_idnat=batch.structure,
        code=item.code,
        answer={"batch": str(batch.id)},
        traits_digest=traits_digest(patient.traits),
    )
    session.add(call)
    session.flush()
    said = Verdict.UNCLEAR
    if subject is not None and item.code and item.digest == _digest(item, query_of(patient)):
        answer = InsiAnswer(AnswerCode(item.code), "", call.message_id)
        said = verification.verdict(patient.identity.ins, subject, answer)
    said = verification.applied(
        session, feature, patient, said, subject or patient.subject,
        call=call, actor=claimed.actor, batch=str(batch.id),
    )  # fmt: skip
    _settled(item, said)
    session.flush()


def _subject(patient: Patient) -> Subject | None:
    """Return whom to verify, or None for an identity that is no more to be verified."""
    if patient.merged_into_id is not None:
        return None
    try:
        return subject_of(patient)
    except RisError:
        return None


def _settled(item: InsiBatchItem, verdict: Verdict) -> None:
    item.verdict, item.applied_at = verdict.value, clock.now()


def _close(session: Session, batch: InsiBatch, actor: Actor) -> None:
    batch.state, batch.applied_at = BatchState.APPLIED.value, clock.now()
    session.flush()
    detail = {"size": batch.size, **bulk.counts(session, batch.id)}
    record(
        session, "insi.batch_applied", actor=actor, target=("insi_batch", batch.id), detail=detail
    )


def _digest(item: InsiBatchItem, query: VerifyQuery) -> str:
    """Return what is kept of an identity sent: enough to know it again, nothing to show."""
    whole = f"{item.batch_id}|{item.rank}|{query}"
    return hashlib.sha256(whole.encode()).hexdigest()


def _message_id() -> str:
    return f"uuid:{uuid4()}"
