"""Plain values of a patient identity: status, attributes, INS, traits. No rule, no database."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final
from uuid import UUID

from ris.auth.values import Address


class Status(StrEnum):
    """The four exclusive identity statuses."""

    PROVISOIRE = "provisoire"
    RECUPEREE = "récupérée"
    VALIDEE = "validée"
    QUALIFIEE = "qualifiée"


class Attribute(StrEnum):
    """What may be said of an identity beside its status."""

    HOMONYME = "homonyme"
    DOUTEUSE = "douteuse"
    FICTIVE = "fictive"


class Sex(StrEnum):
    """Administrative sex, in the codes stored and shown."""

    FEMALE = "F"
    MALE = "M"
    UNKNOWN = "I"


NIR: Final = "1.2.250.1.213.1.4.8"
NIA: Final = "1.2.250.1.213.1.4.9"
NIR_TEST: Final = "1.2.250.1.213.1.4.10"
NIR_DEMO: Final = "1.2.250.1.213.1.4.11"
INS_OIDS: Final = (NIR, NIA, NIR_TEST, NIR_DEMO)


@dataclass(frozen=True, slots=True)
class Ins:
    """A matricule INS (13 characters and its 2-digit key) and the OID of its authority."""

    matricule: str
    oid: str


@dataclass(frozen=True, slots=True)
class Traits:
    """The strict traits of an identity (RNIV); *birth_given_names* is the full ordered list.

    Values are upper case, without accents. *birth_place* is an INSEE COG code (`51215`, `99100`).
    """

    birth_family: str
    birth_given_names: tuple[str, ...]
    first_birth_given: str
    birth_date: date
    sex: Sex
    birth_place: str = ""
    used_family: str = ""
    used_given: str = ""


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """A patient as other rooms may see him: `ins` is what the base holds, whatever the status.

    Never output `ins` directly: ask `ris.identity.rules.may_carry_ins` (or `ins_to_output`).
    """

    id: UUID
    ipp: str
    ipp_oid: str
    traits: Traits
    status: Status = Status.PROVISOIRE
    attributes: frozenset[Attribute] = frozenset()
    ins: Ins | None = None
    address: Address = field(default_factory=Address)
    phone: str = ""
