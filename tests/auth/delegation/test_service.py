"""Giving, revoking and using a delegation, and what the journal keeps of it."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import accounts, situations, structures
from ris.auth.delegation import service
from ris.auth.delegation.errors import (
    DelegatedStructureRefused,
    DelegateRefused,
    DelegationExists,
    DelegationMissing,
    DelegationUnknown,
)
from ris.auth.delegation.service import Wanted
from ris.auth.delegation.values import DelegatedAction, Responsible
from ris.auth.model import Account, AccountStatus
from ris.auth.psc.userinfo import parse
from ris.auth.rights import Role
from ris.core import clock
from ris.core.audit import Actor, AuditEvent
from ris.core.errors import Invalid
from ris.sandbox.psc_people import (
    ADMINISTRATOR,
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    SECRETARY,
    TECHNOLOGIST,
    Person,
)

A, B = (one.workplaces[0].struct_idnat for one in (RADIOLOGIST_A, RADIOLOGIST_B))
SEND, RETRY = DelegatedAction.MSS_SEND, DelegatedAction.DELIVERY_RETRY
LONGEST = timedelta(days=30)


class Desk:
    """The people of a site, and the acts of a test on them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.a = self._physician(RADIOLOGIST_A)
        self.b = self._physician(RADIOLOGIST_B)
        self.clerk = accounts.grant(session, SECRETARY.ps_idnat, Role.SECRETARY)
        self.clerk.family, self.clerk.given = SECRETARY.family, SECRETARY.given

    def _physician(self, person: Person) -> Account:
        account = accounts.grant(self.session, person.ps_idnat, Role.RADIOLOGIST)
        account.family, account.given = person.family, person.given
        situations.refresh(self.session, account, parse(person.userinfo()))
        return account

    def wanted(self, **changes: object) -> Wanted:
        now = clock.now()
        usual = Wanted(self.clerk.id, A, frozenset({SEND}), now, now + timedelta(days=7))
        return replace(usual, **changes)  # type: ignore[arg-type]

    def give(self, giver: Account | None = None, **changes: object) -> UUID:
        actor = accounts.actor_of(giver or self.a)
        wanted = self.wanted(**changes)
        return service.give(self.session, wanted, actor=actor, longest=LONGEST).id

    def act(
        self,
        action: DelegatedAction = SEND,
        *,
        of: Account | None = None,
        struct: str = A,
        by: Account | None = None,
        required: bool = True,
    ) -> Actor:
        who = by or self.clerk
        return service.authorise(
            self.session,
            action,
            Responsible((of or self.a).id, struct),
            actor=accounts.actor_of(who),
            role=Role(who.role),
            required=required,
        )


@pytest.fixture
def desk(session: Session) -> Desk:
    return Desk(session)


def test_without_a_delegation_the_refusal_names_the_physician(desk: Desk) -> None:
    with pytest.raises(DelegationMissing) as refused:
        desk.act()
    assert refused.value.code == "delegation_missing"
    assert "ALBA ONDEFICTIVE pour « envoyer par MSSanté »" in refused.value.detail
    assert RADIOLOGIST_A.ps_idnat[1:] not in refused.value.detail


def test_under_a_delegation_staff_act_on_behalf_of_who_signed_in_his_structure(desk: Desk) -> None:
    desk.give()
    actor = desk.act()
    assert (actor.account_id, actor.on_behalf_of_id) == (desk.clerk.id, desk.a.id)
    assert actor.acting_struct_idnat == A
    with pytest.raises(DelegationMissing):
        desk.act(RETRY)
    with pytest.raises(DelegationMissing):
        desk.act(of=desk.b, struct=B)


def test_what_a_physician_signed_himself_he_sends_without_a_word(desk: Desk) -> None:
    actor = desk.act(by=desk.a)
    assert (actor.on_behalf_of_id, actor.acting_struct_idnat) == (None, A)
    assert desk.act(by=desk.b).on_behalf_of_id == desk.a.id


def test_a_site_may_do_without_delegations_and_the_journal_still_names_both(desk: Desk) -> None:
    assert desk.act(required=False).on_behalf_of_id == desk.a.id


def test_a_delegation_is_revoked_at_once_by_who_gave_it_alone(desk: Desk) -> None:
    given = desk.give()
    for stranger in (desk.b, desk.clerk):
        with pytest.raises(DelegationUnknown):
            service.revoke(desk.session, given, actor=accounts.actor_of(stranger))
    service.revoke(desk.session, given, actor=accounts.actor_of(desk.a))
    first = service.revoke(desk.session, given, actor=accounts.actor_of(desk.a)).revoked_at
    assert first is not None
    with pytest.raises(DelegationMissing):
        desk.act()
    lines = desk.session.scalars(
        select(AuditEvent).where(AuditEvent.action.startswith("auth.delegation_"))
    ).all()
    assert [one.action for one in lines] == ["auth.delegation_grant", "auth.delegation_revoke"]
    assert lines[0].detail["delegate_id"] == str(desk.clerk.id)
    assert {one.target_id for one in lines} == {str(given)}


def test_the_delegations_of_a_suspended_physician_are_void(desk: Desk) -> None:
    desk.give()
    desk.a.status = AccountStatus.SUSPENDED
    with pytest.raises(DelegationMissing):
        desk.act()


def test_both_ends_see_a_delegation_and_nobody_else(desk: Desk) -> None:
    given = desk.give()
    for end in (desk.a, desk.clerk):
        assert [one.row.id for one in service.of_account(desk.session, end.id)] == [given]
    assert service.of_account(desk.session, desk.b.id) == []


def test_a_delegation_is_for_a_structure_of_ones_own_that_is_no_scm(desk: Desk) -> None:
    with pytest.raises(DelegatedStructureRefused):
        desk.give(struct_idnat=B)
    structures.declare(desk.session, A, "SOCIETE DE MOYENS", is_scm=True)
    with pytest.raises(DelegatedStructureRefused):
        desk.give()


def test_a_delegation_goes_to_active_staff_whose_role_allows_the_acts(desk: Desk) -> None:
    technologist = accounts.grant(desk.session, TECHNOLOGIST.ps_idnat, Role.TECHNOLOGIST)
    for refused in (desk.a.id, desk.b.id, technologist.id, UUID(int=7)):
        with pytest.raises(DelegateRefused):
            desk.give(delegate_id=refused)
    assert [one.id for one in service.delegates(desk.session)] == [desk.clerk.id]
    desk.clerk.status = AccountStatus.SUSPENDED
    with pytest.raises(DelegateRefused):
        desk.give()
    accounts.grant(desk.session, ADMINISTRATOR.ps_idnat, Role.ADMIN_SECURITY)
    assert service.delegates(desk.session) == []


def test_a_delegation_has_an_end_that_is_not_far(desk: Desk) -> None:
    with pytest.raises(Invalid) as refused:
        desk.give(until=clock.now() + timedelta(days=31))
    assert refused.value.code == "PERIOD_INVALID"


def test_what_is_delegated_already_is_not_delegated_twice(desk: Desk) -> None:
    first = desk.give()
    with pytest.raises(DelegationExists):
        desk.give(actions=frozenset({SEND, RETRY}))
    desk.give(actions=frozenset({RETRY}))
    later = clock.now() + timedelta(days=8)
    desk.give(since=later, until=later + timedelta(days=1))
    service.revoke(desk.session, first, actor=accounts.actor_of(desk.a))
    with pytest.raises(DelegationMissing):
        desk.act()
    desk.give()
    desk.act()
