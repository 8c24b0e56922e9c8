"""The identity status machine: rem.md §9.1, spec rulings 2-5, merges, as one table. Pure.

`FOREIGN_TRUSTED`, `_VALIDATED`, `_RETRIEVED` and `_PROVISIONAL` are what a trusted sender says of
an identity (ins.md R-PAM-02); `FOREIGN_CONFIRMED` and `_DENIED` what INSi says of an INS received.

What a transition does to stored data (history, journal, matricule columns) is in `change.py`.
A pair that the table does not list is refused (rem.md §11.5).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ris.identity.errors import InsAttributeBlocks, TransitionRefused
from ris.identity.values import Attribute, Status
from ris.rem import satisfies


class Event(StrEnum):
    """What may happen to an identity."""

    CREATED = "created"
    DOCUMENT_VALIDATED = "document_validated"
    INSI_ACCEPTED = "insi_accepted"
    INSI_CONFIRMED = "insi_confirmed"
    INSI_DENIED = "insi_denied"
    STRICT_TRAIT_CHANGED = "strict_trait_changed"
    COMPLEMENTARY_TRAIT_CHANGED = "complementary_trait_changed"
    ATTRIBUTE_SET = "attribute_set"
    ATTRIBUTE_REMOVED = "attribute_removed"
    FOREIGN_CONFIRMED = "foreign_confirmed"
    FOREIGN_TRUSTED = "foreign_trusted"
    FOREIGN_DENIED = "foreign_denied"
    FOREIGN_VALIDATED = "foreign_validated"
    FOREIGN_RETRIEVED = "foreign_retrieved"
    FOREIGN_PROVISIONAL = "foreign_provisional"
    MERGED = "merged"
    ABSORBED = "absorbed"
    SEPARATED = "separated"


class InsEffect(StrEnum):
    """What becomes of matricule and OID: kept as held or received, removed, filled, untouched."""

    KEEP = "keep"
    REMOVE = "remove"
    FROM_INSI = "from_insi"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Transition:
    """Where an event leads. *worklist*: a person must look; *propagate*: the feeds must know."""

    to: Status
    ins: InsEffect = InsEffect.NONE
    worklist: bool = False
    propagate: bool = True


BLOCKING: Final = frozenset({Attribute.DOUTEUSE, Attribute.FICTIVE})
_CLIMBING: Final = frozenset(
    {
        Event.DOCUMENT_VALIDATED,
        Event.INSI_ACCEPTED,
        Event.INSI_CONFIRMED,
        Event.FOREIGN_CONFIRMED,
        Event.FOREIGN_TRUSTED,
        Event.FOREIGN_VALIDATED,
        Event.FOREIGN_RETRIEVED,
    }
)
_HIGH: Final = (Status.RECUPEREE, Status.QUALIFIEE)
_P, _R, _V, _Q = Status.PROVISOIRE, Status.RECUPEREE, Status.VALIDEE, Status.QUALIFIEE
_ANY: Final = (None, *Status)
_TABLE: Final[dict[tuple[Status | None, Event], Transition]] = {
    (None, Event.CREATED): Transition(_P),
    (_P, Event.DOCUMENT_VALIDATED): Transition(_V),
    (_R, Event.DOCUMENT_VALIDATED): Transition(_Q, InsEffect.KEEP),
    (_P, Event.INSI_ACCEPTED): Transition(_R, InsEffect.FROM_INSI),
    (_V, Event.INSI_ACCEPTED): Transition(_Q, InsEffect.FROM_INSI),
    (_P, Event.STRICT_TRAIT_CHANGED): Transition(_P),
    (_V, Event.STRICT_TRAIT_CHANGED): Transition(_P),
    (_R, Event.STRICT_TRAIT_CHANGED): Transition(_P, InsEffect.REMOVE),
    (_Q, Event.STRICT_TRAIT_CHANGED): Transition(_V, InsEffect.REMOVE),
    (_P, Event.ATTRIBUTE_SET): Transition(_P),
    (_P, Event.ATTRIBUTE_REMOVED): Transition(_P),
    (None, Event.FOREIGN_CONFIRMED): Transition(_R, InsEffect.KEEP),
    (None, Event.FOREIGN_TRUSTED): Transition(_Q, InsEffect.KEEP),
    (None, Event.FOREIGN_DENIED): Transition(_P, InsEffect.REMOVE, worklist=True),
    **{(s, Event.ATTRIBUTE_SET): Transition(_P, InsEffect.REMOVE) for s in (_R, _V, _Q)},
    **{(s, Event.INSI_CONFIRMED): Transition(s, InsEffect.KEEP, propagate=False) for s in _HIGH},
    **{(s, Event.INSI_DENIED): Transition(_P, InsEffect.REMOVE, worklist=True) for s in _HIGH},
    **{(s, Event.COMPLEMENTARY_TRAIT_CHANGED): Transition(s, InsEffect.KEEP) for s in Status},
    **{(s, Event.FOREIGN_DENIED): Transition(s, InsEffect.KEEP, propagate=False) for s in Status},
    (_P, Event.FOREIGN_CONFIRMED): Transition(_R, InsEffect.FROM_INSI),
    (_V, Event.FOREIGN_CONFIRMED): Transition(_V, worklist=True, propagate=False),
    **{(s, Event.FOREIGN_TRUSTED): Transition(_Q, InsEffect.KEEP) for s in Status},
    **{(s, Event.FOREIGN_VALIDATED): Transition(_V, InsEffect.REMOVE) for s in _ANY},
    **{(s, Event.FOREIGN_RETRIEVED): Transition(_R, InsEffect.REMOVE) for s in _ANY},
    **{(s, Event.FOREIGN_PROVISIONAL): Transition(_P, InsEffect.REMOVE) for s in _ANY},
    **{(s, Event.MERGED): Transition(s, InsEffect.KEEP) for s in Status},
    **{(s, Event.ABSORBED): Transition(_P, InsEffect.REMOVE, propagate=False) for s in Status},
    **{(s, Event.SEPARATED): Transition(_P, InsEffect.REMOVE, worklist=True) for s in Status},
}


@satisfies("RIS.INS.25", "RIS.INS.33", "RIS.INS.35")
@satisfies("RIS.INS.22", "RIS.INS.27")
def transition(
    status: Status | None, attributes: Collection[Attribute], event: Event
) -> Transition:
    """Return where *event* leads an identity of *status* (None: unknown here, not yet created).

    *attributes* are those held when the event happens. Raises `InsAttributeBlocks` when douteuse
    or fictive forbids the climb (ins.md R-ATT-04), `TransitionRefused` for a pair outside the
    table.
    """
    found = _TABLE.get((status, event))
    if found is None:
        raise TransitionRefused(identity_status=status, event=event)
    if event in _CLIMBING and BLOCKING.intersection(attributes):
        raise InsAttributeBlocks
    return found
