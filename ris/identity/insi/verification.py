"""Verification of an identity that already has its INS: does INSi still say the same?

How INSi is asked is a setting (`identity.insi.verification`): the unit verification transaction
has no public contract, so it is emulated by the search by traits and a comparison (ins.md
R-INSI-01), or asked by the provisional contract of the sandbox. Journaled as `verify` either way.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core.audit import Actor, record
from ris.identity import change
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.model import ForeignIdentity
from ris.identity.insi.calls import Asked, written
from ris.identity.insi.comparison import Difference, compare
from ris.identity.insi.errors import InsiVerificationOff
from ris.identity.insi.values import AnswerCode, Caller, InsiAnswer, Query, Subject, VerifyQuery
from ris.identity.model import InsiCall, Patient
from ris.identity.rules import STRICT, check_may_call_insi, traits_digest
from ris.identity.service import active, get, locked
from ris.identity.states import Event, transition
from ris.identity.values import Ins, Status
from ris.rem import satisfies


class Verdict(StrEnum):
    """What a verification says; `unclear` changes nothing (fault, several found, edited since)."""

    OK = "OK"
    KO = "KO"
    UNCLEAR = "UNCLEAR"


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict, the calls it took, and the record after it."""

    verdict: Verdict
    calls: tuple[InsiCall, ...]
    patient: Patient


@dataclass(frozen=True, slots=True)
class Prepared:
    """Who is verified. *plain* is the one query to put; None: search by traits."""

    subject: Subject
    plain: Query | None = None


_EVENTS: Final = {Verdict.OK: Event.INSI_CONFIRMED, Verdict.KO: Event.INSI_DENIED}
_TOLERATED: Final = (Difference.EQUAL, Difference.MINOR, Difference.ABSENT)
_SAID: Final = {AnswerCode.CONFIRMED: Verdict.OK, AnswerCode.DENIED: Verdict.KO}


def prepare(session: Session, feature: IdentityFeature, patient_id: UUID) -> Prepared:
    """Return whom to verify: with INSi's own first given name, not the user's.

    Where the repository is another system, only an identity received from another domain is
    verified here (ins.md §5.1). Raises `InsiVerificationOff`, `RiIsExternal`,
    `InsAttributeBlocks`, or `TransitionRefused` for an identity without INS.
    """
    mode = feature.settings.insi.verification
    if mode == "off":
        raise InsiVerificationOff
    patient = active(get(session, patient_id))
    received = select(ForeignIdentity.id).where(ForeignIdentity.patient_id == patient.id).limit(1)
    if session.scalar(received) is None:
        feature.require_repository()
    subject = subject_of(patient)
    return Prepared(subject, query_of(patient) if mode == "provisional" else None)


def subject_of(patient: Patient) -> Subject:
    """Return the subject of a verification of *patient*. Raises as `prepare`, `Off` apart."""
    held = patient.identity.attributes
    transition(Status(patient.status), held, Event.INSI_CONFIRMED)
    check_may_call_insi(patient.traits, held)
    listed = patient.traits.birth_given_names
    subject = patient.subject
    return replace(subject, traits=replace(subject.traits, first_birth_given=listed[0]))


def query_of(patient: Patient) -> VerifyQuery:
    """Return the verification of what *patient* holds, whom `subject_of` accepted."""
    ins, subject = patient.identity.ins, patient.subject
    traits = subject.traits
    return VerifyQuery(
        ins or Ins("", ""),
        traits.birth_family,
        " ".join(traits.birth_given_names),
        traits.sex.value,
        subject.birth_date_raw or traits.birth_date.isoformat(),
        traits.birth_place,
    )


def verdict(ins: Ins | None, subject: Subject, answer: InsiAnswer | None) -> Verdict:
    """Say what *answer* makes of an INS and its traits; pure. A fault is `unclear`, never KO."""
    if answer is None or answer.code is AnswerCode.SEVERAL:
        return Verdict.UNCLEAR
    if answer.code in _SAID:
        return _SAID[answer.code]
    if answer.person is None or answer.person.ins != ins:
        return Verdict.KO
    rows = compare(subject.traits, answer.person.traits, subject.birth_date_raw)
    same = all(row.difference in _TOLERATED for row in rows if row.field in STRICT)
    return Verdict.OK if same else Verdict.KO


@satisfies("RIS.INS.42", "RIS.INS.43")
def keep(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    subject: Subject,
    asked: tuple[Asked, ...],
    *,
    caller: Caller,
    actor: Actor,
) -> Verification:
    """Write the calls, journal the verdict, and apply it: KO costs the INS and the status.

    *subject* is what `prepare` gave; a record edited meanwhile is left alone (`unclear`).
    """
    patient = locked(session, patient_id)
    made = written(
        session, patient, asked, subject=subject, caller=caller, actor=actor, verification=True
    )
    said = verdict(patient.identity.ins, subject, asked[-1].answer)
    said = applied(session, feature, patient, said, subject, call=made[-1], actor=actor)
    return Verification(said, made, patient)


@satisfies("RIS.INS.42", "RIS.INS.43")
def applied(
    session: Session,
    feature: IdentityFeature,
    patient: Patient,
    said: Verdict,
    subject: Subject,
    *,
    call: InsiCall,
    actor: Actor,
    **evidence: Any,
) -> Verdict:
    """Apply what INSi *said* of the locked *patient*, and return what came of it.

    `unclear` when the record is no more the one INSi was asked about. *call* is the proof.
    """
    own = replace(patient.traits, first_birth_given=subject.traits.first_birth_given)
    if traits_digest(own) != traits_digest(subject.traits) or patient.ins_matricule is None:
        said = Verdict.UNCLEAR
    if event := _EVENTS.get(said):
        proof = {"insi_call": str(call.id), "verdict": said.value, **evidence}
        change.apply(session, feature, patient, event, actor=actor, evidence=proof)
    record(
        session,
        "insi.verified",
        actor=actor,
        target=("insi_call", call.id),
        patient_id=patient.id,
        detail={"verdict": said.value, "status": patient.status, "mode": call.mode, **evidence},
    )
    return said
