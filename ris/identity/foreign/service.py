"""An identity that comes from elsewhere, received: created, updated, queued, or left alone.

What the message claims is `feed.derive`; whether the claim is believed depends on the trust
contract with its sender. An INS that is not believed is verified first (`check.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from ris.core import ids
from ris.core.audit import Actor, record
from ris.core.errors import Conflict
from ris.identity import change, matricule, service
from ris.identity.duplicates import merge
from ris.identity.errors import InsTestOid, TraitsRefused
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import data as foreign_data
from ris.identity.foreign import feed_contact, feed_match, trust
from ris.identity.foreign import queue as foreign_queue
from ris.identity.foreign.feed import (
    Action,
    Alert,
    Derived,
    Inbound,
    InboundEvent,
    Received,
    derive,
)
from ris.identity.foreign.feed_match import Register
from ris.identity.foreign.feed_traits import Normalised, normalise
from ris.identity.foreign.model import TrustContract, TrustScope
from ris.identity.model import IPP_MAX, Patient
from ris.identity.review import marks
from ris.identity.review.reasons import ReviewReason
from ris.identity.search import index
from ris.identity.states import BLOCKING, Event
from ris.identity.traits import FIELDS, Fault, TypedTraits, read_traits
from ris.identity.values import Status, Traits
from ris.rem import satisfies

_EVENTS: Final = {
    Status.QUALIFIEE: Event.FOREIGN_TRUSTED,
    Status.VALIDEE: Event.FOREIGN_VALIDATED,
    Status.RECUPEREE: Event.FOREIGN_RETRIEVED,
    Status.PROVISOIRE: Event.FOREIGN_PROVISIONAL,
}
_HELD: Final = (Status.RECUPEREE, Status.QUALIFIEE)


@dataclass(frozen=True, slots=True)
class _Case:
    """One message under treatment, with all that is asked again and again."""

    session: Session
    feature: IdentityFeature
    register: Register
    inbound: Inbound
    claim: Derived
    contract: TrustContract | None
    actor: Actor

    @property
    def evidence(self) -> dict[str, Any]:
        """What the history keeps: who sent it, and by which contract it was believed."""
        told = {"sender": self.inbound.sender, "message": self.inbound.message_id}
        return {**told, "contract": str(self.contract.id)} if self.contract else told

    def trusts(self, scope: TrustScope) -> bool:
        """Say whether a contract of this scope is in force with the sender."""
        return self.contract is not None and self.contract.scope == scope


@satisfies("RIS.INS.38", "RIS.INS.39", "RIS.INS.46")
def receive(
    session: Session, feature: IdentityFeature, inbound: Inbound, *, actor: Actor
) -> Received:
    """Apply *inbound* and say what became of the record.

    Our own domain's repository is believed whole (ins.md R-PAM-02); a sender with a contract for
    patients not in our direct care keeps qualifiée; anyone else yields provisoire, without INS,
    until INSi has verified it. Raises `TraitsRefused`, `InsTestOid` (production).
    """
    return receive_all(session, feature, [(inbound, actor)])[0]


def receive_all(
    session: Session, feature: IdentityFeature, told: Sequence[tuple[Inbound, Actor]]
) -> list[Received]:
    """Apply several messages, no two of them about one patient (`feed_match.apart`): `receive`.

    What it raises is about one of them; the transaction of all is then to be rolled back.
    """
    register = feed_match.look_up(session, feature, [inbound for inbound, _ in told])
    senders = {inbound.sender for inbound, _ in told}
    contracts = {sender: trust.in_force(session, sender) for sender in senders}
    done = [
        _received(_Case(session, feature, register, one, derive(one), contracts[one.sender], actor))
        for one, actor in told
    ]
    session.flush()
    return done


def _received(case: _Case) -> Received:
    inbound, ins, production = case.inbound, case.inbound.ins, case.feature.production
    if ins and matricule.oid_problem(ins.oid, production=production) is InsTestOid:
        raise InsTestOid
    if inbound.event is InboundEvent.MERGE:
        case.register.lock_pair(inbound)
    patient = case.register.known(inbound)
    if patient is not None and case.register.outdated(inbound):
        status = Status(patient.status)
        return Received(patient.id, status, Action.UNCHANGED, (Alert.OUTDATED,))
    treat = _believed if case.trusts(TrustScope.OWN_DOMAIN) else _foreign
    done = treat(case, patient)
    detail = {
        **case.evidence,
        "event": inbound.event.value,
        "action": done.action.value,
        "alerts": [alert.value for alert in done.alerts],
        "status": done.status.value,
    }
    target = ("patient", done.patient_id)
    record(
        case.session, "identity.received", actor=case.actor, target=target,
        patient_id=done.patient_id, detail=detail,
    )  # fmt: skip
    return done


def _believed(case: _Case, patient: Patient | None) -> Received:
    """Our own domain's repository: its word is applied as it stands (ins.md #17)."""
    alerts: tuple[Alert, ...] = ()
    if case.inbound.event is InboundEvent.MERGE:
        patient, alerts = _merged(case, patient)
    claim = case.claim
    bearer = feed_match.holder(case.session, claim.ins) if claim.ins else None
    if bearer is not None and (patient is None or bearer.id != patient.id):
        elsewhere = ReviewReason.INS_ELSEWHERE
        claim = replace(claim, status=Status.VALIDEE, ins=None, review=elsewhere)
        alerts = (*alerts, Alert.INS_ELSEWHERE)
    norm, traits = _traits(case, patient)
    alerts = (*alerts, *claim.alerts, *norm.alerts, *feed_contact.kept(case.inbound)[1])
    action = Action.UPDATED if patient else Action.CREATED
    if case.inbound.event is InboundEvent.MERGE and Alert.MERGE_TO_DECIDE not in alerts:
        action = Action.MERGED
    if patient is not None and claim.review is not ReviewReason.INACTIVE:
        marks.end(patient, [ReviewReason.INACTIVE])
    if patient is not None and _same(patient, traits, claim):
        _contact(case, patient)
        quiet = Action.UNCHANGED if action is Action.UPDATED else action
        return _done(case, patient, quiet, alerts)
    row = patient or _blank(case, own=True)
    _write(case, row, norm, traits, claim)
    return _done(case, row, action, alerts)


