"""The journals of identity, read page by page: changes, INSi calls, accesses to an INS, partners.

Each reading is itself journaled. What writes them: `change.py`, `insi/calls.py`,
`disclosures.py`, and `ris.core.audit` for the accesses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from ris.auth.compartments.scope import WHOLE, Scope
from ris.core.audit import Actor, AuditEvent, record
from ris.identity import service
from ris.identity.insi.errors import InsiCallNotFound
from ris.identity.model import IdentityHistory, InsiCall, Patient
from ris.identity.propagation.model import InsDisclosure
from ris.rem import satisfies
from ris.web.pages import BadCursor, PageQuery

INS_ACCESSES: Final = ("ins.read",)
IDENTITY_FEED: Final = "hl7_pam"
Row = TypeVar("Row")
Rows = tuple[Sequence[Row], str | None]


@dataclass(frozen=True, slots=True)
class Window:
    """Which lines of a journal are asked for; None where not narrowed. *until* is excluded."""

    since: datetime | None = None
    until: datetime | None = None
    account_id: UUID | None = None
    patient_id: UUID | None = None

    def on(
        self,
        at: InstrumentedAttribute[datetime],
        account: InstrumentedAttribute[UUID | None] | None,
        patient: InstrumentedAttribute[Any],
    ) -> list[ColumnElement[bool]]:
        """Return the conditions on a journal's own columns; *account* None: it names nobody."""
        asked = [
            at >= self.since if self.since else None,
            at < self.until if self.until else None,
            patient == self.patient_id if self.patient_id else None,
            account == self.account_id if self.account_id and account is not None else None,
        ]
        return [condition for condition in asked if condition is not None]


@satisfies("RIS.INS.17", "RIS.INS.26")
def changes(
    session: Session, window: Window, paging: PageQuery, *, actor: Actor
) -> Rows[IdentityHistory]:
    """Return the changes of identities, oldest first, and the cursor of the next page."""
    _known(session, window)
    at, account = IdentityHistory.at, IdentityHistory.account_id
    asked = window.on(at, account, IdentityHistory.patient_id)
    query = select(IdentityHistory).where(*asked)
    found = _page(session, query, at, IdentityHistory.id, paging)
    _journal(session, "patient.history_read", window, actor)
    return found


@satisfies("RIS.INS.04", "RIS.INS.40", "RIS.INS.42")
def insi_calls(
    session: Session, window: Window, paging: PageQuery, *, actor: Actor
) -> Rows[InsiCall]:
    """Return the calls of INSi, oldest first, and the cursor of the next page."""
    _known(session, window)
    asked = window.on(InsiCall.at, InsiCall.account_id, InsiCall.patient_id)
    query = select(InsiCall).where(*asked)
    found = _page(session, query, InsiCall.at, InsiCall.id, paging)
    _journal(session, "insi.calls_read", window, actor)
    return found


@satisfies("RIS.INS.41")
def insi_call(session: Session, call_id: UUID, *, actor: Actor) -> tuple[InsiCall, Patient]:
    """Return one call with all that came back, and its patient; raises `InsiCallNotFound`."""
    call = session.get(InsiCall, call_id)
    if call is None:
        raise InsiCallNotFound
    patient = service.get(session, call.patient_id)
    target = ("insi_call", call.id)
    record(session, "insi.answer_read", actor=actor, target=target, patient_id=patient.id)
    return call, patient


@satisfies("RIS.INS.51")
def partners(
    session: Session,
    window: Window,
    paging: PageQuery,
    *,
    partner: str = "",
    scope: Scope = WHOLE,
    actor: Actor,
) -> Rows[InsDisclosure]:
    """Return who received an INS, oldest first, and the cursor of the next page.

    What the practices outside *scope* sent with their reports is left out.
    """
    _known(session, window)
    query = select(InsDisclosure).where(
        *window.on(InsDisclosure.at, None, InsDisclosure.patient_id)
    )
    if scope.practices is not None:
        of_site = InsDisclosure.channel == IDENTITY_FEED
        query = query.where(or_(of_site, InsDisclosure.sender.in_(scope.practices)))
    if partner:
        query = query.where(InsDisclosure.partner == partner)
    found = _page(session, query, InsDisclosure.at, InsDisclosure.id, paging)
    _journal(session, "ins.disclosures_read", window, actor)
    return found


@satisfies("RIS.INS.03")
def accesses(
    session: Session, window: Window, paging: PageQuery, *, actor: Actor
) -> Rows[AuditEvent]:
    """Return the accesses to an INS, oldest first: who, when, whose. Raises `BadCursor`."""
    _known(session, window)
    asked = window.on(AuditEvent.at, AuditEvent.actor_id, AuditEvent.patient_id)
    query = select(AuditEvent).where(AuditEvent.action.in_(INS_ACCESSES), *asked)
    if paging.after is not None:
        query = query.where(AuditEvent.seq > _seq(paging))
    rows = session.scalars(query.order_by(AuditEvent.seq).limit(paging.limit + 1)).all()
    found = paging.cut(rows, lambda row: (row.seq,))
    _journal(session, "ins.accesses_read", window, actor)
    return found


def _page(
    session: Session,
    query: Select[Row],
    at: InstrumentedAttribute[datetime],
    key: InstrumentedAttribute[UUID],
    paging: PageQuery,
) -> Rows[Row]:
    if paging.after is not None:
        query = query.where(tuple_(at, key) > tuple_(*paging.instant_and_id()))
    rows = session.scalars(query.order_by(at, key).limit(paging.limit + 1)).all()
    return paging.cut(
        rows, lambda row: (getattr(row, at.key).isoformat(), str(getattr(row, key.key)))
    )


def _seq(paging: PageQuery) -> int:
    """Return the cursor of the journal of accesses; one that this API made holds one number."""
    match paging.after:
        case (int(seq),) if 0 <= seq < 2**63:
            return seq
    raise BadCursor


def _known(session: Session, window: Window) -> None:
    """Raise `PatientNotFound` when the journal of nobody is asked for."""
    if window.patient_id is not None:
        service.get(session, window.patient_id)


def _journal(session: Session, action: str, window: Window, actor: Actor) -> None:
    asked = {
        "since": window.since.isoformat() if window.since else None,
        "until": window.until.isoformat() if window.until else None,
        "account": str(window.account_id) if window.account_id else None,
    }
    target = ("patient", window.patient_id) if window.patient_id else None
    record(session, action, actor=actor, target=target, patient_id=window.patient_id,
           detail={name: value for name, value in asked.items() if value})  # fmt: skip
