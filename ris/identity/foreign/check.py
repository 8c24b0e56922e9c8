"""Automatic verification of the INS received: INSi is asked, its word decides (RIS.INS.38, .44-47).

Run by the worker, one identity at a time: claim and commit, call, settle and commit. The unit
verification of INSi has no public contract: the search by traits stands for it (ins.md R-INSI-01).
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import SYSTEM, record
from ris.core.db import Database
from ris.core.errors import NotConfigured, RisError, Transient
from ris.identity import change, service
from ris.identity.duplicates import pairs as duplicates
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import data as foreign_data
from ris.identity.foreign import feed_match
from ris.identity.foreign.model import ForeignIdentity, ForeignState, Inconclusive
from ris.identity.foreign.queue import Claimed, claim, digest, postpone, still_ours
from ris.identity.insi import caller as insi_caller
from ris.identity.insi.calls import Asked, ask, written
from ris.identity.insi.comparison import Difference, compare
from ris.identity.insi.retrieval import imported
from ris.identity.insi.values import Caller, InsiPerson, Subject
from ris.identity.insi.verification import Verdict, verdict
from ris.identity.model import Patient
from ris.identity.review import marks
from ris.identity.review.reasons import ReviewReason
from ris.identity.rules import DECISIVE, check_insi_answer, check_may_call_insi
from ris.identity.search import index
from ris.identity.states import BLOCKING, Event
from ris.identity.traits import TypedTraits, read_traits
from ris.identity.values import Status, Traits
from ris.rem import satisfies

_BATCH: Final = 50


class ForeignChecks:
    """The periodic job. It does nothing while INSi is not configured: the queue waits."""

    def __init__(self, database: Database, feature: IdentityFeature) -> None:
        self._database = database
        self._feature = feature

    @satisfies("RIS.INS.46")
    def run(self) -> int:
        """Verify what is due, 50 identities at most; return how many were asked for."""
        settings = self._feature.settings.insi
        if self._feature.insi is None or not (settings.endpoint and settings.structure):
            return 0
        with self._database.transaction() as session:
            caller = insi_caller.automatic(session, settings)
        for done in range(_BATCH):
            with self._database.transaction() as session:
                claimed = claim(session, clock.now())
            if claimed is None:
                return done
            self._verify(claimed, caller)
        return _BATCH

    def _verify(self, claimed: Claimed, caller: Caller) -> None:
        subject = Subject(_asked_traits(claimed.typed), claimed.birth_date_raw)
        answered = _Answered(subject, caller, *self._asked(subject, claimed, caller))
        with self._database.transaction() as session:
            _settle(session, self._feature, claimed, answered)

    @satisfies("RIS.INS.28")
    def _asked(
        self, subject: Subject, claimed: Claimed, caller: Caller
    ) -> tuple[tuple[Asked, ...], RisError | None]:
        port, limit = self._feature.require_insi(), self._feature.settings.insi.max_calls
        try:
            check_may_call_insi(subject.traits, claimed.attributes)
            return ask(port, subject, None, caller=caller, limit=limit), None
        except RisError as error:
            return (), error


@dataclass(frozen=True, slots=True)
class _Answered:
    """What INSi was asked with and said, or why it could not be asked."""

    subject: Subject
    caller: Caller
    asked: tuple[Asked, ...]
    refusal: RisError | None


@dataclass(frozen=True, slots=True)
class _Case:
    """One verification as it is settled: the row and the record, locked, and what INSi said."""

    session: Session
    feature: IdentityFeature
    row: ForeignIdentity
    patient: Patient
    asked: tuple[Asked, ...]
    evidence: dict[str, str]

    def apply(self, event: Event, **what: Any) -> None:
        """Apply *event* to the record, on this evidence."""
        change.apply(
            self.session, self.feature, self.patient, event, actor=SYSTEM, evidence=self.evidence,
            **what,
        )  # fmt: skip


def _settle(
    session: Session, feature: IdentityFeature, claimed: Claimed, answered: _Answered
) -> None:
    """Write the calls and what they decide; INSi being down decides nothing."""
    row = still_ours(session, claimed)
    if row is None:
        return
    patient = feed_match.survivor(session, service.locked(session, row.patient_id))
    asked = answered.asked
    made = written(
        session, patient, asked, subject=answered.subject, caller=answered.caller, actor=SYSTEM,
        verification=True,
    )  # fmt: skip
    failure = asked[-1].error if asked else answered.refusal
    if isinstance(failure, Transient | NotConfigured):
        postpone(row, failure.code)
        return
    evidence = {"foreign": str(row.id), "insi_call": str(made[-1].id) if made else ""}
    row.error = failure.code if failure else ""
    case = _Case(session, feature, row, patient, asked, evidence)
    row.state = _decided(case, answered.subject).value
    row.settled_at = clock.now()
    if row.state == ForeignState.OK:
        foreign_data.release_all(session, row.id)
    session.flush()
    detail = {"verdict": row.state, "status": patient.status, "error": row.error}
    target = ("foreign_identity", row.id)
    record(session, "foreign.verified", target=target, patient_id=patient.id, detail=detail)


@satisfies("RIS.INS.38", "RIS.INS.44", "RIS.INS.45")
def _decided(case: _Case, subject: Subject) -> ForeignState:
    if case.row.error == Inconclusive.BLOCKED:  # nothing was asked
        return ForeignState.CONFLICT
    answer = case.asked[-1].answer if case.asked else None
    person = answer.person if answer else None
    same = person is not None and digest(case.row.id, person.ins) == case.row.ins_digest
    said = verdict(person.ins if person and same else None, subject, answer)
    if said is Verdict.UNCLEAR:
        case.row.error = Inconclusive.SEVERAL.value if answer else case.row.error
        return ForeignState.UNCLEAR
    if said is Verdict.KO or person is None:
        other = Inconclusive.DIFFERS if same else Inconclusive.OTHER_INS
        case.row.error = (other if person else Inconclusive.NONE).value
        case.apply(Event.FOREIGN_DENIED)
        if case.row.created_patient:
            marks.give(case.patient, ReviewReason.FOREIGN_KO)
        return ForeignState.KO
    try:
        check_insi_answer(person, (), production=case.feature.production)
    except RisError as error:
        case.row.error = error.code
        return ForeignState.UNCLEAR
    return _confirmed(case, person)


def _confirmed(case: _Case, person: InsiPerson) -> ForeignState:
    """Store the INS at récupérée where nothing speaks against it; else a person must look."""
    patient = case.patient
    holder = feed_match.holder(case.session, person.ins)
    if holder is not None:
        if holder.id == patient.id:
            return ForeignState.OK
        duplicates.note_same_ins(case.session, patient.id, holder.ipp)
    if against := Inconclusive.HELD if holder else _against(patient, person):
        case.row.error = against.value
        return ForeignState.CONFLICT
    before, attached = patient.traits, patient.status == Status.PROVISOIRE
    if attached:
        patient.traits, patient.birth_date_raw = imported(before, person), None
    case.apply(
        Event.FOREIGN_CONFIRMED,
        changes=service.changes_between(before, patient.traits),
        ins=person.ins if attached else None,
    )
    index(case.session, patient)
    return ForeignState.OK


def _against(patient: Patient, person: InsiPerson) -> Inconclusive | None:
    """Return what of the record itself keeps a confirmed INS from being stored, if anything."""
    rows = compare(patient.traits, person.traits)  # the date of INSi is a real one by now
    if any(r.difference is Difference.MAJOR for r in rows if r.field in DECISIVE):
        return Inconclusive.DIFFERS
    if BLOCKING & patient.identity.attributes:
        return Inconclusive.BLOCKED
    climbs = patient.status in (Status.PROVISOIRE, Status.VALIDEE)
    return None if climbs else Inconclusive.OTHER_HERE


def _asked_traits(typed: TypedTraits) -> Traits:
    """Return the traits to ask with: as received, the first given name as the list has it."""
    traits = read_traits(typed, today=service.today(), only=())
    return replace(traits, first_birth_given=traits.birth_given_names[0])
