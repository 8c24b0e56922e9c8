"""A situation given by an administrator: a remplaçant's, under the structure of another."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import accounts, sessions, situations, structures
from ris.auth.errors import RoleDenied, StructureUnusable
from ris.auth.manual import service
from ris.auth.manual.errors import ExerciseMismatch, SituationOverlap, StructureUnknown
from ris.auth.manual.service import Wanted
from ris.auth.model import Account, Situation, SituationSource
from ris.auth.psc.client import SignIn
from ris.auth.psc.userinfo import parse
from ris.auth.rights import Role
from ris.auth.settings import AuthSettings
from ris.core import clock
from ris.core.audit import Actor, AuditEvent
from ris.core.crypto import Sealer
from ris.core.errors import Forbidden, Invalid, NotFound
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_B, RADIOLOGIST_TWO_SITES, Person

THERE = RADIOLOGIST_B.workplaces[0]
SCM = "300000000993014"
WEEK = timedelta(days=7)
NOBODY = replace(RADIOLOGIST_A, workplaces=())


@pytest.fixture
def locum(session: Session) -> Account:
    """A physician of another practice; the practice he will replace in is declared and known."""
    structures.declare(session, THERE.struct_idnat, "CABINET DECLARE")
    structures.declare(session, SCM, "SCM IMAGERIE INVENTEE", is_scm=True)
    known(session, RADIOLOGIST_B)
    return known(session, RADIOLOGIST_A)


def known(session: Session, person: Person) -> Account:
    account = accounts.grant(session, person.ps_idnat, Role.RADIOLOGIST)
    account.family, account.given = person.family, person.given
    situations.refresh(session, account, parse(person.userinfo()))
    return account


def give(session: Session, account: Account, **changes: object) -> Situation:
    now = clock.now()
    wanted = replace(Wanted(THERE.struct_idnat, now, now + WEEK), **changes)  # type: ignore[arg-type]
    return service.give(session, account.id, wanted, actor=Actor(), longest=2 * WEEK)


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_locum_is_himself_in_the_structure_of_whom_he_replaces(
    session: Session, locum: Account
) -> None:
    row = give(session, locum)
    author = situations.professional_of(session, locum.id, row.id)
    assert author.ps_idnat == RADIOLOGIST_A.ps_idnat
    assert (author.profession, author.specialty, author.title) == ("10", "SM44", "DR")
    assert author.structure is not None
    assert author.structure.struct_idnat == THERE.struct_idnat
    assert author.structure.name == THERE.name  # as PSC tells it to whom practises there
    assert (row.source, row.granted_by_id) == ("MANUAL", None)


def test_signing_in_again_leaves_a_manual_situation_alone(session: Session, locum: Account) -> None:
    row = give(session, locum)
    listed = situations.refresh(session, locum, parse(RADIOLOGIST_A.userinfo()))
    assert [one.source for one in listed] == ["PSC", "MANUAL"]
    assert listed[-1].id == row.id
    assert situations.refresh(session, locum, parse(NOBODY.userinfo())) == [row]
    assert row.ended_at is None


def test_a_manual_situation_lives_between_its_dates(session: Session, locum: Account) -> None:
    now = clock.now()
    later = give(session, locum, since=now + timedelta(days=1), until=now + WEEK)
    assert later not in situations.current(session, locum.id)
    assert not situations.in_force(later, now)
    later.valid_from = now - timedelta(days=1)
    assert later in situations.current(session, locum.id)
    later.valid_to = now
    session.flush()
    assert later not in situations.current(session, locum.id)
    assert not situations.in_force(later, clock.now())


def test_a_session_does_not_outlive_the_situation_it_acts_in(
    session: Session, locum: Account, sealer: Sealer
) -> None:
    row = give(session, locum)
    listed = situations.current(session, locum.id)
    told = SignIn({"acr": "eidas1"}, RADIOLOGIST_A.userinfo(), "id-token", clock.now())
    opened, _ = sessions.open_session(session, locum, listed, told, sealer=sealer)
    assert opened.needs_situation
    token = sessions.choose(session, opened, row.id)
    assert sessions.resume(session, token, AuthSettings()).situation == row
    row.valid_to = clock.now()
    live = sessions.resume(session, token, AuthSettings())
    assert (live.situation, live.row.needs_situation) == (None, True)
    with pytest.raises(NotFound):
        sessions.choose(session, opened, row.id)


def test_a_manual_situation_gives_no_profession(session: Session, locum: Account) -> None:
    give(session, locum)
    situations.refresh(session, locum, parse(NOBODY.userinfo()))
    with pytest.raises(RoleDenied):
        accounts.known(session, RADIOLOGIST_A.ps_idnat)


def test_it_is_on_a_declared_structure_that_is_no_scm(session: Session, locum: Account) -> None:
    with pytest.raises(StructureUnusable):
        give(session, locum, struct_idnat=SCM)
    with pytest.raises(StructureUnknown):
        give(session, locum, struct_idnat="499700993043006")


def test_it_has_an_end_and_is_given_once(session: Session, locum: Account) -> None:
    now = clock.now()
    with pytest.raises(Invalid) as refused:
        give(session, locum, until=now + timedelta(days=15))
    assert refused.value.code == "PERIOD_INVALID"
    row = give(session, locum)
    with pytest.raises(SituationOverlap):
        give(session, locum, since=now + timedelta(days=6), until=now + timedelta(days=9))
    give(session, locum, since=row.valid_to, until=now + timedelta(days=9))
    own = RADIOLOGIST_A.workplaces[0].struct_idnat
    structures.declare(session, own, "SIEN")
    with pytest.raises(SituationOverlap):  # PSC says it already
        give(session, locum, struct_idnat=own)


def test_the_exercise_is_psc_s_and_entered_only_where_psc_lists_none(
    session: Session, locum: Account
) -> None:
    with pytest.raises(ExerciseMismatch):
        give(session, locum, specialty="SM28")
    pure = known(session, replace(RADIOLOGIST_TWO_SITES, workplaces=()))
    with pytest.raises(ExerciseMismatch):
        give(session, pure)
    row = give(session, pure, profession="10", specialty="SM44")
    author = situations.professional_of(session, pure.id, row.id)
    assert (author.family, author.specialty) == (RADIOLOGIST_TWO_SITES.family, "SM44")


def test_an_administrator_ends_it_at_once_and_both_acts_are_traced(
    session: Session, locum: Account
) -> None:
    row = give(session, locum)
    service.end(session, locum.id, row.id, actor=Actor())
    service.end(session, locum.id, row.id, actor=Actor())
    assert row not in situations.current(session, locum.id)
    told = situations.current(session, locum.id, source=SituationSource.PSC)[0]
    with pytest.raises(NotFound):  # only PSC ends what PSC lists
        service.end(session, locum.id, told.id, actor=Actor())
    lines = session.scalars(
        select(AuditEvent).where(AuditEvent.action.startswith("auth.situation_"))
    ).all()
    assert [one.action for one in lines] == ["auth.situation_grant", "auth.situation_end"]
    assert lines[0].detail["source"] == "MANUAL"


def test_nobody_gives_a_situation_to_himself(session: Session, locum: Account) -> None:
    now = clock.now()
    wanted = Wanted(THERE.struct_idnat, now, now + WEEK)
    with pytest.raises(Forbidden) as refused:
        service.give(session, locum.id, wanted, actor=Actor(account_id=locum.id), longest=2 * WEEK)
    assert refused.value.code == "role_denied"


def test_the_second_account_of_a_person_gives_no_situation_to_his_first(
    session: Session, locum: Account
) -> None:
    local = Account(role=Role.ADMIN_SECURITY, owner_id=locum.id)
    session.add(local)
    session.flush()
    now = clock.now()
    wanted = Wanted(THERE.struct_idnat, now, now + WEEK)
    with pytest.raises(Forbidden) as refused:
        service.give(session, locum.id, wanted, actor=Actor(account_id=local.id), longest=2 * WEEK)
    assert refused.value.code == "role_denied"
