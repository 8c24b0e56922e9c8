"""What a bulk verification sends and receives, as plain values. No wire format, no table."""

from dataclasses import dataclass
from enum import StrEnum

from ris.identity.insi.values import AnswerCode, VerifyQuery


class LotState(StrEnum):
    """What INSi says of a lot: never seen, being worked on, answered."""

    UNKNOWN = "INCONNU"
    PENDING = "EN_COURS"
    DONE = "TRAITE"


@dataclass(frozen=True, slots=True)
class LotItem:
    """One verification of a lot; *rank* (1, 2…) ties the answer to it."""

    rank: int
    query: VerifyQuery


@dataclass(frozen=True, slots=True)
class LotAnswer:
    """What became of a lot; *answers* by rank, once it is done."""

    state: LotState
    answers: dict[int, AnswerCode]
