"""What INSi's word makes of an INS received, answer by answer (RIS.INS.38, .44, .45; R-INSI-01)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from ris.core.db import Database
from ris.identity.duplicates.merge_model import DuplicatePair
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.check import ForeignChecks
from ris.identity.foreign.model import ForeignIdentity
from ris.identity.model import IdentityHistory, IdentityKey, InsiCall, Patient
from ris.identity.values import NIR_TEST, Attribute, Status
from ris.sandbox.insi import result
from tests.identity.conftest import Insi
from tests.identity.test_foreign import MATRICULE, TRAITS, received
from tests.identity.test_routes import SOUND

ELSE = "260058815400233"
FULL = replace(SOUND, given="DOMINIQUE MARIE-LOUISE")


@dataclass(frozen=True)
class After:
    """What a verification left: of the row, of the record, of its history."""

    state: str
    error: str
    status: str
    ins: str | None
    given: str
    raw: str | None
    review: list[str]
    events: list[str]


Check = Callable[..., After]


@pytest.fixture
def check(database: Database, feature: IdentityFeature, insi: Insi) -> Check:
    """`check(answer)`: a message is received, INSi answers so, and this is what became of it.

    *meanwhile* acts on the record between the two; *fields* are of the message.
    """

    def run(
        answer: bytes, meanwhile: Callable[[Patient], object] = lambda _: None, **fields: Any
    ) -> After:
        done = received(database, feature, **fields)
        with database.transaction() as session:
            meanwhile(session.get_one(Patient, done.patient_id))
        insi.state.scripted.extend([answer] * 6)
        assert ForeignChecks(database, feature).run() == 1
        with database.transaction() as session:
            row = session.scalars(select(ForeignIdentity)).one()
            patient = session.get_one(Patient, done.patient_id)
            lived = select(IdentityHistory).order_by(IdentityHistory.at)
            events = [one.event for one in session.scalars(lived.filter_by(patient_id=patient.id))]
            return After(
                row.state, row.error, patient.status, patient.ins_matricule,
                patient.birth_given_names, patient.birth_date_raw, list(patient.review), events,
            )  # fmt: skip

    return run


def qualify(matricule: str) -> Callable[[Patient], None]:
    def act(patient: Patient) -> None:
        patient.status = Status.QUALIFIEE.value
        patient.ins_matricule, patient.ins_oid = matricule, NIR_TEST

    return act


@pytest.mark.rem("RIS.INS.45", scenario="INS/va1.05.01")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (result("01"), "INSI_NONE_FOUND"),
        (result("00", replace(FULL, number=ELSE)), "INSI_OTHER_INS"),
        (result("00", replace(FULL, oid="1.2.250.1.213.1.4.11")), "INSI_OTHER_INS"),
        (result("00", replace(FULL, sex="M")), "INSI_MAJOR_DIFFERENCE"),
        (result("00", replace(FULL, family="PAT-QUATRE")), "INSI_MAJOR_DIFFERENCE"),
    ],
)
def test_an_ins_that_insi_does_not_give_for_these_traits_is_denied(
    check: Check, answer: bytes, why: str
) -> None:
    after = check(answer)
    assert (after.state, after.error, after.ins) == ("ko", why, None)
    assert (after.status, after.review) == ("provisoire", ["foreign_ko"])
    assert after.events == ["created", "foreign_denied"]


@pytest.mark.rem("RIS.INS.44", scenario="INS/va1.07.01")
def test_a_record_that_the_message_did_not_create_is_not_queued_for_it(
    check: Check, database: Database, feature: IdentityFeature
) -> None:
    received(database, feature, ins=None, flags=frozenset())
    after = check(result("01"), message_id="M002")
    assert (after.state, after.review) == ("ko", [])
    assert (after.status, after.ins) == ("provisoire", None)


def test_several_found_conclude_nothing(check: Check) -> None:
    after = check(result("02"))
    assert (after.state, after.error) == ("unclear", "INSI_SEVERAL_FOUND")
    assert (after.status, after.events) == ("provisoire", ["created"])


def test_an_answer_that_may_not_be_imported_concludes_nothing(check: Check) -> None:
    lunar = replace(TRAITS, birth_date="1979-03-00")
    after = check(result("00", replace(FULL, born="1979-03-00")), traits=lunar)
    assert (after.state, after.error) == ("unclear", "INSI_DATE_INCOMPLETE")
    assert (after.status, after.ins, after.events) == ("provisoire", None, ["created"])


@pytest.mark.rem("RIS.INS.38", scenario="INS/va1.13.01")
def test_a_confirmed_ins_brings_the_traits_of_insi(check: Check, database: Database) -> None:
    short = replace(TRAITS, birth_given_names=None, birth_place="63220")
    after = check(result("00", FULL), traits=short)
    assert (after.state, after.error, after.status) == ("ok", "", "récupérée")
    assert (after.ins, after.given) == (MATRICULE, "DOMINIQUE MARIE-LOUISE")
    assert after.events == ["created", "foreign_confirmed"]
    with database.transaction() as session:
        told = select(IdentityHistory).filter_by(event="foreign_confirmed")
        line = session.scalars(told).one()
        assert line.changes["birth_given_names"] == ["DOMINIQUE", "DOMINIQUE MARIE-LOUISE"]
        assert line.evidence.keys() == {"foreign", "insi_call"}
        assert "MARIELOUISE" in set(session.scalars(select(IdentityKey.key)))


def test_a_date_once_interpreted_is_the_real_one_from_then_on(check: Check) -> None:
    def interpreted(patient: Patient) -> None:
        patient.birth_date_raw = "1979-03-00"

    after = check(result("00", FULL), interpreted)
    assert (after.state, after.status, after.raw) == ("ok", "récupérée", None)


def test_a_validated_identity_keeps_its_traits_and_a_person_fetches_the_ins(check: Check) -> None:
    def validate(patient: Patient) -> None:
        patient.status = Status.VALIDEE.value

    def lunar(patient: Patient) -> None:
        validate(patient)
        patient.birth_date_raw = "1979-03-00"

    after = check(result("00", FULL), lunar, traits=replace(TRAITS, birth_given_names=None))
    assert (after.state, after.status, after.ins) == ("ok", "validée", None)
    assert (after.given, after.raw) == ("DOMINIQUE", "1979-03-00")
    assert (after.review, after.events[-1]) == (["foreign_ins"], "foreign_confirmed")


def doubt(patient: Patient) -> None:
    patient.attributes = [Attribute.DOUTEUSE.value]


def rename(patient: Patient) -> None:
    patient.birth_family = "AUTRE"


def reborn(patient: Patient) -> None:
    patient.birth_date = patient.birth_date.replace(year=1980)


def resexed(patient: Patient) -> None:
    patient.sex = "M"


@pytest.mark.parametrize(
    ("meanwhile", "why", "status"),
    [
        (doubt, "INS_ATTRIBUTE_BLOCKS", "provisoire"),
        (rename, "INSI_MAJOR_DIFFERENCE", "provisoire"),
        (reborn, "INSI_MAJOR_DIFFERENCE", "provisoire"),
        (resexed, "INSI_MAJOR_DIFFERENCE", "provisoire"),
        (qualify(ELSE), "OTHER_INS_HERE", "qualifiée"),
    ],
)
def test_what_became_of_the_record_meanwhile_keeps_a_confirmed_ins_out(
    check: Check, meanwhile: Callable[[Patient], None], why: str, status: str
) -> None:
    after = check(result("00", FULL), meanwhile)
    assert (after.state, after.error, after.status) == ("conflict", why, status)
    assert after.events == ["created"]


@pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.01")
@pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.02")
@pytest.mark.parametrize("attribute", [Attribute.DOUTEUSE, Attribute.FICTIVE])
def test_nothing_is_asked_of_a_record_found_doubtful_or_fictitious_meanwhile(
    check: Check, insi: Insi, database: Database, attribute: Attribute
) -> None:
    """The message was queued while nothing was held against the record."""

    def doubted(patient: Patient) -> None:
        patient.attributes = [attribute.value]

    after = check(result("00", FULL), doubted)
    assert (after.state, after.error, after.ins) == ("conflict", "INS_ATTRIBUTE_BLOCKS", None)
    assert insi.state.requests == []
    with database.transaction() as session:
        assert session.scalars(select(InsiCall)).all() == []


@pytest.mark.parametrize("gone", ["first_birth_given", "birth_place"])
def test_a_given_name_or_a_place_that_differs_keeps_nothing_out(check: Check, gone: str) -> None:
    other = {"first_birth_given": "MARIE", "birth_place": "63220"}[gone]
    after = check(result("00", FULL), lambda patient: setattr(patient, gone, other))
    assert (after.state, after.status) == ("ok", "récupérée")


def test_an_ins_that_the_record_already_holds_is_confirmed(check: Check) -> None:
    after = check(result("00", FULL), qualify(MATRICULE))
    assert (after.state, after.error, after.status) == ("ok", "", "qualifiée")
    assert after.ins == MATRICULE
    assert after.events == ["created"]


def test_an_ins_that_another_record_holds_is_a_pair_to_examine(
    check: Check, database: Database
) -> None:
    with database.transaction() as session:
        twin = Patient(ipp="TWIN", ipp_oid="2.25.1")
        twin.birth_family, twin.birth_given_names, twin.first_birth_given = "A", "A", "A"
        twin.birth_date, twin.sex, twin.birth_place = date(1979, 3, 28), "F", "51215"
        session.add(twin)

    def elsewhere(_patient: Patient) -> None:
        with database.transaction() as session:
            qualify(MATRICULE)(session.scalars(select(Patient).filter_by(ipp="TWIN")).one())

    after = check(result("00", FULL), elsewhere)
    assert (after.state, after.error) == ("conflict", "INS_ALREADY_ATTACHED")
    assert (after.status, after.ins) == ("provisoire", None)
    with database.transaction() as session:
        pair = session.scalars(select(DuplicatePair)).one()
        assert (pair.state, pair.reasons) == ("DPOT", ["same_ins"])
