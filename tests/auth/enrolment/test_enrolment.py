"""First sign-ins: one account per person, whatever the policy, the identifiers and the hurry."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ris.auth import accounts, situations, structures
from ris.auth.administration.model import AccountConflict
from ris.auth.enrolment import aftermath
from ris.auth.enrolment.errors import AccountPending, ConflictFound
from ris.auth.enrolment.policy import Enrolment
from ris.auth.errors import EnrolUnknown
from ris.auth.model import Account, AccountIdentifier, AccountStatus, Situation
from ris.auth.psc.userinfo import Identity, parse
from ris.auth.rights import Role
from ris.auth.settings import AuthSettings
from ris.core.audit import Actor
from ris.core.db import Database
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_B, REQUESTER, TECHNOLOGIST, Person
from tests.auth.conftest import Site

UUID_NAME = "d2c6b2a4-83a1-4d4b-94e8-000000000001"
ANS_NAME = "ANS20210107161422"
CABINET = RADIOLOGIST_A.workplaces[0].struct_idnat


def told(person: Person, subject: str = "", others: Sequence[tuple[str, str]] = ()) -> Identity:
    """What PSC says of a person, under another SubjectNameID when given."""
    claims: dict[str, Any] = deepcopy(person.userinfo())
    claims["SubjectNameID"] = subject or claims["SubjectNameID"]
    claims["otherIds"] += [{"origine": origin, "identifiant": value} for origin, value in others]
    return parse(claims)


def count(session: Session) -> int:
    return session.scalars(select(func.count()).select_from(Account)).one()


@pytest.mark.rem("SC.PSC.02")
@pytest.mark.parametrize("subject", [UUID_NAME, ANS_NAME])
@pytest.mark.parametrize("rpps", [RADIOLOGIST_A.ps_idnat, RADIOLOGIST_A.ps_idnat[1:]])
def test_an_rpps_told_only_among_the_other_identifiers_finds_its_account(
    session: Session, subject: str, rpps: str
) -> None:
    granted = accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    claims = RADIOLOGIST_A.userinfo() | {
        "SubjectNameID": subject,
        "otherIds": [{"origine": "RPPS", "identifiant": rpps}],
    }
    assert parse(claims).rpps == RADIOLOGIST_A.ps_idnat[1:]
    assert accounts.link(session, parse(claims), Enrolment.AUTO_MEDICAL).id == granted.id
    assert count(session) == 1


@pytest.mark.rem("SC.PSC.02")
def test_a_grant_by_rpps_lands_on_the_account_first_known_by_a_uuid(session: Session) -> None:
    first = accounts.grant(session, UUID_NAME, Role.RADIOLOGIST)
    assert accounts.link(session, told(RADIOLOGIST_A, UUID_NAME)).id == first.id
    assert first.rpps == RADIOLOGIST_A.ps_idnat[1:]
    again = accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.NUCLEAR_PHYSICIAN)
    assert (again.id, count(session)) == (first.id, 1)


@pytest.mark.rem("SC.PSC.02")
def test_another_rpps_than_the_one_kept_is_a_conflict_and_mixes_nothing(session: Session) -> None:
    """A UUID known here, now told with somebody else's RPPS: two persons must not share it."""
    granted = accounts.grant(session, UUID_NAME, Role.RADIOLOGIST)
    accounts.link(session, told(RADIOLOGIST_A, UUID_NAME))
    with pytest.raises(ConflictFound) as refused:
        accounts.link(session, told(RADIOLOGIST_B, UUID_NAME))
    assert refused.value.accounts == (granted.id,)
    held = session.scalars(
        select(AccountIdentifier.value).where(AccountIdentifier.system == "RPPS")
    )
    assert held.all() == [RADIOLOGIST_A.ps_idnat[1:]]


def test_a_person_with_two_rpps_one_of_them_known_keeps_his_account(session: Session) -> None:
    """After a merge of identities PSC lists the former RPPS beside the new one."""
    granted = accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    both = told(RADIOLOGIST_A, "", [("RPPS", RADIOLOGIST_B.ps_idnat)])
    assert accounts.link(session, both).id == granted.id
    assert accounts.link(session, told(RADIOLOGIST_B)).id == granted.id
    with pytest.raises(EnrolUnknown):
        accounts.link(session, told(REQUESTER))


def test_a_stranger_who_may_ask_gets_one_pending_account_without_a_role(session: Session) -> None:
    for _ in range(2):
        with pytest.raises(AccountPending) as refused:
            accounts.link(session, told(TECHNOLOGIST), Enrolment.REQUEST)
        aftermath.note(session, refused.value, Actor(ps_idnat=TECHNOLOGIST.ps_idnat))
    account = session.scalars(select(Account)).one()
    assert (account.status, account.role, account.rpps) == (
        AccountStatus.PENDING, None, TECHNOLOGIST.ps_idnat[1:],
    )  # fmt: skip
    assert session.scalars(select(Situation)).one().profession == "98"
    for door in (accounts.holder, accounts.known):
        with pytest.raises(AccountPending):
            door(session, TECHNOLOGIST.ps_idnat)
    with pytest.raises(AccountPending):
        accounts.usable(session, account.id)


def test_granting_a_role_opens_the_account_that_was_asked_for(session: Session) -> None:
    with pytest.raises(AccountPending) as refused:
        accounts.link(session, told(TECHNOLOGIST), Enrolment.REQUEST)
    aftermath.note(session, refused.value, Actor())
    granted = accounts.grant(session, TECHNOLOGIST.ps_idnat, Role.TECHNOLOGIST)
    assert accounts.link(session, told(TECHNOLOGIST)).id == granted.id
    assert count(session) == 1


