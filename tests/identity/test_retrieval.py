"""The decision on an INSi answer, straight at the service: what each guard stops, what is written.

The same through HTTP is `test_routes.py`; here every guard is met alone.
"""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core.audit import SYSTEM, AuditEvent
from ris.core.errors import RisError
from ris.identity import service, validation
from ris.identity.errors import (
    DocumentCheckStale,
    InsAlreadyAttached,
    InsAttributeBlocks,
    PatientMerged,
    ReasonRequired,
    RiIsExternal,
    TransitionRefused,
    ValidationRight,
)
from ris.identity.feature import IdentityFeature
from ris.identity.insi import retrieval
from ris.identity.insi.errors import InsiMajorDifference, InsiRetrievalUnusable, InsSexUndetermined
from ris.identity.model import IdentityHistory, IdentityKey, InsiCall, Patient
from ris.identity.rules import traits_digest
from ris.identity.search import key_of
from ris.identity.settings import IdentitySettings
from ris.identity.traits import TypedTraits
from ris.identity.values import NIR, NIR_TEST, Attribute, Ins, Status

INS = Ins("279035121518989", NIR_TEST)
ANSWER = {
    "label": "OK", "matricule": INS.matricule, "oid": INS.oid, "history": [],
    "birth_family": "PAT-TROIS", "given_names": "DOMINIQUE MARIE-LOUISE", "sex": "F",
    "birth_date": "1979-03-28", "birth_place": "51215",
}  # fmt: skip
FEATURE = IdentityFeature(IdentitySettings(), "2.25.1", production=False)


def record(session: Session, **typed: str) -> Patient:
    told = {"birth_family": "PAT TROIS", "first_birth_given": "DOMINIQUE", "sex": "F",
            "birth_date": "1979-03-28", "birth_place": "99999", "used_family": "USUEL"}  # fmt: skip
    traits = TypedTraits(**{**told, **typed})
    return service.create(session, FEATURE, traits, service.Contact(), actor=SYSTEM)


def checked(session: Session, patient: Patient) -> None:
    shown = validation.Shown("PA")
    validation.record_document(
        session, FEATURE, patient.id, shown, validate=True, validation_right=True, actor=SYSTEM
    )


def answered(session: Session, patient: Patient, decision: str = "pending", **told: Any) -> UUID:
    """An INSi call of *patient* that waits for its decision."""
    call = InsiCall(
        patient_id=patient.id, operation="traits", mode="MANU", message_id=f"uuid:{uuid4()}",
        at=datetime.now(UTC), duration_ms=1, code="00", answer={**ANSWER, **told},
        traits_digest=traits_digest(patient.traits), decision=decision,
    )  # fmt: skip
    session.add(call)
    session.flush()
    return call.id


def accept(
    session: Session, patient: Patient, call: UUID, *, right: bool = True, reason: str = "",
    feature: IdentityFeature = FEATURE,
) -> Patient:  # fmt: skip
    return retrieval.accept(
        session, feature, patient.id, call, validation_right=right, reason=reason, actor=SYSTEM
    )


def events(session: Session, patient: Patient) -> list[IdentityHistory]:
    mine = select(IdentityHistory).where(IdentityHistory.patient_id == patient.id)
    return list(session.scalars(mine.order_by(IdentityHistory.id)))


def test_an_accepted_answer_brings_its_ins_its_traits_and_its_trace(session: Session) -> None:
    patient = record(session)
    call = answered(session, patient)
    done = accept(session, patient, call, right=False, reason="vu avec le patient")
    assert (done.status, done.identity.ins) == ("récupérée", INS)
    traits = done.traits
    assert (traits.birth_family, traits.birth_given_names, traits.birth_place) == (
        "PAT-TROIS", ("DOMINIQUE", "MARIE-LOUISE"), "51215",
    )  # fmt: skip
    assert (traits.used_family, traits.first_birth_given) == ("USUEL", "DOMINIQUE")
    last = events(session, patient)[-1]
    assert (last.event, last.reason, last.evidence) == (
        "insi_accepted", "vu avec le patient", {"insi_call": str(call)},
    )  # fmt: skip
    assert last.changes["birth_place"] == ["99999", "51215"]
    decided = session.get_one(InsiCall, call)
    assert (decided.decision, decided.decision_reason) == ("accepted", "vu avec le patient")
    assert decided.decided_at is not None
    keys = select(IdentityKey.key).where(IdentityKey.patient_id == patient.id)
    assert key_of("MARIE-LOUISE") in set(session.scalars(keys))
    journal = session.scalars(select(AuditEvent).where(AuditEvent.action == "insi.accepted")).one()
    assert (journal.target_id, journal.patient_id, journal.detail) == (
        str(call), patient.id, {"status": "récupérée"},
    )  # fmt: skip


