"""The guards at their edges: what mutation testing found that no other test noticed."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ris.core.errors import RisError
from ris.identity import rules
from ris.identity.errors import ReasonRequired
from ris.identity.insi.comparison import Difference, TraitComparison, compare
from ris.identity.insi.errors import InsiMajorDifference, InsiNameNotSendable
from ris.identity.insi.values import InsiPerson, InsiTraits
from ris.identity.settings import IdentitySettings
from ris.identity.values import NIR_TEST, Attribute, Ins, Sex, Status, Traits

LOCAL = Traits(
    "PAT-TROIS", ("DOMINIQUE", "MARIE-LOUISE"), "DOMINIQUE", date(1979, 3, 28), Sex.FEMALE, "51215"
)
INSI = InsiTraits("PAT-TROIS", "DOMINIQUE MARIE-LOUISE", "F", "1979-03-28", "51215")
PERSON = InsiPerson(Ins("279035121518989", NIR_TEST), INSI)
HIGH = (Status.RECUPEREE, Status.QUALIFIEE)
STRICT: dict[str, Any] = {
    "birth_family": "AUTRE",
    "birth_given_names": ("AUTRE",),
    "birth_date": date(1979, 3, 29),
    "sex": Sex.MALE,
    "birth_place": "63220",
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("field", list(STRICT))
def test_each_strict_trait_counts_at_every_status(status: Status, field: str) -> None:
    changed = replace(LOCAL, **{field: STRICT[field]})
    assert rules.strict_change(LOCAL, changed, status)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("field", ["used_family", "used_given"])
def test_a_used_name_is_no_strict_trait(status: Status, field: str) -> None:
    assert not rules.strict_change(LOCAL, replace(LOCAL, **{field: "X"}), status)


@pytest.mark.parametrize("status", list(Status))
def test_matricule_and_oid_are_always_locked_and_the_traits_while_insi_gave_them(
    status: Status,
) -> None:
    never_typed = ("ins_matricule", "ins_oid")
    expected = (*never_typed, *STRICT) if status in HIGH else never_typed
    assert rules.locked_fields(status) == expected
    assert rules.is_locked(status) is (status in HIGH)


@pytest.mark.parametrize("field", [*STRICT, "first_birth_given"])
def test_a_document_check_is_bound_to_every_strict_trait(field: str) -> None:
    changed = replace(LOCAL, **{field: STRICT.get(field, "AUTRE")})
    assert rules.traits_digest(changed) != rules.traits_digest(LOCAL)


def test_a_document_check_tells_one_trait_from_the_next_and_not_a_writing_from_another() -> None:
    digest = rules.traits_digest
    one = replace(LOCAL, birth_family="AB", birth_given_names=("C",))
    assert digest(one) != digest(replace(LOCAL, birth_family="A", birth_given_names=("BC",)))
    assert digest(replace(LOCAL, birth_given_names=("A", "B"))) != digest(
        replace(LOCAL, birth_given_names=("AB",))
    )
    assert digest(replace(LOCAL, birth_family="PAT TROIS")) == digest(LOCAL)
    assert digest(replace(LOCAL, used_family="X")) == digest(LOCAL)
    assert len(digest(LOCAL)) == 64


@pytest.mark.parametrize(
    ("code", "born", "told"),
    [("PC", date(1980, 1, 1), "à lui seul"), ("AN", date(1980, 1, 1), "mineur"),
     ("AN", date(2020, 1, 1), "parent")],
)  # fmt: skip
def test_a_refused_document_says_why(code: str, born: date, told: str) -> None:
    kind = IdentitySettings().document(code)
    assert kind is not None
    assert told in rules.document_refusal(kind, born, date(2026, 11, 22), companion=None)


@pytest.mark.parametrize("field", ["birth_family", "first_birth_given"])
def test_no_call_leaves_with_a_name_insi_would_refuse(field: str) -> None:
    with pytest.raises(InsiNameNotSendable):
        rules.check_may_call_insi(replace(LOCAL, **{field: "'T X"}), ())


@pytest.mark.parametrize("field", ["birth_family", "given_names", "sex"])
def test_an_empty_trait_names_its_requirement(field: str) -> None:
    person = replace(PERSON, traits=replace(INSI, **{field: ""}))
    with pytest.raises(RisError) as caught:
        rules.check_insi_answer(person, (), production=False)
    assert caught.value.rem == ("RIS.INS.16",)


@pytest.mark.parametrize(
    ("field", "value"),
    [("sex", "X"), ("sex", "I"), ("sex", "m"), ("birth_family", "A" * 101),
     ("given_names", "A" * 101), ("birth_place", "512150"), ("birth_place", "X")],
)  # fmt: skip
def test_a_trait_that_no_record_can_hold_is_refused_by_name(field: str, value: str) -> None:
    person = replace(PERSON, traits=replace(INSI, **{field: value}))
    with pytest.raises(RisError) as caught:
        rules.check_insi_answer(person, (), production=False)
    assert caught.value.code == f"INSI_UNREADABLE_{field.upper()}"


@pytest.mark.parametrize(
    ("field", "value"),
    [("birth_family", "A" * 100), ("given_names", "B" * 100), ("birth_place", ""), ("sex", "M")],
)
def test_a_trait_at_the_edge_is_held(field: str, value: str) -> None:
    person = replace(PERSON, traits=replace(INSI, **{field: value}))
    rules.check_insi_answer(person, (), production=False)


@pytest.mark.parametrize("born", ["19790328", "1979-W13-3", "1979-3-28", "1979-03-28T00:00"])
def test_a_date_is_written_in_one_way_only(born: str) -> None:
    person = replace(PERSON, traits=replace(INSI, birth_date=born))
    with pytest.raises(RisError) as caught:
        rules.check_insi_answer(person, (), production=False)
    assert caught.value.code == "INSI_DATE_INCOMPLETE"


@pytest.mark.parametrize("field", ["birth_family", "sex", "birth_date"])
def test_a_major_difference_on_a_decisive_trait_is_named_and_blocks(field: str) -> None:
    row = (TraitComparison(field, "A", "B", Difference.MAJOR),)
    with pytest.raises(InsiMajorDifference) as blocked:
        rules.check_differences(Status.VALIDEE, row, reason="x", major_blocks_qualification=True)
    with pytest.raises(ReasonRequired) as asked:
        rules.check_differences(Status.PROVISOIRE, row, reason="", major_blocks_qualification=True)
    assert blocked.value.extensions["fields"] == asked.value.extensions["fields"] == [field]


@pytest.mark.parametrize("difference", [one for one in Difference if one != Difference.MAJOR])
def test_a_lesser_difference_never_blocks(difference: Difference) -> None:
    rows = tuple(TraitComparison(f, "A", "B", difference) for f in rules.DECISIVE)
    rules.check_differences(Status.VALIDEE, rows, reason="", major_blocks_qualification=True)


@pytest.mark.parametrize("field", ["birth_given_names", "first_birth_given", "birth_place"])
def test_a_major_difference_elsewhere_never_blocks(field: str) -> None:
    row = (TraitComparison(field, "A", "B", Difference.MAJOR),)
    rules.check_differences(Status.VALIDEE, row, reason="", major_blocks_qualification=True)


@pytest.mark.parametrize("attribute", list(Attribute))
def test_a_first_attribute_is_always_taken(attribute: Attribute) -> None:
    assert rules.with_attribute(frozenset(), attribute) == {attribute}


def rows(local: Traits, **insi: str) -> dict[str, TraitComparison]:
    return {row.field: row for row in compare(local, replace(INSI, **insi))}


@pytest.mark.parametrize(
    ("local", "insi", "expected"),
    [
        (("DOMINIQUE", "MARIE-LOUISE"), "DOMINIQUE MARIE-LOUISE", Difference.EQUAL),
        (("DOMINIQUE", "MARIE", "LOUISE"), "DOMINIQUE MARIE-LOUISE", Difference.MINOR),
        (("DOMINIQUE",), "DOMINIQUE MARIE-LOUISE", Difference.MINOR),
        (("DOMINIQUE", "ANNE"), "DOMINIQUE MARIE-LOUISE", Difference.MINOR),
        ((), "DOMINIQUE", Difference.MINOR),
        (("DOM",), "DOMINIQUE", Difference.MAJOR),
        (("ANNE", "MARIE-LOUISE"), "DOMINIQUE MARIE-LOUISE", Difference.MAJOR),
        (("DOMINIQUE",), "", Difference.MAJOR),
    ],
)
def test_two_lists_of_given_names_are_as_far_as_their_first_name(
    local: tuple[str, ...], insi: str, expected: Difference
) -> None:
    found = rows(replace(LOCAL, birth_given_names=local), given_names=insi)["birth_given_names"]
    assert (found.local, found.insi, found.difference) == (" ".join(local), insi, expected)


def test_the_first_given_name_is_shown_beside_its_own_writing_in_the_list() -> None:
    jean = replace(LOCAL, first_birth_given="JEAN-PIERRE")
    row = rows(jean, given_names="JEAN PIERRE PAUL")["first_birth_given"]
    assert (row.insi, row.difference) == ("JEAN PIERRE", Difference.MINOR)
    row = rows(jean, given_names="PAUL JEAN")["first_birth_given"]
    assert (row.insi, row.difference) == ("PAUL", Difference.MAJOR)
    row = rows(jean, given_names="")["first_birth_given"]
    assert (row.insi, row.difference) == ("", Difference.MAJOR)


def test_an_unknown_birthplace_is_no_difference_with_any_other() -> None:
    unknown = replace(LOCAL, birth_place="99999")
    assert rows(unknown)["birth_place"].difference is Difference.ABSENT
    assert rows(unknown, birth_place="99999")["birth_place"].difference is Difference.EQUAL


def test_the_differences_are_told_by_the_words_of_the_api() -> None:
    assert [one.value for one in Difference] == ["equal", "minor", "major", "absent"]
