"""The fictitious people that the INSi simulator knows, and how a query finds them.

Names and numbers are those of the public acceptance bench (ins.md §14) or invented here.
"""

from dataclasses import dataclass
from typing import Final

from ris.core.text import fold

NIR: Final = "1.2.250.1.213.1.4.8"
NIA: Final = "1.2.250.1.213.1.4.9"
NIR_TEST: Final = "1.2.250.1.213.1.4.10"


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the base: *number* is the whole matricule, *former* older ones.

    *former_dates* are said of the first former one, where the bench says them: before the number.
    """

    family: str
    given: str
    sex: str
    born: str
    place: str
    number: str
    oid: str = NIR
    former: tuple[str, ...] = ()
    former_dates: tuple[str, str] | None = None


PEOPLE: Final = (
    Person("PAT-TROIS", "DOMINIQUE MARIE-LOUISE", "F", "1979-03-28", "51215", "279035121518989",
           NIR_TEST),
    Person("ADRTROIS", "DOMINIQUE", "F", "1997-02-26", "2A020", "297022A02077878"),
    Person("ADRTROIS", "TOUSSAINT", "M", "1960-01-01", "2B020", "160012B02077713"),
    Person("CORSE", "ANTHONY", "M", "1980-03-02", "2B020", "180032B02040123",
           former=("180032B02040123",)),
    Person("ECETINSI", "PIERRE-ALAIN MURIEL FLORIANT", "M", "2009-07-14", "63220",
           "109076322083489", former=("209076322083439", "209066322012355"),
           former_dates=("2019-03-01", "2019-02-28")),
    Person("TCHITCHI", "CATARINA BELLA", "F", "1936-06-21", "63220", "236066322083656"),
    Person("NESSI", "MICHELANGELO ANTHONY", "M", "2010-08-07", "63220", "110086322083060"),
    Person("ADRUN", "ZOE", "F", "1975-12-31", "63220", "275126322074974"),
    Person("HERMANN", "GATIEN", "M", "1981-03-24", "63220", "181036322045660"),
    Person("PROVISOIRE", "MATRICULE", "M", "2009-07-01", "63220", "109076322088835", NIA),
    Person("DARK", "JEANNE MARIE CECILE", "F", "1960-05-30", "88154", "260058815400233"),
    Person("TESTRIS SANS JOUR", "AMINA", "F", "1950-00-00", "99352", "250009935200127"),
    Person("TESTRIS JUMEAUX", "LEO ANDRE", "M", "1992-05-04", "69383", "192056938300116"),
    Person("TESTRIS JUMEAUX", "LEO MARIN", "M", "1992-05-04", "69383", "192056938300215"),
    Person("TESTRIS JUMEAUX", "LEO MARIN", "M", "1992-05-04", "75114", "192057511400365"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """The traits of one search, as written in the request; *place* empty when not given."""

    family: str
    given: tuple[str, ...]
    sex: str
    born: str
    place: str = ""


def by_traits(people: list[Person], wanted: Wanted) -> list[Person]:
    """Return who has these traits. One given name must begin the list; several must be in it."""
    return [
        person
        for person in people
        if fold(person.family) == fold(wanted.family)
        and (person.sex, person.born) == (wanted.sex, wanted.born)
        and wanted.place in ("", person.place)
        and _named(person, wanted.given)
    ]


def by_card(people: list[Person], number: str, born: str) -> list[Person]:
    """Return who owns this whole matricule, today's or a former one, and was born then."""
    return [
        person for person in people
        if number in (person.number, *person.former) and person.born == born
    ]  # fmt: skip


def _named(person: Person, given: tuple[str, ...]) -> bool:
    listed = fold(person.given)
    if len(given) == 1:
        return f"{listed} ".startswith(f"{fold(given[0])} ")
    return all(f" {fold(name)} " in f" {listed} " for name in given)