def test_a_validated_identity_is_qualified_by_who_may_validate(session: Session) -> None:
    patient = record(session)
    checked(session, patient)
    call = answered(session, patient)
    with pytest.raises(ValidationRight):
        accept(session, patient, call, right=False)
    assert accept(session, patient, call).status == "qualifiée"


def test_a_check_of_other_traits_does_not_qualify(session: Session) -> None:
    patient = record(session)
    checked(session, patient)
    patient.birth_place = "63220"
    session.flush()
    call = answered(session, patient)
    with pytest.raises(DocumentCheckStale):
        accept(session, patient, call)
    assert patient.ins_matricule is None


def test_a_major_difference_blocks_a_validated_identity_and_wants_a_reason_elsewhere(
    session: Session,
) -> None:
    patient = record(session, birth_family="AUTRE")
    call = answered(session, patient)
    with pytest.raises(ReasonRequired):
        accept(session, patient, call)
    other = record(session, birth_family="AUTRE")
    checked(session, other)
    second = answered(session, other)
    with pytest.raises(InsiMajorDifference):
        accept(session, other, second, reason="même personne")
    lenient = IdentityFeature(
        IdentitySettings(major_difference_blocks_qualification=False), "2.25.1", production=False
    )
    done = accept(session, other, second, reason="même personne", feature=lenient)
    assert (done.status, done.birth_family) == ("qualifiée", "PAT-TROIS")


@pytest.mark.parametrize("attribute", [Attribute.DOUTEUSE, Attribute.FICTIVE])
def test_a_singular_identity_takes_no_ins_and_asks_for_none(
    attribute: Attribute, session: Session
) -> None:
    patient = record(session)
    call = answered(session, patient)
    patient.attributes = [attribute.value]
    session.flush()
    with pytest.raises(InsAttributeBlocks):
        accept(session, patient, call)
    with pytest.raises(InsAttributeBlocks):
        retrieval.prepare(session, FEATURE, patient.id)


@pytest.mark.parametrize(
    ("told", "code"),
    [({"matricule": "279035121518900"}, "INSI_KEY_MISMATCH"), ({"oid": "1.2"}, "INS_OID_UNKNOWN"),
     ({"birth_date": "1979-00-28"}, "INSI_DATE_INCOMPLETE"), ({"sex": ""}, "INSI_EMPTY_SEX")],
)  # fmt: skip
def test_a_guarded_answer_is_not_imported(
    told: dict[str, str], code: str, session: Session
) -> None:
    patient = record(session)
    with pytest.raises(RisError) as caught:
        accept(session, patient, answered(session, patient, **told), reason="vu")
    assert caught.value.code == code
    assert patient.ins_matricule is None


def test_a_test_ins_is_refused_in_production_and_a_wrong_key_may_be_tolerated_on_a_bench(
    session: Session,
) -> None:
    patient = record(session)
    production = IdentityFeature(IdentitySettings(), "2.25.1", production=True)
    with pytest.raises(RisError) as caught:
        accept(session, patient, answered(session, patient), feature=production)
    assert caught.value.code == "INS_TEST_OID"
    settings = IdentitySettings()
    bench = settings.model_copy(
        update={"insi": settings.insi.model_copy(update={"tolerate_bad_key": True})}
    )
    call = answered(session, patient, matricule="279035121518900")
    tolerant = IdentityFeature(bench, "2.25.1", production=False)
    assert accept(session, patient, call, feature=tolerant).ins_matricule == "279035121518900"
    other = record(session)
    wrong = answered(session, other, matricule="279035121518900", oid=NIR)
    strict = IdentityFeature(bench, "2.25.1", production=True)
    with pytest.raises(RisError) as caught:
        accept(session, other, wrong, feature=strict)
    assert caught.value.code == "INSI_KEY_MISMATCH", "no bench in production"


