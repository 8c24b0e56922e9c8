"""Verification of an identity that already has its INS: does INSi still say the same?

The unit verification transaction of INSi has no public contract: it is emulated by the search by
traits and a comparison (ins.md R-INSI-01), and journaled as `verify`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core.audit import Actor, record
from ris.identity import change
from ris.identity.calls import Asked, written
from ris.identity.comparison import Difference, compare
from ris.identity.feature import IdentityFeature
from ris.identity.foreign_model import ForeignIdentity
from ris.identity.insi_values import AnswerCode, InsiAnswer
from ris.identity.model import InsiCall, Patient
from ris.identity.rules import STRICT, check_may_call_insi, traits_digest
from ris.identity.service import active, get, locked
from ris.identity.states import Event, transition
from ris.identity.values import Ins, Status, Traits
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


_EVENTS: Final = {Verdict.OK: Event.INSI_CONFIRMED, Verdict.KO: Event.INSI_DENIED}
_TOLERATED: Final = (Difference.EQUAL, Difference.MINOR, Difference.ABSENT)


def prepare(session: Session, feature: IdentityFeature, patient_id: UUID) -> Traits:
    """Return the traits to verify: INSi's own first given name, not the user's.

    Where the repository is another system, only an identity received from another domain is
    verified here (ins.md §5.1). Raises `RiIsExternal`, `InsAttributeBlocks`, or
    `TransitionRefused` for an identity without INS.
    """
    patient = active(get(session, patient_id))
    received = select(ForeignIdentity.id).where(ForeignIdentity.patient_id == patient.id).limit(1)
    if session.scalar(received) is None:
        feature.require_repository()
    held = patient.identity.attributes
    transition(Status(patient.status), held, Event.INSI_CONFIRMED)
    check_may_call_insi(patient.traits, held)
    listed = patient.traits.birth_given_names
    return replace(patient.traits, first_birth_given=listed[0])


def verdict(ins: Ins | None, traits: Traits, answer: InsiAnswer | None) -> Verdict:
    """Say what *answer* makes of an INS and its traits; pure. A fault is `unclear`, never KO."""
    if answer is None or answer.code is AnswerCode.SEVERAL:
        return Verdict.UNCLEAR
    if answer.person is None or answer.person.ins != ins:
        return Verdict.KO
    rows = compare(traits, answer.person.traits)
    same = all(row.difference in _TOLERATED for row in rows if row.field in STRICT)
    return Verdict.OK if same else Verdict.KO


@satisfies("RIS.INS.42", "RIS.INS.43")
def keep(
    session: Session,
    feature: IdentityFeature,
    patient_id: UUID,
    traits: Traits,
    asked: tuple[Asked, ...],
    *,
    actor: Actor,
) -> Verification:
    """Write the calls, journal the verdict, and apply it: KO costs the INS and the status.

    *traits* are those `prepare` gave; a record edited meanwhile is left alone (`unclear`).
    """
    patient = locked(session, patient_id)
    made = written(
        session, patient, asked, feature.settings.insi, traits=traits, actor=actor,
        verification=True,
    )  # fmt: skip
    said = verdict(patient.identity.ins, traits, asked[-1].answer)
    own = replace(patient.traits, first_birth_given=traits.first_birth_given)
    if traits_digest(own) != traits_digest(traits) or patient.ins_matricule is None:
        said = Verdict.UNCLEAR
    if event := _EVENTS.get(said):
        evidence = {"insi_call": str(made[-1].id), "verdict": said.value}
        change.apply(session, feature, patient, event, actor=actor, evidence=evidence)
    record(
        session,
        "insi.verified",
        actor=actor,
        target=("insi_call", made[-1].id),
        patient_id=patient.id,
        detail={"verdict": said.value, "status": patient.status},
    )
    return Verification(said, made, patient)
