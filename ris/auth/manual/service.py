"""Giving and ending a situation d'exercice by hand, with dates (AUTH-20 item 5, AUTH-66).

A remplaçant signs as himself, under the structure of the practitioner he replaces: Pro Santé
Connect does not list it [K], so an administrator says it. The person and the exercise stay those
that PSC knows; the exercise is entered only for whom PSC lists no activity at all.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import periods, situations, structures
from ris.auth.administration import guards
from ris.auth.manual.errors import (
    AccountUnknown,
    ExerciseMismatch,
    SituationOverlap,
    StructureUnknown,
)
from ris.auth.model import Account, ServedStructure, Situation, SituationSource
from ris.auth.periods import Period
from ris.auth.values import Structure
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Wanted:
    """The workplace to give and its dates; *profession* and *specialty* say which exercise.

    Empty ones mean the only exercise that PSC lists.
    """

    struct_idnat: str
    since: datetime
    until: datetime
    profession: str = ""
    specialty: str = ""


def give(
    session: Session, account_id: UUID, wanted: Wanted, *, actor: Actor, longest: timedelta
) -> Situation:
    """Record a situation of *account_id* in a declared structure; trace `auth.situation_grant`.

    Raises AccountUnknown, Forbidden (`role_denied`, for oneself by whichever account),
    AccountSuspended (the administrator was ended meanwhile), StructureUnknown, StructureUnusable
    (an SCM), Invalid (`PERIOD_INVALID`), ExerciseMismatch, SituationOverlap.
    """
    account = _account(session, account_id, actor)
    place = structures.find(session, wanted.struct_idnat)
    if place is None:
        raise StructureUnknown("Déclarez-la d'abord : ris structures declare.")
    structures.require_acting(session, wanted.struct_idnat)
    period = periods.checked(wanted.since, wanted.until, clock.now(), longest)
    _refuse_overlap(session, account, wanted.struct_idnat, period)
    row = _row(session, account, place, _exercise(session, account, wanted))
    row.valid_from, row.valid_to = period.since, period.until
    row.granted_by_id = actor.account_id
    session.add(row)
    session.flush()
    _trace(session, "auth.situation_grant", row, actor)
    return row


def end(session: Session, account_id: UUID, situation_id: UUID, *, actor: Actor) -> Situation:
    """End at once a situation given by hand, and trace it (`auth.situation_end`).

    Raises as `give`, and NotFound for one that PSC lists: only PSC ends those.
    """
    account = _account(session, account_id, actor)
    row = situations.owned(session, account.id, situation_id)
    if row.source != SituationSource.MANUAL:
        raise situations.unknown()
    if row.ended_at is None:
        row.ended_at = clock.now()
        session.flush()
        _trace(session, "auth.situation_end", row, actor)
    return row


def of_account(session: Session, account_id: UUID) -> list[Situation]:
    """Return every situation of an account, ended ones included; raises AccountUnknown."""
    if session.get(Account, account_id) is None:
        raise AccountUnknown
    query = select(Situation).where(Situation.account_id == account_id)
    return list(session.scalars(query.order_by(Situation.id)))


def _account(session: Session, account_id: UUID, actor: Actor) -> Account:
    """Return the account, locked: two entries at once must see each other."""
    guards.serialise(session, actor)
    account = session.get(Account, account_id, with_for_update={"key_share": True})
    if account is None:
        raise AccountUnknown
    if guards.is_himself(session, account, actor):
        raise Forbidden("Un administrateur ne modifie pas ses propres droits.", code="role_denied")
    return account


def _refuse_overlap(session: Session, account: Account, struct: str, period: Period) -> None:
    """Refuse a second manual situation in one place at one time, and one that PSC lists already."""
    query = select(Situation.id).where(
        Situation.account_id == account.id,
        Situation.struct_idnat == struct,
        Situation.ended_at.is_(None),
        (Situation.source == SituationSource.PSC)
        | ((Situation.valid_from < period.until) & (Situation.valid_to > period.since)),
    )
    if session.scalars(query).first() is not None:
        raise SituationOverlap


@dataclass(frozen=True, slots=True)
class _Exercise:
    """What a situation takes from the person's exercise, never from the workplace."""

    profession: str
    category: str
    specialty: str
    mode: str
    title: str
    family: str
    given: str


def _exercise(session: Session, account: Account, wanted: Wanted) -> _Exercise:
    """Return the exercise meant, as PSC tells it; the one entered when PSC lists no activity."""
    listed = situations.current(session, account.id, source=SituationSource.PSC)
    if not listed and wanted.profession:
        named = (account.family, account.given)
        return _Exercise(wanted.profession, "", wanted.specialty, "L", "", *named)
    told = {
        (one.profession, one.category, one.specialty): one
        for one in listed
        if wanted.profession in ("", one.profession) and wanted.specialty in ("", one.specialty)
    }
    if len(told) != 1:
        raise ExerciseMismatch("Indiquez la profession et le savoir-faire.")
    (one,) = told.values()
    return _Exercise(
        one.profession, one.category, one.specialty, one.mode, one.title, one.family, one.given
    )


def _row(
    session: Session, account: Account, place: ServedStructure, exercise: _Exercise
) -> Situation:
    there = _described(session, place)
    return Situation(
        account_id=account.id,
        source=SituationSource.MANUAL,
        **asdict(exercise),
        place=there.struct_idnat,
        struct_idnat=there.struct_idnat,
        struct_valid=True,
        technical_id="",
        name=there.name,
        sector=there.sector,
        address=asdict(there.address),
        phone=there.phone,
    )


def _described(session: Session, place: ServedStructure) -> Structure:
    """Return the structure as PSC describes it to those who practise there, else as declared.

    Sector, name and address go with the Struct_IdNat (AUTH-64), not with the person's own cabinet.
    """
    query = (
        select(Situation)
        .where(
            Situation.struct_idnat == place.struct_idnat,
            Situation.source == SituationSource.PSC,
            Situation.ended_at.is_(None),
        )
        .order_by(Situation.last_seen.desc(), Situation.id)
    )
    told = session.scalars(query).first()
    return situations.structure_of(told) if told else Structure(place.struct_idnat, place.name)


def _trace(session: Session, action: str, row: Situation, actor: Actor) -> None:
    dates = (row.valid_from, row.valid_to)
    audit.record(
        session,
        action,
        actor=actor,
        target=("situation", row.id),
        detail={
            "account_id": str(row.account_id),
            "struct_idnat": row.struct_idnat,
            "source": row.source,
            "dates": [one.isoformat() for one in dates if one],
        },
    )
