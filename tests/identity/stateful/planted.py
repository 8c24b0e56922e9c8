"""The matricules these tests plant, and how to find one again in any text, however it is written.

Nothing here asks the product what a matricule is: the numbers are known beforehand.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ris.sandbox.insi_people import NIR, NIR_TEST, PEOPLE, Person

KNOWN: Final = tuple(PEOPLE[at] for at in (0, 2, 4, 7))
BAD_KEY: Final = replace(KNOWN[3], number=KNOWN[3].number[:13] + "00")
STRANGER: Final = Person("ETRANGERE", "ADA", "F", "1980-01-01", "99100", "280019910000145", NIR)
NO_DAY: Final = replace(KNOWN[0], born="1979-03-00")
NO_NAME: Final = replace(KNOWN[0], given="")
SWAPPED: Final = replace(KNOWN[0], number=KNOWN[3].number, oid=NIR_TEST)
CORES: Final = frozenset(
    number[:13] for one in (*PEOPLE, STRANGER) for number in (one.number, *one.former)
)
FORMER: Final = {was[:13]: one.number[:13] for one in PEOPLE for was in one.former}
_APART: Final = re.compile(r"[\s.\-\u00a0\u202f_]")
ANY: Final = "(" + "|".join(sorted(CORES)) + ")"


def planted_in(text: str) -> frozenset[str]:
    """Return the planted numbers (13 characters) that *text* shows, spaced or dotted ones too."""
    close = _APART.sub("", text).upper()
    return frozenset(core for core in CORES if core in close)


def traits_of(person: Person) -> Mapping[str, str]:
    """Return what staff type for *person*."""
    return {
        "birth_family": person.family,
        "first_birth_given": person.given.split()[0] if person.given else "",
        "birth_date": person.born,
        "sex": person.sex,
        "birth_place": person.place,
    }
