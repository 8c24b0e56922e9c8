"""Patient records: create, read, edit. Status rules are in `states.py`, locks in `rules.py`."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.errors import Stale
from ris.identity import change
from ris.identity.entry import Contact, contact_faults
from ris.identity.errors import PatientMerged, PatientNotFound, ReasonRequired, TraitsLocked
from ris.identity.feature import IdentityFeature
from ris.identity.model import IppSeries, Patient
from ris.identity.review import marks
from ris.identity.review.reasons import ReviewReason
from ris.identity.rules import STRICT, ins_to_output, is_locked, strict_change
from ris.identity.search import Criteria, Found, Slice, index, search
from ris.identity.settings import IdentitySettings
from ris.identity.states import Event
from ris.identity.traits import FIELDS, TypedTraits, read_traits
from ris.identity.values import PatientIdentity, Status, Traits
from ris.rem import satisfies

DEGRADED: Final = "degraded"


@satisfies("RIS.INS.11", "RIS.INS.12", "RIS.INS.22")
def create(
    session: Session,
    feature: IdentityFeature,
    typed: TypedTraits,
    contact: Contact,
    *,
    degraded: bool = False,
    practice: str | None = None,
    actor: Actor,
) -> Patient:
    """Create a record at provisoire with a fresh IPP, for *practice* when only one has it.

    *degraded*: an emergency, while the repository is another system; the record waits on the
    worklist for its merge (ins.md R-PAM-04). Raises `TraitsRefused`, `RiIsExternal`,
    `DegradedNotNeeded`.
    """
    feature.check_creation(degraded=degraded)
    traits = read_traits(typed, today=today(), beside=contact_faults(contact))
    patient = Patient(ipp=next_ipp(session, feature), ipp_oid=feature.ipp_oid)
    patient.traits = traits
    patient.attributes, patient.address, patient.phone = [], {}, ""
    patient.status = Status.PROVISOIRE.value
    set_contact(patient, contact)
    patient.struct_idnat = practice
    if degraded:
        marks.give(patient, ReviewReason.DEGRADED)
    evidence = {"mode": DEGRADED} if degraded else {}
    change.apply(session, feature, patient, Event.CREATED, actor=actor, evidence=evidence)
    index(session, patient)
    _journal(session, "patient.created", patient, actor)
    return patient


def get(session: Session, patient_id: UUID) -> Patient:
    """Return the record; raises `PatientNotFound`."""
    patient = session.get(Patient, patient_id)
    if patient is None:
        raise PatientNotFound
    return patient


def identity_of(session: Session, patient_id: UUID) -> PatientIdentity:
    """Return the patient as plain values, for the other rooms; raises `PatientNotFound`.

    Its `ins` is what the base holds: output it only through `rules.ins_to_output`.
    """
    return get(session, patient_id).identity


def current(session: Session, patient_id: UUID, version: int | None) -> Patient:
    """Return the record, locked for this transaction, when it still has *version*.

    *version* None: whoever asks has read nothing. Raises `PatientNotFound`, `PatientMerged`, or
    `Stale` when someone changed it since.
    """
    patient = locked(session, patient_id)
    if version is not None and patient.version != version:
        raise Stale
    return active(patient)


def active(patient: Patient) -> Patient:
    """Return *patient* when nothing has absorbed it; raises `PatientMerged`."""
    if patient.merged_into_id is not None:
        raise PatientMerged(survivor_id=str(patient.merged_into_id))
    return patient


def still_open(session: Session, patient_id: UUID, *, alone: bool = False) -> None:
    """Wait for a merge under way, then raise `PatientMerged` when it took the record.

    For whoever is about to file something under a patient: nothing lands on an absorbed record.
    *alone* also makes any other filing of that kind wait: where a patient has one row. Raises
    `PatientNotFound`.
    """
    query = select(Patient).where(Patient.id == patient_id)
    held = query.with_for_update(read=not alone, key_share=True)
    patient = session.scalar(held.execution_options(populate_existing=True))
    if patient is None:
        raise PatientNotFound
    active(patient)


def locked(session: Session, patient_id: UUID, *, against_filing: bool = False) -> Patient:
    """Return the record as it is now, locked for this transaction, absorbed or not.

    *against_filing* also holds back whoever files something under it (`still_open`, a foreign
    key): a merge wants that, an edit must not.
    """
    wanted = select(Patient).where(Patient.id == patient_id)
    query = wanted.with_for_update(key_share=not against_filing)
    patient = session.scalar(query.execution_options(populate_existing=True))
    if patient is None:
        raise PatientNotFound
    return patient


@satisfies("RIS.INS.03", "RIS.INS.17")
def consult(session: Session, patient_id: UUID, *, ins_right: bool, actor: Actor) -> Patient:
    """Return the record for display and journal the access, and that of the INS when shown."""
    patient = get(session, patient_id)
    if ins_right and ins_to_output(patient.identity) is not None:
        note_ins_shown(session, patient, actor=actor)
    _journal(session, "patient.read", patient, actor)
    return patient


@satisfies("RIS.INS.03")
def note_ins_shown(session: Session, patient: Patient, *, actor: Actor) -> None:
    """Journal that the INS of *patient* was shown to *actor*."""
    _journal(session, "ins.read", patient, actor)


@satisfies("RIS.INS.29", "RIS.INS.31", "RIS.INS.17")
def edit(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    typed: Mapping[str, str],
    contact: Contact,
    *,
    version: int,
    superuser: bool,
    reason: str,
    actor: Actor,
) -> Patient:
    """Change the fields named in *typed* (names of `TypedTraits`) and the contact.

    A strict trait of a récupérée or qualifiée identity wants a *superuser* and a *reason*: it
    costs the INS one status (RIS.INS.32-36). Raises `TraitsRefused`, `TraitsLocked`,
    `ReasonRequired`, `RiIsExternal`, `Stale`.
    """
    patient = current(session, patient_id, version)
    before, status = patient.traits, Status(patient.status)
    after = _edited(before, status, typed, contact)
    strict = strict_change(before, after, status)
    if strict or before.first_birth_given != after.first_birth_given:
        feature.require_repository()
    if strict and is_locked(status):
        _check_superuser(before, after, superuser, reason)
    patient.traits = after
    if before.birth_date != after.birth_date:
        patient.birth_date_raw = None
    set_contact(patient, contact)
    patient.updated_at = clock.now()
    event = Event.STRICT_TRAIT_CHANGED if strict else Event.COMPLEMENTARY_TRAIT_CHANGED
    changes = changes_between(before, after)
    done = change.apply(
        session, feature, patient, event, actor=actor, reason=reason, changes=changes
    )
    index(session, patient)
    detail = {"fields": sorted(changes), "event": event.value, "status": done.after.value}
    _journal(session, "patient.updated", patient, actor, detail)
    return patient


@satisfies("RIS.INS.17")
def find(
    session: Session,
    criteria: Criteria,
    settings: IdentitySettings,
    part: Slice = Slice(),  # noqa: B008 - a frozen value
    *,
    within: ColumnElement[bool] | None = None,
    actor: Actor,
) -> Found:
    """Search and journal it: which criteria were given, how many patients were shown.

    *within* is the condition on `Patient` that the caller may see.
    """
    found = search(session, criteria, settings, part, within=within)
    given = sorted(name for name in Criteria.__dataclass_fields__ if getattr(criteria, name))
    detail = {"criteria": given, "found": len(found.patients)}
    record(session, "patient.searched", actor=actor, detail=detail)
    return found


def changes_between(before: Traits, after: Traits) -> dict[str, list[str]]:
    """Return `{field: [before, after]}` for each trait that differs."""
    return {
        field: [_text(getattr(before, field)), _text(getattr(after, field))]
        for field in (*STRICT, "first_birth_given", "used_family", "used_given")
        if getattr(before, field) != getattr(after, field)
    }


def _edited(before: Traits, status: Status, typed: Mapping[str, str], contact: Contact) -> Traits:
    fields = {**typed_of(before), **typed}
    follows = _text(before.birth_given_names) == before.first_birth_given
    if follows and not is_locked(status) and "birth_given_names" not in typed:
        fields["birth_given_names"] = fields["first_birth_given"]
    changed = {name for name, value in typed_of(before).items() if fields[name] != value}
    told = TypedTraits(**fields)
    return read_traits(told, today=today(), only=changed, beside=contact_faults(contact))


def typed_of(traits: Traits) -> dict[str, str]:
    """Return *traits* as they would be typed."""
    return {name: _text(getattr(traits, name)) for name in FIELDS}


def _text(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _check_superuser(before: Traits, after: Traits, superuser: bool, reason: str) -> None:
    fields = sorted(set(changes_between(before, after)) & set(STRICT))
    if not superuser:
        raise TraitsLocked("Traits issus d'INSi, modifiables par habilitation.", fields=fields)
    if not reason.strip():
        raise ReasonRequired("Indiquer pourquoi un trait issu d'INSi est modifié.")


def set_contact(patient: Patient, contact: Contact) -> None:
    """Write the contact details that *contact* names."""
    if contact.address is not None:
        patient.address = {**asdict(contact.address), "lines": list(contact.address.lines)}
    if contact.phone is not None:
        patient.phone = contact.phone
    if contact.billing_number is not None:
        patient.billing_number = contact.billing_number or None


def next_ipp(session: Session, feature: IdentityFeature) -> str:
    """Return a fresh IPP of this site, passing over those that a feed has brought."""
    while True:
        ipp = _next_of_series(session, feature)
        if session.scalar(select(Patient.id).where(Patient.ipp == ipp)) is None:
            return ipp


def _next_of_series(session: Session, feature: IdentityFeature) -> str:
    first = insert(IppSeries).values(authority=feature.ipp_oid, last=1)
    step = first.on_conflict_do_update(
        index_elements=[IppSeries.authority], set_={"last": IppSeries.last + 1}
    )
    last = session.scalar(step.returning(IppSeries.last))
    return f"{last:0{feature.settings.ipp_digits}d}"


def today() -> date:
    """Return today's date in France."""
    return clock.now().astimezone(clock.PARIS).date()


def _journal(
    session: Session,
    action: str,
    patient: Patient,
    actor: Actor,
    detail: Mapping[str, object] | None = None,
) -> None:
    target = ("patient", patient.id)
    record(session, action, actor=actor, target=target, patient_id=patient.id, detail=detail)
