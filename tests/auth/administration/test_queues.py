"""What waits for an administrator: conflicts of identifiers, alerts on accounts."""

from copy import deepcopy
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ris.auth import accounts, situations
from ris.auth.administration.model import AccountAlert
from ris.auth.enrolment.errors import ConflictFound, ProfessionLost
from ris.auth.errors import AccountSuspended, EnrolUnknown
from ris.auth.model import Account, AccountIdentifier, RisSession
from ris.auth.psc.userinfo import Identity, parse
from ris.auth.rights import Role
from ris.core.audit import Actor
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import ADMINISTRATOR, RADIOLOGIST_A, RADIOLOGIST_B, Person
from tests.auth.office import Office

UUID_NAME = "d2c6b2a4-83a1-4d4b-94e8-000000000002"
CHECKED = "Carte et Annuaire vérifiés."


@pytest.fixture
def administrator(office: Office) -> httpx.Client:
    return office.signed_in(ADMINISTRATOR)


def claims_of(person: Person, **exercise: object) -> dict[str, Any]:
    claims: dict[str, Any] = deepcopy(person.userinfo())
    claims["SubjectRefPro"]["exercices"][0].update(exercise)
    return claims


def refused(office: Office, identity: Identity) -> None:
    """Let *identity* sign in, be refused, and leave what that leaves."""
    with (
        pytest.raises((ConflictFound, ProfessionLost)) as error,
        office.database.transaction() as session,
    ):
        accounts.link(session, identity)
    office.desk.trace_failure(error.value, Actor(ps_idnat=identity.subject_name_id))


def merged() -> Identity:
    claims = claims_of(RADIOLOGIST_A)
    claims["otherIds"].append({"origine": "PSI", "identifiant": UUID_NAME})
    return parse(claims)


@pytest.fixture
def pair(office: Office) -> tuple[Account, Account]:
    """Two accounts of one person, as PSC has just said; the second one is signed in."""
    first = office.grant(RADIOLOGIST_A, Role.RADIOLOGIST)
    with office.database.transaction() as session:
        second = accounts.grant(session, UUID_NAME, Role.RADIOLOGIST)
    refused(office, merged())
    return first, second


def resolve(client: httpx.Client, keep: object, reason: str = CHECKED) -> httpx.Response:
    (conflict,) = client.get("/v1/accounts/conflicts").json()["items"]
    told = {"keep": str(keep) if keep else None, "reason": reason}
    return client.post(f"/v1/accounts/conflicts/{conflict['id']}/resolve", json=told)


@pytest.mark.rem("SC.PSC.02")
@pytest.mark.parametrize("kept", [0, 1])
def test_the_account_named_by_the_administrator_keeps_every_identifier(
    office: Office,
    administrator: httpx.Client,
    pair: tuple[Account, Account],
    kept: int,
    evidence: Evidence,
) -> None:
    keeps, goes = pair[kept], pair[1 - kept]
    done = resolve(administrator, keeps.id)
    assert (done.status_code, done.json()["kept_id"]) == (200, str(keeps.id))
    with office.database.transaction() as session:
        assert accounts.link(session, merged()).id == keeps.id
        assert session.get_one(Account, keeps.id).rpps == RADIOLOGIST_A.ps_idnat[1:]
        gone = session.get_one(Account, goes.id)
        assert (gone.status, gone.rpps) == ("CLOSED", None)
        held = select(AccountIdentifier.id).where(AccountIdentifier.account_id == goes.id)
        assert session.scalars(held).all() == []
    closed = office.trace("auth.account_closed")[0]
    assert (closed.target_id, closed.detail["merged_into"]) == (str(goes.id), str(keeps.id))
    assert office.trace("auth.conflict_resolved")[0].actor_ps_idnat == ADMINISTRATOR.ps_idnat
    assert administrator.get("/v1/accounts/conflicts").json()["items"] == []
    back = administrator.post(
        f"/v1/accounts/{goes.id}/reactivate", headers={"If-Match": f'"{gone.version}"'}
    )
    assert (back.status_code, back.json()["code"]) == (409, "ACCOUNT_MERGED")
    evidence.add("01", "conflict.json", done.text)


def test_the_sessions_of_the_account_that_goes_end(
    office: Office, administrator: httpx.Client, pair: tuple[Account, Account]
) -> None:
    first = office.signed_in(RADIOLOGIST_A)
    assert resolve(administrator, pair[1].id).status_code == 200
    assert first.get("/v1/session").status_code == 401
    with office.database.transaction() as session:
        ended = select(RisSession).where(RisSession.account_id == pair[0].id)
        row = session.scalars(ended).one()
        assert (row.close_reason, row.id_token_sealed) == ("revoked", None)
    with office.database.transaction() as session, pytest.raises(AccountSuspended):
        accounts.usable(session, pair[0].id)


