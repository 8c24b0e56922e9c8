"""Login attempts: what was sent to PSC, waiting for the return (auth.md §3.3).

An attempt is used once, by the browser that began it, within ten minutes. Its nonce and its PKCE
verifier are sealed. No HTTP and no token here.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ris.auth import cookies
from ris.auth.errors import OidcStateInvalid
from ris.auth.model import LoginAttempt
from ris.auth.psc.client import Secrets
from ris.core import clock, ids
from ris.core.crypto import Sealer


@dataclass(frozen=True, slots=True)
class Begun:
    """A new attempt: its secrets, and the value of the browser-binding cookie."""

    secrets: Secrets
    binding: str


def begin(
    session: Session,
    next_path: str,
    *,
    sealer: Sealer,
    life_s: int,
    step_up: bool = False,
    native_challenge: str | None = None,
    workstation: str | None = None,
) -> Begun:
    """Record a new attempt.

    *next_path* must be a local path (`local_path`), or with *native_challenge* the loopback
    address of the application that opened the browser (`loopback`).
    """
    secrets = Secrets(cookies.fresh(), cookies.fresh(), cookies.fresh() + cookies.fresh())
    binding, identifier, now = cookies.fresh(), ids.new(), clock.now()
    content = json.dumps([secrets.nonce, secrets.code_verifier]).encode()
    session.add(
        LoginAttempt(
            id=identifier,
            state_hash=cookies.digest(secrets.state),
            binding_hash=cookies.digest(binding),
            sealed=sealer.seal(content, _context(identifier)),
            next_path=next_path if native_challenge else local_path(next_path),
            step_up=step_up,
            native_challenge=native_challenge,
            workstation=workstation,
            created_at=now,
            expires_at=now + timedelta(seconds=life_s),
        )
    )
    session.flush()
    return Begun(secrets, binding)


def consume(session: Session, state: str) -> LoginAttempt | None:
    """Use up the attempt of *state*, in one statement; None when unknown or already used.

    The caller commits before judging it with `refuse_foreign`, so that a refused return burns it.
    """
    query = (
        update(LoginAttempt)
        .where(LoginAttempt.state_hash == cookies.digest(state), LoginAttempt.consumed_at.is_(None))
        .values(consumed_at=clock.now())
        .returning(LoginAttempt.id)
    )
    identifier = session.execute(query).scalar_one_or_none()
    if identifier is None:
        return None
    found = select(LoginAttempt).where(LoginAttempt.id == identifier)
    return session.scalars(found, execution_options={"populate_existing": True}).one()


def refuse_foreign(attempt: LoginAttempt | None, binding: str, now: datetime) -> LoginAttempt:
    """Return the attempt when it is of this browser and still young.

    Raises OidcStateInvalid with `state_unknown`, `state_foreign_browser` or `state_expired`.
    """
    if attempt is None:
        raise OidcStateInvalid("state_unknown")
    if not hmac.compare_digest(attempt.binding_hash, cookies.digest(binding)):
        raise OidcStateInvalid("state_foreign_browser")
    if now >= attempt.expires_at:
        raise OidcStateInvalid("state_expired")
    return attempt


def secrets_of(attempt: LoginAttempt, state: str, sealer: Sealer) -> Secrets:
    """Return the secrets of an attempt."""
    nonce, verifier = json.loads(sealer.open(attempt.sealed, _context(attempt.id)))
    return Secrets(state, nonce, verifier)


def local_path(wanted: str) -> str:
    """Return *wanted* when it is a path of this very site, else `/` (no open redirect)."""
    plain = wanted.isprintable() and wanted.isascii() and "\\" not in wanted and " " not in wanted
    local = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if plain and local and len(wanted) <= 2000 else "/"


def loopback(port: int) -> str:
    """Return where an installed application listens for its code (RFC 8252 §7.3).

    Only this machine's own address: a code can never be sent to another one.
    """
    return f"http://127.0.0.1:{port}/"


def _context(identifier: UUID) -> bytes:
    return b"ris.login_attempt.v1|" + identifier.bytes