def _foreign(case: _Case, patient: Patient | None) -> Received:
    """Another domain: nothing of ours changes on its word alone."""
    claim, alerts = case.claim, case.claim.alerts
    if patient is None and claim.ins is not None:
        patient = feed_match.holder(case.session, claim.ins)
    if case.inbound.event is InboundEvent.MERGE and patient is not None:
        marks.give(patient, ReviewReason.MERGE_TO_DECIDE)
        return _done(case, patient, Action.UNCHANGED, (*alerts, Alert.MERGE_TO_DECIDE))
    if patient is None:
        return _unknown(case, alerts)
    held = patient.identity.ins
    if held is not None and held == claim.ins and Status(patient.status) in _HELD:
        return _done(case, patient, Action.UNCHANGED, alerts)
    if claim.ins is not None and not BLOCKING & patient.identity.attributes:
        return _queued(case, patient, Action.UNCHANGED, alerts, created=False)
    return _done(case, patient, Action.UNCHANGED, (*alerts, Alert.SENDER_NOT_TRUSTED))


def _unknown(case: _Case, alerts: tuple[Alert, ...]) -> Received:
    """A patient we do not know: kept as received under contract, else provisoire from traits."""
    claim, contract = case.claim, case.trusts(TrustScope.NO_DIRECT_CARE)
    norm, traits = _traits(case, None)
    alerts = (*alerts, *norm.alerts, *feed_contact.kept(case.inbound)[1])
    kept = contract and claim.status is Status.QUALIFIEE
    if not kept:
        claim = replace(claim, status=Status.PROVISOIRE, ins=None)
    row = _blank(case, own=False)
    _write(case, row, norm, traits, claim)
    if kept or case.claim.ins is None:
        capped = case.claim.status is not Status(row.status)
        told = (*alerts, Alert.SENDER_NOT_TRUSTED) if capped else alerts
        return _done(case, row, Action.CREATED, told)
    return _queued(case, row, Action.CREATED, alerts, created=True)


def _queued(
    case: _Case, patient: Patient, action: Action, alerts: tuple[Alert, ...], *, created: bool
) -> Received:
    """Ask for the verification of the INS received; meanwhile it is not stored (RIS.INS.46).

    Health data that came with it are held, not filed (RIS.INS.47).
    """
    norm, _ = _traits(case, None if created else patient)
    queued = foreign_queue.ask(
        case.session, patient, case.inbound, norm.typed, created=created, actor=case.actor
    )
    if case.inbound.data:
        reference = foreign_data.reference_of(case.inbound.sender, case.inbound.message_id)
        foreign_data.hold(case.session, queued.id, kind=case.inbound.data, reference=reference)
    told = (*alerts, Alert.SENDER_NOT_TRUSTED, Alert.INS_TO_VERIFY)
    said = _done(case, patient, action, told)
    return replace(said, foreign_id=queued.id, may_file=False)


