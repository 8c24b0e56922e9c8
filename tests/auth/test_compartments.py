"""Who sees whose exams: the pure rule, and the memberships it stands on."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import accounts, structures
from ris.auth.compartments import members, owner
from ris.auth.compartments.errors import (
    MemberNotFound,
    PeriodInvalid,
    PracticeRequired,
    PracticeUnknown,
    SelfGrant,
    StructureDenied,
)
from ris.auth.compartments.scope import (
    OPEN,
    UNBOUND,
    WHOLE,
    Compartment,
    Scope,
    Served,
    compartment_of,
)
from ris.auth.compartments.settings import CompartmentSettings, Sharing
from ris.auth.errors import StructureUnusable
from ris.auth.model import Account, AccountStatus
from ris.auth.rights import MATRIX, Permission, Role
from ris.core import clock
from ris.core.audit import Actor, AuditEvent
from ris.sandbox.psc_people import SCM_SIRET, SECRETARY

A, B, C = "499700993001004", "499700993019014", "499700993027009"
SCM = f"3{SCM_SIRET}"
APART = CompartmentSettings()
WORKERS = [Role.RADIOLOGIST, Role.NUCLEAR_PHYSICIAN, Role.TECHNOLOGIST, Role.SECRETARY, Role.INTERN]


def site(*mine: str, practices: tuple[str, ...] = (A, B)) -> list[Served]:
    declared = [Served(one, f"CABINET {one}", is_scm=False, mine=one in mine) for one in practices]
    return [*declared, Served(SCM, "SCM", is_scm=True, mine=SCM in mine)]


def only(*practices: str) -> Scope:
    return Scope(frozenset(practices))


@pytest.mark.parametrize("practices", [(), (A,)])
@pytest.mark.parametrize("role", Role)
def test_nothing_is_hidden_until_two_practices_are_declared(
    role: Role, practices: tuple[str, ...]
) -> None:
    seen = compartment_of(APART, role, C, site(practices=practices))
    assert (seen.exams, seen.patients, seen.active, seen.bounded) == (WHOLE, WHOLE, False, False)


@pytest.mark.parametrize("role", WORKERS)
def test_one_sees_the_practice_of_ones_situation_and_those_one_is_a_member_of(role: Role) -> None:
    assert compartment_of(APART, role, A, site()).exams == only(A)
    assert compartment_of(APART, role, A, site(B)).exams == only(A, B)
    assert compartment_of(APART, role, None, site(B)).exams == only(B)
    assert compartment_of(APART, role, None, site()).exams == only()


@pytest.mark.parametrize("role", WORKERS)
def test_a_member_of_the_scm_works_for_every_practice(role: Role) -> None:
    seen = compartment_of(APART, role, None, site(SCM))
    assert seen.exams.whole
    assert (seen.active, seen.practice) == (True, None)


def test_staff_employed_by_the_scm_works_for_all_and_a_physician_there_for_none() -> None:
    assert compartment_of(APART, Role.TECHNOLOGIST, SCM, site()).exams.whole
    physician = compartment_of(APART, Role.RADIOLOGIST, SCM, site())
    assert (physician.exams, physician.practice) == (only(), None)


@pytest.mark.parametrize("role", sorted(UNBOUND))
def test_the_roles_without_own_structure_only_see_the_site(role: Role) -> None:
    assert not compartment_of(APART, role, None, site()).bounded


def test_every_role_that_reads_exams_is_bound_or_named_as_unbound() -> None:
    readers = {role for role in Role if Permission.EXAM_READ in MATRIX[role]}
    assert readers - set(WORKERS) <= UNBOUND
    assert {Role.ADMIN_SECURITY, Role.ADMIN_TECH, Role.REFERRER} & UNBOUND == set()


def test_patients_are_shared_unless_the_site_says_otherwise() -> None:
    seen = compartment_of(APART, Role.SECRETARY, None, site(A))
    assert seen.patients == WHOLE
    strict = CompartmentSettings(patients=Sharing.STRUCTURE)
    assert compartment_of(strict, Role.SECRETARY, None, site(A)).patients == only(A)
    shared = CompartmentSettings(exams=Sharing.SHARED)
    assert compartment_of(shared, Role.SECRETARY, None, site(A)) == Compartment(practice=A)
    with pytest.raises(ValidationError):
        CompartmentSettings(exams=Sharing.SHARED, patients=Sharing.STRUCTURE)


def test_what_nobody_owns_is_an_affair_of_the_whole_site() -> None:
    assert WHOLE.sees(None)
    assert not only(A).sees(None)
    assert (only(A).sees(A), only(A).sees(B)) == (True, False)
    assert only(A).meets(()), "a patient of no practice yet must be received by somebody"
    assert (only(A).meets({A, B}), only(A).meets({B})) == (True, False)


@pytest.mark.parametrize(
    ("acting", "mine", "expected"),
    [(A, (B,), A), (None, (B,), B), (None, (A, B), None), (None, (SCM,), None), (SCM, (), None)],
)
def test_the_practice_one_works_for_is_the_situation_or_the_only_one(
    acting: str | None, mine: tuple[str, ...], expected: str | None
) -> None:
    assert compartment_of(APART, Role.TECHNOLOGIST, acting, site(*mine)).practice == expected


def test_where_one_practice_is_served_everything_is_its_own() -> None:
    assert compartment_of(APART, Role.SECRETARY, None, site(practices=(A,))).practice == A


@pytest.fixture
def declared(session: Session) -> Session:
    for practice in (A, B):
        structures.declare(session, practice, f"CABINET {practice}")
    structures.declare(session, SCM, "SCM", is_scm=True)
    return session


def test_a_new_exam_is_for_the_practice_asked_or_the_only_one_of_the_caller(
    declared: Session,
) -> None:
    clerk = compartment_of(APART, Role.SECRETARY, None, site(A))
    everywhere = compartment_of(APART, Role.SECRETARY, None, site(SCM))
    assert owner.owner_for(declared, clerk, None) == A
    assert owner.owner_for(declared, everywhere, B) == B
    assert owner.owner_for(declared, OPEN, None) is None
    with pytest.raises(PracticeRequired):
        owner.owner_for(declared, everywhere, None)
    with pytest.raises(StructureDenied):
        owner.owner_for(declared, clerk, B)
    with pytest.raises(PracticeUnknown):
        owner.owner_for(declared, everywhere, C)
    with pytest.raises(StructureUnusable):
        owner.owner_for(declared, everywhere, SCM)


def mine(session: Session, account_id: object, at: datetime) -> set[str]:
    told = members.served(session, account_id, at)  # type: ignore[arg-type]
    return {one.struct_idnat for one in told if one.mine}


def test_a_membership_holds_for_its_dates_and_ends_at_once(declared: Session) -> None:
    person = accounts.grant(declared, SECRETARY.ps_idnat, Role.SECRETARY)
    now = clock.now()
    practice = structures.served(declared, A)
    member, _ = members.add(
        declared, practice.id, SECRETARY.ps_idnat, valid_to=now + timedelta(days=1)
    )
    later, _ = members.add(
        declared,
        structures.served(declared, B).id,
        SECRETARY.ps_idnat,
        valid_from=now + timedelta(days=2),
    )
    assert mine(declared, person.id, clock.now()) == {A}
    assert mine(declared, person.id, now - timedelta(minutes=1)) == set()
    assert mine(declared, person.id, now + timedelta(days=1)) == set()
    assert mine(declared, person.id, now + timedelta(days=3)) == {B}
    members.end(declared, practice.id, member.id)
    members.end(declared, later.structure_id, later.id)
    assert mine(declared, person.id, clock.now()) == set()
    assert mine(declared, person.id, now + timedelta(days=3)) == set()
    with pytest.raises(MemberNotFound):
        members.end(declared, practice.id, member.id)
    actions = select(AuditEvent.action).where(AuditEvent.action.startswith("auth.member"))
    assert list(declared.scalars(actions.order_by(AuditEvent.seq))) == [
        "auth.member_grant", "auth.member_grant", "auth.member_end", "auth.member_end",
    ]  # fmt: skip


def test_a_membership_is_refused_to_nobody_to_oneself_and_to_the_past(declared: Session) -> None:
    person = accounts.grant(declared, SECRETARY.ps_idnat, Role.SECRETARY)
    practice = structures.served(declared, A)
    with pytest.raises(MemberNotFound):
        members.add(declared, practice.id, "899700993027")
    with pytest.raises(SelfGrant):
        members.add(declared, practice.id, SECRETARY.ps_idnat, actor=Actor(account_id=person.id))
    with pytest.raises(PeriodInvalid):
        members.add(
            declared, practice.id, SECRETARY.ps_idnat, valid_to=datetime(2020, 1, 1, tzinfo=UTC)
        )


def test_the_second_account_of_a_person_opens_no_practice_to_his_first(declared: Session) -> None:
    person = accounts.grant(declared, SECRETARY.ps_idnat, Role.SECRETARY)
    local = Account(role=Role.ADMIN_SECURITY, owner_id=person.id)
    declared.add(local)
    declared.flush()
    everywhere = structures.served(declared, SCM)
    with pytest.raises(SelfGrant):
        members.add(declared, everywhere.id, SECRETARY.ps_idnat, actor=Actor(account_id=local.id))


def test_who_has_no_role_yet_is_a_member_of_nothing(declared: Session) -> None:
    declared.add(Account(ps_idnat=SECRETARY.ps_idnat, status=AccountStatus.PENDING))
    declared.flush()
    with pytest.raises(MemberNotFound):
        members.add(declared, structures.served(declared, A).id, SECRETARY.ps_idnat)


def test_the_operator_is_told_who_would_see_nothing(declared: Session) -> None:
    accounts.grant(declared, SECRETARY.ps_idnat, Role.SECRETARY)
    accounts.grant(declared, "899700993019", Role.IDENTITY_OFFICER)
    assert members.apart(declared)
    assert [one.ps_idnat for one in members.without_practice(declared)] == [SECRETARY.ps_idnat]
    members.add(declared, structures.served(declared, SCM).id, SECRETARY.ps_idnat)
    assert members.without_practice(declared) == []
    assert members.end_all(declared, structures.served(declared, SCM).id, SECRETARY.ps_idnat) == 1
    assert len(members.without_practice(declared)) == 1
