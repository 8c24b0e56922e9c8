"""Granting roles, linking PSC identities to accounts, and turning a situation into an author."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from ris.auth import accounts, situations, structures
from ris.auth.errors import (
    AccountSuspended,
    EnrolUnknown,
    IdentityConflict,
    RoleDenied,
    StructureUnusable,
)
from ris.auth.model import AccountIdentifier, AccountStatus
from ris.auth.psc.userinfo import parse
from ris.auth.rights import Role
from ris.cli import cli
from ris.core.audit import Actor, AuditEvent
from ris.core.crypto import Keyring
from ris.core.db import Database
from ris.core.errors import Forbidden, Invalid, NotFound
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import (
    ADMINISTRATOR,
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    RADIOLOGIST_TWO_SITES,
    SECRETARY,
    TECHNOLOGIST,
)

UUID_NAME = "d2c6b2a4-83a1-4d4b-94e8-000000000000"


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 02.01")
@pytest.mark.rem("SC.PSC.02")
def test_the_same_rpps_under_another_name_id_is_the_same_account(
    session: Session, evidence: Evidence
) -> None:
    granted = accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    claims = RADIOLOGIST_A.userinfo() | {"SubjectNameID": UUID_NAME}
    assert accounts.link(session, parse(claims)).id == granted.id
    alone = claims | {"otherIds": []}
    assert accounts.link(session, parse(alone)).id == granted.id
    known = session.execute(
        select(AccountIdentifier.system, AccountIdentifier.value).where(
            AccountIdentifier.account_id == granted.id
        )
    )
    evidence.add("01", "identifiers.json", {"identifiers": [list(row) for row in known]})


@pytest.mark.rem("RIS.PSC.01", scenario="PSC 02.01")
@pytest.mark.rem("SC.PSC.02")
def test_identifiers_of_two_accounts_are_a_conflict(session: Session) -> None:
    accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    accounts.grant(session, RADIOLOGIST_B.ps_idnat, Role.RADIOLOGIST)
    claims = RADIOLOGIST_A.userinfo()
    claims["otherIds"].append({"identifiant": RADIOLOGIST_B.ps_idnat, "origine": "RPPS"})
    with pytest.raises(IdentityConflict):
        accounts.link(session, parse(claims))


def test_nobody_is_enrolled_by_signing_in(session: Session) -> None:
    with pytest.raises(EnrolUnknown):
        accounts.link(session, parse(RADIOLOGIST_A.userinfo()))


def test_a_suspended_account_does_not_sign_in(session: Session) -> None:
    account = accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    account.status = AccountStatus.SUSPENDED
    with pytest.raises(AccountSuspended):
        accounts.link(session, parse(RADIOLOGIST_A.userinfo()))


def test_a_technologist_granted_a_physician_role_is_refused(session: Session) -> None:
    accounts.grant(session, TECHNOLOGIST.ps_idnat, Role.RADIOLOGIST)
    with pytest.raises(RoleDenied):
        accounts.link(session, parse(TECHNOLOGIST.userinfo()))


def test_an_administrator_does_not_grant_to_himself(session: Session) -> None:
    administrator = accounts.grant(session, ADMINISTRATOR.ps_idnat, Role.ADMIN_SECURITY)
    actor = Actor(account_id=administrator.id)
    with pytest.raises(Forbidden):
        accounts.grant(session, ADMINISTRATOR.ps_idnat, Role.RADIOLOGIST, actor=actor)


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_two_associates_of_one_scm_are_authors_of_their_own_cabinets(session: Session) -> None:
    for person in (RADIOLOGIST_A, RADIOLOGIST_B):
        account = accounts.grant(session, person.ps_idnat, Role.RADIOLOGIST)
        listed = situations.refresh(session, account, parse(person.userinfo()))
        author = situations.professional_of(session, account.id, listed[0].id)
        assert author.structure is not None
        assert author.structure.struct_idnat == person.workplaces[0].struct_idnat
        assert (author.ps_idnat, author.specialty) == (person.ps_idnat, "SM44")


def test_an_scm_never_stands_behind_an_act(session: Session) -> None:
    structures.declare(session, "300000000993014", "SCM IMAGERIE INVENTEE", is_scm=True)
    account = accounts.grant(session, TECHNOLOGIST.ps_idnat, Role.TECHNOLOGIST)
    listed = situations.refresh(session, account, parse(TECHNOLOGIST.userinfo()))
    with pytest.raises(StructureUnusable):
        situations.professional_of(session, account.id, listed[0].id)
    with pytest.raises(Invalid):
        structures.declare(session, "300000000993015", "CLE FAUSSE")
    with pytest.raises(Invalid):
        structures.declare(session, "300000000993014", " ")


def test_an_operator_declares_the_scm_of_the_site_and_may_correct_it(
    database: Database, tmp_path: Path
) -> None:
    scm = "300000000993014"
    env = {
        "RIS_ENVIRONMENT": "test",
        "RIS_DATABASE_URL": database.url,
        "RIS_KEYRING": str(tmp_path / "keyring.json"),
    }
    Keyring.generate(tmp_path / "keyring.json")
    run = CliRunner(env=env)
    declared = run.invoke(cli, ["structures", "declare", scm, "SCM IMAGERIE INVENTEE", "--scm"])
    assert (declared.exit_code, declared.output) == (0, f"Structure {scm} déclarée comme SCM.\n")
    with database.transaction() as session, pytest.raises(StructureUnusable):
        structures.require_acting(session, scm)
    corrected = run.invoke(cli, ["structures", "declare", scm, "CABINET INVENTE"])
    assert (corrected.exit_code, corrected.output) == (0, f"Structure {scm} déclarée.\n")
    with database.transaction() as session:
        structures.require_acting(session, scm)
        query = select(AuditEvent).where(AuditEvent.action == "auth.structure_declare")
        lines = session.scalars(query.order_by(AuditEvent.seq))
        assert [line.detail["scm"] for line in lines] == [True, False]
    refused = run.invoke(cli, ["structures", "declare", "300000000993015", "CLE FAUSSE"])
    assert isinstance(refused.exception, Invalid)


def test_an_operator_attaches_people_to_practices_and_is_told_who_has_none(
    database: Database, tmp_path: Path
) -> None:
    Keyring.generate(tmp_path / "keyring.json")
    env = {
        "RIS_ENVIRONMENT": "test",
        "RIS_DATABASE_URL": database.url,
        "RIS_KEYRING": str(tmp_path / "keyring.json"),
    }
    clerk, (one, other) = SECRETARY.ps_idnat, ("499700993001004", "499700993019014")
    with database.transaction() as session:
        accounts.grant(session, clerk, Role.SECRETARY)

    def ran(*words: str) -> str:
        done = CliRunner(env=env).invoke(cli, ["structures", *words])
        assert done.exit_code == 0, done.output
        return done.output

    assert clerk not in ran("declare", one, "CABINET A")
    assert clerk in ran("declare", other, "CABINET B"), "practices are kept apart from now on"
    ran("attach", one, clerk, "--until", "2030-01-31")
    assert f"{clerk}  SECRETARY jusqu'au 31/01/2030" in ran("list")
    assert clerk not in ran("declare", other, "CABINET B")
    assert "1 rattachement" in ran("detach", one, clerk)
    assert clerk in ran("declare", other, "CABINET B")
    assert ran("adopt", one) == f"0 examen(s) rattaché(s) à {one}.\n"
    unknown = CliRunner(env=env).invoke(cli, ["structures", "attach", "499700993027009", clerk])
    assert isinstance(unknown.exception, NotFound)


def test_a_situation_psc_no_longer_lists_is_ended_and_comes_back(session: Session) -> None:
    account = accounts.grant(session, RADIOLOGIST_TWO_SITES.ps_idnat, Role.RADIOLOGIST)
    full = parse(RADIOLOGIST_TWO_SITES.userinfo())
    north, south = situations.refresh(session, account, full)
    claims = RADIOLOGIST_TWO_SITES.userinfo()
    claims["SubjectRefPro"]["exercices"][0]["activities"].pop()
    assert situations.refresh(session, account, parse(claims)) == [north]
    assert south.ended_at is not None
    assert situations.refresh(session, account, full) == [north, south]
    assert south.ended_at is None


def test_the_situation_of_another_account_is_unknown(session: Session) -> None:
    one = accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    other = accounts.grant(session, RADIOLOGIST_B.ps_idnat, Role.RADIOLOGIST)
    listed = situations.refresh(session, one, parse(RADIOLOGIST_A.userinfo()))
    with pytest.raises(NotFound):
        situations.professional_of(session, other.id, listed[0].id)


@pytest.mark.parametrize("typed", ["10005531586", "810005531587", "8", "5/x", "DUPONT", "8 1000"])
def test_a_role_is_not_granted_to_what_is_no_identifier(session: Session, typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        accounts.grant(session, typed, Role.SECRETARY)
    assert refused.value.code == "PS_IDNAT_INVALID"


@pytest.mark.parametrize("typed", [UUID_NAME, "ANS20200722173946", "3750012345/CPET00002"])
def test_a_role_is_granted_to_any_form_of_identifier(session: Session, typed: str) -> None:
    assert accounts.grant(session, typed, Role.SECRETARY).ps_idnat == typed
