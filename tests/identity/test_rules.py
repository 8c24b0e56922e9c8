"""The gate on INS output and the guards on INSi answers."""

from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest

from ris.core.errors import RisError
from ris.identity import rules
from ris.identity.errors import AttributeConflict, InsAttributeBlocks, InsTestOid, ReasonRequired
from ris.identity.insi.comparison import Difference, TraitComparison, compare
from ris.identity.insi.errors import InsiMajorDifference, InsiNameNotSendable, InsSexUndetermined
from ris.identity.insi.retrieval import imported
from ris.identity.insi.values import InsiPerson, InsiTraits
from ris.identity.settings import IdentitySettings
from ris.identity.values import (
    NIR,
    NIR_TEST,
    Attribute,
    Ins,
    PatientIdentity,
    Sex,
    Status,
    Traits,
)

LOCAL = Traits("PAT-TROIS", ("DOMINIQUE",), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "51215")
INSI = InsiTraits("PAT-TROIS", "DOMINIQUE MARIE-LOUISE", "F", "1979-03-28", "51215")
PERSON = InsiPerson(Ins("279035121518989", NIR_TEST), INSI)
BLOCKING = [Attribute.DOUTEUSE, Attribute.FICTIVE]


def identity(status: Status, *attributes: Attribute) -> PatientIdentity:
    return PatientIdentity(uuid4(), "1", "2.25.1", LOCAL, status, frozenset(attributes), PERSON.ins)


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
@pytest.mark.parametrize("status", list(Status))
def test_only_a_qualified_identity_gives_its_ins(status: Status) -> None:
    expected = PERSON.ins if status is Status.QUALIFIEE else None
    assert rules.ins_to_output(identity(status)) == expected
    assert rules.may_carry_ins(identity(status)) is (status is Status.QUALIFIEE)


@pytest.mark.parametrize("attribute", BLOCKING)
def test_a_doubtful_or_fictitious_identity_never_gives_it(attribute: Attribute) -> None:
    assert rules.ins_to_output(identity(Status.QUALIFIEE, attribute)) is None


def test_an_homonym_gives_it() -> None:
    assert rules.ins_to_output(identity(Status.QUALIFIEE, Attribute.HOMONYME)) == PERSON.ins


def check(person: InsiPerson, *attributes: Attribute, production: bool = False) -> None:
    rules.check_insi_answer(person, attributes, production=production)


def refusal(**traits: str) -> RisError:
    with pytest.raises(RisError) as caught:
        check(replace(PERSON, traits=replace(INSI, **traits)))
    return caught.value


def test_a_sound_answer_passes_every_guard() -> None:
    check(PERSON)


@pytest.mark.rem("RIS.INS.15", scenario="INS/va1.28.01")
@pytest.mark.parametrize("born", ["1979-00-28", "1979-03-00", "1979-00-00", "1979-13-01", ""])
def test_a_date_without_day_or_month_is_not_imported(born: str) -> None:
    error = refusal(birth_date=born)
    assert (error.code, error.rem) == ("INSI_DATE_INCOMPLETE", ("RIS.INS.15",))


@pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.01")
def test_an_empty_birth_name_is_not_imported() -> None:
    assert refusal(birth_family="").code == "INSI_EMPTY_BIRTH_FAMILY"


@pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.02")
def test_an_empty_given_name_list_is_not_imported() -> None:
    assert refusal(given_names="").code == "INSI_EMPTY_GIVEN_NAMES"


@pytest.mark.rem("RIS.INS.16", scenario="INS/va1.31.03")
def test_an_empty_sex_is_not_imported() -> None:
    assert refusal(sex="").code == "INSI_EMPTY_SEX"


@pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.01-02")
@pytest.mark.parametrize("attribute", BLOCKING)
def test_no_import_for_a_doubtful_or_fictitious_identity(attribute: Attribute) -> None:
    with pytest.raises(InsAttributeBlocks):
        check(PERSON, attribute)


def test_a_test_ins_is_refused_in_production() -> None:
    with pytest.raises(InsTestOid):
        check(PERSON, production=True)


def test_a_wrong_key_from_insi_waits_for_someone_to_rule() -> None:
    wrong = replace(PERSON, ins=Ins("181036322045660", NIR))
    with pytest.raises(RisError) as caught:
        check(wrong)
    assert caught.value.code == "INSI_KEY_MISMATCH"
    rules.check_insi_answer(wrong, (), production=False, tolerate_bad_key=True)


@pytest.mark.rem("RIS.INS.28", scenario="INS/va1.20.01-02")
@pytest.mark.parametrize("attribute", BLOCKING)
def test_no_call_leaves_for_a_doubtful_or_fictitious_identity(attribute: Attribute) -> None:
    with pytest.raises(InsAttributeBlocks):
        rules.check_may_call_insi(LOCAL, {attribute})


def test_no_call_leaves_for_an_unknown_sex_or_an_unsendable_name() -> None:
    with pytest.raises(InsSexUndetermined):
        rules.check_may_call_insi(replace(LOCAL, sex=Sex.UNKNOWN), ())
    with pytest.raises(InsiNameNotSendable):
        rules.check_may_call_insi(replace(LOCAL, birth_family="'T SERCLAES"), ())


