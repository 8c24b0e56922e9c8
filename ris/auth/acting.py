"""In whose name an act leaves: the one place that decides (AUTH-61 to AUTH-64).

act → radiologist who validates → his situation for that very report → Struct_IdNat. The
certificate of that structure, and no other, is then taken from the pool (`rang.py`); a channel
that lacks it holds its sending. INSi, asked before any report exists, has `identity/insi/caller`.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth import situations
from ris.auth.errors import SituationEnded, SituationRequired
from ris.auth.model import Situation
from ris.auth.values import Authentication, Professional
from ris.core import clock
from ris.core.audit import Actor
from ris.rem import satisfies


@dataclass(frozen=True, slots=True)
class Signer:
    """The radiologist of one report: as whom, where, and by which situation."""

    professional: Professional
    situation_id: UUID
    struct_idnat: str


@satisfies("RIS.AUTH.01")
def signer(
    session: Session, account_id: UUID, *, opened_under: UUID | None, present: UUID | None
) -> Signer:
    """Return in whose name *account_id* signs a report that was *opened_under* a situation.

    His own report keeps the situation he opened it under, whatever he chose since (AUTH-63); one
    that somebody else opened takes his *present* one. Raises SituationRequired, SituationEnded,
    StructureUnusable (no valid Struct_IdNat, or an SCM).
    """
    situation = _situation(session, account_id, opened_under, present)
    if not situations.in_force(situation, clock.now()):
        raise SituationEnded
    author = situations.professional_of(session, account_id, situation.id)
    return Signer(author, situation.id, situation.struct_idnat)


def authentication_of(actor: Actor) -> Authentication | None:
    """Return the sign-in behind what *actor* does now; None when no person signed in."""
    if actor.auth_time is None:
        return None
    return Authentication(actor.auth_time, actor.auth_method or "")


def _situation(
    session: Session, account_id: UUID, opened_under: UUID | None, present: UUID | None
) -> Situation:
    kept = session.get(Situation, opened_under) if opened_under else None
    if kept is not None and kept.account_id == account_id:
        return kept
    if present is None:
        raise SituationRequired
    return situations.owned(session, account_id, present)
