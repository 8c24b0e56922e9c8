"""Local sign-in over HTTP: two factors, a short and flagged session, and what attackers meet."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ris.auth.administration.model import AccountAlert
from ris.auth.local import credentials, guard, passwords
from ris.auth.local.desk import Factors, LocalDesk
from ris.auth.local.errors import LocalLocked, LocalRefused
from ris.auth.local.model import LocalCredential, LocalGuard
from ris.auth.local.settings import LocalSettings
from ris.auth.model import RisSession
from ris.auth.settings import AuthSettings
from ris.auth.upkeep import sweep
from ris.core import clock, resealing
from ris.core.audit import Actor
from ris.core.crypto import Keyring, Sealer
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.auth.local.conftest import GOOD, Holder
from tests.auth.office import MakeOffice, Office

WRONG = "Mauvais-mot-de-passe-7"


def reasons(office: Office, action: str = "auth.local_failed") -> list[str | None]:
    return [one.reason for one in office.trace(action)]


@pytest.mark.rem("SC.SSI/IE.36")
def test_an_emergency_session_is_short_flagged_and_reaches_nothing_outside(
    local_office: Office, doctor: Holder, evidence: Evidence
) -> None:
    doctor.settle()
    client = local_office.nobody()
    assert doctor.sign_in(client).status_code == 204
    me = client.get("/v1/session").json()
    assert (me["role"], me["emergency"], me["auth_method"]) == (
        "RADIOLOGIST", True, "LOCAL_EMERGENCY",
    )  # fmt: skip
    assert "Accès de secours" in me["banner"]
    assert me["psc_state"] == "EXPIRED"
    rights = set(me["permissions"])
    assert {"patient.read", "report.draft", "exam.write"} <= rights
    assert not rights & {"report.sign", "report.amend", "insi.call", "dmp.control", "mss.send"}
    assert "delegation.grant" not in rights  # nor lets somebody else send in his name
    headers = {"X-CSRF-Token": me["csrf_token"]}
    direct = client.post("/v1/session/psc", headers=headers)
    assert (direct.status_code, direct.json()["code"]) == (401, "psc_reauth_required")
    (line,) = local_office.trace("auth.local_login")
    assert (line.auth_method, line.detail["login"]) == ("LOCAL_EMERGENCY", "alba.rx")
    assert line.actor_ps_idnat == RADIOLOGIST_A.ps_idnat
    assert local_office.trace("auth.login_success")[-1].auth_method == "LOCAL_EMERGENCY"
    with local_office.database.transaction() as session:
        assert session.scalars(select(AccountAlert.kind)).all() == ["EMERGENCY_ACCESS"]
    evidence.add("01", "emergency-session.json", client.get("/v1/session").text)


@pytest.mark.rem("SC.SSI/IE.36")
def test_a_local_session_ends_by_itself_before_the_others(
    local_office: Office, doctor: Holder
) -> None:
    doctor.settle()
    client = local_office.nobody()
    doctor.sign_in(client)
    ordinary = local_office.signed_in(RADIOLOGIST_A)
    settings = local_office.desk.settings
    past = timedelta(seconds=settings.local.absolute_s + 5)
    local_office.change("update ris_session set created_at = :at", at=clock.now() - past)
    with local_office.database.transaction() as session:
        assert sweep(session, settings) == 1
        closed = select(RisSession.method).where(RisSession.closed_at.is_not(None))
        assert session.scalars(closed).all() == ["LOCAL_EMERGENCY"]
    assert client.get("/v1/session").json()["code"] == "session_expired"
    assert ordinary.get("/v1/session").status_code == 200


@pytest.mark.rem("SC.SSI/IAM.92")
@pytest.mark.rem("SC.SSI/GEN.16")
def test_a_local_administration_account_administers_and_sees_no_patient(
    local_office: Office, keeper: Holder, evidence: Evidence
) -> None:
    keeper.settle()
    client = local_office.nobody()
    keeper.sign_in(client)
    me = client.get("/v1/session").json()
    assert (me["ps_idnat"], me["role"], me["emergency"]) == (None, "ADMIN_SECURITY", False)
    assert set(me["permissions"]) == {
        "account.admin", "account.read", "rem.read", "session.own",
    }  # fmt: skip
    wanted = {"ps_idnat": "500000000993014/CPET00042", "role": "SECRETARY"}
    headers = {"X-CSRF-Token": me["csrf_token"]}
    assert client.post("/v1/accounts", json=wanted, headers=headers).status_code == 201
    line = local_office.trace("auth.role_grant")[-1]
    assert (line.auth_method, str(line.actor_id)) == ("LOCAL_ADMIN", me["account_id"])
    local_office.change("update ris_session set auth_time = now() - interval '31 minutes'")
    stale = client.post("/v1/accounts", json=wanted, headers=headers)
    assert stale.json()["login"] == "/auth/local/login"
    evidence.add("01", "administration-session.json", client.get("/v1/session").text)


def test_an_initial_password_opens_nothing_until_it_is_changed(
    local_office: Office, doctor: Holder
) -> None:
    client = local_office.nobody()
    refused = doctor.sign_in(client)
    assert (refused.status_code, refused.json()["code"]) == (403, "local_password_expired")
    assert client.get("/v1/session").status_code == 401
    doctor.rest()
    doctor.settle()
    assert doctor.sign_in(client).status_code == 204


def test_an_initial_password_left_too_long_gives_nothing_any_more(
    local_office: Office, doctor: Holder
) -> None:
    local_office.change("update local_credential set password_expires_at = now()")
    for answer in (
        doctor.sign_in(local_office.nobody()),
        doctor.change(local_office.nobody(), GOOD),
    ):
        assert answer.json()["code"] == "local_refused"
    assert reasons(local_office) == ["initial_expired"]


@pytest.mark.rem("SC.SSI/IAM.92")
def test_a_password_of_a_year_ago_must_be_changed_and_still_can_be(
    local_office: Office, keeper: Holder
) -> None:
    keeper.settle()
    with local_office.database.transaction() as session:
        row = session.scalars(select(LocalCredential)).one()
        assert row.password_expires_at - row.password_set_at == timedelta(days=365)
    local_office.change("update local_credential set password_expires_at = now()")
    refused = keeper.sign_in(local_office.nobody())
    assert (refused.status_code, refused.json()["code"]) == (403, "local_password_expired")
    keeper.rest()
    keeper.password = GOOD
    assert keeper.change(local_office.nobody(), "Autre-echelle-de-gris-7").status_code == 204


def test_a_code_serves_once_even_for_two_at_the_same_instant(
    local_office: Office, doctor: Holder
) -> None:
    doctor.settle()
    code, gate = doctor.code(), Barrier(4)
    clients = [local_office.nobody() for _ in range(4)]

    def sign_in(client: httpx.Client) -> int:
        gate.wait()
        return doctor.sign_in(client, code=code).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(sign_in, clients)) == [204, 401, 401, 401]
    assert set(reasons(local_office)) == {"replayed"}


@pytest.mark.rem("SC.SSI/IE.36")
def test_nothing_tells_an_unknown_login_from_a_wrong_password_or_code(
    local_office: Office, doctor: Holder, keeper: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor.settle()
    judged: list[bool] = []

    def matches(kept: str | None, password: str) -> bool:
        judged.append(kept is not None)
        return real(kept, password)

    real: Callable[[str | None, str], bool] = passwords.matches
    monkeypatch.setattr(passwords, "matches", matches)
    client = local_office.nobody()
    tries = (
        {"login": "personne.ici"},
        {"password": WRONG},
        {"code": "000000"},
        {"login": keeper.handed.login},
    )
    answers = [doctor.sign_in(client, **told) for told in tries]
    assert {one.status_code for one in answers} == {401}
    told_back = [one.json() | {"instance": ""} for one in answers]
    assert all(one == told_back[0] for one in told_back)
    assert judged == [False, True, True, True]  # the slow comparison is made for a stranger too
    assert reasons(local_office) == ["unknown", "password", "code", "password"]
    after = [
        [doctor.sign_in(client, login=login, password=WRONG).status_code for _ in range(6)]
        for login in ("personne.la", "helene.admin")
    ]
    assert after == [[401] * 5 + [429], [401] * 4 + [429] * 2]  # one was tried already above


def test_what_was_typed_as_a_login_is_traced_unless_it_may_be_a_password(
    local_office: Office, doctor: Holder
) -> None:
    doctor.settle()
    for typed in ("personne.ici", "Echelle-de-gris-77", "ALBA.RX"):
        doctor.sign_in(local_office.nobody(), login=typed, password=WRONG)
    typed = [one.detail["login"] for one in local_office.trace("auth.local_failed")]
    assert typed == ["personne.ici", None, "alba.rx"]


@pytest.mark.rem("SC.SSI/IE.36")
@pytest.mark.rem("SC.SSI/IAM.92")
@pytest.mark.parametrize("login", ["alba.rx", "personne.ici"])
def test_fifty_wrong_tries_at_once_are_judged_five_times_and_lock(
    local_office: Office, doctor: Holder, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []

    def matches(kept: str | None, password: str) -> bool:
        judged.append(password)
        return False

    monkeypatch.setattr(passwords, "matches", matches)
    gate, code = Barrier(50), doctor.code()

    def attempt(number: int) -> type[Exception]:
        origin = Actor(origin_ip=f"192.0.2.{number}")
        told = Factors(login, f"{WRONG}{number}", code)
        gate.wait()
        with pytest.raises((LocalRefused, LocalLocked)) as refused:
            LocalDesk(local_office.desk).sign_in(told, former="", origin=origin)
        return refused.type

    with ThreadPoolExecutor(50) as pool:
        ended = list(pool.map(attempt, range(50)))
    assert (ended.count(LocalRefused), ended.count(LocalLocked), len(judged)) == (5, 45, 5)
    assert len(local_office.trace("auth.local_locked")) == 1


@pytest.mark.rem("SC.SSI/IE.36")
def test_a_locked_login_stays_locked_after_a_restart_and_its_wait_grows(
    local_office: Office, make_office: MakeOffice, doctor: Holder
) -> None:
    doctor.settle()
    settings, login = local_office.desk.settings.local, "alba.rx"
    begun = clock.now()
    with local_office.database.transaction() as session:
        for _ in range(5):
            assert isinstance(guard.take(session, login, "a", settings, begun), guard.Taken)
    other = make_office(local_office.desk.settings)  # as another process, or the next one
    answer = doctor.sign_in(other.nobody())
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    with local_office.database.transaction() as session:
        once = guard.take(session, login, "a", settings, begun + timedelta(seconds=61))
        assert once == guard.Taken(locks=True)
        again = guard.take(session, login, "a", settings, begun + timedelta(seconds=62))
        assert isinstance(again, guard.Refused)
        assert again.retry_at == begun + timedelta(seconds=61 + 120)
    local_office.change("update local_guard set locked_until = now()")
    assert doctor.sign_in(other.nobody()).status_code == 204
    with local_office.database.transaction() as session:
        kept = session.scalars(select(LocalGuard.tries).where(LocalGuard.tries == 6)).all()
        assert kept == []  # both factors were right: the failures are forgotten


def test_an_address_that_tries_many_logins_is_stopped_too(
    make_office: MakeOffice, local_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "matches", lambda *_: False)
    few = LocalSettings(mode="emergency", per_origin=3)
    site = make_office(AuthSettings(cookie_secure=False, local=few))
    client = site.nobody()
    told = {"password": WRONG, "code": "123456"}
    statuses = [
        client.post("/auth/local/login", json=told | {"login": f"login.{number}"}).status_code
        for number in range(6)
    ]
    assert statuses == [401] * 3 + [429] * 3
    assert reasons(local_office) == ["unknown"] * 3 + ["address"]


def test_the_addresses_of_one_subnet_are_one_address(local_office: Office) -> None:
    few, now = LocalSettings(mode="emergency", per_origin=3), clock.now()
    with local_office.database.transaction() as session:
        taken = [
            guard.take(session, f"login.{n}", f"2001:db8:1:1::{n}", few, now) for n in range(5)
        ]
        other = guard.take(session, "login.9", "2001:db8:1:2::1", few, now)
    assert [isinstance(one, guard.Taken) for one in taken] == [True] * 3 + [False] * 2
    assert isinstance(other, guard.Taken)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (LocalSettings(administrators=True), ["disabled"]),
        (LocalSettings(), []),
    ],
)
def test_each_use_is_opened_by_its_own_setting(
    make_office: MakeOffice, doctor: Holder, settings: LocalSettings, reason: list[str]
) -> None:
    doctor.settle()
    site = make_office(AuthSettings(cookie_secure=False, local=settings))
    answer = doctor.sign_in(site.nobody())
    assert answer.status_code == (401 if settings.on else 503)
    assert reasons(site) == reason


@pytest.mark.parametrize("act", ["disable", "change"])
def test_an_access_shut_between_the_proof_and_the_session_opens_nothing(
    local_office: Office, doctor: Holder, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    doctor.settle()
    settings = local_office.desk.settings.local
    proved = LocalDesk._prove

    def then_shut(desk: LocalDesk, *told: Any) -> Any:
        found = proved(desk, *told)
        with local_office.database.transaction() as session:
            if act == "disable":
                credentials.disable(session, "alba.rx")
            else:
                row = credentials.found(session, "alba.rx")
                credentials.replace_password(session, row, "$argon2id$another", settings)
        return found

    monkeypatch.setattr(LocalDesk, "_prove", then_shut)
    client = local_office.nobody()
    answer = doctor.sign_in(client)
    assert (answer.status_code, answer.json()["code"]) == (401, "local_refused")
    assert client.get("/v1/session").status_code == 401
    assert reasons(local_office) == ["disabled" if act == "disable" else "password"]


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED", "PENDING"])
def test_an_account_taken_away_does_not_enter_by_this_door(
    local_office: Office, doctor: Holder, status: str
) -> None:
    doctor.settle()
    client = local_office.nobody()
    doctor.sign_in(client)
    local_office.change(f"update account set status = '{status}' where rpps = '99700993001'")
    assert client.get("/v1/session").status_code == 401
    doctor.rest()
    again = doctor.sign_in(local_office.nobody())
    assert (again.status_code, again.json()["code"]) == (
        403, "account_pending" if status == "PENDING" else "account_suspended",
    )  # fmt: skip


def test_a_page_of_another_site_cannot_try(local_office: Office, doctor: Holder) -> None:
    foreign = {"Origin": "https://ailleurs.example"}
    for path in ("login", "password"):
        answer = local_office.nobody().post(
            f"/auth/local/{path}", json=doctor.factors() | {"new_password": GOOD}, headers=foreign
        )
        assert answer.json()["code"] == "csrf_refused"


def test_the_second_factor_is_sealed_and_its_key_is_turned(
    local_office: Office, doctor: Holder, tmp_path: object
) -> None:
    doctor.settle()
    place = next(one for one in resealing.places() if one.table == "local_credential")
    assert place.column == "totp_sealed"
    keyring = local_office.desk.sealer._keyring
    assert isinstance(keyring, Keyring)
    path = keyring._path
    assert path is not None
    former = local_office.desk.sealer.seal(b"", b"")
    turned = keyring.rotate(path)
    with local_office.database.transaction() as session:
        blob = session.scalars(select(place.rows().c.totp_sealed)).one()
    assert doctor.phone.byte_secret() not in blob
    assert former[6:8] == blob[6:8] == b"k1"
    done, lost = resealing.rewrap(local_office.database, Sealer(turned), turned.current)
    assert (done >= 1, lost) == (True, 0)
    with local_office.database.transaction() as session:
        assert session.scalars(select(place.rows().c.totp_sealed)).one()[6:8] == b"k2"
    assert doctor.sign_in(local_office.nobody()).status_code == 204
