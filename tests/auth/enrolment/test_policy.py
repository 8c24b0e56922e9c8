"""What becomes of a stranger, by policy and by what Pro Santé Connect tells of him. Pure."""

import pytest

from ris.auth.enrolment.policy import Decision, Enrolment, Fate, decide, propose
from ris.auth.psc.userinfo import Exercise, parse
from ris.auth.rights import Role
from ris.sandbox.psc_people import RADIOLOGIST_A, REQUESTER, SECRETARY, TECHNOLOGIST, Person

CABINET = RADIOLOGIST_A.workplaces[0].struct_idnat
REQUEST, REFUSE = Decision(Fate.REQUEST), Decision(Fate.REFUSE)


def exercises(person: Person, **changed: object) -> tuple[Exercise, ...]:
    claims = person.userinfo()
    for exercise in claims["SubjectRefPro"]["exercices"]:
        exercise.update(changed)
    return parse(claims).exercises


def auto(person: Person, served: str = CABINET, **changed: object) -> Decision:
    return decide(Enrolment.AUTO_MEDICAL, exercises(person, **changed), {served})


def test_closed_refuses_everybody_and_request_opens_nobody_s_account() -> None:
    told = exercises(RADIOLOGIST_A)
    assert decide(Enrolment.CLOSED, told, {CABINET}) == REFUSE
    assert decide(Enrolment.REQUEST, told, {CABINET}) == REQUEST


@pytest.mark.parametrize(
    ("specialty", "role"), [("SM44", Role.RADIOLOGIST), ("SM28", Role.NUCLEAR_PHYSICIAN)]
)
def test_an_imaging_physician_of_a_practice_served_here_enters_at_once(
    specialty: str, role: Role
) -> None:
    assert auto(RADIOLOGIST_A, codeSavoirFaire=specialty) == Decision(Fate.ACTIVATE, role)


@pytest.mark.parametrize(
    "changed",
    [
        {"codeSavoirFaire": "SM26"},
        {"codeSavoirFaire": ""},
        {"codeCategorieProfessionnelle": "E"},
        {"codeCategorieProfessionnelle": "M"},
        {"codeProfession": "98"},
        {"activities": []},
    ],
)
def test_anything_less_waits_for_the_administrator(changed: dict[str, object]) -> None:
    assert auto(RADIOLOGIST_A, **changed) == REQUEST


def test_a_practice_of_others_or_none_waits_too() -> None:
    assert auto(RADIOLOGIST_A, served="499700993019014") == REQUEST
    assert decide(Enrolment.AUTO_MEDICAL, exercises(RADIOLOGIST_A), set()) == REQUEST
    assert auto(SECRETARY) == REQUEST


def test_the_place_must_be_one_of_the_exercise_that_gives_the_role() -> None:
    claims = RADIOLOGIST_A.userinfo()
    (radiology,) = claims["SubjectRefPro"]["exercices"]
    general = radiology | {"codeSavoirFaire": "SM26"}
    claims["SubjectRefPro"]["exercices"] = [general, radiology | {"activities": []}]
    assert decide(Enrolment.AUTO_MEDICAL, parse(claims).exercises, {CABINET}) == REQUEST


@pytest.mark.parametrize(
    ("held", "role"),
    [
        (("10", "C", "SM44"), Role.RADIOLOGIST),
        (("10", "C", "SM28"), Role.NUCLEAR_PHYSICIAN),
        (("98", "C", ""), Role.TECHNOLOGIST),
        (("10", "E", "SM44"), Role.INTERN),
        (("10", "C", "SM26"), Role.REFERRER),
        (("60", "C", ""), None),
    ],
)
def test_a_role_is_suggested_from_the_profession(
    held: tuple[str, str, str], role: Role | None
) -> None:
    assert propose([held]) is role
    assert propose([]) is None


def test_the_people_of_the_sandbox_are_who_they_should_be() -> None:
    assert auto(TECHNOLOGIST, "300000000993014") == REQUEST
    assert auto(REQUESTER, "499700993043006") == REQUEST
