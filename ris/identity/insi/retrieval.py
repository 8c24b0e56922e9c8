"""Retrieval of the INS in two steps: INSi is asked, then a person accepts or rejects its answer.

`prepare` and `keep` run in transactions of their own and `calls.ask` in none: no lock is held
while the teleservice thinks.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.core.errors import RisError
from ris.identity import change
from ris.identity.errors import DocumentCheckStale, InsAlreadyAttached, ValidationRight
from ris.identity.feature import IdentityFeature
from ris.identity.insi.calls import Asked, written
from ris.identity.insi.comparison import TraitComparison, compare, real_date
from ris.identity.insi.errors import InsiRetrievalUnusable
from ris.identity.insi.values import Caller, InsiPerson, Subject, person_of
from ris.identity.model import Decision, InsiCall, Patient
from ris.identity.rules import (
    check_differences,
    check_insi_answer,
    check_may_call_insi,
    first_given_alert,
    traits_digest,
)
from ris.identity.search import index
from ris.identity.service import active, changes_between, current, get
from ris.identity.states import Event, transition
from ris.identity.traits import first_given_in
from ris.identity.validation import checked_traits
from ris.identity.values import Sex, Status, Traits
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What the user is shown after the calls; *blocked* is why the answer may not be imported."""

    calls: tuple[InsiCall, ...]
    comparison: tuple[TraitComparison, ...] = ()
    first_given_alert: bool = False
    blocked: RisError | None = None

    @property
    def last(self) -> InsiCall:
        """The call that decides: its `id` is the retrieval to accept."""
        return self.calls[-1]


@satisfies("RIS.INS.28")
def prepare(session: Session, feature: IdentityFeature, patient_id: UUID) -> Subject:
    """Return whom to search for, or refuse the call before anything leaves.

    Retrieval belongs to the repository (ins.md §5.1): raises `RiIsExternal`.
    """
    feature.require_repository()
    patient = active(get(session, patient_id))
    check_may_call_insi(patient.traits, patient.identity.attributes)
    transition(Status(patient.status), patient.identity.attributes, Event.INSI_ACCEPTED)
    return patient.subject


@satisfies("RIS.INS.13")
def keep(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    subject: Subject,
    asked: tuple[Asked, ...],
    *,
    caller: Caller,
    actor: Actor,
) -> Retrieval:
    """Write every call with its return, and give what the user must see.

    *subject* is what `prepare` gave: an answer is good for those traits and no others.
    """
    patient = get(session, patient_id)
    made = written(session, patient, asked, subject=subject, caller=caller, actor=actor)
    found = asked[-1].answer.person if asked[-1].answer else None
    return _shown(feature, patient, made, found)


@satisfies("RIS.INS.13", "RIS.INS.14", "RIS.INS.23")
def accept(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    retrieval_id: UUID,
    *,
    version: int | None = None,
    validation_right: bool,
    reason: str,
    actor: Actor,
) -> Patient:
    """Import the INS and the traits that the user has compared and confirmed.

    A validée identity becomes qualifiée, which wants the *validation_right* (auth.md §9.2).
    Raises the guards of `rules.check_insi_answer` and `rules.check_differences`,
    `ValidationRight`, `DocumentCheckStale`, `InsAlreadyAttached`, `InsiRetrievalUnusable`,
    `RiIsExternal`, `Stale`.
    """
    feature.require_repository()
    patient, call = _pending(session, patient_id, retrieval_id, version)
    person = person_of(call.answer)
    before, status = patient.traits, Status(patient.status)
    _check_import(feature, patient, person)
    check_differences(
        status,
        compare(before, person.traits),
        reason=reason,
        major_blocks_qualification=feature.settings.major_difference_blocks_qualification,
    )
    if status is Status.VALIDEE and not validation_right:
        raise ValidationRight
    if status is Status.VALIDEE and not checked_traits(session, patient):
        raise DocumentCheckStale
    _refuse_double(session, patient, person)
    patient.traits, patient.birth_date_raw = imported(before, person), None
    _decide(call, Decision.ACCEPTED, reason)
    done = change.apply(
        session,
        feature,
        patient,
        Event.INSI_ACCEPTED,
        actor=actor,
        reason=reason,
        evidence={"insi_call": str(call.id)},
        changes=changes_between(before, patient.traits),
        ins=person.ins,
    )
    index(session, patient)
    _journal(session, "insi.accepted", patient, call=call, actor=actor, status=done.after.value)
    return patient


