"""The link of a session with Pro Santé Connect: sealed tokens, renewed on demand (AUTH-10…13).

The one place that seals and opens PSC tokens. Never a background refresh: it would keep an absent
user's PSC session alive. No rule about local sessions here (`sessions.py`).
"""

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from ris.auth.errors import (
    OidcRefused,
    PscProtocolError,
    PscReauthRequired,
    PscUnavailable,
    SessionExpired,
)
from ris.auth.model import RisSession
from ris.auth.psc.client import PscClient, Tokens
from ris.core import audit, clock
from ris.core.crypto import Sealer
from ris.core.db import Database
from ris.core.errors import RisError
from ris.rem import satisfies

_MARGIN: Final = timedelta(seconds=15)
_STEP_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Held:
    """What a session holds; *lease* is set for the one request that may renew it."""

    tokens: Tokens
    sub: str
    lease: object = None


class PscLink:
    """Gives the PSC access token of a session, renewed by one request at a time.

    The lock is a lease in the row, not a row lock: no transaction is open while PSC is called.
    """

    def __init__(self, database: Database, sealer: Sealer, psc: PscClient) -> None:
        self._database = database
        self._sealer = sealer
        self._psc = psc
        self._wait_s = psc.settings.http_timeout_s + 5

    @satisfies("SC.MSS/CONF.28")
    def access_token(self, session_id: UUID, actor: audit.Actor = audit.SYSTEM) -> str:
        """Return an access token good for 15 s at least.

        Raises PscReauthRequired when PSC's session is over (the local one stays open),
        PscUnavailable, PscProtocolError, or SessionExpired.
        """
        deadline = time.monotonic() + self._wait_s
        while time.monotonic() < deadline:
            held = self._look(session_id)
            if held.tokens.access_expires_at - clock.now() > _MARGIN:
                return held.tokens.access
            if held.lease is not None:
                return self._renew(session_id, held, actor)
            time.sleep(_STEP_S)
        raise PscUnavailable

    def confirm(self, session_id: UUID, actor: audit.Actor = audit.SYSTEM) -> None:
        """Ask PSC whether the session of this person is still open; raises PscReauthRequired."""
        if self._psc.introspect(self.access_token(session_id, actor)).get("active") is not True:
            self._end(session_id, "introspection_inactive", actor)
            raise PscReauthRequired

    def _look(self, session_id: UUID) -> _Held:
        """Return the tokens, with the lease when they are stale and nobody is renewing them."""
        with self._database.transaction() as session:
            row = session.get_one(RisSession, session_id)
            if row.closed_at is not None:
                raise SessionExpired
            opened = _opened(row, self._sealer)
            now, lease = clock.now(), None
            if opened.access_expires_at - now <= _MARGIN:
                lease = _claim(session, session_id, self._wait_s)
            return _Held(opened, row.psc_sub or "", lease)

    def _renew(self, session_id: UUID, held: _Held, actor: audit.Actor) -> str:
        if held.tokens.refresh is None:
            self._end(session_id, "refresh_absent", actor)
            raise PscReauthRequired
        try:
            fresh = self._psc.refresh(held.tokens.refresh, sub=held.sub)
        except OidcRefused as error:
            if error.reason == "token_invalid_grant":
                self._end(session_id, error.reason, actor)
                raise PscReauthRequired from error
            self._release(session_id, held)
            raise PscProtocolError(error.reason) from error
        except RisError:
            self._release(session_id, held)
            raise
        kept = Tokens(fresh.access, fresh.access_expires_at, fresh.refresh or held.tokens.refresh)
        with self._database.transaction() as session:
            row = session.get_one(RisSession, session_id, with_for_update=True)
            if row.psc_refresh_lease == held.lease and row.closed_at is None:
                keep(row, kept, self._sealer)
        return fresh.access

    def _release(self, session_id: UUID, held: _Held) -> None:
        with self._database.transaction() as session:
            row = session.get_one(RisSession, session_id, with_for_update=True)
            if row.psc_refresh_lease == held.lease:
                row.psc_refresh_lease = None

    def _end(self, session_id: UUID, reason: str, actor: audit.Actor) -> None:
        with self._database.transaction() as session:
            row = session.get_one(RisSession, session_id, with_for_update=True)
            if row.psc_ended_at is not None:
                return
            forget(row)
            row.psc_ended_at = clock.now()
            audit.record(
                session,
                "auth.psc_link_ended",
                actor=actor,
                outcome="failure",
                reason=reason,
                target=("ris_session", session_id),
            )


def keep(row: RisSession, tokens: Tokens | None, sealer: Sealer) -> None:
    """Seal *tokens* into the session; with None the link is over from the start."""
    row.psc_refresh_lease = None
    if tokens is None:
        row.psc_ended_at = clock.now()
        return
    content = json.dumps([tokens.access, tokens.refresh]).encode()
    row.psc_tokens_sealed = sealer.seal(content, _context(row.id))
    row.psc_access_expires_at = tokens.access_expires_at


def forget(row: RisSession) -> None:
    """Drop the tokens of a session."""
    row.psc_tokens_sealed = row.psc_access_expires_at = row.psc_refresh_lease = None


def _opened(row: RisSession, sealer: Sealer) -> Tokens:
    if row.psc_ended_at is not None or row.psc_tokens_sealed is None:
        raise PscReauthRequired
    access, refresh = json.loads(sealer.open(row.psc_tokens_sealed, _context(row.id)))
    return Tokens(access, row.psc_access_expires_at or row.created_at, refresh)


def _claim(session: Session, session_id: UUID, life_s: float) -> object:
    """Take the right to renew for *life_s* seconds; None when another request has it."""
    now = clock.now()
    free = or_(RisSession.psc_refresh_lease.is_(None), RisSession.psc_refresh_lease < now)
    query = (
        update(RisSession)
        .where(RisSession.id == session_id, free, RisSession.psc_access_expires_at <= now + _MARGIN)
        .values(psc_refresh_lease=now + timedelta(seconds=life_s))
        .returning(RisSession.psc_refresh_lease)
        .execution_options(synchronize_session=False)
    )
    return session.execute(query).scalar_one_or_none()


def _context(identifier: UUID) -> bytes:
    return b"ris.session.psc_tokens.v1|" + identifier.bytes
