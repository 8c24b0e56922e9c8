"""What INSi is asked and what it answers, as plain values. No XML, no rule."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ris.identity.values import Ins, Traits


class AnswerCode(StrEnum):
    """`CodeCR` of a search (ins.md §5.4); `OK` and `KO` of a verification."""

    FOUND = "00"
    NONE = "01"
    SEVERAL = "02"
    CONFIRMED = "OK"
    DENIED = "KO"


class CallMode(StrEnum):
    """Who triggered the call: a person, the software by itself, a person with his card (CPx)."""

    MANUAL = "MANU"
    AUTOMATIC = "AUTO"
    CARD = "CPX"


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name INSi is called: a structure (Struct_IdNat), or the holder of a card.

    *assertion* (XML, signed by the card) and *holder* (its NameID) are set in mode CPx only.
    """

    structure: str
    mode: CallMode = CallMode.MANUAL
    assertion: bytes = b""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who INSi is asked about. *birth_date_raw*: the date as it was told, where it was no real
    date and had to be interpreted (ins.md R-DAT-03), else empty.
    """

    traits: Traits
    birth_date_raw: str = ""


@dataclass(frozen=True, slots=True)
class TraitsQuery:
    """One search by traits. *given* is one `Prenom` per value; *birth_place* only to refine."""

    birth_family: str
    given: tuple[str, ...]
    sex: str
    birth_date: str
    birth_place: str = ""


@dataclass(frozen=True, slots=True)
class VitaleQuery:
    """One search by the content of a Vitale card: 15-character numbers, date as on the card."""

    matricule: str
    opener: str
    birth_family: str
    birth_date: str
    birth_rank: str


@dataclass(frozen=True, slots=True)
class VerifyQuery:
    """One verification: does this INS go with these traits? Its contract is not public."""

    ins: Ins
    birth_family: str
    given_names: str
    sex: str
    birth_date: str
    birth_place: str = ""


Query = TraitsQuery | VitaleQuery | VerifyQuery


@dataclass(frozen=True, slots=True)
class InsiTraits:
    """The strict traits as INSi wrote them: nothing cleaned, empty where absent."""

    birth_family: str
    given_names: str
    sex: str
    birth_date: str
    birth_place: str


@dataclass(frozen=True, slots=True)
class InsiPerson:
    """The one person of a `00` answer; *history* holds former INS, without the active one."""

    ins: Ins
    traits: InsiTraits
    history: tuple[Ins, ...] = ()


@dataclass(frozen=True, slots=True)
class InsiAnswer:
    """One answer. *person* is set for `00` only; *message_id* is that of our request.

    *returned* is the whole answer, element by element, as the service wrote it.
    """

    code: AnswerCode
    label: str
    message_id: str
    person: InsiPerson | None = None
    returned: dict[str, Any] = field(default_factory=dict, compare=False)

    def as_record(self) -> dict[str, Any]:
        """Return everything that INSi returned, for the call journal (RIS.INS.41)."""
        if self.person is None:
            return {"label": self.label, "returned": self.returned}
        traits = self.person.traits
        return {
            "label": self.label,
            "matricule": self.person.ins.matricule,
            "oid": self.person.ins.oid,
            "history": [{"matricule": i.matricule, "oid": i.oid} for i in self.person.history],
            "birth_family": traits.birth_family,
            "given_names": traits.given_names,
            "sex": traits.sex,
            "birth_date": traits.birth_date,
            "birth_place": traits.birth_place,
            "returned": self.returned,
        }


def person_of(record: dict[str, Any]) -> InsiPerson:
    """Return the person of a `00` answer back from `InsiAnswer.as_record`."""
    return InsiPerson(
        Ins(record["matricule"], record["oid"]),
        InsiTraits(
            record["birth_family"],
            record["given_names"],
            record["sex"],
            record["birth_date"],
            record["birth_place"],
        ),
        tuple(Ins(former["matricule"], former["oid"]) for former in record["history"]),
    )
