"""The sign-in desk: begins a PSC sign-in, finishes it, ends a session; each step is traced.

It owns its transactions on purpose: an attempt is burnt and a refusal traced even when the sign-in
fails, and no transaction stays open while PSC is called. No cookie here (`routes.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ris.auth import accounts, attempts, sessions, situations, userinfo
from ris.auth.errors import OidcRefused, PscProtocolError, PscUnavailable
from ris.auth.model import Account, CloseReason, LoginAttempt, RisSession
from ris.auth.psc import PscClient, SignIn
from ris.auth.rang import CertificatePool
from ris.auth.settings import AuthSettings
from ris.auth.userinfo import Identity
from ris.core import audit, clock, http
from ris.core.audit import Actor
from ris.core.crypto import Credential, Sealer
from ris.core.db import Database
from ris.core.errors import Forbidden, NotConfigured, RisError
from ris.core.settings import HttpSettings
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened: the cookie's secret and the local path to go to."""

    token: str
    next_path: str


class SignInDesk:
    """Everything a sign-in needs; built once by the composition root (`app.state.auth`)."""

    def __init__(
        self, settings: AuthSettings, *, database: Database, sealer: Sealer, psc: PscClient
    ) -> None:
        self.settings = settings
        self.database = database
        self.psc = psc
        self.certificates = CertificatePool(settings.certificates)
        self._sealer = sealer

    @classmethod
    def build(
        cls, settings: AuthSettings, *, database: Database, sealer: Sealer, environment: str
    ) -> "SignInDesk":
        """Return the desk; raises NotConfigured on settings that production must not have."""
        if environment == "production":
            _refuse_test_settings(settings)
        psc = settings.psc
        credential = Credential(psc.certificate, psc.key) if psc.certificate and psc.key else None
        timeouts = HttpSettings(
            connect_timeout_s=psc.http_timeout_s, total_timeout_s=psc.http_timeout_s
        )
        client = http.client(trust=psc.trust, credential=credential, settings=timeouts)
        return cls(settings, database=database, sealer=sealer, psc=PscClient(psc, client))

    def close(self) -> None:
        """Close the connections to PSC."""
        self.psc.close()

    def begin(self, next_path: str, *, step_up: bool = False) -> tuple[str, str]:
        """Return PSC's address for this browser and the value of its binding cookie."""
        with self.database.transaction() as session:
            begun = attempts.begin(
                session,
                next_path,
                sealer=self._sealer,
                life_s=self.settings.attempt_s,
                step_up=step_up,
            )
        return self.psc.authorization_url(begun.secrets, step_up=step_up), begun.binding

    @satisfies("RIS.PSC.01")
    def finish(
        self, answer: Mapping[str, str], *, binding: str, former: str, origin: Actor
    ) -> Opened:
        """Open a session from PSC's *answer* (`code`, `state`, `iss`, `error`).

        *former* is the secret of the browser's present session, closed by the new one. Any failure
        is traced as `auth.login_failed` with its reason, then raised.
        """
        actor = origin
        try:
            attempt, sign_in = self._verify(answer, binding)
            identity = userinfo.parse(sign_in.userinfo)
            actor = replace(origin, ps_idnat=identity.subject_name_id)
            return self._open(identity, sign_in, attempt, former, actor)
        except RisError as error:
            self._trace_failure(error, actor)
            raise

    def end(self, token: str, origin: Actor) -> str | None:
        """Close the session of *token*; return PSC's logout address, None when there is none."""
        hint = None
        with self.database.transaction() as session:
            row = sessions.find(session, token)
            if row is None or row.closed_at is not None:
                return None
            if row.id_token_sealed is not None:
                opened = self._sealer.open(row.id_token_sealed, sessions.context_of(row.id))
                hint = opened.decode()
            sessions.close(session, row, CloseReason.LOGOUT)
            account = session.get_one(Account, row.account_id)
            audit.record(
                session,
                "auth.session_closed",
                actor=proof(accounts.actor_of(account, origin), row),
                reason=CloseReason.LOGOUT,
                target=("ris_session", row.id),
            )
        try:
            return self.psc.logout_url(hint, "logout") if hint else None
        except (PscUnavailable, PscProtocolError):
            return None

    def _verify(self, answer: Mapping[str, str], binding: str) -> tuple[LoginAttempt, SignIn]:
        """Return the attempt this answer belongs to, used up, and who PSC says signed in."""
        state = answer.get("state", "")
        with self.database.transaction() as session:
            found = attempts.consume(session, state)
        attempt = attempts.refuse_foreign(found, binding, clock.now())
        self.psc.check_issuer(answer.get("iss"))
        if "error" in answer:
            code = answer["error"]
            raise OidcRefused(code if code.isidentifier() and len(code) <= 64 else "refused")
        if not answer.get("code"):
            raise OidcRefused("code_absent")
        secrets = attempts.secrets_of(attempt, state, self._sealer)
        since = attempt.created_at if attempt.step_up else None
        return attempt, self.psc.sign_in(answer["code"], secrets, since=since)

    def _open(
        self,
        identity: Identity,
        sign_in: SignIn,
        attempt: LoginAttempt,
        former: str,
        origin: Actor,
    ) -> Opened:
        if (identity.rpps or "").startswith("997") and not self.settings.allow_test_ids:
            raise Forbidden("Identité de test refusée.", code="TEST_IDENTITY")
        with self.database.transaction() as session:
            account = accounts.link(session, identity)
            listed = situations.refresh(session, account, identity)
            old = sessions.find(session, former)
            same = old is not None and old.account_id == account.id
            row, token = sessions.open_session(
                session,
                account,
                listed,
                sign_in,
                sealer=self._sealer,
                ip=origin.origin_ip,
                keep_situation=old.situation_id if old and same else None,
            )
            if old is not None:
                sessions.close(
                    session, old, CloseReason.RENEWED if same else CloseReason.OTHER_PERSON
                )
            audit.record(
                session,
                "auth.login_success",
                actor=proof(accounts.actor_of(account, origin), row),
                target=("ris_session", row.id),
                detail={"situations": len(listed), "step_up": attempt.step_up},
            )
        return Opened(token, attempt.next_path)

    def _trace_failure(self, error: RisError, actor: Actor) -> None:
        reason = str(getattr(error, "reason", error.code))
        with self.database.transaction() as session:
            audit.record(
                session, "auth.login_failed", actor=actor, outcome="failure", reason=reason
            )


def proof(actor: Actor, row: RisSession) -> Actor:
    """Return *actor* with the proof of authentication level of its session."""
    return replace(
        actor,
        situation_id=row.situation_id,
        auth_method=row.method,
        acr=row.acr,
        auth_time=row.auth_time,
        psc_session_state=row.psc_session_state,
        session_hash=row.token_hash.hex()[:16],
    )


def _refuse_test_settings(settings: AuthSettings) -> None:
    addresses = (
        settings.psc.issuer,
        settings.psc.discovery,
        settings.psc.redirect_uri,
        settings.annuaire.url,
    )
    if any(not address.startswith("https://") for address in addresses):
        raise NotConfigured("Les adresses de Pro Santé Connect doivent être en https.")
    if not settings.cookie_secure or settings.allow_test_ids:
        raise NotConfigured("Réglages de test refusés en production (cookie, identités de test).")
