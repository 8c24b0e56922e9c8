"""The gate on INS output, the guards on an INSi answer, the locks on traits. Pure.

`may_carry_ins` is the only place of the product that says whether an INS may leave (rem.md §9.2).
"""

import hashlib
from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

from ris.core.errors import RisError
from ris.core.text import fold
from ris.identity import matricule
from ris.identity.errors import AttributeConflict, InsAttributeBlocks, ReasonRequired
from ris.identity.insi.comparison import Difference, TraitComparison, real_date
from ris.identity.insi.errors import (
    InsiImportRefused,
    InsiMajorDifference,
    InsiNameNotSendable,
    InsSexUndetermined,
)
from ris.identity.insi.values import InsiPerson, InsiTraits
from ris.identity.settings import DocumentType
from ris.identity.states import BLOCKING
from ris.identity.traits import NAME_MAX, first_given_in, place_problem, sendable
from ris.identity.values import Attribute, Ins, PatientIdentity, Sex, Status, Traits
from ris.rem import satisfies

STRICT: Final = (
    "birth_family",
    "birth_given_names",
    "birth_date",
    "sex",
    "birth_place",
)
LOCKED: Final = ("ins_matricule", "ins_oid", *STRICT)
DECISIVE: Final = frozenset({"birth_family", "birth_date", "sex"})


@satisfies("RIS.INS.37")
def may_carry_ins(identity: PatientIdentity) -> bool:
    """Say whether the INS of *identity* may be shown, printed or sent: qualifiée only.

    An attribute douteuse or fictive refuses too, should it ever meet that status.
    """
    return identity.status is Status.QUALIFIEE and not BLOCKING & identity.attributes


@satisfies("RIS.INS.37")
def ins_to_output(identity: PatientIdentity) -> Ins | None:
    """Return the INS that any output may carry, or None."""
    return identity.ins if may_carry_ins(identity) else None


@satisfies("RIS.INS.29", "RIS.INS.30")
def locked_fields(status: Status) -> tuple[str, ...]:
    """Return the fields that only a super-user may change while *status* lasts.

    Matricule and OID are never editable at all; they are listed so that a screen shows the lock.
    """
    return LOCKED if is_locked(status) else LOCKED[:2]


def is_locked(status: Status) -> bool:
    """Say whether the strict traits come from INSi, hence are locked (RIS.INS.29)."""
    return status in (Status.RECUPEREE, Status.QUALIFIEE)


def strict_change(before: Traits, after: Traits, status: Status) -> bool:
    """Say whether a strict trait differs between two sets of traits (RIS.INS.32).

    The first given name counts too, save where INSi's list already says what it may be: entry
    rules then only let it move inside that list (ins.md R-PRE-01).
    """
    fields = STRICT if is_locked(status) else (*STRICT, "first_birth_given")
    return any(getattr(before, field) != getattr(after, field) for field in fields)


def traits_digest(traits: Traits) -> str:
    """Return the digest that binds a document check to the traits it saw (ins.md R-STA-03)."""
    parts = (
        fold(traits.birth_family),
        fold(" ".join(traits.birth_given_names)),
        fold(traits.first_birth_given),
        traits.birth_date.isoformat(),
        str(traits.sex),
        traits.birth_place,
    )
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


@satisfies("RIS.INS.19")
def document_refusal(kind: DocumentType, born: date, today: date, *, companion: str | None) -> str:
    """Say in French why a document of this *kind* does not validate a patient *born* then.

    Empty when it does (ins.md R-DOC-01). Some kinds count for a minor only, beside a parent's
    *companion* document.
    """
    if kind.trust != "high":
        return "Ce titre ne permet pas à lui seul de valider l'identité."
    grown = (today.year - born.year) - ((today.month, today.day) < (born.month, born.day)) >= 18
    if kind.minors_only and grown:
        return "Ce titre n'est admis que pour un mineur."
    if kind.minors_only and companion is None:
        return "Ce titre demande aussi la pièce d'identité d'un parent."
    return ""


@satisfies("RIS.INS.28")
def check_may_call_insi(traits: Traits, attributes: Collection[Attribute]) -> None:
    """Refuse a call for a douteuse or fictive identity, an unknown sex, an unsendable name."""
    if BLOCKING.intersection(attributes):
        raise InsAttributeBlocks
    if traits.sex is Sex.UNKNOWN:
        raise InsSexUndetermined
    if not (sendable(traits.birth_family) and sendable(traits.first_birth_given)):
        raise InsiNameNotSendable


