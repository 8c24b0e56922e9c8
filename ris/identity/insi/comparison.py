"""Local traits beside INSi traits: what differs and how much (ins.md §5.4). Pure."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from ris.core.text import fold
from ris.identity.insi.values import InsiTraits
from ris.identity.lunar import whole_date
from ris.identity.traits import UNKNOWN_PLACE, first_given_in
from ris.identity.values import Traits
from ris.rem import satisfies


class Difference(StrEnum):
    """How far two values of a trait are."""

    EQUAL = "equal"
    MINOR = "minor"
    MAJOR = "major"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class TraitComparison:
    """One line of the dialog that the user confirms; dates are in DD/MM/YYYY."""

    field: str
    local: str
    insi: str
    difference: Difference


@satisfies("RIS.INS.13")
def compare(
    local: Traits, insi: InsiTraits, birth_date_raw: str = ""
) -> tuple[TraitComparison, ...]:
    """Return the comparison, trait by trait, in display order. INSi's list is `ListePrenom`.

    A birth date that was interpreted is compared as it was told (*birth_date_raw*), then as
    interpreted (ins.md R-DAT-02).
    """
    listed = tuple(insi.given_names.split())
    head = first_given_in(listed, local.first_birth_given)
    names = " ".join(local.birth_given_names)
    date_local = local.birth_date.isoformat()
    rows = (
        ("birth_family", local.birth_family, insi.birth_family, _name),
        ("birth_given_names", names, insi.given_names, _given_names),
        ("first_birth_given", local.first_birth_given, head or (listed or ("",))[0], _name),
        ("birth_date", french_date(date_local), french_date(insi.birth_date), _exact),
        ("sex", str(local.sex), insi.sex, _exact),
        ("birth_place", local.birth_place, insi.birth_place, _place),
    )
    compared = (
        TraitComparison(f, mine, theirs, rule(mine, theirs)) for f, mine, theirs, rule in rows
    )
    return tuple(_interpreted(row, local, birth_date_raw, insi.birth_date) for row in compared)


def french_date(value: str) -> str:
    """Return an ISO-like date as DD/MM/YYYY, whatever its day and month (`1950-00-00` too)."""
    year, _, rest = value.partition("-")
    month, _, day = rest.partition("-")
    return f"{day}/{month}/{year}" if day else value


def real_date(value: str) -> date | None:
    """Return the date that an INSi value names, or None (`00` day or month, 30 February…).

    `YYYY-MM-DD` only: a week date (`1979-W13-3`) would name a day that nobody read.
    """
    try:
        found = date.fromisoformat(value)
    except ValueError:
        return None
    return found if found.isoformat() == value else None


def _interpreted(row: TraitComparison, local: Traits, raw: str, insi: str) -> TraitComparison:
    if row.field != "birth_date" or row.difference is Difference.EQUAL:
        return row
    if raw and raw == insi:
        return replace(row, local=french_date(insi), difference=Difference.EQUAL)
    same = whole_date(insi).stored == local.birth_date.isoformat()
    return replace(row, difference=Difference.MINOR) if same else row


def _name(local: str, insi: str) -> Difference:
    if local == insi:
        return Difference.EQUAL
    return Difference.MINOR if fold(local) == fold(insi) else Difference.MAJOR


def _given_names(local: str, insi: str) -> Difference:
    if local == insi:
        return Difference.EQUAL
    mine, theirs = fold(local), fold(insi)
    return Difference.MINOR if not mine or _same_first(mine, theirs) else Difference.MAJOR


def _same_first(mine: str, theirs: str) -> bool:
    return mine.split(" ")[:1] == theirs.split(" ")[:1]


def _exact(local: str, insi: str) -> Difference:
    return Difference.EQUAL if local == insi else Difference.MAJOR


def _place(local: str, insi: str) -> Difference:
    if local == insi:
        return Difference.EQUAL
    return Difference.MINOR if insi and local != UNKNOWN_PLACE else Difference.ABSENT
