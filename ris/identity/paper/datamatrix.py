"""The text of a datamatrix INS, read: what the paper claims, never trusted (ins.md §7.1). Pure.

A symbol is unsigned: anyone can print one. It serves to search and to pre-fill, no more. Writing
one is `ris.reports.pdf.datamatrix`; finding one in an image is `scan.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ris.identity import matricule
from ris.identity.errors import (
    DatamatrixField,
    DatamatrixHeader,
    DatamatrixIncomplete,
    DatamatrixVersion,
)
from ris.identity.foreign.feed import Alert, ReceivedTraits
from ris.identity.foreign.feed_traits import Normalised, normalise
from ris.identity.values import Ins

GS: Final = "\x1d"
_WRITTEN_OUT: Final = re.compile(r"<GS>|\{GS\}", re.IGNORECASE)
_HEADER: Final = 26
_SIZES: Final = {"S1": 15, "S2": 20, "S3": 100, "S4": 100, "S5": 1, "S6": 10, "S7": 5}
_FIXED: Final = frozenset({"S1", "S5", "S6", "S7"})
_NEEDED: Final = ("S1", "S2", "S3", "S4", "S5", "S6")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a symbol says. *ins* is None when it is no INS here: *refused* says why (a code).

    *given* are the traits brought to the storage form; the first given name is the first word of
    the list, for the user to extend (R-PRE-01).
    """

    given: Normalised
    ins: Ins | None
    refused: str = ""

    @property
    def alerts(self) -> tuple[str, ...]:
        """What the user must be told of this reading."""
        odd = (self.refused,) if self.refused else ()
        return (*odd, *(alert.value for alert in self.given.alerts if alert in _TOLD))


_TOLD: Final = (Alert.DATE_INTERPRETED, Alert.TRAITS_NORMALISED)


def read(text: str, *, production: bool) -> Claim:
    """Return what the *text* of a symbol claims (R-DMX-01).

    Fields in any order, `S7` or the last separator missing, and separators that a keyboard scanner
    wrote out (`<GS>`) are taken. A matricule with a wrong key, or of an authority not allowed in
    *production*, is left out and the traits are kept. Raises `DatamatrixHeader`,
    `DatamatrixVersion`, `DatamatrixField`, `DatamatrixIncomplete`.
    """
    told = dict(_fields(_WRITTEN_OUT.sub(GS, text.strip(" \t\r\n"))))
    if missing := [name for name in _NEEDED if not told.get(name)]:
        raise DatamatrixIncomplete(fields=missing)
    ins = Ins(told["S1"].upper(), told["S2"])
    refused = _refusal(ins, production=production)
    return Claim(_traits(told), None if refused else ins, refused)


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield each field once, walking by identifier and length: a name may hold `S3`."""
    if not (text.isascii() and text.startswith("IS")) or len(text) < _HEADER:
        raise DatamatrixHeader
    if text[2:4] != "01":
        raise DatamatrixVersion
    seen: set[str] = set()
    place = _HEADER
    while place < len(text):
        name = text[place : place + 2]
        if name not in _SIZES or name in seen:
            raise DatamatrixField(position=place)
        seen.add(name)
        place += 2
        most = text[place : place + _SIZES[name]]
        value = most.partition(GS)[0]
        if name in _FIXED and value and len(value) < _SIZES[name]:
            raise DatamatrixField(position=place)
        yield name, value
        place += len(value)
        if text[place : place + 1] == GS:
            place += 1


def _refusal(ins: Ins, *, production: bool) -> str:
    if problem := matricule.oid_problem(ins.oid, production=production):
        return problem.code
    return "" if matricule.is_valid(ins.matricule) else "INS_KEY_INVALID"


def _traits(told: dict[str, str]) -> Normalised:
    day, month, year = [*told["S6"].split("-"), "", ""][:3]
    received = ReceivedTraits(
        birth_family=told["S4"],
        first_birth_given=told["S3"].split(" ")[0],
        birth_given_names=told["S3"],
        birth_date=f"{year}-{month}-{day}",
        sex=told["S5"].upper(),
        birth_place=told.get("S7", ""),
    )
    return normalise(received)
