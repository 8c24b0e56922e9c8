"""The sign-in desk: begins a PSC sign-in, finishes it, ends a session; each step is traced.

It owns its transactions on purpose: an attempt is burnt and a refusal traced even when the sign-in
fails, and no transaction stays open while PSC is called. No cookie here (`routes.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from ris.auth import accounts, attempts, session_opening, sessions, situations
from ris.auth.bearer import BearerDesk
from ris.auth.certificates.pool import CertificatePool
from ris.auth.errors import OidcRefused, PscProtocolError, PscUnavailable
from ris.auth.model import Account, CloseReason, LoginAttempt, Situation
from ris.auth.production import refuse_test_settings
from ris.auth.psc import back_channel, userinfo
from ris.auth.psc.client import PscClient, SignIn, challenge_of
from ris.auth.psc.link import PscLink
from ris.auth.refusals import RefusalJournal
from ris.auth.session_opening import Arrival
from ris.auth.session_states import SessionState
from ris.auth.session_trace import proof
from ris.auth.settings import AuthSettings
from ris.auth.workstations import is_shared
from ris.core import audit, clock, http, lasting
from ris.core.audit import Actor
from ris.core.crypto import Credential, Sealer
from ris.core.db import Database
from ris.core.errors import Forbidden, NotFound, RisError
from ris.core.settings import HttpSettings
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened: the cookie's secret and the address to go to.

    With *native* the secret is a one-time code for the application that listens at *next_path*.
    """

    token: str
    next_path: str
    native: bool = False


