"""The desk of decoupled sign-ins: a thick client or a kiosk asks, a phone or a card answers.

It owns its transactions and opens none while PSC is called. The caller's own polling drives it: no
worker waits. The session goes to who holds the secret given at the start, and to nobody else.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from ris.auth import accounts
from ris.auth.ciba import requests as ciba_requests
from ris.auth.ciba import wire as psc_ciba
from ris.auth.ciba.model import CibaRequest
from ris.auth.ciba.states import LIVE, Channel, CibaState, is_terminal, of_refusal
from ris.auth.enrolment.errors import AccountPending
from ris.auth.errors import (
    AccountSuspended,
    CibaUserUnknown,
    EnrolUnknown,
    IdentityConflict,
    OidcRefused,
    PscProtocolError,
    PscUnavailable,
)
from ris.auth.identifiers import is_ps_idnat, person
from ris.auth.psc import userinfo
from ris.auth.psc.client import SignIn, Tokens
from ris.auth.service import SignInDesk
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.errors import Invalid, NotConfigured, RisError
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a request stands; *token* is the secret of the session, once, when it opened."""

    id: UUID
    state: CibaState
    binding_message: str
    interval_s: int
    expires_at: datetime
    token: str | None = None

    @classmethod
    def of(cls, row: CibaRequest, token: str | None = None) -> "Outcome":
        """Return what its caller may know of a row."""
        state = CibaState(row.state)
        return cls(row.id, state, row.binding_message, row.interval_s, row.expires_at, token)