def test_an_scm_makes_nobody_a_physician_of_the_site(session: Session) -> None:
    structures.declare(session, CABINET, "CABINET INVENTE", is_scm=True)
    with pytest.raises(AccountPending):
        accounts.link(session, told(RADIOLOGIST_A), Enrolment.AUTO_MEDICAL)
    structures.declare(session, CABINET, "CABINET INVENTE")
    assert accounts.link(session, told(RADIOLOGIST_A), Enrolment.AUTO_MEDICAL).role == "RADIOLOGIST"


def at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Run *acts* together; what each returned or raised."""
    gate = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        gate.wait()
        try:
            return act()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.rem("SC.PSC.02")
def test_simultaneous_first_sign_ins_of_one_person_make_one_account(database: Database) -> None:
    """Under his RPPS, a UUID and an editor's name at once, eight times: one account, no failure."""
    with database.transaction() as session:
        structures.declare(session, CABINET, "CABINET INVENTE")
    names = ["", UUID_NAME, ANS_NAME, ""] * 2

    def sign_in(name: str) -> object:
        with database.transaction() as session:
            identity = told(RADIOLOGIST_A, name)
            account = accounts.link(session, identity, Enrolment.AUTO_MEDICAL)
            situations.refresh(session, account, identity)
            return account.id

    ended = at_once([lambda name=name: sign_in(name) for name in names])  # type: ignore[misc]
    assert len(set(ended)) == 1, ended
    with database.transaction() as session:
        assert session.scalars(select(Account.id)).all() == [ended[0]]
        assert len(session.scalars(select(AccountIdentifier)).all()) == 4
        assert len(session.scalars(select(Situation)).all()) == 1


@pytest.mark.rem("SC.PSC.02")
def test_a_grant_and_requests_at_once_make_one_account(database: Database) -> None:
    def ask() -> object:
        try:
            with database.transaction() as session:
                return accounts.link(session, told(RADIOLOGIST_A, UUID_NAME), Enrolment.REQUEST).id
        except AccountPending as error:
            with database.transaction() as session:
                aftermath.note(session, error, Actor())
            return None

    def grant() -> object:
        with database.transaction() as session:
            return accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST).id

    ended = at_once([ask, grant, ask, grant, ask, grant])
    assert not [one for one in ended if isinstance(one, Exception)], ended
    with database.transaction() as session:
        account = session.scalars(select(Account)).one()
        assert (account.status, account.role) == ("ACTIVE", "RADIOLOGIST")


@pytest.fixture
def asking(make_site: Callable[[AuthSettings], Site], auth_settings: AuthSettings) -> Site:
    """A site where strangers may ask for an account."""
    return make_site(auth_settings.model_copy(update={"enrolment": Enrolment.REQUEST}))


@pytest.mark.rem("SC.PSC.02")
def test_a_first_sign_in_asks_for_an_account_and_opens_nothing(
    asking: Site, evidence: Evidence
) -> None:
    for _ in range(2):
        browser = asking.browser()
        answer = browser.sign_in(RADIOLOGIST_A)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_pending")
        assert browser.application.get("/v1/session").status_code == 401
    (asked,) = asking.trace("auth.enrol_request")
    assert asked.actor_ps_idnat == RADIOLOGIST_A.ps_idnat
    reasons = [one.reason for one in asking.trace("auth.login_failed")]
    assert reasons == ["account_pending", "account_pending"]
    started = browser.application.post(
        "/auth/psc/ciba", json={"ps_idnat": RADIOLOGIST_A.ps_idnat, "channel": "MOBILE"}
    )
    assert (started.status_code, started.json()["code"]) == (404, "psc_user_unknown")
    evidence.add("01", "account-pending.json", answer.text)


@pytest.mark.rem("SC.PSC.02")
def test_two_accounts_told_by_one_sign_in_wait_in_the_queue_of_the_administrator(
    asking: Site, provider: Any
) -> None:
    with asking.database.transaction() as session:
        accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
        other = accounts.grant(session, UUID_NAME, Role.RADIOLOGIST)
    merged = told(RADIOLOGIST_A, "", [("PSI", UUID_NAME)])
    for _ in range(2):
        with pytest.raises(ConflictFound) as refused, asking.database.transaction() as session:
            accounts.link(session, merged)
        asking.desk.trace_failure(refused.value, Actor(ps_idnat=RADIOLOGIST_A.ps_idnat))
    with asking.database.transaction() as session:
        queued = session.scalars(select(AccountConflict)).one()
        assert (str(other.id) in queued.accounts, queued.times) == (True, 2)
        assert ["PS_IDNAT", UUID_NAME] in queued.told
    assert [one.reason for one in asking.trace("auth.login_failed")] == ["identity_conflict"] * 2
    assert len(asking.trace("auth.identity_conflict")) == 2


def test_a_stranger_where_enrolment_is_closed_leaves_a_trace_and_no_account(site: Site) -> None:
    assert site.browser().sign_in(REQUESTER).json()["code"] == "ENROL_UNKNOWN"
    (seen,) = site.trace("auth.enrol_unknown")
    assert (seen.actor_ps_idnat, seen.outcome) == (REQUESTER.ps_idnat, "failure")