def differences(local: Traits = LOCAL, **insi: str) -> dict[str, Difference]:
    return {row.field: row.difference for row in compare(local, replace(INSI, **insi))}


def test_equal_traits_compare_equal_and_a_longer_list_is_minor() -> None:
    found = differences()
    assert found.pop("birth_given_names") is Difference.MINOR
    assert set(found.values()) == {Difference.EQUAL}


@pytest.mark.parametrize(
    ("field", "insi", "expected"),
    [
        ("birth_family", {"birth_family": "PAT TROIS"}, Difference.MINOR),
        ("birth_family", {"birth_family": "PATROIS"}, Difference.MAJOR),
        ("sex", {"sex": "M"}, Difference.MAJOR),
        ("birth_date", {"birth_date": "1979-03-29"}, Difference.MAJOR),
        ("birth_place", {"birth_place": "63220"}, Difference.MINOR),
        ("birth_place", {"birth_place": ""}, Difference.ABSENT),
        ("first_birth_given", {"given_names": "DOMINIQUE-MARIE LOUISE"}, Difference.MAJOR),
        ("birth_given_names", {"given_names": "LOUISE"}, Difference.MAJOR),
    ],
)
def test_each_trait_tells_how_far_it_is(
    field: str, insi: dict[str, str], expected: Difference
) -> None:
    assert differences(**insi)[field] is expected


def test_the_dialog_shows_french_dates_even_incomplete_ones() -> None:
    row = next(
        r for r in compare(LOCAL, replace(INSI, birth_date="1979-00-00")) if r.field == "birth_date"
    )
    assert (row.local, row.insi) == ("28/03/1979", "00/00/1979")


MAJOR = (TraitComparison("birth_family", "A", "B", Difference.MAJOR),)


def test_a_major_difference_never_qualifies_a_validated_identity() -> None:
    with pytest.raises(InsiMajorDifference):
        rules.check_differences(
            Status.VALIDEE, MAJOR, reason="même personne", major_blocks_qualification=True
        )


def test_elsewhere_a_major_difference_asks_for_a_reason() -> None:
    for status, blocks in ((Status.PROVISOIRE, True), (Status.VALIDEE, False)):
        with pytest.raises(ReasonRequired):
            rules.check_differences(status, MAJOR, reason=" ", major_blocks_qualification=blocks)
        rules.check_differences(
            status, MAJOR, reason="même personne", major_blocks_qualification=blocks
        )


@pytest.mark.rem("RIS.INS.14", scenario="INS/va1.51.01")
def test_a_different_first_given_name_alerts_and_is_not_overwritten() -> None:
    local = replace(LOCAL, first_birth_given="LOUISE", birth_given_names=("LOUISE",))
    assert rules.first_given_alert(local, PERSON)
    assert imported(local, PERSON).first_birth_given == "LOUISE"
    first = TraitComparison("first_birth_given", "LOUISE", "DOMINIQUE", Difference.MAJOR)
    rules.check_differences(Status.VALIDEE, (first,), reason="", major_blocks_qualification=True)


def test_a_consistent_first_given_name_takes_the_writing_of_the_list() -> None:
    local = replace(LOCAL, first_birth_given="JEAN-PIERRE", birth_given_names=("JEAN-PIERRE",))
    person = replace(PERSON, traits=replace(INSI, given_names="JEAN PIERRE PAUL"))
    assert not rules.first_given_alert(local, person)
    assert imported(local, person).first_birth_given == "JEAN PIERRE"


def test_insi_without_birthplace_leaves_ours() -> None:
    person = replace(PERSON, traits=replace(INSI, birth_place=""))
    assert imported(LOCAL, person).birth_place == "51215"


def test_the_first_given_name_may_move_inside_the_list_of_a_locked_identity() -> None:
    moved = replace(LOCAL, first_birth_given="DOM")
    assert rules.strict_change(LOCAL, moved, Status.VALIDEE)
    assert not rules.strict_change(LOCAL, moved, Status.QUALIFIEE)


def test_fictive_stays_alone_and_doubtful_goes_with_homonym_only() -> None:
    assert rules.with_attribute(frozenset({Attribute.HOMONYME}), Attribute.DOUTEUSE)
    for held, added in [
        (Attribute.DOUTEUSE, Attribute.FICTIVE),
        (Attribute.FICTIVE, Attribute.DOUTEUSE),
        (Attribute.FICTIVE, Attribute.HOMONYME),
        (Attribute.DOUTEUSE, Attribute.DOUTEUSE),
    ]:
        with pytest.raises(AttributeConflict):
            rules.with_attribute(frozenset({held}), added)


@pytest.mark.parametrize(
    ("code", "born", "companion", "expected"),
    [
        ("CN", date(1980, 1, 1), None, True),
        ("PC", date(1980, 1, 1), None, False),
        ("AN", date(2015, 1, 1), "CN", True),
        ("AN", date(2015, 1, 1), None, False),
        ("AN", date(2008, 11, 22), "CN", False),
        ("AN", date(2008, 11, 23), "CN", True),
    ],
)
def test_some_documents_count_for_minors_only(
    code: str, born: date, companion: str | None, expected: bool
) -> None:
    kind = IdentitySettings().document(code)
    assert kind is not None
    today = date(2026, 11, 22)
    why = rules.document_refusal(kind, born, today, companion=companion)
    assert (why == "") is expected
