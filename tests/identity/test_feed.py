"""What a message claims (R-PAM-02), and what its traits become: pure rules against vectors."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.identity.foreign.feed import Alert, Inbound, InboundEvent, ReceivedTraits, derive
from ris.identity.foreign.feed_traits import normalise, storage_form
from ris.identity.lunar import whole_date
from ris.identity.traits import TypedTraits, name_problem
from ris.identity.values import NIR, NIR_TEST, Attribute, Ins, Status
from ris.rem.evidence import Evidence

GOOD = Ins("279035121518989", NIR_TEST)
P, R, V, Q = Status.PROVISOIRE, Status.RECUPEREE, Status.VALIDEE, Status.QUALIFIEE
D, F, H = Attribute.DOUTEUSE, Attribute.FICTIVE, Attribute.HOMONYME


def inbound(flags: str, ins: Ins | None = None, mode: str = "") -> Inbound:
    codes = frozenset(flags.split("~")) if flags else frozenset()
    return Inbound(
        "1.2.3", InboundEvent.UPDATE, (), ReceivedTraits(), ins=ins, flags=codes, mode=mode
    )


@pytest.mark.parametrize(
    ("flags", "ins", "mode", "expected"),
    [
        ("VALI", GOOD, "", (Q, frozenset(()), ())),
        ("QUAL", GOOD, "", (Q, frozenset(()), ())),
        ("VALI~HOMA", GOOD, "", (Q, frozenset((H,)), ())),
        ("VALI", None, "", (V, frozenset(()), ())),
        ("QUAL", None, "", (V, frozenset(()), (Alert.QUALIFIED_WITHOUT_INS,))),
        ("VALI~DOUT", GOOD, "", (P, frozenset((D,)), (Alert.INS_ON_SINGULAR,))),
        ("PROV~DOUT~HOMA", None, "", (P, frozenset((D, H)), ())),
        ("VALI~FICT", None, "", (P, frozenset((F,)), ())),
        ("FICT~HOMA", None, "", (P, frozenset((F,)), ())),
        ("RECUP", None, "", (R, frozenset(()), ())),
        ("RECUP", GOOD, "", (R, frozenset(()), (Alert.INS_NOT_QUALIFIED,))),
        ("PROV", None, "INSI", (R, frozenset(()), ())),
        ("PROV", None, "CV", (R, frozenset(()), ())),
        ("PROV", None, "SM", (P, frozenset(()), ())),
        ("PROV", GOOD, "INSI", (P, frozenset(()), (Alert.INS_NOT_QUALIFIED,))),
        ("", GOOD, "", (P, frozenset(()), (Alert.INS_NOT_QUALIFIED,))),
        ("VIDE", GOOD, "", (P, frozenset(()), (Alert.INS_NOT_QUALIFIED,))),
        ("", None, "", (P, frozenset(()), ())),
        ("XXXX", None, "", (P, frozenset(()), ())),
        ("VALI~DESA", GOOD, "", (P, frozenset(()), (Alert.RECORD_INACTIVE,))),
        ("VALI", Ins("279035121518988", NIR_TEST), "", (V, frozenset(()), (Alert.INS_INVALID,))),
        ("VALI", Ins("279035121518989", "1.2.3"), "", (V, frozenset(()), (Alert.INS_INVALID,))),
    ],
)
def test_each_pid32_leads_where_the_table_says(
    flags: str,
    ins: Ins | None,
    mode: str,
    expected: tuple[Status, frozenset[Attribute], tuple[Alert, ...]],
) -> None:
    claim = derive(inbound(flags, ins, mode))
    assert (claim.status, claim.attributes, claim.alerts) == expected
    assert (claim.ins is not None) is (claim.status is Q)


@given(
    st.sets(st.sampled_from(["VALI", "QUAL", "RECUP", "PROV", "DOUT", "FICT", "HOMA", "DESA"])),
    st.sampled_from([None, GOOD, Ins("1", NIR)]),
    st.sampled_from(["", "INSI", "SM"]),
)
def test_no_claim_carries_an_ins_below_qualified_nor_with_a_blocking_attribute(
    flags: set[str], ins: Ins | None, mode: str
) -> None:
    claim = derive(inbound("~".join(sorted(flags)), ins, mode))
    assert claim.ins is None or claim.status is Q
    assert not {D, F} & claim.attributes or (claim.status is P and claim.ins is None)


def rows(conformance: Path, name: str) -> list[dict[str, str]]:
    with (conformance / "ins" / "vectors" / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.rem("RIS.INS.01", scenario="INS/va1.01.02")
def test_names_from_a_feed_are_brought_to_the_storage_form(
    conformance: Path, evidence: Evidence
) -> None:
    vectors = rows(conformance, "name_normalisation.csv")
    for row in vectors:
        assert storage_form(row["input"]) == row["stored"]
    assert storage_form("A" * 54) == "A" * 54
    evidence.add("01", "names.json", {"names": {r["input"]: r["stored"] for r in vectors}})


def test_dates_that_are_not_days_follow_the_national_rules(conformance: Path) -> None:
    for row in rows(conformance, "birth_date.csv"):
        born = whole_date(row["raw_insi_or_document"])
        assert born.stored == row["stored"]
        assert (born.raw or "") == row["original_kept"]


@pytest.mark.parametrize("value", ["", "19500000", "0000-00-00", "hier", "1950-1-1"])
def test_what_is_no_date_at_all_is_left_for_the_entry_rules_to_refuse(value: str) -> None:
    assert whole_date(value).stored == value


@given(st.text(max_size=60))
def test_a_storage_form_is_a_name_that_may_be_stored_and_stays_as_it_is(name: str) -> None:
    stored = storage_form(name)
    assert storage_form(stored) == stored
    if any("A" <= letter <= "Z" for letter in stored) and len(stored) <= 100:
        assert name_problem(stored) is None


def test_an_absent_field_stays_and_an_emptied_one_is_emptied() -> None:
    held = TypedTraits("DURAND", "ANNE", "1950-12-31", "F", "75114", "ANNE MARIE", "MARTIN", "NANA")
    norm = normalise(ReceivedTraits(used_given="", birth_place=""), held)
    assert norm.typed == TypedTraits(
        "DURAND", "ANNE", "1950-12-31", "F", "99999", "ANNE MARIE", "MARTIN", ""
    )
    assert norm.alerts == ()


def test_what_was_changed_on_the_way_in_is_flagged() -> None:
    told = ReceivedTraits("Hévéder", "Noël", "1950-00-00", "M")
    norm = normalise(told)
    assert (norm.typed.birth_family, norm.typed.first_birth_given) == ("HEVEDER", "NOEL")
    assert (norm.typed.birth_date, norm.birth_date_raw) == ("1950-12-31", "1950-00-00")
    assert norm.alerts == (Alert.TRAITS_NORMALISED, Alert.DATE_INTERPRETED)


def test_a_new_first_given_name_does_not_keep_the_list_of_another() -> None:
    held = TypedTraits("DURAND", "ANNE", "1950-12-31", "F", "75114", "ANNE MARIE")
    assert normalise(ReceivedTraits(first_birth_given="JEANNE"), held).typed.birth_given_names == ""
    kept = normalise(ReceivedTraits(first_birth_given="ANNE MARIE"), held).typed
    assert kept.birth_given_names == "ANNE MARIE"