def reject(
    session: Session,
    patient_id: UUID,
    retrieval_id: UUID,
    *,
    version: int | None = None,
    reason: str,
    actor: Actor,
) -> Patient:
    """Leave the identity as it is: the person that INSi found is not this patient."""
    patient, call = _pending(session, patient_id, retrieval_id, version)
    _decide(call, Decision.REJECTED, reason)
    _journal(session, "insi.rejected", patient, call=call, actor=actor, status=patient.status)
    return patient


@satisfies("RIS.INS.13", "RIS.INS.14")
def imported(local: Traits, person: InsiPerson) -> Traits:
    """Return the traits after import: INSi's, as written; used names untouched.

    The list is `ListePrenom`. The first given name is the user's, in the list's writing when it
    begins the list; INSi without a birthplace leaves ours (ins.md R-COG-02).
    """
    insi = person.traits
    listed = tuple(insi.given_names.split())
    born = real_date(insi.birth_date)
    return replace(
        local,
        birth_family=insi.birth_family,
        birth_given_names=listed,
        first_birth_given=first_given_in(listed, local.first_birth_given)
        or local.first_birth_given,
        birth_date=born or local.birth_date,
        sex=Sex(insi.sex),
        birth_place=insi.birth_place or local.birth_place,
    )


def _shown(
    feature: IdentityFeature,
    patient: Patient,
    calls: tuple[InsiCall, ...],
    person: InsiPerson | None,
) -> Retrieval:
    if person is None:
        return Retrieval(calls)
    blocked = None
    try:
        _check_import(feature, patient, person)
    except RisError as error:
        blocked = error
    traits = patient.traits
    rows = compare(traits, person.traits, patient.birth_date_raw or "")
    return Retrieval(calls, rows, first_given_alert(traits, person), blocked)


def _check_import(feature: IdentityFeature, patient: Patient, person: InsiPerson) -> None:
    check_insi_answer(
        person,
        patient.identity.attributes,
        production=feature.production,
        tolerate_bad_key=feature.settings.insi.tolerate_bad_key and not feature.production,
    )


def _pending(
    session: Session, patient_id: UUID, retrieval_id: UUID, version: int | None
) -> tuple[Patient, InsiCall]:
    patient = current(session, patient_id, version)
    call = session.get(InsiCall, retrieval_id)
    if call is None or call.patient_id != patient.id or call.decision != Decision.PENDING:
        raise InsiRetrievalUnusable("Ce retour INSi n'attend pas de décision pour ce patient.")
    if call.traits_digest != traits_digest(patient.traits):
        raise InsiRetrievalUnusable("Les traits ont changé depuis l'appel : interroger à nouveau.")
    return patient, call


def _refuse_double(session: Session, patient: Patient, person: InsiPerson) -> None:
    other = session.scalar(
        select(Patient.ipp).where(
            Patient.ins_matricule == person.ins.matricule,
            Patient.ins_oid == person.ins.oid,
            Patient.id != patient.id,
        )
    )
    if other is not None:
        raise InsAlreadyAttached(ipp=other)


def _decide(call: InsiCall, decision: Decision, reason: str) -> None:
    call.decision, call.decision_reason, call.decided_at = decision.value, reason, clock.now()


def _journal(
    session: Session, action: str, patient: Patient, *, call: InsiCall, actor: Actor, status: str
) -> None:
    record(
        session,
        action,
        actor=actor,
        target=("insi_call", call.id),
        patient_id=patient.id,
        detail={"status": status},
    )
