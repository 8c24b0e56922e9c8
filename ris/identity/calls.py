"""Calls of INSi: made without a transaction, then written in one, each with its return.

What an answer means for the identity is in `retrieval.py` and `verification.py`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.errors import RemoteError
from ris.identity.attempts import Tried, next_query
from ris.identity.feature import InsiSearch
from ris.identity.insi_values import InsiAnswer, Query, TraitsQuery
from ris.identity.model import Decision, InsiCall, Patient
from ris.identity.rules import traits_digest
from ris.identity.settings import InsiSettings
from ris.identity.values import Traits
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
    insi: InsiSearch, traits: Traits, vitale: Query | None, *, structure: str, limit: int
) -> tuple[Asked, ...]:
    """Call INSi by Vitale data when given, else by traits until an answer settles it.

    Never raises for INSi: a failed call ends the series and carries its error. No database.
    """
    return tuple(_asked(insi, traits, vitale, structure, limit))


@satisfies("RIS.INS.04", "RIS.INS.40", "RIS.INS.41")
def written(
    session: Session,
    patient: Patient,
    asked: tuple[Asked, ...],
    settings: InsiSettings,
    *,
    traits: Traits,
    actor: Actor,
    verification: bool = False,
) -> tuple[InsiCall, ...]:
    """Write every call with all that came back, and journal who made it.

    *traits* are those the calls were made with. A *verification* leaves nothing to decide.
    """
    digest = traits_digest(traits)
    made = tuple(_row(one, digest, verification=verification) for one in asked)
    for call in made:
        call.patient_id, call.mode = patient.id, settings.mode.value
        call.account_id, call.ps_idnat = actor.account_id, actor.ps_idnat
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
    insi: InsiSearch, traits: Traits, vitale: Query | None, structure: str, limit: int
) -> Iterator[Asked]:
    tried: list[Tried] = []
    cuts = 0
    query: Query | None = vitale or next_query(traits, tried, limit=limit)
    while query is not None:
        one = _one(insi, query, structure)
        yield one
        if one.error is not None and one.error.remote_code in _CUT and cuts == 0:
            cuts += 1  # a search has no effect: once more, as a new message (R-ERR-02)
            continue
        if one.answer is None or not isinstance(query, TraitsQuery):
            return
        tried.append((query, one.answer.code))
        query = next_query(traits, tried, limit=limit)


def _one(insi: InsiSearch, query: Query, structure: str) -> Asked:
    message_id, at, start = f"uuid:{uuid4()}", clock.now(), time.monotonic()
    answer, error = None, None
    try:
        answer = insi.search(query, structure=structure, message_id=message_id)
    except RemoteError as failure:
        error = failure
    elapsed = round((time.monotonic() - start) * 1000)
    return Asked(query, message_id, at, elapsed, answer, error)


def _row(asked: Asked, digest: str, *, verification: bool) -> InsiCall:
    answer, error = asked.answer, asked.error
    by_traits = isinstance(asked.query, TraitsQuery)
    pending = answer is not None and answer.person is not None and not verification
    return InsiCall(
        operation="verify" if verification else "traits" if by_traits else "vitale",
        message_id=asked.message_id,
        at=asked.at,
        duration_ms=asked.duration_ms,
        code=answer.code.value if answer else None,
        fault=(error.remote_code or error.code) if error else None,
        answer=answer.as_record() if answer else {},
        traits_digest=digest,
        decision=(Decision.PENDING if pending else Decision.NONE).value,
    )
