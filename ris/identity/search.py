"""Search of patients by birth date and first letters, matricule or IPP; the keys that serve it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, inspect, select, tuple_
from sqlalchemy.orm import Session

from ris.core.text import fold
from ris.identity.errors import SearchTooBroad, SearchTooNarrow
from ris.identity.matricule import require_valid
from ris.identity.model import IdentityKey, Patient
from ris.identity.settings import IdentitySettings
from ris.identity.values import Traits
from ris.rem import satisfies

_FAMILY: Final = ("birth_family", "used_family")
_GIVEN: Final = ("birth_given", "first_given", "used_given")
_AFTER_ALL: Final = "\u007f"  # above every character of a key, in the C collation


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is looked for; empty where not asked. *name* and *given* are first letters."""

    birth_date: date | None = None
    name: str = ""
    given: str = ""
    matricule: str = ""
    ipp: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The patients found; *more* when the site's limit cut the list."""

    patients: tuple[Patient, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of the list is wanted: *limit* patients *after* (birth family, given name, id)."""

    limit: int | None = None
    after: tuple[str, str, UUID] | None = None


@satisfies("RIS.INS.07", "RIS.INS.08", "RIS.INS.10")
def search(
    session: Session,
    criteria: Criteria,
    settings: IdentitySettings,
    part: Slice = Slice(),
    *,
    within: ColumnElement[bool] | None = None,
) -> Found:
    """Return the patients that meet *criteria*, in the order of their names, kept *within*.

    Raises `SearchTooBroad` without birth date, matricule or IPP, `SearchTooNarrow` beyond the
    site's number of letters, `InsKeyInvalid` before any search when a matricule is not whole.
    """
    query = _by_key(criteria)
    if query is None:
        query = _by_birth_date(criteria, settings)
    if within is not None:
        query = query.where(within)
    limit = min(part.limit or settings.search_limit, settings.search_limit)
    order = (Patient.birth_family, Patient.first_birth_given, Patient.id)
    if part.after is not None:
        query = query.where(tuple_(*order) > tuple_(*part.after))
    ordered = query.order_by(*order)
    rows = session.scalars(ordered.limit(limit + 1)).all()
    return Found(tuple(rows[:limit]), more=len(rows) > limit)


@satisfies("RIS.INS.09")
def key_of(value: str) -> str:
    """Return the search key: folded, without spaces; punctuation and accents do not count."""
    return fold(value).replace(" ", "")


def index(session: Session, patient: Patient) -> None:
    """Write the search keys of *patient* anew; they reach the base with the next flush."""
    if inspect(patient).persistent:
        session.execute(delete(IdentityKey).where(IdentityKey.patient_id == patient.id))
    keys = {(field, key_of(value)) for field, value in _names(patient.traits)}
    session.add_all(
        IdentityKey(patient=patient, field=field, key=key) for field, key in keys if key
    )


def _by_key(criteria: Criteria) -> Select[Patient] | None:
    if criteria.matricule:
        matricule = require_valid(criteria.matricule)
        return select(Patient).where(Patient.ins_matricule == matricule)
    if not criteria.ipp:
        return None
    lasting = func.coalesce(
        Patient.merged_into_id, Patient.id
    )  # an absorbed IPP finds its survivor
    return select(Patient).where(Patient.id.in_(select(lasting).where(Patient.ipp == criteria.ipp)))


def _by_birth_date(criteria: Criteria, settings: IdentitySettings) -> Select[Patient]:
    if criteria.birth_date is None:
        raise SearchTooBroad
    born = Patient.birth_date == criteria.birth_date
    query = select(Patient).where(born, Patient.merged_into_id.is_(None))
    for letters, fields in ((criteria.name, _FAMILY), (criteria.given, _GIVEN)):
        if key := key_of(letters):
            if settings.search_max_letters and len(key) > settings.search_max_letters:
                raise SearchTooNarrow
            query = query.where(Patient.id.in_(_starting(key, fields)))
    return query


def _starting(key: str, fields: tuple[str, ...]) -> Select[UUID]:
    return select(IdentityKey.patient_id).where(
        IdentityKey.field.in_(fields), IdentityKey.key >= key, IdentityKey.key < key + _AFTER_ALL
    )


def _names(traits: Traits) -> Iterator[tuple[str, str]]:
    yield "birth_family", traits.birth_family
    yield "used_family", traits.used_family
    yield "first_given", traits.first_birth_given
    yield "used_given", traits.used_given
    yield "birth_given", "".join(traits.birth_given_names)
    for given in traits.birth_given_names:
        yield "birth_given", given
