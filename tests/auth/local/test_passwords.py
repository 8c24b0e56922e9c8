"""Changing one's own password, and what the operator may do at the console."""

import json
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from ris.auth.local import credentials
from ris.auth.local.errors import LoginInvalid, LoginTaken
from ris.auth.local.model import LocalCredential, LocalPassword
from ris.auth.model import Account
from ris.auth.rights import Role
from ris.cli import cli
from ris.core.audit import AuditEvent
from ris.core.crypto import Keyring
from ris.core.db import Database
from ris.core.errors import RisError
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import ADMINISTRATOR, RADIOLOGIST_A, TECHNOLOGIST
from tests.auth.local.conftest import GOOD, Holder
from tests.auth.office import Office

NEXT = "Autre-echelle-de-gris-7"


@pytest.mark.rem("SC.SSI/IAM.91")
@pytest.mark.rem("SC.SSI/IAM.92")
def test_every_attempt_to_change_a_password_is_traced_with_its_outcome(
    local_office: Office, keeper: Holder, evidence: Evidence
) -> None:
    keeper.settle()
    client = local_office.nobody()
    keeper.sign_in(client)
    attempts = (
        (NEXT, {"password": "Mauvais-mot-de-passe-7"}, 401, "local_refused"),
        ("Trop-court-7", {}, 422, "PASSWORD_WEAK"),
        (GOOD, {}, 422, "PASSWORD_REUSED"),
        (keeper.handed.password, {}, 422, "PASSWORD_REUSED"),
    )
    for new, changed, status, code in attempts:
        keeper.rest()
        answer = keeper.change(local_office.nobody(), new, **changed)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("/v1/session").status_code == 200
    keeper.rest()
    assert keeper.change(local_office.nobody(), NEXT).status_code == 204
    assert client.get("/v1/session").status_code == 401
    lines = local_office.trace("auth.password_changed")
    assert [(one.outcome, one.reason) for one in lines] == [
        ("success", None),
        ("failure", "password"),
        ("failure", "PASSWORD_WEAK"),
        ("failure", "PASSWORD_REUSED"),
        ("failure", "PASSWORD_REUSED"),
        ("success", None),
    ]
    assert {one.detail["login"] for one in lines} == {"helene.admin"}
    assert not [one for one in lines if NEXT in str(one.detail)]
    keeper.rest()
    assert keeper.sign_in(local_office.nobody()).json()["code"] == "local_refused"
    keeper.password = NEXT
    assert keeper.sign_in(local_office.nobody()).status_code == 204
    shown = [{"at": str(one.at), **one.detail, "outcome": one.outcome} for one in lines]
    evidence.add("01", "password-changes.json", {"attempts": shown})


def test_guessing_by_the_change_of_password_is_counted_with_the_rest(
    local_office: Office, doctor: Holder
) -> None:
    doctor.settle()
    wrong = {"password": "Mauvais-mot-de-passe-7"}
    statuses = [
        doctor.change(local_office.nobody(), NEXT, **wrong).status_code
        if number % 2
        else doctor.sign_in(local_office.nobody(), **wrong).status_code
        for number in range(6)
    ]
    assert statuses == [401] * 5 + [429]


def test_what_is_kept_of_a_password_is_a_hash(local_office: Office, doctor: Holder) -> None:
    doctor.settle()
    with local_office.database.transaction() as session:
        row = session.scalars(select(LocalCredential)).one()
        former = session.scalars(select(LocalPassword)).one()
        for kept in (row.password_hash, former.hash):
            assert kept.startswith("$argon2id$")
    assert doctor.handed.password not in repr(doctor.handed)


