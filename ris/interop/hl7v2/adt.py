"""From a message to what identity understands: `feed.Inbound` (ins.md §8.5, workflow.md §6.2).

Which messages are taken, and which event each is. Applying it is `ris.identity.foreign.service`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ris.identity.foreign.feed import Inbound, InboundEvent, LocalId
from ris.interop.hl7v2 import pid as reading
from ris.interop.hl7v2.errors import (
    CARDINALITY,
    DATA_TYPE,
    REQUIRED,
    UNSUPPORTED_EVENT,
    UNSUPPORTED_MESSAGE,
    UNSUPPORTED_VERSION,
    Refused,
)
from ris.interop.hl7v2.message import EMPTY, Message, Segment
from ris.interop.hl7v2.pid import Complement
from ris.rem import satisfies

_CREATING: Final = frozenset({"A01", "A04", "A05", "A28"})
_UPDATING: Final = frozenset({"A03", "A06", "A07", "A08", "A11", "A12", "A13", "A31"})
MERGE: Final = "A40"
CHANGE_INS: Final = "A47"
EVENTS: Final = {
    "ADT": _CREATING | _UPDATING | {MERGE, CHANGE_INS},
    "ORM": frozenset({"O01"}),
    "ORU": frozenset({"R01"}),
}
_EARLIEST: Final = 1900
VERSIONS: Final = ("2.3", "2.4", "2.5", "2.6")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one message says: the identity, and the ZFD beside it."""

    inbound: Inbound
    complement: Complement


def kind(msh: Segment) -> str:
    """Return `ADT^A28`; empty parts where the header says nothing."""
    return f"{msh.text(9, 1)}^{msh.text(9, 2)}"[:20]


def check_supported(msh: Segment) -> None:
    """Raise `Refused` (AR) for a version, a type or an event that this system does not take."""
    if not msh.text(12).startswith(VERSIONS):
        raise Refused(UNSUPPORTED_VERSION, "MSH^1^12", "Version HL7 non prise en charge.", ack="AR")
    events = EVENTS.get(msh.text(9, 1))
    if events is None:
        raise Refused(UNSUPPORTED_MESSAGE, "MSH^1^9", "Type de message inconnu ici.", ack="AR")
    if msh.text(9, 2) not in events:
        raise Refused(UNSUPPORTED_EVENT, "MSH^1^9", "Événement inconnu ici.", ack="AR")


@satisfies("RIS.INS.55", "RIS.INS.56", "RIS.INS.57")
def read(message: Message, *, sender: str, received_at: datetime) -> Reading:
    """Return what *message* says of one identity; raises `Refused`.

    ADT as PAM France writes them, and the PID of ORU^R01 and ORM^O01. *sender* is the domain as
    the trust contracts spell it.
    """
    check_supported(message.msh)
    patient = _only(message, "PID")
    complement = reading.read_complement(message.segment("ZFD"))
    inbound = Inbound(
        sender=sender,
        event=_event(message),
        local_ids=_local_ids(patient),
        traits=reading.read_traits(patient, complement),
        message_id=message.msh.text(10),
        ins=reading.read_ins(patient, received_at.date()),
        flags=frozenset(r.text() for r in patient.repetitions(32) if r.text() != EMPTY),
        mode=complement.mode,
        absorbed=_absorbed(message),
        address=reading.read_address(patient),
        phone=reading.read_phone(patient),
        occurred_at=_occurred_at(message, patient, received_at),
        data="" if message.msh.text(9, 1) == "ADT" else message.msh.text(9, 1),
    )
    return Reading(inbound, complement)


def _event(message: Message) -> InboundEvent:
    trigger = message.msh.text(9, 2)
    if trigger == MERGE:
        return InboundEvent.MERGE
    return InboundEvent.CREATE if trigger in _CREATING else InboundEvent.UPDATE


def _only(message: Message, name: str) -> Segment:
    found = message.all(name)
    if not found:
        raise Refused(REQUIRED, name, f"Segment {name} absent.")
    if len(found) > 1:
        raise Refused(CARDINALITY, name, "Un seul patient par message.")
    return found[0]


def _local_ids(patient: Segment) -> tuple[LocalId, ...]:
    found = reading.read_local_ids(patient, 3)
    if not found:
        raise Refused(REQUIRED, "PID^1^3", "Identifiant du patient (PID-3 de type PI) absent.")
    return found


def _absorbed(message: Message) -> LocalId | None:
    """Return the IPP that a merge retires: never an INS (trap T14)."""
    if message.msh.text(9, 2) != MERGE:
        return None
    found = reading.read_local_ids(_only(message, "MRG"), 1)
    if len(found) != 1:
        raise Refused(REQUIRED, "MRG^1^1", "Un identifiant absorbé (type PI) est attendu.")
    return found[0]


def _occurred_at(message: Message, patient: Segment, received_at: datetime) -> datetime | None:
    """Return when the sender recorded the event: EVN-2, else PID-33, else MSH-7.

    Never after *received_at*: one message of a clock ahead would outdate all that follow it.
    Raises `Refused` before 1900: the base would hold what it cannot give back.
    """
    event = message.segment("EVN")
    told = (
        reading.instant(event.text(2), "EVN^1^2")
        or reading.instant(patient.text(33), "PID^1^33")
        or reading.instant(message.msh.text(7), "MSH^1^7")
    )
    if told is None:
        return None
    if told.year < _EARLIEST:
        raise Refused(DATA_TYPE, "EVN^1^2", "Horodatage impossible.")
    return min(told, received_at)
