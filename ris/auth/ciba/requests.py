"""Rows of decoupled sign-ins: limited, begun, polled by one request at a time, ended.

Each function is one short transaction's work; the state machine is `states.py`. PSC is never
called here (`desk.py`).
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from ris.auth import cookies
from ris.auth.ciba.model import CibaRequest
from ris.auth.ciba.states import LIVE, Channel, CibaState, is_terminal, may_become
from ris.auth.ciba.wire import Asked
from ris.auth.errors import CibaAlreadyPending, TooManyAttempts
from ris.auth.settings import CibaSettings
from ris.core import clock, ids
from ris.core.crypto import Sealer
from ris.core.errors import NotFound

_LOCK: Final = 0x5249_4342  # "RICB": serialises beginnings, so that a limit is a limit
_MESSAGES: Final = tuple(f"{number:02d}" for number in range(100))
_BEGUN_S: Final = 30
_SLOWER_S: Final = 5


@dataclass(frozen=True, slots=True)
class Begun:
    """A new request, and the secret that only its caller holds."""

    request: CibaRequest
    secret: str


def begin(
    session: Session,
    ps_idnat: str,
    channel: Channel,
    *,
    origin_ip: str | None,
    workstation: str | None = None,
) -> Begun:
    """Record a request before PSC is asked; raises CibaAlreadyPending.

    The two digits are none that this person was shown lately.
    """
    now, secret = clock.now(), cookies.fresh()
    waiting = select(CibaRequest.id).where(
        CibaRequest.ps_idnat == ps_idnat,
        CibaRequest.origin_ip.is_not_distinct_from(origin_ip),
        CibaRequest.state.in_(sorted(LIVE)),
        CibaRequest.expires_at > now,
    )
    if session.scalars(waiting.limit(1)).first() is not None:
        raise CibaAlreadyPending
    shown = select(CibaRequest.binding_message).where(CibaRequest.ps_idnat == ps_idnat)
    used = set(session.scalars(shown.order_by(CibaRequest.created_at.desc()).limit(50)))
    request = CibaRequest(
        id=ids.new(),
        ps_idnat=ps_idnat,
        secret_hash=cookies.digest(secret),
        binding_message=secrets.choice([one for one in _MESSAGES if one not in used]),
        channel=channel.value,
        next_poll_at=now,
        origin_ip=origin_ip,
        workstation=workstation,
        created_at=now,
        expires_at=now + timedelta(seconds=_BEGUN_S),
    )
    session.add(request)
    session.flush()
    return Begun(request, secret)


def refuse_too_many(
    session: Session, ps_idnat: str, origin_ip: str | None, limits: CibaSettings
) -> None:
    """Raise TooManyAttempts beyond the limits; holds the lock of beginnings until the commit."""
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    window = timedelta(seconds=limits.window_s)
    since = clock.now() - window
    for column, value, most in (
        (CibaRequest.ps_idnat, ps_idnat, limits.per_person),
        (CibaRequest.origin_ip, origin_ip, limits.per_origin),
    ):
        recent = select(func.count(), func.min(CibaRequest.created_at)).where(
            column.is_not_distinct_from(value), CibaRequest.created_at > since
        )
        count, first = session.execute(recent).one()
        if count >= most:
            raise TooManyAttempts(retry_at=(first or since) + window)


def asked(session: Session, identifier: UUID, answer: Asked, sealer: Sealer) -> None:
    """Note that PSC took the request."""
    now = clock.now()
    row = session.get_one(CibaRequest, identifier, with_for_update=True)
    if not may_become(CibaState(row.state), CibaState.PENDING):
        return
    row.state = CibaState.PENDING
    row.auth_req_sealed = sealer.seal(answer.auth_req_id.encode(), _context(identifier))
    row.interval_s = answer.interval_s
    row.next_poll_at = now + timedelta(seconds=answer.interval_s)
    row.expires_at = now + timedelta(seconds=answer.expires_in_s)


def owned(session: Session, identifier: UUID, secret: str) -> CibaRequest:
    """Return a request of this very caller; raises NotFound, also for another's."""
    row = session.get(CibaRequest, identifier)
    given = cookies.digest(secret)
    if row is None or not hmac.compare_digest(row.secret_hash, given):
        raise NotFound("Demande de connexion inconnue.", code="CIBA_UNKNOWN")
    return row


def take_turn(session: Session, identifier: UUID, now: datetime, lease_s: float) -> bool:
    """Take the right to ask PSC now; False when it is too soon or another request has it."""
    query = (
        update(CibaRequest)
        .where(
            CibaRequest.id == identifier,
            CibaRequest.state == CibaState.PENDING,
            CibaRequest.next_poll_at <= now,
        )
        .values(next_poll_at=now + timedelta(seconds=lease_s))
        .returning(CibaRequest.id)
        .execution_options(synchronize_session=False)
    )
    return session.execute(query).scalar_one_or_none() is not None


def secret_of(row: CibaRequest, sealer: Sealer) -> str:
    """Return the `auth_req_id` of a pending request."""
    return sealer.open(row.auth_req_sealed or b"", _context(row.id)).decode()


def still_waiting(session: Session, identifier: UUID, *, slower: bool, reason: str | None) -> None:
    """Note that PSC has no answer yet; *reason* says when it could not be reached."""
    row = session.get_one(CibaRequest, identifier, with_for_update=True)
    row.interval_s += _SLOWER_S if slower else 0
    row.next_poll_at = clock.now() + timedelta(seconds=row.interval_s)
    row.reason = reason


def become(session: Session, identifier: UUID, state: CibaState, reason: str | None = None) -> bool:
    """Move a request on; False when it may not (a terminal state never changes).

    The `auth_req_id` is dropped as soon as it has served.
    """
    row = session.get_one(CibaRequest, identifier, with_for_update=True)
    if not may_become(CibaState(row.state), state):
        return False
    row.state, row.auth_req_sealed = state, None
    row.reason = reason or row.reason
    row.ended_at = clock.now() if is_terminal(state) else None
    return True


def _context(identifier: UUID) -> bytes:
    return b"ris.ciba_request.v1|" + identifier.bytes