class CibaDesk:
    """Begins and follows decoupled sign-ins on behalf of *desk*, whose account rules it uses."""

    def __init__(self, desk: SignInDesk) -> None:
        self._desk = desk
        self._lease_s = desk.settings.psc.http_timeout_s + 5

    @satisfies("SC.PSC.01", "RIS.PSC.01")
    def start(self, told: str, channel: Channel, origin: Actor) -> tuple[Outcome, str]:
        """Ask PSC to sign in the holder of *told* (RPPS or PS_IdNat); return the caller's secret.

        Raises NotConfigured, Invalid, TooManyAttempts, CibaAlreadyPending, CibaUserUnknown (here
        or at PSC), OidcRefused, PscProtocolError or PscUnavailable. Every request is traced.
        """
        desk = self._desk
        if not desk.settings.ciba.enabled:
            raise NotConfigured("La connexion découplée (CIBA) n'est pas activée.")
        ps_idnat = login_hint(told)
        actor = replace(origin, ps_idnat=ps_idnat)
        try:
            begun = self._begin(ps_idnat, channel, origin)
            identifier = begun.request.id
            self._ask(begun.request, channel)
        except RisError as error:
            desk.trace_failure(error, actor, "auth.ciba_refused")
            raise
        with desk.database.transaction() as session:
            row = session.get_one(CibaRequest, identifier)
            audit.record(
                session,
                "auth.ciba_started",
                actor=actor,
                target=("ciba_request", identifier),
                detail={"channel": channel},
            )
            return Outcome.of(row), begun.secret

    @satisfies("SC.PSC.01", "RIS.PSC.01")
    def follow(self, identifier: UUID, secret: str, *, former: str, origin: Actor) -> Outcome:
        """Say where a request stands, asking PSC when its interval allows; open the session.

        Raises NotFound to anybody but the caller that began, PscUnavailable when the request ran
        out while PSC was away, PscProtocolError or an error of the account rules on approval.
        """
        row, mine = self._take(identifier, secret)
        if not mine:
            if row.state == CibaState.EXPIRED and row.reason == PscUnavailable.code:
                raise PscUnavailable
            return Outcome.of(row)
        try:
            answer = psc_ciba.poll(self._desk.psc, ciba_requests.secret_of(row, self._desk.sealer))
        except PscUnavailable as error:
            return self._wait(identifier, reason=error.code)
        except OidcRefused as error:
            return self._end(row, of_refusal(error.reason), error, origin)
        except RisError as error:
            self._end(row, CibaState.FAILED, error, origin)
            raise
        if isinstance(answer, psc_ciba.Waiting):
            return self._wait(identifier, slower=answer.slower)
        return self._open(row, answer, former, origin)

    def _begin(self, ps_idnat: str, channel: Channel, origin: Actor) -> ciba_requests.Begun:
        """Record the request; a stranger's counts too, so that nobody tries numbers at leisure."""
        refused: RisError | None = None
        address = origin.origin_ip
        with self._desk.database.transaction() as session:
            ciba_requests.refuse_too_many(session, ps_idnat, address, self._desk.settings.ciba)
            begun = ciba_requests.begin(
                session,
                ps_idnat,
                channel,
                origin_ip=address,
                workstation=origin.workstation,
            )
            try:
                accounts.holder(session, ps_idnat)
            except (EnrolUnknown, AccountPending, AccountSuspended, IdentityConflict) as error:
                refused = error
                ciba_requests.become(session, begun.request.id, CibaState.FAILED, error.code)
        if refused is not None:
            raise CibaUserUnknown(refused.code) from refused
        return begun

    def _ask(self, request: CibaRequest, channel: Channel) -> None:
        desk = self._desk
        try:
            answer = psc_ciba.ask(
                desk.psc,
                ps_idnat=request.ps_idnat,
                binding_message=request.binding_message,
                channel=channel,
            )
        except RisError as error:
            reason = str(getattr(error, "reason", error.code))
            with desk.database.transaction() as session:
                ciba_requests.become(session, request.id, CibaState.FAILED, reason)
            raise
        with desk.database.transaction() as session:
            ciba_requests.asked(session, request.id, answer, desk.sealer)

    def _take(self, identifier: UUID, secret: str) -> tuple[CibaRequest, bool]:
        """Return the row, and whether this very request must ask PSC about it."""
        with self._desk.database.transaction() as session:
            now = clock.now()
            row = ciba_requests.owned(session, identifier, secret)
            state = CibaState(row.state)
            if not is_terminal(state) and now >= row.expires_at:
                over = CibaState.EXPIRED if state in LIVE else CibaState.FAILED
                ciba_requests.become(session, identifier, over)
                return row, False
            mine = ciba_requests.take_turn(session, identifier, now, self._lease_s)
            return row, mine

    def _wait(
        self, identifier: UUID, *, slower: bool = False, reason: str | None = None
    ) -> Outcome:
        with self._desk.database.transaction() as session:
            ciba_requests.still_waiting(session, identifier, slower=slower, reason=reason)
            return Outcome.of(session.get_one(CibaRequest, identifier))

    def _end(self, row: CibaRequest, state: CibaState, error: RisError, origin: Actor) -> Outcome:
        reason = str(getattr(error, "reason", error.code))
        with self._desk.database.transaction() as session:
            ciba_requests.become(session, row.id, state, reason)
        self._desk.trace_failure(error, replace(origin, ps_idnat=row.ps_idnat))
        with self._desk.database.transaction() as session:
            return Outcome.of(session.get_one(CibaRequest, row.id))

    def _open(self, row: CibaRequest, tokens: Tokens, former: str, origin: Actor) -> Outcome:
        """Open the session of the person asked for; the answer of anybody else is thrown away."""
        desk = self._desk
        with desk.database.transaction() as session:
            if not ciba_requests.become(session, row.id, CibaState.APPROVED):
                return Outcome.of(session.get_one(CibaRequest, row.id))
        try:
            sign_in = psc_ciba.accept(desk.psc, tokens)
            _refuse_another(sign_in, row.ps_idnat)
            with desk.database.transaction() as session:
                token = desk.admit(
                    session,
                    sign_in,
                    replace(origin, ps_idnat=row.ps_idnat, workstation=row.workstation),
                    former=former,
                    detail={"channel": row.channel},
                )
                ciba_requests.become(session, row.id, CibaState.SESSION_OPEN)
                return Outcome.of(session.get_one(CibaRequest, row.id), token)
        except RisError as error:
            self._end(row, CibaState.FAILED, error, origin)
            raise


def login_hint(told: str) -> str:
    """Return the PS_IdNat of *told*: an RPPS takes its type character. Raises Invalid."""
    kept = told.strip()
    if len(kept) == 11 and person(f"8{kept}")[1] == kept:
        return f"8{kept}"
    if is_ps_idnat(kept):
        return kept
    raise Invalid("Numéro RPPS ou identifiant national mal formé.", code="PS_IDNAT_INVALID")


def _refuse_another(sign_in: SignIn, ps_idnat: str) -> None:
    """Refuse the answer of anybody but the person asked for.

    After a merge of identities PSC may name him otherwise: his RPPS then tells.
    """
    identity = userinfo.parse(sign_in.userinfo)
    rpps = person(ps_idnat)[1]
    same = identity.subject_name_id == ps_idnat or (rpps is not None and identity.rpps == rpps)
    if not same:
        raise PscProtocolError("ciba_other_person")
