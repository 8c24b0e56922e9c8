"""API callers that bring a Pro Santé Connect access token: who they are, here (auth.md §6).

The token is introspected, the answer kept for a few seconds by its hash; the account is read anew
at each request. Rights and HTTP are in `dependencies.py`; the rules on claims in
`psc/introspection.py`.
"""

import hashlib
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth import accounts, situations
from ris.auth.enrolment import aftermath
from ris.auth.errors import PscProtocolError, PscUnavailable, TokenRefused, TooManyAttempts
from ris.auth.model import Account, Situation
from ris.auth.psc import introspection, userinfo
from ris.auth.psc.client import PscClient
from ris.auth.psc.introspection import Bearer
from ris.auth.settings import AuthSettings
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.db import Database
from ris.core.errors import Forbidden, RisError

METHOD: Final = "PSC_BEARER"
_MINUTE: Final = timedelta(minutes=1)
_LONGEST: Final = 8192
_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Known:
    """What a token gave: its bearer and account, and until when we need not ask again."""

    bearer: Bearer
    account_id: UUID
    certificate: bytes | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """An API caller: account, situation (None: none, or one to choose), and the trace's actor."""

    account: Account
    situation: Situation | None
    needs_situation: bool
    bearer: Bearer
    actor: Actor


class BearerDesk:
    """Recognises tokens. Kept in this process only: no token is written anywhere."""

    def __init__(self, settings: AuthSettings, database: Database, psc: PscClient) -> None:
        self._settings = settings
        self._database = database
        self._psc = psc
        self._lock = threading.Lock()
        self._known: dict[bytes, Known] = {}
        self._refused: dict[str, deque[datetime]] = defaultdict(deque)

    def recognise(
        self, token: str, *, certificate: bytes | None, situation_id: UUID | None, origin: Actor
    ) -> Caller:
        """Return who calls with *token*; *certificate* is the DER one of the TLS connection.

        Raises TokenRefused, AcrTooLow, an error of `accounts`, TooManyAttempts, PscUnavailable,
        or NotFound for a situation that is not the caller's. Refusals are traced.
        """
        if not self._settings.bearer.clients:
            raise TokenRefused("bearer_disabled")
        key = hashlib.sha256(token.encode()).digest()
        known = self._remembered(key, certificate)
        if known is None:
            self._refuse_flood(origin)
            try:
                known = self._ask(token, certificate, origin, key)
            except PscUnavailable:
                raise
            except RisError as error:
                self._note_refusal(key, origin, error)
                raise
            with self._lock:
                self._forget_stale()
                self._known[key] = known
        return self._caller(known, situation_id, _actor(origin, key, known.bearer))

    def forget(self, sid: str | None, sub: str | None) -> None:
        """Ask PSC again about the tokens of a session or of a person that PSC says is over."""
        with self._lock:
            for key, known in list(self._known.items()):
                if _is_of(known.bearer, sid, sub):
                    del self._known[key]

    def _remembered(self, key: bytes, certificate: bytes | None) -> Known | None:
        with self._lock:
            known = self._known.get(key)
        if known is None or known.until <= clock.now():
            return None
        return known if known.certificate == certificate else None

    def _ask(self, token: str, certificate: bytes | None, origin: Actor, key: bytes) -> Known:
        if len(token) > _LONGEST or not token.isascii() or not token.isprintable():
            raise TokenRefused("token_malformed")
        now = clock.now()
        bearer = introspection.judge(
            self._psc.introspect(token),
            self._psc.expected(nonce=None),
            self._settings.bearer,
            certificate=certificate,
            now=now,
        )
        with self._lock:
            former = self._known.get(key)
        if former is not None and former.bearer.sub == bearer.sub:
            account_id = former.account_id
        else:
            account_id = self._learn(token, bearer, _actor(origin, key, bearer))
        until = now + timedelta(seconds=self._settings.bearer.cache_s)
        return Known(bearer, account_id, certificate, min(until, bearer.expires_at))

    def _learn(self, token: str, bearer: Bearer, actor: Actor) -> UUID:
        """Return the account of a token seen for the first time, by the rules of a sign-in.

        PSC is asked who the person is, except with a token bound to somebody else's certificate,
        which opens the userinfo to him alone: what the last sign-in told then serves.
        """
        identity = None if bearer.bound else self._identity(token, bearer)
        rpps = accounts.rpps_of(identity, bearer.subject_name_id)
        if (rpps or "").startswith("997") and not self._settings.allow_test_ids:
            raise Forbidden("Identité de test refusée.", code="TEST_IDENTITY")
        with self._database.transaction() as session:
            if identity is not None:
                account = accounts.link(session, identity, self._settings.enrolment)
                situations.refresh(session, account, identity)
            else:
                account = accounts.known(session, bearer.subject_name_id)
            audit.record(
                session,
                "auth.bearer_accepted",
                actor=accounts.actor_of(account, actor),
                target=("account", account.id),
                detail={"client": bearer.client, "bound": bearer.bound},
            )
            return account.id

    def _identity(self, token: str, bearer: Bearer) -> userinfo.Identity:
        claims = self._psc.userinfo(token, client=bearer.client)
        if claims.get("sub") != bearer.sub:
            raise PscProtocolError("userinfo_sub")
        identity = userinfo.parse(claims)
        if identity.subject_name_id != bearer.subject_name_id:
            raise PscProtocolError("userinfo_subject_name_id")
        return identity

    def _caller(self, known: Known, situation_id: UUID | None, actor: Actor) -> Caller:
        with self._database.transaction() as session:
            account = accounts.usable(session, known.account_id)
            chosen, needed = _situation(session, account.id, situation_id)
        actor = accounts.actor_of(account, actor)
        actor = replace(actor, situation_id=chosen.id if chosen else None)
        return Caller(account, chosen, needed, known.bearer, actor)

    def _refuse_flood(self, origin: Actor) -> None:
        """Spare PSC and the journal a caller who only brings bad tokens."""
        now = clock.now()
        with self._lock:
            recent = self._refused[origin.origin_ip or ""]
            while recent and now - recent[0] > _MINUTE:
                recent.popleft()
            if not recent:
                del self._refused[origin.origin_ip or ""]
            elif len(recent) >= self._settings.bearer.refusals_per_minute:
                raise TooManyAttempts(retry_at=recent[0] + _MINUTE)

    def _note_refusal(self, key: bytes, origin: Actor, error: RisError) -> None:
        now = clock.now()
        with self._lock:
            self._known.pop(key, None)
            self._refused[origin.origin_ip or ""].append(now)
            while len(self._refused) > _MOST:
                del self._refused[next(iter(self._refused))]
        reason = str(getattr(error, "reason", error.code))
        with self._database.transaction() as session:
            aftermath.note(session, error, replace(origin, auth_method=METHOD))
            audit.record(
                session,
                "auth.bearer_refused",
                actor=replace(origin, auth_method=METHOD, session_hash=key.hex()[:16]),
                outcome="failure",
                reason=reason,
            )

    def _forget_stale(self) -> None:
        now = clock.now()
        for key, known in list(self._known.items()):
            if known.bearer.expires_at <= now:
                del self._known[key]
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]


def _situation(
    session: Session, account_id: UUID, wanted: UUID | None
) -> tuple[Situation | None, bool]:
    """Return the situation the caller names, else the single one, and whether one is missing."""
    if wanted is not None:
        found = situations.owned(session, account_id, wanted)
        if not situations.in_force(found, clock.now()):
            raise situations.unknown()
        return found, False
    listed = situations.candidates(session, situations.current(session, account_id))
    return (listed[0], False) if len(listed) == 1 else (None, len(listed) > 1)


def _actor(origin: Actor, key: bytes, bearer: Bearer) -> Actor:
    return replace(
        origin,
        auth_method=METHOD,
        acr=bearer.acr,
        auth_time=bearer.auth_time,
        psc_session_state=bearer.session_state,
        session_hash=key.hex()[:16],
    )


def _is_of(bearer: Bearer, sid: str | None, sub: str | None) -> bool:
    """Say whether *bearer* may be of session *sid*, else of person *sub*."""
    if sid and bearer.session_state:
        return bearer.session_state == sid
    return sub is None or bearer.sub == sub
