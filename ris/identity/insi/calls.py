"""Calls of INSi: made without a transaction, then written in one, each with its return.

What an answer means for the identity is in `retrieval.py` and `verification.py`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.errors import RemoteError
from ris.identity.feature import InsiGateway
from ris.identity.insi.attempts import Tried, next_query
from ris.identity.insi.errors import InsiRefused, InsiSuspended
from ris.identity.insi.values import Caller, InsiAnswer, Query, Subject, TraitsQuery, VitaleQuery
from ris.identity.model import Decision, InsiCall, Patient
from ris.identity.rules import traits_digest
from ris.rem import satisfies

_CUT: Final = ("CONNECT", "CUT")


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as it went: an answer, or the error that stands for it."""

    query: Query
    message_id: str
    at: datetime
    duration_ms: int
    answer: InsiAnswer | None = None
    error: RemoteError | None = None


@satisfies("RIS.INS.50")
def ask(
    insi: InsiGateway, subject: Subject, plain: Query | None, *, caller: Caller, limit: int
) -> tuple[Asked, ...]:
    """Put the one *plain* query when given, else search by traits until an answer settles it.

    A failed call ends the series and carries its error. Raises `InsiSuspended` only, when nothing
    left at all: there is nothing to write then. No database.
    """
    return tuple(_asked(insi, subject, plain, caller, limit))


@satisfies("RIS.INS.04", "RIS.INS.40", "RIS.INS.41")
def written(
    session: Session,
    patient: Patient,
    asked: tuple[Asked, ...],
    *,
    subject: Subject,
    caller: Caller,
    actor: Actor,
    verification: bool = False,
) -> tuple[InsiCall, ...]:
    """Write every call with all that came back, and journal who made it in whose name.

    *subject* is whom the calls were about. A *verification* leaves nothing to decide.
    """
    digest = traits_digest(subject.traits)
    actor = replace(actor, acting_struct_idnat=caller.structure)
    made = tuple(_row(one, digest, verification=verification) for one in asked)
    for call in made:
        call.patient_id, call.mode = patient.id, caller.mode.value
        call.account_id, call.ps_idnat = actor.account_id, actor.ps_idnat
        call.struct_idnat = caller.structure
    session.add_all(made)
    session.flush()
    for call in made:
        outcome = "failure" if call.fault else "success"
        detail = {"operation": call.operation, "mode": call.mode, "code": call.code}
        record(
            session,
            "insi.called",
            actor=actor,
            outcome=outcome,
            target=("insi_call", call.id),
            patient_id=patient.id,
            detail={**detail, "fault": call.fault},
        )
    return made


def _asked(
    insi: InsiGateway, subject: Subject, plain: Query | None, caller: Caller, limit: int
) -> Iterator[Asked]:
    tried: list[Tried] = []
    cuts = left = 0
    query: Query | None = plain or next_query(subject, tried, limit=limit)
    while query is not None:
        one = _one(insi, query, caller)
        if isinstance(one.error, InsiSuspended) and left == 0:
            raise one.error
        left += 1
        yield one
        if one.error is not None and one.error.remote_code in _CUT and cuts == 0:
            cuts += 1  # a search has no effect: once more, as a new message (R-ERR-02)
            continue
        if one.answer is None or not isinstance(query, TraitsQuery):
            return
        tried.append((query, one.answer.code))
        query = next_query(subject, tried, limit=limit)


def _one(insi: InsiGateway, query: Query, caller: Caller) -> Asked:
    message_id, at, start = f"uuid:{uuid4()}", clock.now(), time.monotonic()
    answer, error = None, None
    try:
        answer = insi.search(query, caller=caller, message_id=message_id)
    except RemoteError as failure:
        error = failure
    elapsed = round((time.monotonic() - start) * 1000)
    return Asked(query, message_id, at, elapsed, answer, error)


def _row(asked: Asked, digest: str, *, verification: bool) -> InsiCall:
    answer, error = asked.answer, asked.error
    vitale = isinstance(asked.query, VitaleQuery)
    returned = error.returned if isinstance(error, InsiRefused) else {}
    pending = answer is not None and answer.person is not None and not verification
    return InsiCall(
        operation="verify" if verification else "vitale" if vitale else "traits",
        message_id=asked.message_id,
        at=asked.at,
        duration_ms=asked.duration_ms,
        code=answer.code.value if answer else None,
        fault=(error.remote_code or error.code) if error else None,
        answer=answer.as_record() if answer else {"returned": returned} if returned else {},
        traits_digest=digest,
        decision=(Decision.PENDING if pending else Decision.NONE).value,
    )