def test_an_ins_that_another_record_holds_is_refused_and_one_of_another_authority_is_not(
    session: Session,
) -> None:
    first, second, third = record(session), record(session), record(session)
    accept(session, first, answered(session, first))
    with pytest.raises(InsAlreadyAttached) as caught:
        accept(session, second, answered(session, second))
    assert caught.value.extensions["ipp"] == first.ipp
    elsewhere = answered(session, third, oid="1.2.250.1.213.1.4.8")
    assert accept(session, third, elsewhere).status == "récupérée"


@pytest.mark.parametrize("decision", ["accepted", "rejected", "none"])
def test_a_decision_is_taken_once(decision: str, session: Session) -> None:
    patient = record(session)
    call = answered(session, patient, decision)
    with pytest.raises(InsiRetrievalUnusable):
        accept(session, patient, call)
    with pytest.raises(InsiRetrievalUnusable):
        retrieval.reject(session, patient.id, call, reason="", actor=SYSTEM)


def test_an_answer_is_good_for_its_own_record_and_the_traits_it_was_asked_with(
    session: Session,
) -> None:
    patient, other = record(session), record(session)
    call = answered(session, patient)
    with pytest.raises(InsiRetrievalUnusable):
        accept(session, other, call)
    with pytest.raises(InsiRetrievalUnusable):
        accept(session, patient, uuid4())
    patient.birth_place = "63220"
    session.flush()
    with pytest.raises(InsiRetrievalUnusable):
        accept(session, patient, call)
    assert patient.ins_matricule is None


def test_a_rejected_answer_changes_nothing_and_is_kept_with_its_reason(session: Session) -> None:
    patient = record(session)
    call = answered(session, patient)
    before = len(events(session, patient))
    done = retrieval.reject(session, patient.id, call, reason="autre personne", actor=SYSTEM)
    assert (done.status, done.ins_matricule, done.birth_family) == ("provisoire", None, "PAT TROIS")
    assert len(events(session, patient)) == before
    decided = session.get_one(InsiCall, call)
    assert (decided.decision, decided.decision_reason) == ("rejected", "autre personne")
    journal = session.scalars(select(AuditEvent).where(AuditEvent.action == "insi.rejected")).one()
    assert (journal.target_id, journal.detail) == (str(call), {"status": "provisoire"})


def test_an_absorbed_record_neither_asks_nor_accepts(session: Session) -> None:
    patient, survivor = record(session), record(session)
    call = answered(session, patient)
    patient.merged_into_id = survivor.id
    session.flush()
    with pytest.raises(PatientMerged):
        accept(session, patient, call)
    with pytest.raises(PatientMerged):
        retrieval.prepare(session, FEATURE, patient.id)


def test_nothing_is_asked_for_an_unknown_sex_nor_where_an_ins_is_held(session: Session) -> None:
    with pytest.raises(InsSexUndetermined):
        retrieval.prepare(session, FEATURE, record(session, sex="I").id)
    patient = record(session)
    accept(session, patient, answered(session, patient))
    assert patient.status == Status.RECUPEREE
    with pytest.raises(TransitionRefused):
        retrieval.prepare(session, FEATURE, patient.id)


def test_insi_is_asked_about_the_record_as_it_stands(session: Session) -> None:
    patient = record(session)
    asked = retrieval.prepare(session, FEATURE, patient.id)
    assert (asked, asked.traits.birth_family) == (patient.subject, "PAT TROIS")


def test_nothing_is_asked_nor_accepted_where_another_system_is_the_repository(
    session: Session,
) -> None:
    elsewhere = IdentityFeature(IdentitySettings(repository=False), "2.25.1", production=False)
    patient = record(session)
    call = answered(session, patient)
    with pytest.raises(RiIsExternal):
        retrieval.prepare(session, elsewhere, patient.id)
    with pytest.raises(RiIsExternal):
        accept(session, patient, call, feature=elsewhere)
    assert patient.ins_matricule is None


def test_the_date_of_insi_takes_the_place_of_one_that_was_interpreted(session: Session) -> None:
    patient = record(session, birth_date="1979-03-31")
    patient.birth_date_raw = "1979-03-00"
    session.flush()
    done = accept(session, patient, answered(session, patient), reason="vu avec le patient")
    assert (done.birth_date, done.birth_date_raw) == (date(1979, 3, 28), None)
    assert events(session, patient)[-1].changes["birth_date"] == ["1979-03-31", "1979-03-28"]