def test_a_conflict_is_settled_once_by_one_of_its_accounts_or_left_as_it_is(
    office: Office, administrator: httpx.Client, pair: tuple[Account, Account]
) -> None:
    stranger = office.account(ADMINISTRATOR)
    wrong = resolve(administrator, stranger.id)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "ACCOUNT_NOT_IN_CONFLICT")
    assert resolve(administrator, None, reason="").status_code == 422
    (conflict,) = administrator.get("/v1/accounts/conflicts").json()["items"]
    assert resolve(administrator, None).json()["kept_id"] is None
    address = f"/v1/accounts/conflicts/{conflict['id']}/resolve"
    again = administrator.post(address, json={"keep": str(pair[0].id), "reason": CHECKED})
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_SETTLED")
    everything = administrator.get("/v1/accounts/conflicts", params={"open": False}).json()
    assert [one["reason"] for one in everything["items"]] == [CHECKED]
    refused(office, merged())
    assert len(administrator.get("/v1/accounts/conflicts").json()["items"]) == 1


@pytest.mark.rem("SC.PSC.02")
def test_an_rpps_replaced_by_another_is_believed_only_when_a_person_says_so(
    office: Office, administrator: httpx.Client
) -> None:
    with office.database.transaction() as session:
        kept = accounts.grant(session, UUID_NAME, Role.RADIOLOGIST)
        accounts.link(session, parse(RADIOLOGIST_A.userinfo() | {"SubjectNameID": UUID_NAME}))
    renumbered = parse(RADIOLOGIST_B.userinfo() | {"SubjectNameID": UUID_NAME})
    refused(office, renumbered)
    assert resolve(administrator, kept.id).status_code == 200
    with office.database.transaction() as session:
        assert accounts.link(session, renumbered).rpps == RADIOLOGIST_B.ps_idnat[1:]
        assert accounts.link(session, parse(RADIOLOGIST_A.userinfo())).id == kept.id


def sign_in(office: Office, identity: Identity) -> None:
    with office.database.transaction() as session:
        account = accounts.link(session, identity)
        situations.refresh(session, account, identity)


def open_alerts(office: Office) -> list[str]:
    with office.database.transaction() as session:
        query = select(AccountAlert.kind).where(AccountAlert.acknowledged_at.is_(None))
        return sorted(session.scalars(query))


def test_the_loss_of_every_workplace_is_an_alert_until_somebody_has_seen_it(
    office: Office, administrator: httpx.Client
) -> None:
    office.grant(RADIOLOGIST_A, Role.RADIOLOGIST)
    sign_in(office, parse(claims_of(RADIOLOGIST_A)))
    assert open_alerts(office) == []
    sign_in(office, parse(claims_of(RADIOLOGIST_A, activities=[])))
    (alert,) = administrator.get("/v1/accounts/alerts").json()["items"]
    assert alert["kind"] == "NO_ACTIVITY"
    detail = administrator.get(f"/v1/accounts/{alert['account_id']}").json()
    assert [one["kind"] for one in detail["alerts"]] == ["NO_ACTIVITY"]
    address = f"/v1/accounts/alerts/{alert['id']}/acknowledge"
    assert administrator.post(address).json()["acknowledged_at"] is not None
    assert administrator.get("/v1/accounts/alerts").json()["items"] == []
    assert administrator.post(address).json()["code"] == "ALREADY_SETTLED"
    assert office.trace("auth.alert_acknowledged")[0].detail["kind"] == "NO_ACTIVITY"


def test_a_physician_told_as_a_student_is_refused_and_the_administrator_is_told_once(
    office: Office,
) -> None:
    office.grant(RADIOLOGIST_A, Role.RADIOLOGIST)
    sign_in(office, parse(claims_of(RADIOLOGIST_A)))
    for _ in range(2):
        refused(office, parse(claims_of(RADIOLOGIST_A, codeCategorieProfessionnelle="E")))
    assert open_alerts(office) == ["BECAME_STUDENT", "ROLE_REFUSED"]


def test_another_profession_is_an_alert_and_a_stranger_raises_none(office: Office) -> None:
    office.grant(RADIOLOGIST_A, Role.SECRETARY)
    sign_in(office, parse(claims_of(RADIOLOGIST_A)))
    sign_in(office, parse(claims_of(RADIOLOGIST_A, codeProfession="60")))
    assert open_alerts(office) == ["PROFESSION_CHANGED"]
    with office.database.transaction() as session, pytest.raises(EnrolUnknown):
        accounts.link(session, parse(RADIOLOGIST_B.userinfo()))
