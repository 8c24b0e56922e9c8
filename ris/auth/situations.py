"""Situations d'exercice of an account: kept in step with PSC, chosen, turned into an author.

AUTH-62: act → responsible practitioner → situation → Struct_IdNat; there is no global structure.
Selection is by our own situation id, never by the workplace's name (auth.md §13, trap 21).
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import structures
from ris.auth.errors import StructureUnusable
from ris.auth.model import Account, Situation
from ris.auth.psc.userinfo import Activity, Identity
from ris.auth.values import Address, Professional, Structure
from ris.core import clock
from ris.core.errors import NotFound


def refresh(session: Session, account: Account, identity: Identity) -> list[Situation]:
    """Bring the account's situations in step with *identity*; return the current ones, in order."""
    now = clock.now()
    query = select(Situation).where(Situation.account_id == account.id)
    known = {(s.profession, s.specialty, s.place, s.mode): s for s in session.scalars(query)}
    current = []
    for activity in identity.situations():
        situation = known.pop(activity.key, None)
        if situation is None:
            situation = Situation(account_id=account.id, first_seen=now)
            session.add(situation)
        _copy(activity, situation)
        situation.last_seen, situation.ended_at = now, None
        current.append(situation)
    for gone in known.values():
        gone.ended_at = gone.ended_at or now
    session.flush()
    return current


def current(session: Session, account_id: UUID) -> list[Situation]:
    """Return the situations of an account that PSC still lists."""
    query = select(Situation).where(
        Situation.account_id == account_id, Situation.ended_at.is_(None)
    )
    return list(session.scalars(query.order_by(Situation.id)))


def candidates(listed: Sequence[Situation]) -> list[Situation]:
    """Return the situations to choose from: those that may act outside, else all of them."""
    return [one for one in listed if one.struct_valid] or list(listed)


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
        ps_idnat=f"8{account.rpps}" if account.rpps else account.ps_idnat,
        family=situation.family or account.family,
        given=situation.given or account.given,
        profession=situation.profession,
        specialty=situation.specialty,
        title=situation.title,
        structure=_structure(situation) if situation.struct_valid else None,
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


def standing_in(session: Session, replacing: Professional, struct_idnat: str) -> Professional:
    """Return *replacing* in the practice of the one he replaces, himself the author (AUTH-66).

    That practice is told by the situation of whoever exercises there: PSC lists a remplaçant's own
    workplaces only. Raises StructureUnusable when nobody's is known.
    """
    query = select(Situation).where(
        Situation.struct_idnat == struct_idnat,
        Situation.struct_valid,
        Situation.ended_at.is_(None),
    )
    known = session.scalars(query.order_by(Situation.last_seen.desc()).limit(1)).one_or_none()
    if known is None:
        raise StructureUnusable("Aucun titulaire de ce cabinet ne s'est encore connecté ici.")
    structures.require_acting(session, struct_idnat)
    return replace(replacing, structure=_structure(known))


def _structure(situation: Situation) -> Structure:
    return Structure(
        struct_idnat=situation.struct_idnat,
        name=situation.name,
        sector=situation.sector,
        address=_address(situation),
        phone=situation.phone,
    )


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
