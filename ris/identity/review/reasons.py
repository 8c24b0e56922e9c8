"""Why an identity waits for a person, in words, and which event ends each reason. Pure.

A record may wait for several reasons at once: each has its own end. What writes them on a record
is `marks.py`; the worklist itself is `worklist.py`.
"""

from enum import StrEnum
from typing import Final

from ris.identity.states import Event


class ReviewReason(StrEnum):
    """Why a person must look at an identity. The first is the dedicated list of RIS.INS.43."""

    VERIFICATION_KO = "verification_ko"
    FOREIGN_KO = "foreign_ko"
    FOREIGN_INS = "foreign_ins"
    INS_ELSEWHERE = "ins_elsewhere"
    INACTIVE = "inactive"
    MERGE_TO_DECIDE = "merge_to_decide"
    SEPARATED = "separated"
    COLLISION = "collision"
    DOUBTFUL = "doubtful"
    DEGRADED = "degraded"
    EARLIER = "earlier"


_R = ReviewReason
LABELS: Final = {
    _R.VERIFICATION_KO: "INSi a démenti l'INS du dossier : INS retirée, statut abaissé.",
    _R.FOREIGN_KO: "INSi a démenti l'INS reçue avec ce dossier : créé sans INS.",
    _R.FOREIGN_INS: "INSi confirme une INS reçue pour cette identité validée : à rechercher ici.",
    _R.INS_ELSEWHERE: "L'INS annoncée par le référentiel est portée par un autre dossier.",
    _R.INACTIVE: "Le référentiel dit ce dossier inactif, invalide ou usurpé.",
    _R.MERGE_TO_DECIDE: "Un flux annonce une fusion qui se décide ici.",
    _R.SEPARATED: "Une fusion a été annulée : identité à établir de nouveau.",
    _R.COLLISION: "Deux personnes sont peut-être dans ce dossier.",
    _R.DOUBTFUL: "L'identité est douteuse.",
    _R.DEGRADED: "Création d'urgence, à rapprocher du référentiel.",
    _R.EARLIER: "Motif non conservé par une version antérieure du logiciel.",
}
STARTED_BY: Final = {
    Event.INSI_DENIED: _R.VERIFICATION_KO,
    Event.FOREIGN_DENIED: _R.FOREIGN_KO,
    Event.FOREIGN_CONFIRMED: _R.FOREIGN_INS,
    Event.SEPARATED: _R.SEPARATED,
}
_SETTLED: Final = frozenset({Event.DOCUMENT_VALIDATED, Event.INSI_ACCEPTED, Event.MERGED})
_ENDED_BY: Final = {
    _R.VERIFICATION_KO: _SETTLED,
    _R.FOREIGN_KO: _SETTLED,
    _R.FOREIGN_INS: _SETTLED,
    _R.INS_ELSEWHERE: _SETTLED | {Event.FOREIGN_TRUSTED},
    _R.INACTIVE: _SETTLED,
    _R.MERGE_TO_DECIDE: frozenset({Event.MERGED}),
    _R.SEPARATED: _SETTLED,
    _R.DEGRADED: frozenset({Event.MERGED}),
    _R.EARLIER: _SETTLED,
}
BY_ITS_OWN_ACT: Final = frozenset({_R.COLLISION, _R.DOUBTFUL})


def ended_by(event: Event) -> frozenset[ReviewReason]:
    """Return the reasons that *event* ends; those of `BY_ITS_OWN_ACT` end by no event."""
    return frozenset(reason for reason, events in _ENDED_BY.items() if event in events)
