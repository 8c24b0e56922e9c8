"""Break-glass: opening, reading under it. Read only, for one account, for a time, all on record.

The right itself (`break_glass`) and the recent sign-in are asked by the route; who is told of it
afterwards is in `review.py`.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth.break_glass.errors import CommentRequired, GlassNotNeeded
from ris.auth.break_glass.model import BreakGlass, BreakGlassPractice, GlassReason
from ris.auth.break_glass.settings import BreakGlassSettings
from ris.auth.compartments.caller import Caller
from ris.auth.compartments.scope import WHOLE, Scope
from ris.auth.rights import Permission
from ris.core import audit, clock


def open_for(
    session: Session,
    settings: BreakGlassSettings,
    caller: Caller,
    patient_id: UUID,
    *,
    reason: GlassReason,
    comment: str,
    practices: Iterable[str],
) -> BreakGlass:
    """Open a patient's things of other practices to *caller*, and trace it (AUTH §10).

    *practices* are those it concerns. The text stays sealed in its row: the journal holds the code
    of the reason only. Raises `GlassNotNeeded`, `CommentRequired`.
    """
    if not caller.compartment.bounded:
        raise GlassNotNeeded("Aucun dossier de ce site ne vous est fermé.")
    if reason is GlassReason.OTHER and not comment.strip():
        raise CommentRequired("Expliquez en quelques mots pourquoi vous ouvrez ce dossier.")
    now = clock.now()
    glass = BreakGlass(
        account_id=caller.account_id,
        session_id=caller.session_id,
        patient_id=patient_id,
        acting_struct_idnat=caller.actor.acting_struct_idnat,
        reason=reason.value,
        opened_at=now,
        expires_at=now + timedelta(seconds=settings.open_s),
    )
    glass.comment = comment.strip() or None
    session.add(glass)
    session.flush()
    concerned = sorted(set(practices))
    _concern(session, glass, concerned)
    audit.record(
        session,
        "auth.break_glass",
        actor=caller.actor,
        reason=reason.value,
        target=("break_glass", glass.id),
        patient_id=patient_id,
        detail={"until": glass.expires_at.isoformat(), "practices": concerned},
    )
    return glass


def held(session: Session, caller: Caller, patient_id: UUID) -> BreakGlass | None:
    """Return what *caller* has open on a patient now; None without the right, or once it closed."""
    if Permission.BREAK_GLASS not in caller.permissions:
        return None
    query = select(BreakGlass).where(
        BreakGlass.account_id == caller.account_id,
        BreakGlass.session_id.is_not_distinct_from(caller.session_id),
        BreakGlass.patient_id == patient_id,
        BreakGlass.expires_at > clock.now(),
    )
    return session.scalars(query.order_by(BreakGlass.expires_at.desc()).limit(1)).one_or_none()


def used(
    session: Session,
    caller: Caller,
    patient_id: UUID,
    told: tuple[str, UUID],
    practices: Iterable[str],
) -> bool:
    """Say whether *caller* reads a thing (*told*: parameter, id) under a break-glass; journal it.

    *practices* are those that own it: they hear of it even if it came after the opening.
    """
    glass = held(session, caller, patient_id)
    if glass is None:
        return False
    _concern(session, glass, practices)
    audit.record(
        session,
        "auth.break_glass_read",
        actor=caller.actor,
        target=(told[0].removesuffix("_id"), told[1]),
        patient_id=patient_id,
        detail={"break_glass": str(glass.id)},
    )
    return True


def reach(session: Session, caller: Caller, patient_id: UUID) -> Scope:
    """Return what a list of a patient's things may show: all of it under a break-glass."""
    scope = caller.compartment.exams
    told = ("patient_id", patient_id)
    return WHOLE if scope.whole or used(session, caller, patient_id, told, ()) else scope


def _concern(session: Session, glass: BreakGlass, practices: Iterable[str]) -> None:
    rows = [{"break_glass_id": glass.id, "struct_idnat": one} for one in practices]
    if rows:
        session.execute(insert(BreakGlassPractice).values(rows).on_conflict_do_nothing())
