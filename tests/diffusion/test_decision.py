"""The sending decision, over every combination of its facts."""

from itertools import product

import pytest

from ris.diffusion.decision import Facts, decide
from ris.diffusion.states import State
from ris.reports.channels import ChannelName
from ris.reports.content import Visibility

DMP, PS, PATIENT = ChannelName.DMP, ChannelName.MSS_PS, ChannelName.MSS_PATIENT
MASKED = Visibility.HIDDEN_FROM_PROFESSIONALS
INVISIBLE = Visibility.HIDDEN_FROM_PATIENT
GUARDIANS = Visibility.HIDDEN_FROM_GUARDIANS
FLAGS = (
    "validated",
    "qualified",
    "doubtful",
    "announcement_pending",
    "dmp_opposed",
    "refuses_pro",
    "refuses_patient",
    "represented",
    "send_without_qualified_ins",
)


def every_case() -> list[Facts]:
    visibilities = [
        frozenset(flag for flag, on in zip((MASKED, INVISIBLE, GUARDIANS), bits, strict=True) if on)
        for bits in product((False, True), repeat=3)
    ]
    return [
        Facts(**dict(zip(FLAGS, bits, strict=True)), visibility=visibility)
        for bits in product((False, True), repeat=len(FLAGS))
        for visibility in visibilities
    ]


@pytest.mark.rem("RIS.DMP.01")
@pytest.mark.rem("LOC-DMP-01")
def test_the_dmp_is_fed_exactly_when_the_identity_is_qualified_and_nobody_is_opposed() -> None:
    for facts in every_case():
        sound = facts.validated and facts.qualified and not facts.doubtful
        sends = decide(DMP, facts).state is State.PENDING
        assert sends == (sound and not facts.dmp_opposed), facts


@pytest.mark.rem("RIS.MSS.25", scenario="MSS/va1.22.01")
@pytest.mark.rem("RIS.MSS.19")
def test_a_professional_gets_it_unless_refused_masked_doubtful_or_unreachable() -> None:
    for facts, address in product(every_case(), (False, True)):
        sends = decide(PS, facts, has_address=address).state is State.PENDING
        wanted = (
            facts.validated
            and not facts.refuses_pro
            and not facts.doubtful
            and MASKED not in facts.visibility
            and (facts.qualified or facts.send_without_qualified_ins)
            and address
        )
        assert sends == wanted, facts


@pytest.mark.rem("RIS.MSS.21", scenario="MSS/va1.20.01")
@pytest.mark.rem("RIS.MSS.12", scenario="MSS/va1.19.01")
@pytest.mark.rem("RIS.CRR.02", scenario="CRI/va1.02.01")
def test_the_patient_gets_it_only_qualified_announced_and_not_refused() -> None:
    for facts in every_case():
        sends = decide(PATIENT, facts).state is State.PENDING
        wanted = (
            facts.validated
            and facts.qualified
            and not facts.doubtful
            and not facts.refuses_patient
            and not facts.announcement_pending
            and INVISIBLE not in facts.visibility
            and not (facts.represented and GUARDIANS in facts.visibility)
        )
        assert sends == wanted, facts


def test_what_does_not_leave_always_says_why() -> None:
    for facts, channel in product(every_case(), ChannelName):
        decision = decide(channel, facts)
        assert (decision.reason is None) == (decision.state is State.PENDING)
        if decision.state is State.PENDING and channel is DMP:
            assert decision.visibility >= facts.visibility


ROWS = [  # rem.md §9.4, row by row: facts, DMP, patient, requester
    (Facts(), "pending", "pending", "pending"),
    (Facts(dmp_opposed=True), "held", "pending", "pending"),
    (Facts(announcement_pending=True), "pending", "held", "pending"),
    (Facts(refuses_patient=True), "pending", "not_applicable", "pending"),
    (Facts(refuses_pro=True), "pending", "pending", "not_applicable"),
    (Facts(qualified=False), "held", "held", "pending"),
    (Facts(qualified=False, doubtful=True), "held", "held", "held"),
]


@pytest.mark.parametrize(("facts", "dmp", "patient", "requester"), ROWS)
def test_the_table_of_rem_9_4_holds(facts: Facts, dmp: str, patient: str, requester: str) -> None:
    found = [decide(channel, facts).state.value for channel in (DMP, PATIENT, PS)]
    assert found == [dmp, patient, requester]


@pytest.mark.rem("RIS.CRR.02", scenario="CRI/va1.02.01")
def test_before_the_announcement_the_dmp_gets_it_invisible_to_the_patient() -> None:
    decision = decide(DMP, Facts(announcement_pending=True))
    assert decision.visibility == {INVISIBLE}


@pytest.mark.rem("RIS.DMP.06", scenario="DMP/va1.14.01")
def test_masking_and_visibility_are_restated_to_the_dmp() -> None:
    decision = decide(DMP, Facts(visibility=frozenset({MASKED, GUARDIANS})))
    assert decision.visibility == {MASKED, GUARDIANS}


@pytest.mark.parametrize(
    ("channel", "facts", "code"),
    [
        (DMP, Facts(qualified=False), "BLOCKED_INS"),
        (DMP, Facts(dmp_opposed=True), "OPPOSED"),
        (PS, Facts(refuses_pro=True), "REFUSED_BY_PATIENT_PRO"),
        (PS, Facts(visibility=frozenset({MASKED})), "MASKED"),
        (PS, Facts(doubtful=True), "IDENTITY_DOUBTFUL"),
        (PATIENT, Facts(refuses_patient=True), "REFUSED_BY_PATIENT_MES"),
        (PATIENT, Facts(announcement_pending=True), "HELD_ANNOUNCEMENT"),
        (PATIENT, Facts(qualified=False), "INS_NOT_QUALIFIED"),
        (PATIENT, Facts(validated=False), "NOT_VALIDATED"),
    ],
)
def test_the_codes_are_those_of_the_area_files(
    channel: ChannelName, facts: Facts, code: str
) -> None:
    assert decide(channel, facts).reason == code
