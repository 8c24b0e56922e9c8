"""An identity as a feed brings it, and what its codes mean: plain values and pure rules.

No wire format (`ris.interop` parses), no database (`service.py` applies), no trait normalisation
(`feed_traits.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from ris.auth.values import Address
from ris.identity import matricule
from ris.identity.review.reasons import ReviewReason
from ris.identity.values import Attribute, Ins, Status


class InboundEvent(StrEnum):
    """What the sender says happened; what it takes back (A47) is read from the identity itself."""

    CREATE = "create"
    UPDATE = "update"
    MERGE = "merge"


class Alert(StrEnum):
    """What the receiver must be told; none of them refuses the message."""

    QUALIFIED_WITHOUT_INS = "PAM_QUAL_WITHOUT_INS"
    INS_NOT_QUALIFIED = "PAM_INS_NOT_QUALIFIED"
    INS_ON_SINGULAR = "PAM_INS_ON_SINGULAR_IDENTITY"
    INS_INVALID = "PAM_INS_INVALID"
    RECORD_INACTIVE = "PAM_RECORD_INACTIVE"
    TRAITS_NORMALISED = "FEED_TRAITS_NORMALISED"
    DATE_INTERPRETED = "FEED_DATE_INTERPRETED"
    SENDER_NOT_TRUSTED = "FEED_SENDER_NOT_TRUSTED"
    INS_TO_VERIFY = "FOREIGN_INS_TO_VERIFY"
    OUTDATED = "FEED_OUTDATED"
    INS_ELSEWHERE = "FOREIGN_INS_ELSEWHERE"
    MERGE_TO_DECIDE = "FEED_MERGE_TO_DECIDE"
    PHONE_REFUSED = "FEED_PHONE_REFUSED"
    ADDRESS_REFUSED = "FEED_ADDRESS_REFUSED"


class Action(StrEnum):
    """What became of the record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class LocalId:
    """A patient identifier (IPP) and the OID, or else the namespace, of its authority."""

    value: str
    authority: str


@dataclass(frozen=True, slots=True)
class ReceivedTraits:
    """Traits as received: None where the field was absent, empty where the sender empties it.

    *birth_date* is `YYYY-MM-DD`, where `00` and unreal days or months may stand (lunar dates);
    *sex* is `M`, `F` or `I`; *birth_place* a COG code.
    """

    birth_family: str | None = None
    first_birth_given: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    birth_place: str | None = None
    birth_given_names: str | None = None
    used_family: str | None = None
    used_given: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message about one identity.

    *sender* is the OID of the sending domain (or `application|facility` where it has none), as
    written in the trust contracts. *ins* is the one active INS of the message. *flags* are the
    PID-32 codes (HL7 table 0445), *mode* ZFD-5, *absorbed* the IPP that a merge retires,
    *occurred_at* the instant of the event at the sender (EVN-6, PID-33 or EVN-2), *data* the kind
    of health data that came with the identity (`ORU`…), empty when it came alone.
    """

    sender: str
    event: InboundEvent
    local_ids: tuple[LocalId, ...]
    traits: ReceivedTraits
    message_id: str = ""
    ins: Ins | None = None
    flags: frozenset[str] = frozenset()
    mode: str = ""
    absorbed: LocalId | None = None
    address: Address | None = None
    phone: str | None = None
    occurred_at: datetime | None = None
    data: str = ""


@dataclass(frozen=True, slots=True)
class Derived:
    """What a message claims, by ins.md R-PAM-02; *ins* only where the claim is qualifiée.

    *review* is why a person must look at the record, if so.
    """

    status: Status
    ins: Ins | None = None
    attributes: frozenset[Attribute] = frozenset()
    review: ReviewReason | None = None
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """What a message did. *foreign_id* names the verification to come, if any.

    *may_file* is False while health data of this message must not be filed by itself
    (RIS.INS.47): hand them to `foreign_data.hold` with *foreign_id*.
    """

    patient_id: UUID
    status: Status
    action: Action
    alerts: tuple[Alert, ...] = field(default=())
    foreign_id: UUID | None = None
    may_file: bool = True


_SINGULAR: Final = {"DOUT": Attribute.DOUTEUSE, "FICT": Attribute.FICTIVE}
_HOMONYM: Final = frozenset({"HOMA", "HOMD"})
_INACTIVE: Final = frozenset({"DESA", "INVA", "USUR"})
_BY_INSI: Final = frozenset({"INSI", "CV"})


def usable(ins: Ins | None) -> bool:
    """Say whether an INS received is whole: known authority, right shape and key (R-PAM-03).

    A test authority in production is another matter: `foreign.receive` refuses the message.
    """
    if ins is None:
        return False
    known = matricule.oid_problem(ins.oid, production=False) is None
    return known and matricule.is_valid(ins.matricule)


def derive(inbound: Inbound) -> Derived:
    """Return what *inbound* claims (ins.md R-PAM-02), before any question of trust."""
    flags, good = inbound.flags, usable(inbound.ins)
    alerts = () if good or inbound.ins is None else (Alert.INS_INVALID,)
    attributes = frozenset(_attributes(flags))
    if _SINGULAR.keys() & flags:
        told = (*alerts, Alert.INS_ON_SINGULAR) if good else alerts
        return Derived(Status.PROVISOIRE, attributes=attributes, alerts=told)
    if _INACTIVE & flags:
        told = (*alerts, Alert.RECORD_INACTIVE)
        inactive = ReviewReason.INACTIVE
        return Derived(Status.PROVISOIRE, None, attributes, review=inactive, alerts=told)
    if {"QUAL", "VALI"} & flags:
        return _validated(inbound, attributes, alerts, good=good)
    if good:
        alerts = (*alerts, Alert.INS_NOT_QUALIFIED)
    retrieved = "RECUP" in flags or ("PROV" in flags and not good and inbound.mode in _BY_INSI)
    status = Status.RECUPEREE if retrieved else Status.PROVISOIRE
    return Derived(status, attributes=attributes, alerts=alerts)


def _validated(
    inbound: Inbound, attributes: frozenset[Attribute], alerts: tuple[Alert, ...], *, good: bool
) -> Derived:
    if good:
        return Derived(Status.QUALIFIEE, inbound.ins, attributes, alerts=alerts)
    if "QUAL" in inbound.flags:
        alerts = (*alerts, Alert.QUALIFIED_WITHOUT_INS)
    return Derived(Status.VALIDEE, attributes=attributes, alerts=alerts)


def _attributes(flags: frozenset[str]) -> Iterator[Attribute]:
    """Yield the attributes that *flags* name; fictive stays alone (ins.md §4.2)."""
    if "FICT" in flags:
        yield Attribute.FICTIVE
        return
    if "DOUT" in flags:
        yield Attribute.DOUTEUSE
    if _HOMONYM & flags:
        yield Attribute.HOMONYME