class SignInDesk:
    """Everything a sign-in needs; built once by the composition root (`app.state.auth`)."""

    def __init__(
        self, settings: AuthSettings, *, database: Database, sealer: Sealer, psc: PscClient
    ) -> None:
        self.settings = settings
        self.database = database
        self.psc = psc
        self.certificates = CertificatePool(settings.certificates, settings.pool, sealer)
        self.sealer = sealer
        self.link = PscLink(database, sealer, psc)
        self.bearer = BearerDesk(settings, database, psc)
        self.refusals = RefusalJournal(database, settings.brake)

    @classmethod
    def build(
        cls, settings: AuthSettings, *, database: Database, sealer: Sealer, environment: str
    ) -> "SignInDesk":
        """Return the desk; raises NotConfigured on settings that production must not have."""
        if environment == "production":
            refuse_test_settings(settings)
        psc = settings.psc
        timeouts = HttpSettings(
            connect_timeout_s=psc.http_timeout_s, total_timeout_s=psc.http_timeout_s
        )
        if psc.certificate and psc.key:
            credential = Credential(psc.certificate, psc.key)
            client = lasting.client(trust=psc.trust, credential=credential, settings=timeouts)
        else:
            client = http.client(trust=psc.trust, settings=timeouts)
        return cls(settings, database=database, sealer=sealer, psc=PscClient(psc, client))

    def close(self) -> None:
        """Close the connections to PSC, and write what was only counted."""
        self.refusals.flush()
        self.psc.close()

    @satisfies("RIS.PSC.01", "SC.PSC.01")
    def begin(
        self,
        next_path: str,
        *,
        step_up: bool = False,
        native_challenge: str | None = None,
        workstation: str | None = None,
        present: str = "",
    ) -> tuple[str, str]:
        """Return PSC's address for this browser and the value of its binding cookie.

        *native_challenge* is given by an installed application that opened the browser: the
        session will wait for it (`deliver`). *present* is the secret of the browser's session:
        locked on a shared workstation, it asks for a fresh authentication.
        """
        with self.database.transaction() as session:
            step_up = step_up or self._left_on_shared(session, present)
            begun = attempts.begin(
                session,
                next_path,
                sealer=self.sealer,
                life_s=self.settings.attempt_s,
                step_up=step_up,
                native_challenge=native_challenge,
                workstation=workstation,
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
            origin = replace(origin, workstation=attempt.workstation)
            subject = userinfo.parse(sign_in.userinfo).subject_name_id
            actor = replace(origin, ps_idnat=subject)
            with self.database.transaction() as session:
                token = self.admit(
                    session,
                    sign_in,
                    actor,
                    former="" if attempt.native_challenge else former,
                    native_challenge=attempt.native_challenge,
                    detail={"step_up": attempt.step_up},
                )
            return Opened(token, attempt.next_path, native=attempt.native_challenge is not None)
        except RisError as error:
            self.trace_failure(error, actor)
            raise

    def end(self, token: str, origin: Actor, *, state: str = "", everywhere: bool = True) -> str:
        """Close the session of *token* here; return where to close PSC's, empty when nowhere.

        *state* comes back from PSC, or not: the return page only informs. PSC being out of reach
        changes nothing to the end of the local session.
        """
        hint = None
        with self.database.transaction() as session:
            row = sessions.find(session, token)
            if row is None or row.closed_at is not None:
                return ""
            if row.id_token_sealed is not None:
                opened = self.sealer.open(row.id_token_sealed, sessions.context_of(row.id))
                hint = opened.decode()
            session_opening.end(session, row, CloseReason.LOGOUT, origin)
        try:
            return self.psc.logout_url(hint, state) if hint and everywhere else ""
        except (PscUnavailable, PscProtocolError):
            return ""

    def end_from_psc(self, logout_token: str, origin: Actor) -> int:
        """Close the sessions that PSC says are over; return how many (back-channel logout).

        Raises NotFound when PSC does not announce these messages, LogoutRefused (traced).
        """
        if self.psc.provider.document().get("backchannel_logout_supported") is not True:
            raise NotFound("Pro Santé Connect n'annonce pas ce service.")
        try:
            told = back_channel.verified(
                logout_token, self.psc.expected(nonce=None), self.psc.provider.keys, clock.now()
            )
            with self.database.transaction() as session:
                back_channel.refuse_seen(session, told)
                ended = back_channel.sessions_of(session, told)
                for row in ended:
                    session_opening.end(session, row, CloseReason.PSC_LOGOUT, origin)
        except RisError as error:
            self.trace_failure(error, origin, "auth.psc_logout_refused")
            raise
        self.bearer.forget(told.sid, told.sub)
        return len(ended)

    @satisfies("RIS.PSC.01")
    def deliver(self, code: str, verifier: str, origin: Actor, *, former: str = "") -> str:
        """Give the session that waits under *code* to who knows its *verifier*; its new secret.

        *former* is the secret of the session the application had: this one takes its place.
        """
        try:
            with self.database.transaction() as session:
                row, token = sessions.deliver(session, code, challenge_of(verifier), clock.now())
                session_opening.take_over(session, row, former, self.settings, origin)
                account = session.get_one(Account, row.account_id)
                audit.record(
                    session,
                    "auth.session_delivered",
                    actor=proof(accounts.actor_of(account, origin), row),
                    target=("ris_session", row.id),
                )
        except RisError as error:
            self.trace_failure(error, origin)
            raise
        return token

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
        secrets = attempts.secrets_of(attempt, state, self.sealer)
        since = attempt.created_at if attempt.step_up else None
        return attempt, self.psc.sign_in(answer["code"], secrets, since=since)

    @satisfies("RIS.PSC.01", "SC.PSC.02")
    def admit(
        self,
        session: Session,
        sign_in: SignIn,
        origin: Actor,
        *,
        former: str = "",
        native_challenge: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> str:
        """Open the session of who signed in, by any flow, and return its secret.

        The account rules are those of `accounts.link`. *former* is the secret of the browser's
        present session, closed by the new one.
        """
        identity = userinfo.parse(sign_in.userinfo)
        self.refuse_test_identity(identity.rpps)
        account = accounts.link(session, identity, self.settings.enrolment)
        listed = situations.refresh(session, account, identity)
        return self.open(
            session,
            account,
            listed,
            sign_in,
            origin,
            former=former,
            native_challenge=native_challenge,
            detail=detail,
        )

    def refuse_test_identity(self, rpps: str | None) -> None:
        """Raise Forbidden on an RPPS of the test range, unless the settings allow them."""
        if (rpps or "").startswith("997") and not self.settings.allow_test_ids:
            raise Forbidden("Identité de test refusée.", code="TEST_IDENTITY")

    def open(
        self,
        session: Session,
        account: Account,
        listed: Sequence[Situation],
        sign_in: SignIn,
        origin: Actor,
        *,
        former: str = "",
        native_challenge: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> str:
        """Open the session of *account*, or unlock the one he left there; its secret."""
        arrival = Arrival(account, listed, sign_in, origin, former, native_challenge, detail)
        return session_opening.open_for(session, arrival, self.settings, self.sealer)

    def _left_on_shared(self, session: Session, token: str) -> bool:
        """Say whether *token* is of a session left locked where several people work."""
        row = sessions.find(session, token)
        if row is None or not is_shared(self.settings.workstations, row.workstation):
            return False
        found = sessions.standing(row, self.settings, clock.now())
        return found.state is SessionState.LOCKED

    def trace_failure(
        self, error: RisError, actor: Actor, action: str = "auth.login_failed"
    ) -> None:
        """Trace a refusal with its reason and what it leaves, or count it (`refusals.py`)."""
        self.refusals.refused(action, error, actor)
