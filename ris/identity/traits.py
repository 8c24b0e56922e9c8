"""Entry rules of identity traits typed by users: names, birth date, sex, birthplace. Pure.

Nothing is corrected here: what breaks a rule is refused (ruling 8). Feeds have their own door.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from ris.core.text import fold
from ris.identity.banner import LABELS
from ris.identity.errors import TraitsRefused
from ris.identity.values import Sex, Traits
from ris.rem import satisfies

NAME_MAX: Final = 100
UNKNOWN_PLACE: Final = "99999"
_NAME: Final = re.compile(r"(?=.*[A-Z])[A-Z' -]+")
_SENDABLE: Final = re.compile(r"[A-Z]+(?:(?:-{1,2}|[' ])[A-Z]+)*")
_COG: Final = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{3}")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_OLDEST: Final = 1850


@dataclass(frozen=True, slots=True)
class TypedTraits:
    """Traits as typed by a user. The five first are mandatory, empty when missing (RIS.INS.11)."""

    birth_family: str = ""
    first_birth_given: str = ""
    birth_date: str = ""
    sex: str = ""
    birth_place: str = ""
    birth_given_names: str = ""
    used_family: str = ""
    used_given: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule broken, and the fields it is about (the first is the one to point at)."""

    fields: tuple[str, ...]
    code: str
    message: str

    def as_problem(self) -> dict[str, str]:
        """Return the fault for a problem document, its message led by the field's label."""
        label = LABELS.get(self.fields[0])
        message = f"{label} : {self.message}" if label else self.message
        return {"pointer": f"/{self.fields[0]}", "code": self.code, "message": message}


FIELDS: Final = tuple(TypedTraits.__dataclass_fields__)
MANDATORY: Final = FIELDS[:5]


@satisfies("RIS.INS.01", "RIS.INS.11", "RIS.INS.12")
def read_traits(
    typed: TypedTraits,
    *,
    today: date,
    only: Collection[str] = FIELDS,
    beside: Iterable[Fault] = (),
) -> Traits:
    """Return the traits of a record, or raise `TraitsRefused` listing every field at fault.

    The given-name list defaults to the first given name, which must begin it (ins.md R-PRE-01).
    *only* these fields are judged: what INSi wrote is kept as it is. *beside* are the faults of
    the rest of the form, told in the same refusal.
    """
    faults = [f for f in trait_faults(typed, today) if set(f.fields).intersection(only)]
    faults += beside
    if faults:
        raise TraitsRefused(errors=[fault.as_problem() for fault in faults])
    first = typed.first_birth_given.strip()
    listed = typed.birth_given_names.strip() or first
    return Traits(
        birth_family=typed.birth_family.strip(),
        birth_given_names=tuple(listed.split()),
        first_birth_given=first,
        birth_date=date.fromisoformat(typed.birth_date),
        sex=Sex(typed.sex),
        birth_place=typed.birth_place,
        used_family=typed.used_family.strip(),
        used_given=typed.used_given.strip(),
    )


def name_problem(value: str) -> tuple[str, str] | None:
    """Return `(code, French message)` when a name may not be typed so, or None.

    Capital letters A-Z, hyphen, apostrophe, space, 100 characters at most (RIS.INS.01).
    """
    if len(value) > NAME_MAX:
        return "NAME_TOO_LONG", "100 caractères au plus."
    if _NAME.fullmatch(value) is None:
        return (
            "NAME_CHARACTERS",
            "Majuscules sans accent uniquement ; trait d'union, apostrophe et espace admis.",
        )
    return None


def date_problem(value: str, today: date) -> tuple[str, str] | None:
    """Return `(code, French message)` when a typed birth date (YYYY-MM-DD) is not one, or None."""
    found = _DATE.fullmatch(value)
    if found is None:
        return "DATE_FORMAT", "Date attendue sous la forme AAAA-MM-JJ."
    year, month, day = (int(part) for part in found.groups())
    if not 1 <= month <= 12:
        return "DATE_MONTH", "Le mois doit être compris entre 1 et 12."
    if not 1 <= day <= 31:
        return "DATE_DAY", "Le jour doit être compris entre 1 et 31."
    try:
        born = date(year, month, day)
    except ValueError:
        return "DATE_UNREAL", "Cette date n'existe pas."
    if born > today or year < _OLDEST:
        return "DATE_OUT_OF_RANGE", "Date de naissance future ou trop ancienne."
    return None


def place_problem(value: str) -> tuple[str, str] | None:
    """Return `(code, French message)` when a birthplace is no INSEE COG code, or None."""
    if _COG.fullmatch(value) is None:
        return "PLACE_CODE", "Code INSEE du lieu de naissance sur 5 caractères (99999 si inconnu)."
    return None


def sendable(name: str) -> bool:
    """Say whether INSi accepts *name* in a query (ins.md §3.2)."""
    return _SENDABLE.fullmatch(name) is not None


def first_given_in(listed: tuple[str, ...], first: str) -> str | None:
    """Return *first* as the list writes it when it begins the list, else None (ins.md R-PRE-01).

    Boundaries are the list's spaces; `JEAN-PIERRE` matches `JEAN PIERRE PAUL`, `MARIE` does not
    match `MARIE-CLAUDE LOUISE`.
    """
    wanted = fold(first)
    for count in range(1, len(listed) + 1):
        head = " ".join(listed[:count])
        if wanted and fold(head) == wanted:
            return head
    return None


def trait_faults(typed: TypedTraits, today: date) -> Iterator[Fault]:
    """Yield every rule that *typed* breaks."""
    for field in FIELDS:
        value = getattr(typed, field).strip()
        if not value:
            problem = ("MISSING", "Champ obligatoire.") if field in MANDATORY else None
        else:
            problem = _problem(field, value, today)
        if problem is not None:
            yield Fault((field,), *problem)
    listed = tuple(typed.birth_given_names.split())
    first = typed.first_birth_given
    if listed and first.strip() and first_given_in(listed, first) is None:
        message = "La liste doit commencer par le premier prénom."
        fields = ("birth_given_names", "first_birth_given")
        yield Fault(fields, "FIRST_GIVEN_NOT_IN_LIST", message)


def _problem(field: str, value: str, today: date) -> tuple[str, str] | None:
    if field == "birth_date":
        return date_problem(value, today)
    if field == "birth_place":
        return place_problem(value)
    if field == "sex":
        return None if value in list(Sex) else ("SEX_CODE", "Sexe attendu : F, M ou I.")
    return name_problem(value)
