"""Administrators at work: accounts listed, opened, suspended, closed; themselves never."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest
from sqlalchemy import select

from ris.auth import accounts
from ris.auth.administration import service
from ris.auth.administration.errors import LastAdministrator, OwnAccount, RoleSeparation
from ris.auth.administration.states import Act
from ris.auth.enrolment import aftermath
from ris.auth.enrolment.errors import AccountPending
from ris.auth.enrolment.policy import Enrolment
from ris.auth.errors import AccountSuspended
from ris.auth.model import Account, RisSession
from ris.auth.psc.userinfo import parse
from ris.auth.rights import Role
from ris.core.audit import Actor
from ris.core.errors import RisError
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import (
    ADMINISTRATOR,
    IDENTITY_OFFICER,
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    SECRETARY,
    TECHNOLOGIST,
    Person,
)
from tests.auth.office import Office

LEFT = {"reason": "DEPARTURE"}


@pytest.fixture
def administrator(office: Office) -> httpx.Client:
    return office.signed_in(ADMINISTRATOR)


def act(
    client: httpx.Client, account: Account, what: str, body: object = None, **headers: str
) -> httpx.Response:
    sent = {"If-Match": f'"{account.version}"'} | headers
    return client.post(f"/v1/accounts/{account.id}/{what}", json=body, headers=sent)


def asks(office: Office, person: Person) -> Account:
    """The account that a stranger asked for."""
    with pytest.raises(AccountPending) as refused, office.database.transaction() as session:
        accounts.link(session, parse(person.userinfo()), Enrolment.REQUEST)
    with office.database.transaction() as session:
        aftermath.note(session, refused.value, Actor(ps_idnat=person.ps_idnat))
    return office.account(person)


@pytest.mark.rem("SC.SSI/IAM.91")
@pytest.mark.rem("SC.SSI/IE.33")
def test_an_account_lives_from_request_to_close(
    office: Office, administrator: httpx.Client, evidence: Evidence
) -> None:
    asked = asks(office, RADIOLOGIST_A)
    (waiting,) = administrator.get("/v1/accounts", params={"status": "PENDING"}).json()["items"]
    assert (waiting["id"], waiting["role"]) == (str(asked.id), None)
    read = administrator.get(f"/v1/accounts/{asked.id}")
    detail = read.json()
    assert read.headers["etag"] == '"1"'
    assert (detail["proposed_role"], detail["rpps"]) == ("RADIOLOGIST", "99700993001")
    assert [one["profession"] for one in detail["situations"]] == ["10"]
    assert {one["system"] for one in detail["identifiers"]} == {"RPPS", "PS_IDNAT"}
    opened = act(administrator, asked, "activate", {"role": "RADIOLOGIST"})
    assert (opened.status_code, opened.json()["status"]) == (200, "ACTIVE")
    doctor = office.signed_in(RADIOLOGIST_A)
    assert doctor.get("/v1/session").status_code == 200
    stale = act(administrator, asked, "suspend", LEFT)
    assert (stale.status_code, stale.json()["code"]) == (412, "STALE")
    assert act(administrator, asked, "suspend", LEFT, **{"If-Match": ""}).status_code == 428
    suspended = act(administrator, office.account(RADIOLOGIST_A), "suspend", LEFT)
    assert suspended.json()["status"] == "SUSPENDED"
    assert doctor.get("/v1/session").json()["code"] == "session_expired"
    back = act(administrator, office.account(RADIOLOGIST_A), "reactivate")
    assert (back.json()["status"], back.json()["role"]) == ("ACTIVE", "RADIOLOGIST")
    assert doctor.get("/v1/session").status_code == 401
    closed = act(administrator, office.account(RADIOLOGIST_A), "close", LEFT)
    assert closed.json()["status"] == "CLOSED"
    again = act(administrator, office.account(RADIOLOGIST_A), "suspend", LEFT)
    assert (again.status_code, again.json()["code"]) == (409, "ACCOUNT_STATUS")
    with office.database.transaction() as session, pytest.raises(AccountSuspended):
        accounts.link(session, parse(RADIOLOGIST_A.userinfo()))
    lines = [
        office.trace(f"auth.account_{one}")[0]
        for one in ("activated", "suspended", "reactivated", "closed")
    ]
    assert {line.target_id for line in lines} == {str(asked.id)}
    assert {line.actor_ps_idnat for line in lines} == {ADMINISTRATOR.ps_idnat}
    assert lines[1].detail == {"reason": "DEPARTURE", "sessions": 1}
    evidence.add("01", "account.json", read.text)


def test_a_session_waiting_for_its_application_ends_with_the_account(
    office: Office, administrator: httpx.Client
) -> None:
    office.grant(RADIOLOGIST_A, Role.RADIOLOGIST)
    office.session_of(RADIOLOGIST_A)
    office.change("update ris_session set native_challenge = 'x' where psc_sub like '%993001'")
    assert act(administrator, office.account(RADIOLOGIST_A), "suspend", LEFT).status_code == 200
    mine = office.account(RADIOLOGIST_A).id
    with office.database.transaction() as session:
        row = session.scalars(select(RisSession).where(RisSession.account_id == mine)).one()
        assert (row.close_reason, row.id_token_sealed) == ("revoked", None)


def test_lists_are_cut_in_pages_and_filtered(office: Office, administrator: httpx.Client) -> None:
    for person, role in ((RADIOLOGIST_A, Role.RADIOLOGIST), (SECRETARY, Role.SECRETARY)):
        office.grant(person, role)
    first = administrator.get("/v1/accounts", params={"limit": 2})
    assert 'rel="next"' in first.headers["link"]
    second = administrator.get("/v1/accounts", params={"limit": 2, "after": first.json()["next"]})
    seen = [one["role"] for page in (first, second) for one in page.json()["items"]]
    assert seen == ["ADMIN_SECURITY", "RADIOLOGIST", "SECRETARY"]
    assert second.json()["next"] is None
    only = administrator.get("/v1/accounts", params={"role": "SECRETARY"}).json()["items"]
    assert [one["ps_idnat"] for one in only] == [SECRETARY.ps_idnat]
    assert administrator.get("/v1/accounts", params={"after": "x"}).status_code == 422


def test_nobody_but_an_administrator_changes_an_account(office: Office) -> None:
    office.grant(RADIOLOGIST_A, Role.RADIOLOGIST)
    office.grant(SECRETARY, Role.SECRETARY)
    office.grant(TECHNOLOGIST, Role.AUDITOR)
    target, auditor = office.account(SECRETARY), office.signed_in(TECHNOLOGIST)
    doctor = office.signed_in(RADIOLOGIST_A)
    for client in (doctor, auditor):
        refused = act(client, target, "suspend", LEFT)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_denied")
    assert doctor.get("/v1/accounts").status_code == 403
    assert auditor.get(f"/v1/accounts/{target.id}").status_code == 200


def test_an_old_sign_in_changes_nothing(office: Office, administrator: httpx.Client) -> None:
    office.grant(SECRETARY, Role.SECRETARY)
    office.change("update ris_session set auth_time = now() - interval '2 hours'")
    refused = act(administrator, office.account(SECRETARY), "suspend", LEFT)
    assert (refused.status_code, refused.json()["code"]) == (401, "psc_step_up_required")
    assert administrator.get("/v1/accounts").status_code == 200


@pytest.mark.parametrize("what", ["suspend", "close"])
def test_an_administrator_never_acts_on_himself(
    office: Office, administrator: httpx.Client, what: str
) -> None:
    office.grant(IDENTITY_OFFICER, Role.ADMIN_SECURITY)
    refused = act(administrator, office.account(ADMINISTRATOR), what, LEFT)
    assert (refused.status_code, refused.json()["code"]) == (403, "role_denied")
    own = {"ps_idnat": ADMINISTRATOR.ps_idnat, "role": "SECRETARY", "convert": True}
    assert administrator.post("/v1/accounts", json=own).status_code == 403
    assert office.account(ADMINISTRATOR).status == "ACTIVE"


def test_the_console_does_not_take_the_last_administrator_away(office: Office) -> None:
    with pytest.raises(LastAdministrator), office.database.transaction() as session:
        accounts.grant(session, ADMINISTRATOR.ps_idnat, Role.SECRETARY, convert=True)
    only = office.account(ADMINISTRATOR)
    for ending in (Act.SUSPEND, Act.CLOSE):
        with pytest.raises(LastAdministrator), office.database.transaction() as session:
            service.change(session, only.id, ending, if_match='"1"', actor=Actor())


def test_two_administrators_who_suspend_each_other_leave_one(office: Office) -> None:
    office.grant(IDENTITY_OFFICER, Role.ADMIN_SECURITY)
    pair = (office.account(ADMINISTRATOR), office.account(IDENTITY_OFFICER))
    gate = Barrier(2)

    def suspend(mine: Account, other: Account) -> str:
        gate.wait()
        try:
            with office.database.transaction() as session:
                service.change(
                    session, other.id, Act.SUSPEND, if_match='"1"', actor=Actor(account_id=mine.id)
                )
        except RisError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        ended = sorted(pool.map(suspend, pair, reversed(pair)))
    assert ended == ["account_suspended", "done"]


@pytest.fixture
def second_account(office: Office) -> Account:
    """The physician's second account, of administration."""
    doctor = office.grant(RADIOLOGIST_A, Role.RADIOLOGIST)
    with office.database.transaction() as session:
        own = Account(role=Role.ADMIN_SECURITY, family="A", given="B", owner_id=doctor.id)
        session.add(own)
    return own


