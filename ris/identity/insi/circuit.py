"""The breaker around INSi: while the service fails, no call leaves and staff are told at once.

Only this: the calls themselves are the gateway's, the rules of the breaker `ris.core.breaker`'s.
A refusal of our certificate or of our message is no failure of the service: the certificate of
one practice must not suspend the calls of the others (ins.md R-ERR-02).
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import structlog

from ris.core import breaker, clock
from ris.core.db import Database
from ris.core.errors import RemoteError
from ris.identity.bulk.values import LotAnswer, LotItem
from ris.identity.feature import InsiGateway
from ris.identity.insi.errors import InsiSuspended, InsiUnavailable
from ris.identity.insi.values import Caller, CallMode, InsiAnswer, Query

T = TypeVar("T")
INSI: Final = "insi"
INSI_CARD: Final = "insi_cpx"
_OURS: Final = frozenset({"TLS", "HANDSHAKE"})


def endpoint_of(caller: Caller) -> str:
    """Return the name of the address that *caller* reaches: cards have their own."""
    return INSI_CARD if caller.mode is CallMode.CARD else INSI


class Circuit:
    """A gateway that counts the failures of another and suspends the calls. See `InsiGateway`."""

    def __init__(
        self,
        gateway: InsiGateway,
        database: Database,
        policy: breaker.Policy,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._gateway = gateway
        self._database = database
        self._policy = policy
        self._now = now

    def search(self, query: Query, *, caller: Caller, message_id: str) -> InsiAnswer:
        """Return INSi's answer; raises `InsiSuspended` at once while the breaker is open."""
        return self._through(
            caller,
            message_id,
            lambda: self._gateway.search(query, caller=caller, message_id=message_id),
        )

    def deposit(
        self, lot: UUID, items: Sequence[LotItem], *, caller: Caller, message_id: str
    ) -> None:
        """Leave a lot; raises `InsiSuspended` at once while the breaker is open."""
        self._through(
            caller,
            message_id,
            lambda: self._gateway.deposit(lot, items, caller=caller, message_id=message_id),
        )

    def collect(self, lot: UUID, *, caller: Caller, message_id: str) -> LotAnswer:
        """Return what became of a lot; raises `InsiSuspended` while the breaker is open."""
        return self._through(
            caller,
            message_id,
            lambda: self._gateway.collect(lot, caller=caller, message_id=message_id),
        )

    def close(self) -> None:
        """Close every connection."""
        self._gateway.close()

    def _through(self, caller: Caller, message_id: str, call: Callable[[], T]) -> T:
        endpoint, started = endpoint_of(caller), self._now()
        with self._database.transaction() as session:
            wait = breaker.admit(session, endpoint, started, self._policy)
        if wait is not None:
            raise InsiSuspended(remote_code="SUSPENDED", retry_at=wait.isoformat())
        begun = time.monotonic()
        try:
            answer = call()
        except RemoteError as error:
            _log(endpoint, message_id, begun, error)
            self._note(endpoint, started, error)
            raise
        self._note(endpoint, started, None)
        return answer

    def _note(self, endpoint: str, started: datetime, error: RemoteError | None) -> None:
        if isinstance(error, RemoteError) and error.remote_code in _OURS:
            return
        with self._database.transaction() as session:
            if isinstance(error, InsiUnavailable):
                breaker.failed(session, endpoint, started, self._now(), self._policy)
            else:
                breaker.succeeded(session, endpoint)


def _log(endpoint: str, message_id: str, begun: float, error: RemoteError) -> None:
    """Say what failed, never of whom; a refusal wants somebody (ins.md R-ERR-03, §5.5)."""
    log = structlog.get_logger()
    tell = log.warning if isinstance(error, InsiUnavailable) else log.error
    elapsed = round((time.monotonic() - begun) * 1000)
    tell(
        "insi.call_failed",
        endpoint=endpoint,
        message_id=message_id,
        code=error.remote_code or error.code,
        duration_ms=elapsed,
    )