def test_who_may_have_a_local_access(local_office: Office) -> None:
    settings = local_office.desk.settings.local
    local_office.grant(TECHNOLOGIST, Role.AUDITOR)

    def emergency(login: str, ps_idnat: str) -> None:
        with local_office.database.transaction() as session:
            credentials.open_emergency(session, login, ps_idnat, settings=settings)

    def administration(login: str, role: Role, owner: str | None) -> None:
        with local_office.database.transaction() as session:
            credentials.open_administration(
                session, login, role, "NOMFICTIF", "ALBA", settings=settings, owner=owner
            )

    administration("alba.admin", Role.ADMIN_SECURITY, RADIOLOGIST_A.ps_idnat)
    emergency("alba.rx", RADIOLOGIST_A.ps_idnat)
    for refused, attempt in (
        ("role_separation", lambda: emergency("helene.rx", ADMINISTRATOR.ps_idnat)),
        ("role_separation", lambda: administration("un.soin", Role.RADIOLOGIST, None)),
        (
            "role_separation",  # the reviewer of the journal does not give rights too
            lambda: administration("dorian.admin", Role.ADMIN_SECURITY, TECHNOLOGIST.ps_idnat),
        ),
        ("ENROL_UNKNOWN", lambda: emergency("inconnu.rx", "899700993019")),
        (LoginTaken.code, lambda: emergency("autre.rx", RADIOLOGIST_A.ps_idnat)),
        (LoginTaken.code, lambda: administration("alba.rx", Role.ADMIN_TECH, None)),
        (LoginInvalid.code, lambda: administration("A b", Role.ADMIN_TECH, None)),
    ):
        with pytest.raises(RisError) as error:
            attempt()
        assert error.value.code == refused
    with local_office.database.transaction() as session:
        local = select(func.count()).where(Account.ps_idnat.is_(None))
        assert session.scalar(local) == 1  # a refused creation leaves no account


def test_a_renewed_access_forgets_the_former_secrets_and_a_disabled_one_is_shut(
    local_office: Office, doctor: Holder
) -> None:
    doctor.settle()
    client = local_office.nobody()
    doctor.sign_in(client)
    with local_office.database.transaction() as session:
        handed = credentials.renew(session, "ALBA.RX", settings=local_office.desk.settings.local)
    assert client.get("/v1/session").status_code == 401
    doctor.rest()
    assert doctor.sign_in(local_office.nobody()).json()["code"] == "local_refused"
    fresh = Holder.of(local_office, handed)
    assert fresh.change(local_office.nobody(), GOOD).json()["code"] == "PASSWORD_REUSED"
    fresh.rest()
    assert fresh.change(local_office.nobody(), NEXT).status_code == 204
    fresh.password = NEXT
    with local_office.database.transaction() as session:
        credentials.disable(session, "alba.rx")
    fresh.rest()
    assert fresh.sign_in(local_office.nobody()).json()["code"] == "local_refused"
    assert local_office.trace("auth.local_failed")[-1].reason == "disabled"


@pytest.mark.rem("SC.SSI/IAM.91")
def test_the_operator_opens_renews_unlocks_and_shuts_accesses_at_the_console(
    database: Database, tmp_path: Path
) -> None:
    Keyring.generate(tmp_path / "keyring.json")
    env = {
        "RIS_ENVIRONMENT": "test",
        "RIS_DATABASE_URL": database.url,
        "RIS_KEYRING": str(tmp_path / "keyring.json"),
    }
    run = CliRunner(env=env)

    def ris(*told: str) -> str:
        ended = run.invoke(cli, ["accounts", "local", *told])
        assert ended.exit_code == 0, ended.output
        return ended.output

    opened = ris("admin", "helene.admin", "ADMIN_SECURITY", "--family", "NOM", "--given", "HELENE")
    assert "RIS_AUTH__LOCAL__ADMINISTRATORS" in opened
    address = next(word for word in opened.split() if word.startswith("otpauth://"))
    assert isinstance(pyotp.parse_uri(address), pyotp.TOTP)
    assert "otpauth://" in ris("renew", "helene.admin")
    assert "débloqué" in ris("unlock", "helene.admin")
    assert "fermé" in ris("disable", "helene.admin")
    unknown = run.invoke(cli, ["accounts", "local", "disable", "personne"])
    assert isinstance(unknown.exception, RisError)
    with database.transaction() as session:
        account = session.scalars(select(Account)).one()
        lines = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.action.startswith("auth.local_"))
            .order_by(AuditEvent.seq)
        ).all()
        assert [line.action.removeprefix("auth.local_") for line in lines] == [
            "created", "renewed", "unlocked", "disabled",
        ]  # fmt: skip
        assert {(line.target_id, line.detail["login"]) for line in lines} == {
            (str(account.id), "helene.admin")
        }
        assert lines[0].detail["role"] == "ADMIN_SECURITY"


def test_half_a_character_is_no_password(local_office: Office, doctor: Holder) -> None:
    told = doctor.factors() | {"password": "\ud800", "new_password": "\udfff"}
    sent = {"content": json.dumps(told), "headers": {"Content-Type": "application/json"}}
    for path in ("/auth/local/password", "/auth/local/login"):
        answer = local_office.nobody().post(path, **sent)  # type: ignore[arg-type]
        assert answer.status_code == 422, answer.text