@pytest.mark.rem("SC.SSI/IAM.92")
@pytest.mark.rem("SC.SSI/GEN.16")
def test_the_second_account_of_a_person_acts_on_none_of_his(
    office: Office, second_account: Account
) -> None:
    actor, doctor = Actor(account_id=second_account.id), office.account(RADIOLOGIST_A)
    with pytest.raises(OwnAccount), office.database.transaction() as session:
        accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.NUCLEAR_PHYSICIAN, actor=actor)
    with pytest.raises(OwnAccount), office.database.transaction() as session:
        service.change(session, doctor.id, Act.SUSPEND, if_match='"1"', actor=actor)
    with pytest.raises(RoleSeparation), office.database.transaction() as session:
        accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.AUDITOR, convert=True)


@pytest.mark.rem("SC.SSI/IAM.92")
@pytest.mark.rem("SC.SSI/GEN.16")
def test_a_care_account_becomes_one_of_administration_only_when_asked_in_so_many_words(
    office: Office, administrator: httpx.Client, evidence: Evidence
) -> None:
    office.grant(SECRETARY, Role.SECRETARY)
    secretary = office.signed_in(SECRETARY)
    wanted = {"ps_idnat": SECRETARY.ps_idnat, "role": "ADMIN_TECH"}
    refused = administrator.post("/v1/accounts", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "role_separation")
    assert secretary.get("/v1/session").json()["role"] == "SECRETARY"
    done = administrator.post("/v1/accounts", json=wanted | {"convert": True})
    assert (done.status_code, done.json()["role"]) == (201, "ADMIN_TECH")
    assert secretary.get("/v1/session").status_code == 401
    line = office.trace("auth.role_grant")[-1]
    assert (line.detail["converted"], line.detail["former"], line.detail["sessions"]) == (
        True, "SECRETARY", 1,
    )  # fmt: skip
    evidence.add("01", "refused.json", refused.text)


def test_a_closed_account_is_not_granted_a_role_behind_the_back(office: Office) -> None:
    office.grant(RADIOLOGIST_B, Role.RADIOLOGIST)
    office.change("update account set status = 'CLOSED' where rpps = '99700993019'")
    with pytest.raises(RisError) as refused:
        office.grant(RADIOLOGIST_B, Role.RADIOLOGIST)
    assert refused.value.code == "ACCOUNT_STATUS"