def _merged(case: _Case, patient: Patient | None) -> tuple[Patient, tuple[Alert, ...]]:
    """Absorb the record that the message retires, before its traits and INS are applied."""
    survivor = patient
    if survivor is None:
        norm, traits = _traits(case, None)
        survivor = _blank(case, own=True)
        claim = Derived(Status.PROVISOIRE, attributes=case.claim.attributes)
        _write(case, survivor, norm, traits, claim)
        case.session.flush()
    retired = case.inbound.absorbed
    if retired is None:
        return survivor, (Alert.MERGE_TO_DECIDE,)
    absorbed = case.register.by_local_id(retired)
    if absorbed is not None and absorbed.id != survivor.id:
        try:
            merge.absorb(
                case.session, case.feature, survivor, absorbed, reason="Flux d'identité (A40)",
                actor=case.actor,
            )  # fmt: skip
        except Conflict:
            marks.give(survivor, ReviewReason.MERGE_TO_DECIDE)
            return survivor, (Alert.MERGE_TO_DECIDE,)
    case.register.remember(survivor, (retired,), case.inbound.occurred_at)
    return survivor, ()


def _traits(case: _Case, patient: Patient | None) -> tuple[Normalised, Traits]:
    """Return the traits that the message leads to; raises `TraitsRefused`."""
    held = service.typed_of(patient.traits) if patient else {}
    norm = normalise(case.inbound.traits, TypedTraits(**held) if patient else None)
    changed = {name for name in FIELDS if getattr(norm.typed, name) != held.get(name)}
    only = changed if patient else FIELDS
    return norm, read_traits(norm.typed, today=service.today(), only=only)


def _blank(case: _Case, *, own: bool) -> Patient:
    """Return a record not written yet; our own domain's IPP is the repository's.

    Raises `TraitsRefused` for one that is too long.
    """
    domain = case.feature.ipp_oid
    theirs = [one.value for one in case.inbound.local_ids if own and one.authority == domain]
    if theirs and len(theirs[0]) > IPP_MAX:
        fault = Fault(("ipp",), "IPP_TOO_LONG", f"{IPP_MAX} caractères au plus.")
        raise TraitsRefused(errors=[fault.as_problem()])
    ipp = theirs[0] if theirs else service.next_ipp(case.session, case.feature)
    blank = Patient(id=ids.new(), ipp=ipp, ipp_oid=domain, address={}, phone="", attributes=[])
    blank.status = Status.PROVISOIRE.value
    return blank


def _write(case: _Case, row: Patient, norm: Normalised, traits: Traits, claim: Derived) -> None:
    """Write traits, attributes and status in one step, then the search keys."""
    new = inspect(row).transient
    before: Mapping[str, list[str]] = {} if new else service.changes_between(row.traits, traits)
    row.traits = traits
    if norm.birth_date_raw or new or "birth_date" in before:
        row.birth_date_raw = norm.birth_date_raw
    row.attributes = sorted(claim.attributes)
    _contact(case, row)
    event = _EVENTS[claim.status]
    if new and claim.status is Status.PROVISOIRE and not case.trusts(TrustScope.OWN_DOMAIN):
        event = Event.CREATED
    change.apply(
        case.session, case.feature, row, event, actor=case.actor, evidence=case.evidence,
        changes=dict(before), ins=claim.ins,
    )  # fmt: skip
    if claim.review:
        marks.give(row, claim.review)
    index(case.session, row)


def _contact(case: _Case, row: Patient) -> None:
    service.set_contact(row, feed_contact.kept(case.inbound)[0])


def _same(patient: Patient, traits: Traits, claim: Derived) -> bool:
    """Say whether the record already says all that the message says."""
    return (
        patient.traits == traits
        and Status(patient.status) is claim.status
        and patient.identity.attributes == claim.attributes
        and (claim.ins is None or patient.identity.ins == claim.ins)
        and (claim.review is None or claim.review in patient.review)
    )


def _done(case: _Case, patient: Patient, action: Action, alerts: tuple[Alert, ...]) -> Received:
    """Keep what the sender calls the record, and say what became of it."""
    case.register.remember(patient, case.inbound.local_ids, case.inbound.occurred_at)
    return Received(patient.id, Status(patient.status), action, tuple(dict.fromkeys(alerts)))
