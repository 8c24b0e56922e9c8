"""The desk of local sign-in: proves both factors, opens a short session, changes a password.

It owns its transactions: a try is counted before it is judged, and every refusal is traced. What
was wrong is told to nobody, and an unknown login takes the same path as a known one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import accounts, situations
from ris.auth.administration import alerts, ending
from ris.auth.administration.model import AlertKind
from ris.auth.enrolment import registry
from ris.auth.local import codes, credentials, guard, life, passwords, policy
from ris.auth.local.errors import (
    InitialExpired,
    LocalLocked,
    LocalRefused,
    PasswordExpired,
    PasswordReused,
    PasswordWeak,
)
from ris.auth.local.model import LocalCredential, Purpose
from ris.auth.local.settings import LocalSettings
from ris.auth.model import Account
from ris.auth.psc.client import SignIn
from ris.auth.service import SignInDesk
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.errors import Conflict, NotConfigured, RisError
from ris.rem import satisfies

T = TypeVar("T")
FAILED: Final = "auth.local_failed"
CHANGED: Final = "auth.password_changed"


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person types: who, and the two proofs."""

    login: str
    password: str
    code: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a login, read before the slow comparison; all None for an unknown one."""

    hash: str | None = None
    secret: bytes | None = None
    account_id: UUID | None = None


class LocalDesk:
    """Local sign-in on behalf of *desk*, whose sessions it opens."""

    def __init__(self, desk: SignInDesk) -> None:
        self._desk = desk
        self._settings: LocalSettings = desk.settings.local

    @satisfies("SC.SSI/IE.36", "SC.SSI/IAM.92")
    def sign_in(self, told: Factors, *, former: str, origin: Actor) -> str:
        """Open a session for who proves both factors; return its secret.

        *former* is the secret of the browser's present session, closed by the new one. Raises
        LocalRefused, LocalLocked, PasswordExpired, NotConfigured, or an error of the account rules.
        """

        def opened(session: Session, row: LocalCredential, actor: Actor) -> str:
            if row.must_change or clock.now() >= row.password_expires_at:
                raise PasswordExpired
            return self._open(session, row, former, actor)

        return self._with_proof(told, origin, FAILED, opened)

    @satisfies("SC.SSI/IAM.91", "SC.SSI/IAM.92", "SC.SSI/IE.36")
    def change_password(self, told: Factors, new: str, origin: Actor) -> None:
        """Change one's own password, by both factors; ends the sessions of the account.

        Raises what `sign_in` raises, PasswordWeak, PasswordReused or Conflict. Every attempt is
        traced with the login and its outcome.
        """
        login = policy.login_of(told.login)
        new = policy.normal(new)

        def judged(session: Session, row: LocalCredential, _: Actor) -> tuple[str, list[str]]:
            self._refuse_weak(row, new)
            return row.password_hash, credentials.former(session, row, self._settings.history)

        now_kept, kept = self._with_proof(told, origin, CHANGED, judged)
        try:
            if any(passwords.matches(one, new) for one in kept):
                raise PasswordReused("Choisissez un mot de passe que vous n'avez jamais utilisé.")
            fresh = passwords.hashed(new)
            with self._desk.database.transaction() as session:
                row = credentials.found(session, login)
                if row.password_hash != now_kept:
                    raise Conflict("Le mot de passe vient d'être changé.", code="CONCURRENT_CHANGE")
                credentials.replace_password(session, row, fresh, self._settings)
                actor = self._actor(session, row, origin)
                ended = ending.end_sessions(session, row.account_id, actor)
                audit.record(
                    session,
                    CHANGED,
                    actor=actor,
                    target=("account", row.account_id),
                    detail={"login": login, "sessions": ended},
                )
        except RisError as error:
            self._trace(CHANGED, error, told.login, origin)
            raise

    def _with_proof(
        self,
        told: Factors,
        origin: Actor,
        action: str,
        then: Callable[[Session, LocalCredential, Actor], T],
    ) -> T:
        """Prove both factors, then do *then* in a transaction; any refusal is traced."""
        if not self._settings.on:
            raise NotConfigured("La connexion locale n'est pas activée.")
        origin = replace(origin, auth_method="LOCAL")
        login = policy.login_of(told.login)
        locks = self._take(told.login, origin, action)
        try:
            proved = self._prove(login, told)
            with self._desk.database.transaction() as session:
                row = credentials.found(session, login)
                self._refuse_unusable(row, proved)  # shut or renewed since: nothing is opened
                return then(session, row, self._actor(session, row, origin))
        except RisError as error:
            self._trace(action, error, told.login, origin, locks=locks)
            raise

    def _take(self, typed: str, origin: Actor, action: str) -> bool:
        """Count the try; say whether its failure locks the login. Raises LocalLocked."""
        login = policy.login_of(typed)
        with self._desk.database.transaction() as session:
            address = origin.origin_ip or ""
            taken = guard.take(session, login, address, self._settings, clock.now())
        if isinstance(taken, guard.Refused):
            error = LocalLocked(taken.reason, taken.retry_at)
            if taken.first:
                self._trace(action, error, typed, origin)
            raise error
        return taken.locks

    def _prove(self, login: str, told: Factors) -> str:
        """Return the hash of the password, both factors being right; the code is then used up.

        Raises LocalRefused.
        """
        known = self._known(login)
        same = passwords.matches(known.hash, told.password)
        step = codes.step_of(known.secret, told.code, clock.now())
        if known.hash is None:
            raise LocalRefused("unknown")
        if not same:
            raise LocalRefused("password")
        if step is None:
            raise LocalRefused("code")
        with self._desk.database.transaction() as session:
            row = credentials.found(session, login)
            if step <= row.last_step:
                raise LocalRefused("replayed")
            self._refuse_unusable(row, known.hash)
            row.last_step = step
            guard.clear(session, login)
        return known.hash

    def _known(self, login: str) -> _Known:
        with self._desk.database.transaction() as session:
            query = select(LocalCredential).where(LocalCredential.login == login)
            row = session.scalars(query).one_or_none()
            return _Known(row.password_hash, row.totp, row.account_id) if row else _Known()

    def _refuse_unusable(self, row: LocalCredential, proved: str) -> None:
        if row.password_hash != proved:
            raise LocalRefused("password")
        allowed = {
            Purpose.EMERGENCY: self._settings.mode == "emergency",
            Purpose.ADMINISTRATION: self._settings.administrators,
        }
        if row.disabled_at is not None or not allowed[Purpose(row.purpose)]:
            raise LocalRefused("disabled")
        if row.must_change and clock.now() >= row.password_expires_at:
            raise InitialExpired

    def _refuse_weak(self, row: LocalCredential, new: str) -> None:
        rules = policy.rules_of(Purpose(row.purpose), self._settings)
        lacks = policy.weaknesses(new, row.login, rules)
        if lacks:
            errors = [
                {"pointer": "/new_password", "code": "PASSWORD_WEAK", "message": one}
                for one in lacks
            ]
            raise PasswordWeak(" ".join(lacks), errors=errors)

    def _open(self, session: Session, row: LocalCredential, former: str, actor: Actor) -> str:
        account = accounts.still_allowed(session, registry.locked(session, row.account_id))
        now = clock.now()
        row.last_used_at = account.last_login_at = now
        if row.purpose == Purpose.EMERGENCY:
            alerts.raise_one(session, account.id, AlertKind.EMERGENCY_ACCESS)
        claims = {"acr": "", "amr": ["pwd", "otp", "mfa"]}  # RFC 8176
        token = self._desk.open(
            session,
            account,
            situations.current(session, account.id),
            SignIn(claims, {}, "", now, method=life.METHODS[Purpose(row.purpose)]),
            actor,
            former=former,
        )
        audit.record(
            session,
            "auth.local_login",
            actor=actor,
            target=("account", account.id),
            detail={"login": row.login, "purpose": row.purpose},
        )
        return token

    def _actor(self, session: Session, row: LocalCredential, origin: Actor) -> Actor:
        account = session.get_one(Account, row.account_id)
        method = life.METHODS[Purpose(row.purpose)]
        return replace(accounts.actor_of(account, origin), auth_method=method)

    def _trace(
        self, action: str, error: RisError, typed: str, origin: Actor, *, locks: bool = False
    ) -> None:
        """Trace a refusal with the login typed; what has not its form may well be a password."""
        reason, login = str(getattr(error, "reason", error.code)), policy.login_of(typed)
        known = self._known(login).account_id
        detail = {"login": login if known or policy.is_login(typed) else None}
        target = ("account", known) if known else None
        with self._desk.database.transaction() as session:
            audit.record(
                session, action, actor=origin, outcome="failure", reason=reason, target=target,
                detail=detail,
            )  # fmt: skip
            if locks and isinstance(error, LocalRefused):
                audit.record(
                    session, "auth.local_locked", actor=origin, outcome="failure", target=target,
                    detail=detail,
                )  # fmt: skip