@satisfies("RIS.INS.15", "RIS.INS.16", "RIS.INS.28")
def check_insi_answer(
    person: InsiPerson,
    attributes: Collection[Attribute],
    *,
    production: bool,
    tolerate_bad_key: bool = False,
) -> None:
    """Refuse the import of a `00` answer that the guards of rem.md §9.1 forbid.

    Raises `InsAttributeBlocks`, `InsiImportRefused` (its `code` says which guard), `InsOidUnknown`
    or `InsTestOid`. A wrong key is refused unless *tolerate_bad_key* (bench only, R-MAT-02).
    """
    if BLOCKING.intersection(attributes):
        raise InsAttributeBlocks
    traits = person.traits
    for field, value in (
        ("BIRTH_FAMILY", traits.birth_family),
        ("GIVEN_NAMES", traits.given_names),
        ("SEX", traits.sex),
    ):
        if not value:
            raise _refusal(f"INSI_EMPTY_{field}", "INSi renvoie un trait vide.", "RIS.INS.16")
    if field := _unreadable(traits):
        detail = "INSi renvoie un trait illisible : le signaler au support d'INSi."
        raise _refusal(f"INSI_UNREADABLE_{field}", detail)
    if real_date(traits.birth_date) is None:
        detail = "INSi renvoie une date de naissance sans jour ou sans mois."
        raise _refusal("INSI_DATE_INCOMPLETE", detail, "RIS.INS.15")
    if problem := matricule.oid_problem(person.ins.oid, production=production):
        raise problem
    if not (tolerate_bad_key or matricule.is_valid(person.ins.matricule)):
        raise _refusal("INSI_KEY_MISMATCH", "La clé du matricule renvoyé par INSi est fausse.")


def check_differences(
    status: Status,
    compared: Sequence[TraitComparison],
    *,
    reason: str,
    major_blocks_qualification: bool,
) -> None:
    """Refuse an acceptance that hides a MAJOR difference on birth name, sex or date (ruling 7).

    On a validée identity it never qualifies while *major_blocks_qualification* is on; elsewhere
    the user must give a *reason*. The first given name only alerts (RIS.INS.14).
    """
    major = [c.field for c in compared if c.difference is Difference.MAJOR and c.field in DECISIVE]
    if not major:
        return
    if status is Status.VALIDEE and major_blocks_qualification:
        raise InsiMajorDifference(
            "L'identité reste validée, sans INS, jusqu'à correction du titre ou de l'INS.",
            fields=major,
        )
    if not reason.strip():
        raise ReasonRequired(
            "Motif obligatoire pour accepter une divergence majeure.", fields=major
        )


@satisfies("RIS.INS.14")
def first_given_alert(traits: Traits, person: InsiPerson) -> bool:
    """Say whether the local first given name fails to begin INSi's list: an alert, no refusal."""
    return (
        first_given_in(tuple(person.traits.given_names.split()), traits.first_birth_given) is None
    )


def with_attribute(held: frozenset[Attribute], added: Attribute) -> frozenset[Attribute]:
    """Return *held* with *added*; raises `AttributeConflict` (ins.md §4.2: fictive stays alone)."""
    if added in held:
        raise AttributeConflict("Cet attribut est déjà posé.")
    if held and Attribute.FICTIVE in {added, *held}:
        raise AttributeConflict("L'attribut « fictive » ne se combine avec aucun autre.")
    return held | {added}


def _unreadable(traits: InsiTraits) -> str:
    """Name the trait that no record can hold as INSi wrote it; empty when all can be held."""
    if traits.sex not in (Sex.MALE, Sex.FEMALE):
        return "SEX"
    if traits.birth_place and place_problem(traits.birth_place):
        return "BIRTH_PLACE"
    long = {"BIRTH_FAMILY": traits.birth_family, "GIVEN_NAMES": traits.given_names}
    return next((field for field, name in long.items() if len(name) > NAME_MAX), "")


def _refusal(code: str, detail: str, *rem: str) -> RisError:
    return InsiImportRefused(detail, code=code, rem=rem)
