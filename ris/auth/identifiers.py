"""National identifiers of professionals and structures: forms and keys (auth.md §2, §15).

Pure functions of strings. No directory, no OpenID claim, no rule on what an identifier allows.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class PersonKind(StrEnum):
    """What a PS_IdNat is (TRE_G08, OID 1.2.250.1.71.1.2.15)."""

    ADELI = "ADELI"
    ADELI_INTERNAL = "ADELI_INTERNAL"
    FINESS_INTERNAL = "FINESS_INTERNAL"
    SIREN_INTERNAL = "SIREN_INTERNAL"
    SIRET_INTERNAL = "SIRET_INTERNAL"
    RPPS_RANG_INTERNAL = "RPPS_RANG_INTERNAL"
    RPPS = "RPPS"
    UNKNOWN = "UNKNOWN"


class StructureKind(StrEnum):
    """What a Struct_IdNat is (TRE_G07, OID 1.2.250.1.71.1.2.14)."""

    ADELI_RANG = "ADELI_RANG"
    FINESS = "FINESS"
    SIREN = "SIREN"
    SIRET = "SIRET"
    RPPS_RANG = "RPPS_RANG"
    TECHNIQUE = "TECHNIQUE"
    MISSING = "MISSING"


class RangVerdict(StrEnum):
    """Outcome of the check of a raw RPPS-rang."""

    VALID = "valid"
    BAD_LENGTH = "bad_length"
    NOT_NUMERIC = "not_numeric"
    BAD_RPPS_KEY = "bad_rpps_key"
    BAD_KEY = "bad_key"


@dataclass(frozen=True, slots=True)
class StructureId:
    """A typed Struct_IdNat; *raw* is without its type character, *owner_rpps* the titulaire's."""

    value: str
    kind: StructureKind
    raw: str
    valid: bool
    owner_rpps: str | None = None


_INTERNAL_FORM: Final = re.compile(r"[13456][0-9AB]{9,14}/[0-9A-Za-z.-]{1,48}")
_UNTYPED_FORM: Final = re.compile(r"ANS[0-9]{1,20}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INTERNAL = {
    "1": PersonKind.ADELI_INTERNAL,
    "3": PersonKind.FINESS_INTERNAL,
    "4": PersonKind.SIREN_INTERNAL,
    "5": PersonKind.SIRET_INTERNAL,
    "6": PersonKind.RPPS_RANG_INTERNAL,
}
_STRUCTURES = {
    "0": (StructureKind.ADELI_RANG, 11),
    "1": (StructureKind.FINESS, 9),
    "2": (StructureKind.SIREN, 9),
    "3": (StructureKind.SIRET, 14),
    "4": (StructureKind.RPPS_RANG, 14),
}


def luhn(digits: str) -> bool:
    """Say whether the last digit of *digits* is its Luhn key (ISO/IEC 7812-1)."""
    if not (digits.isascii() and digits.isdigit()):
        return False
    doubled = (int(d) * 2 if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def is_rpps(value: str) -> bool:
    """Say whether *value* is an RPPS: 11 digits with a right key."""
    return len(value) == 11 and luhn(value)


def person(ps_idnat: str) -> tuple[PersonKind, str | None]:
    """Return the kind of a PS_IdNat and its RPPS, or None.

    Anything is accepted: since 2026 it may be a UUID or an editor's test id (auth.md §2.1).
    """
    kind, rest = ps_idnat[:1], ps_idnat[1:]
    if "/" in rest and kind in _INTERNAL:
        return _INTERNAL[kind], None
    if kind == "8" and is_rpps(rest):
        return PersonKind.RPPS, rest
    if kind == "0" and len(rest) == 9 and rest.isalnum():
        return PersonKind.ADELI, None
    return PersonKind.UNKNOWN, None


def is_ps_idnat(value: str) -> bool:
    """Say whether *value* has a form a PS_IdNat may take: typed, test identity or UUID."""
    if person(value)[0] in _INTERNAL.values():
        return _INTERNAL_FORM.fullmatch(value) is not None
    return person(value)[0] is not PersonKind.UNKNOWN or _UNTYPED_FORM.fullmatch(value) is not None


def check_rang(raw: str) -> RangVerdict:
    """Check a raw RPPS-rang (no `4` prefix): length, digits, RPPS key, key, in this order."""
    if len(raw) != 14:
        return RangVerdict.BAD_LENGTH
    if not (raw.isascii() and raw.isdigit()):
        return RangVerdict.NOT_NUMERIC
    if not luhn(raw[:11]):
        return RangVerdict.BAD_RPPS_KEY
    return RangVerdict.VALID if luhn(raw) else RangVerdict.BAD_KEY


def build_rang(rpps: str, order: int) -> str:
    """Return the raw RPPS-rang of the cabinet number *order* (0…99) of *rpps*."""
    base = f"{rpps}{order:02d}"
    return next(base + key for key in "0123456789" if luhn(base + key))


def structure(value: str) -> StructureId:
    """Type and check a prefixed Struct_IdNat; `valid` says whether it may leave the RIS.

    A technical number of the directory (`R990103`) is typed TECHNIQUE and never valid outside.
    """
    if not value:
        return StructureId("", StructureKind.MISSING, "", valid=False)
    kind, length = _STRUCTURES.get(value[0], (StructureKind.TECHNIQUE, 0))
    raw = value[1:]
    if kind is StructureKind.TECHNIQUE or len(raw) != length:
        return StructureId(value, StructureKind.TECHNIQUE, value, valid=False)
    owner = raw[:11] if kind is StructureKind.RPPS_RANG else None
    return StructureId(value, kind, raw, _key_is_right(kind, raw), owner)


def _key_is_right(kind: StructureKind, raw: str) -> bool:
    if kind is StructureKind.RPPS_RANG:
        return check_rang(raw) is RangVerdict.VALID
    if kind in (StructureKind.SIREN, StructureKind.SIRET):
        return luhn(raw)
    return raw.isascii() and raw.isalnum()  # FINESS and ADELI hold letters (Corsica): no key here
