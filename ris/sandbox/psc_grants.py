"""What the sandbox provider has granted: sessions, access and refresh tokens, their ends.

Only the book. Which request deserves a token is in `psc.py`; what a token says in `psc_tokens.py`.
"""

import base64
import hashlib
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ris.core import clock
from ris.sandbox.psc_people import Person

REFRESH_LIFE: Final = timedelta(minutes=30)
SESSION_LIFE: Final = timedelta(hours=4)


@dataclass
class PscSession:
    """A person signed in at the provider, through one client."""

    person: Person
    client_id: str
    thumbprint: str = ""
    sid: str = field(default_factory=lambda: secrets.token_hex(16))
    at: datetime = field(default_factory=clock.now)
    used_at: datetime = field(default_factory=clock.now)
    refresh: str = ""
    ended: bool = False

    def alive(self, now: datetime) -> bool:
        """Say whether the session goes on: 4 h in all, 30 minutes without a refresh."""
        return not self.ended and now - self.at < SESSION_LIFE and now - self.used_at < REFRESH_LIFE


class Grants:
    """The book. *life_s* is the life of an access token; refresh tokens serve once."""

    def __init__(self, life_s: int) -> None:
        self.life_s = life_s
        self._lock = threading.Lock()
        self._sessions: list[PscSession] = []
        self._access: dict[str, tuple[PscSession, datetime]] = {}
        self._spent: dict[str, PscSession] = {}

    def open(self, person: Person, client_id: str, thumbprint: str = "") -> PscSession:
        """Open a session; with *thumbprint* its tokens are bound to that certificate."""
        opened = PscSession(person, client_id, thumbprint)
        with self._lock:
            self._sessions.append(opened)
        return opened

    def access(self, session: PscSession) -> str:
        """Issue an access token."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            expires = clock.now() + timedelta(seconds=self.life_s)
            self._access[token] = (session, expires)
        return token

    def refresh(self, session: PscSession) -> str:
        """Issue the next refresh token; the former one is spent."""
        with self._lock:
            if session.refresh:
                self._spent[session.refresh] = session
            session.refresh = secrets.token_urlsafe(32)
            session.used_at = clock.now()
            return session.refresh

    def of_refresh(self, token: str) -> PscSession | None:
        """Return the live session of a refresh token; a spent one ends its session (a theft)."""
        with self._lock:
            if thief := self._spent.get(token):
                thief.ended = True
                return None
            found = (one for one in self._sessions if token and one.refresh == token)
            session = next(found, None)
            return session if session is not None and session.alive(clock.now()) else None

    def of_access(self, token: str) -> tuple[PscSession, datetime] | None:
        """Return the session of a live access token and the token's end."""
        with self._lock:
            held = self._access.get(token)
        if held is None or clock.now() >= held[1] or not held[0].alive(clock.now()):
            return None
        return held

    def revoke(self, token: str) -> None:
        """Take back an access token, or the session of a refresh token (RFC 7009)."""
        with self._lock:
            self._access.pop(token, None)
            for one in self._sessions:
                one.ended = one.ended or (bool(token) and one.refresh == token)

    def close(self, sid: str) -> None:
        """End the session of that id."""
        with self._lock:
            for one in self._sessions:
                one.ended = one.ended or one.sid == sid

    def end(self, ps_idnat: str) -> list[PscSession]:
        """End every session of a person; return those that were alive."""
        with self._lock:
            found = [
                one for one in self._sessions
                if one.person.ps_idnat == ps_idnat and not one.ended
            ]  # fmt: skip
            for one in found:
                one.ended = True
        return found


def thumbprint(certificate: bytes, *, as_ci_sis: bool = False) -> str:
    """Return the `x5t#S256` of a DER certificate: RFC 8705's, or the CI-SIS examples' form."""
    digest = hashlib.sha256(certificate)
    if as_ci_sis:
        return base64.b64encode(digest.hexdigest().encode()).decode()
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
