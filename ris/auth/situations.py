"""Situations d'exercice of an account: kept in step with PSC, chosen, turned into an author.

AUTH-62: act → responsible practitioner → situation → Struct_IdNat; there is no global structure.
Selection is by our own situation id, never by the workplace's name (auth.md §13, trap 21).
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from ris.auth import structures
from ris.auth.errors import StructureUnusable
from ris.auth.model import Account, Situation, SituationSource
from ris.auth.psc.userinfo import Activity, Identity
from ris.auth.values import Address, Professional, Structure
from ris.core import clock
from ris.core.errors import NotFound


def refresh(session: Session, account: Account, identity: Identity) -> list[Situation]:
    """Bring the account's situations in step with *identity*; return the current ones, in order.

    Those an administrator gave are not PSC's to end: they come last, while their dates allow.
    """
    now = clock.now()
    query = select(Situation).where(
        Situation.account_id == account.id, Situation.source == SituationSource.PSC
    )
    known = {(s.profession, s.specialty, s.place, s.mode): s for s in session.scalars(query)}
    told = []
    for activity in identity.situations():
        situation = known.pop(activity.key, None)
        if situation is None:
            situation = Situation(account_id=account.id, first_seen=now)
            session.add(situation)
        _copy(activity, situation)
        situation.last_seen, situation.ended_at = now, None
        told.append(situation)
    for gone in known.values():
        gone.ended_at = gone.ended_at or now
    session.flush()
    given = current(session, account.id, source=SituationSource.MANUAL)
    return told + given


def current(
    session: Session, account_id: UUID, *, source: SituationSource | None = None
) -> list[Situation]:
    """Return the situations of an account in force now, of one *source* or of both."""
    query = select(Situation).where(Situation.account_id == account_id, live(clock.now()))
    if source is not None:
        query = query.where(Situation.source == source)
    return list(session.scalars(query.order_by(Situation.id)))


def live(at: datetime) -> ColumnElement[bool]:
    """Return the condition of a situation in force at *at*: the query's form of `in_force`."""
    return and_(
        Situation.ended_at.is_(None),
        or_(Situation.valid_from.is_(None), Situation.valid_from <= at),
        or_(Situation.valid_to.is_(None), Situation.valid_to > at),
    )


def in_force(situation: Situation, at: datetime) -> bool:
    """Say whether a situation may be acted in at *at*: not ended, and within its dates."""
    begun = situation.valid_from is None or situation.valid_from <= at
    over = situation.valid_to is not None and situation.valid_to <= at
    return situation.ended_at is None and begun and not over


def usable(session: Session, listed: Sequence[Situation]) -> list[Situation]:
    """Return the situations whose acts may leave the RIS: a right identifier, and no SCM's."""
    return [
        one
        for one in listed
        if one.struct_valid and not structures.is_scm(session, one.struct_idnat)
    ]


def candidates(session: Session, listed: Sequence[Situation]) -> list[Situation]:
    """Return the situations to choose from: those that may act outside, else all of them."""
    return usable(session, listed) or list(listed)


def owned(session: Session, account_id: UUID, situation_id: UUID) -> Situation:
    """Return one situation of this very account; raises NotFound, also for another's."""
    situation = session.get(Situation, situation_id)
    if situation is None or situation.account_id != account_id:
        raise unknown()
    return situation


def unknown() -> NotFound:
    """Return the error for a situation that is not the caller's, or ended."""
    return NotFound("Situation d'exercice inconnue.", code="SITUATION_UNKNOWN")


def professional(account: Account, situation: Situation) -> Professional:
    """Return the author's values: profession, specialty and structure of the same activity.

    A situation without a valid Struct_IdNat gives no structure (AUTH-20, AUTH-64).
    """
    return Professional(
        ps_idnat=f"8{account.rpps}" if account.rpps else account.ps_idnat or "",
        family=situation.family or account.family,
        given=situation.given or account.given,
        profession=situation.profession,
        specialty=situation.specialty,
        title=situation.title,
        structure=structure_of(situation) if situation.struct_valid else None,
        phone=situation.phone,
    )


def structure_of(situation: Situation) -> Structure:
    """Return the workplace of one situation, as it was told."""
    return Structure(
        struct_idnat=situation.struct_idnat,
        name=situation.name,
        sector=situation.sector,
        address=_address(situation),
        phone=situation.phone,
    )


def professional_of(session: Session, account_id: UUID, situation_id: UUID) -> Professional:
    """Return the author of an act that leaves the RIS, in one situation.

    Raises NotFound (not his situation) or StructureUnusable (no valid Struct_IdNat, or an SCM).
    """
    situation = owned(session, account_id, situation_id)
    author = professional(session.get_one(Account, account_id), situation)
    if author.structure is None:
        raise StructureUnusable("Cette situation n'a pas d'identifiant de structure valide.")
    structures.require_acting(session, author.structure.struct_idnat)
    return author


def _copy(activity: Activity, situation: Situation) -> None:
    situation.profession, situation.specialty, situation.place, situation.mode = activity.key
    situation.category = activity.category
    situation.sector = activity.sector
    situation.struct_idnat = activity.structure.value
    situation.struct_valid = activity.structure.valid
    situation.technical_id = activity.technical_id
    situation.name = activity.name
    situation.address = asdict(activity.address)
    situation.phone = activity.phone
    situation.family, situation.given = activity.family, activity.given
    situation.title = activity.title


def _address(situation: Situation) -> Address:
    told = situation.address
    return Address(
        tuple(told.get("lines", ())),
        told.get("postal_code", ""),
        told.get("city", ""),
        told.get("country", ""),
    )
