"""Traits from feeds and documents: brought to the storage form, dates without a day made whole.

Pure. Users' typing never comes through here: it is refused, not corrected (ruling 8).
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from ris.core.text import ascii_fold
from ris.identity.foreign.feed import Alert, ReceivedTraits
from ris.identity.lunar import whole_date
from ris.identity.traits import UNKNOWN_PLACE, TypedTraits, first_given_in
from ris.rem import satisfies

_NOT_NAME: Final = re.compile(r"[^A-Z' -]+")
_SPACES: Final = re.compile(r" +")
_APOSTROPHES: Final = re.compile("[´`ʼ’‘′]")
_NAMES: Final = (
    "birth_family",
    "first_birth_given",
    "birth_given_names",
    "used_family",
    "used_given",
)


@dataclass(frozen=True, slots=True)
class Normalised:
    """Traits ready for the entry rules; *birth_date_raw* only where the date was interpreted."""

    typed: TypedTraits
    birth_date_raw: str | None = None
    alerts: tuple[Alert, ...] = ()


@satisfies("RIS.INS.01")
def storage_form(name: str) -> str:
    """Return *name* as strict traits are stored (ins.md R-TRT-02).

    Upper case without accents; hyphens (double ones too) and apostrophes kept; anything else is a
    space; spaces single.
    """
    plain = ascii_fold(_APOSTROPHES.sub("'", name)).upper()
    return _SPACES.sub(" ", _NOT_NAME.sub(" ", plain)).strip()


@satisfies("RIS.INS.01")
def normalise(received: ReceivedTraits, held: TypedTraits | None = None) -> Normalised:
    """Return what *received* makes of the traits *held* (None: of a new record).

    A field absent from the message stays as held; one that the sender empties is emptied
    (R-PAM-07). A missing birthplace is `99999`.
    """
    base = held or TypedTraits(birth_place=UNKNOWN_PLACE)
    given = {name: value for name in TypedTraits.__dataclass_fields__
             if (value := getattr(received, name)) is not None}  # fmt: skip
    stored = {name: storage_form(v) if name in _NAMES else v.strip() for name, v in given.items()}
    alerts = [Alert.TRAITS_NORMALISED] if any(stored[n] != given[n] for n in given) else []
    born = whole_date(stored["birth_date"]) if "birth_date" in stored else None
    if born is not None:
        stored["birth_date"] = born.stored
    if born is not None and born.raw is not None:
        alerts.append(Alert.DATE_INTERPRETED)
    if stored.get("birth_place") == "":
        stored["birth_place"] = UNKNOWN_PLACE
    typed = TypedTraits(**{**_fields(base), **stored})
    if "birth_given_names" not in stored and not _begins(typed):
        typed = replace(typed, birth_given_names="")  # the list was that of another first name
    return Normalised(typed, born.raw if born else None, tuple(alerts))


def _begins(typed: TypedTraits) -> bool:
    listed = tuple(typed.birth_given_names.split())
    return first_given_in(listed, typed.first_birth_given) is not None


def _fields(typed: TypedTraits) -> dict[str, str]:
    return {name: getattr(typed, name) for name in TypedTraits.__dataclass_fields__}
