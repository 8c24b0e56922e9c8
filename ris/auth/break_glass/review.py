"""Who hears of a break-glass: the reviewer of traces, the physicians of the practices concerned.

Listed, and marked as seen (« vu »). Whoever opened it reviews nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select, true, tuple_
from sqlalchemy.orm import Session

from ris.auth.break_glass.errors import GlassNotFound, OwnReview
from ris.auth.break_glass.model import BreakGlass, BreakGlassPractice, BreakGlassReview
from ris.auth.compartments.caller import Caller
from ris.auth.compartments.scope import Scope
from ris.auth.model import Account
from ris.core import audit, clock
from ris.web.pages import PageQuery


@dataclass(frozen=True, slots=True)
class Listed:
    """One break-glass with who opened it, the practices concerned, and who saw it."""

    glass: BreakGlass
    account: Account
    practices: tuple[str, ...]
    reviews: tuple[BreakGlassReview, ...]


def listed(
    session: Session, caller: Caller, paging: PageQuery, *, unseen: bool
) -> tuple[list[Listed], str | None]:
    """Return the break-glasses that *caller* may review, oldest first, and the next cursor.

    *unseen*: only those that nobody marked as seen. The reading is itself journaled.
    """
    query = (
        select(BreakGlass, Account)
        .join(Account, Account.id == BreakGlass.account_id)
        .where(_concerning(caller.compartment.exams))
        .order_by(BreakGlass.opened_at, BreakGlass.id)
        .limit(paging.limit + 1)
    )
    if unseen:
        query = query.where(~exists().where(BreakGlassReview.break_glass_id == BreakGlass.id))
    if paging.after is not None:
        at, last = paging.instant_and_id()
        query = query.where(tuple_(BreakGlass.opened_at, BreakGlass.id) > tuple_(at, last))
    rows, following = paging.cut(
        session.execute(query).all(), lambda row: (row[0].opened_at.isoformat(), str(row[0].id))
    )
    audit.record(
        session, "auth.break_glass_list", actor=caller.actor, detail={"found": len(rows)}
    )  # fmt: skip
    return _whole(session, [(glass, account) for glass, account in rows], caller), following


def review(session: Session, caller: Caller, glass_id: UUID) -> Listed:
    """Mark a break-glass as seen by *caller*; once, the second time changes nothing.

    Raises `GlassNotFound` (also for one that concerns none of his practices), `OwnReview`.
    """
    query = select(BreakGlass).where(
        BreakGlass.id == glass_id, _concerning(caller.compartment.exams)
    )
    glass = session.scalars(query.with_for_update()).one_or_none()
    if glass is None:
        raise GlassNotFound
    if glass.account_id == caller.account_id:
        raise OwnReview("Un autre médecin du cabinet concerné, ou l'auditeur, doit le voir.")
    if session.get(BreakGlassReview, (glass.id, caller.account_id)) is None:
        seen = BreakGlassReview(
            break_glass_id=glass.id, account_id=caller.account_id, at=clock.now()
        )
        session.add(seen)
        session.flush()
        audit.record(
            session,
            "auth.break_glass_reviewed",
            actor=caller.actor,
            target=("break_glass", glass.id),
            patient_id=glass.patient_id,
        )
    account = session.get_one(Account, glass.account_id)
    return _whole(session, [(glass, account)], caller)[0]


def _concerning(scope: Scope) -> ColumnElement[bool]:
    if scope.practices is None:
        return true()
    return exists().where(
        BreakGlassPractice.break_glass_id == BreakGlass.id,
        BreakGlassPractice.struct_idnat.in_(scope.practices),
    )


def _whole(
    session: Session, rows: Sequence[tuple[BreakGlass, Account]], caller: Caller
) -> list[Listed]:
    """Return *rows* with the practices the caller works for and the reviews, in two queries."""
    wanted = [glass.id for glass, _ in rows]
    one = BreakGlassPractice
    query = select(one).where(one.break_glass_id.in_(wanted)).order_by(one.struct_idnat)
    practices = [p for p in session.scalars(query) if caller.compartment.exams.sees(p.struct_idnat)]
    seen = select(BreakGlassReview).where(BreakGlassReview.break_glass_id.in_(wanted))
    reviews = session.scalars(seen.order_by(BreakGlassReview.at)).all()
    return [
        Listed(
            glass,
            account,
            tuple(p.struct_idnat for p in practices if p.break_glass_id == glass.id),
            tuple(r for r in reviews if r.break_glass_id == glass.id),
        )
        for glass, account in rows
    ]
