"""What must leave towards the attached systems: one row per message and partner, in order.

Rows hold codes, never traits nor a matricule: what is sent is the identity at the time of sending,
through the INS gate. The wire is a port (`Propagate`); the worker is `run.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from ris.core import clock
from ris.identity.feature import Change
from ris.identity.propagation.model import IdentityOutbox, Kind, OutboxState
from ris.identity.states import Event
from ris.identity.values import PatientIdentity
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message for one partner. *identity* is the record as it is now: its INS may leave only
    through `rules.ins_to_output`.

    *message_id* is stable over repetitions (MSH-10). *absorbed_ipp* is MRG-1 of a merge;
    *withdrawn_oid* the authority whose INS an A47 empties (the former number itself stays here).
    """

    kind: Kind
    message_id: UUID
    identity: PatientIdentity
    occurred_at: datetime
    absorbed_ipp: str = ""
    withdrawn_oid: str = ""


class Propagate(Protocol):
    """The wire: gives one message to one partner and returns once the partner has accepted it."""

    def __call__(self, partner: str, message: Outbound) -> None:
        """Send *message*; raises `RemoteError` subclasses (`Transient` to try again)."""
        ...


@satisfies("RIS.INS.34", "RIS.INS.36")
def enqueue(
    session: Session,
    partners: tuple[str, ...],
    change: Change,
    *,
    withdrawn_oid: str = "",
    absorbed_ipp: str = "",
) -> None:
    """Write what *change* makes every partner know, in the transaction of the change.

    *withdrawn_oid* names the authority of the INS that the change took away, once it had been
    output: its withdrawal leaves before anything else of that patient (ins.md R-PAM-05).
    """
    for partner in partners:
        for kind in kinds(change, withdrawn=bool(withdrawn_oid)):
            session.add(
                IdentityOutbox(
                    patient_id=change.patient_id,
                    partner=partner,
                    kind=kind.value,
                    event=change.event.value,
                    to_status=change.after.value,
                    absorbed_ipp=absorbed_ipp if kind is Kind.MERGE else "",
                    withdrawn_oid=withdrawn_oid if kind is Kind.WITHDRAW else "",
                    state=OutboxState.PENDING.value,
                    occurred_at=clock.now(),
                )
            )
            session.flush()  # `seq` is given in the order of these writes


def kinds(change: Change, *, withdrawn: bool) -> Iterator[Kind]:
    """Yield the messages of *change*, first to send first (ins.md §8.5). Pure."""
    if withdrawn:
        yield Kind.WITHDRAW
    if not change.propagate:
        return
    if change.event is Event.MERGED:
        yield Kind.MERGE
    else:
        yield Kind.CREATE if change.before is None else Kind.UPDATE
