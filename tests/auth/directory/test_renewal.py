"""Users looked up again in the Annuaire Santé: names follow, departures are told, no door shuts."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from ris.auth import accounts
from ris.auth.administration.model import AccountAlert
from ris.auth.directory import renewal
from ris.auth.directory.service import Directory
from ris.auth.model import Account
from ris.auth.psc.userinfo import parse
from ris.auth.rights import Role
from ris.auth.settings import AnnuaireSettings
from ris.core import clock
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.rem.evidence import Evidence
from ris.sandbox.annuaire import Annuaire, Listed
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_B, REQUESTER, SECRETARY

STAFF = ((RADIOLOGIST_A, Role.RADIOLOGIST), (RADIOLOGIST_B, Role.RADIOLOGIST),
         (REQUESTER, Role.REFERRER), (SECRETARY, Role.SECRETARY))  # fmt: skip
Round = Callable[[], int]


@pytest.fixture
def lookup(database: Database, annuaire: tuple[Annuaire, AnnuaireSettings]) -> Iterator[Round]:
    """One round of the job, on a site whose four users were never looked up."""
    with database.transaction() as session:
        for person, role in STAFF:
            accounts.grant(session, person.ps_idnat, role)
    directory = Directory.build(annuaire[1], database=database)
    yield lambda: renewal.run(database, directory, annuaire[1])
    directory.close()


def alerts(database: Database) -> list[tuple[str | None, str]]:
    with database.transaction() as session:
        query = select(Account.ps_idnat, AccountAlert.kind).where(
            Account.id == AccountAlert.account_id
        )
        return [(who, kind) for who, kind in session.execute(query.order_by(Account.ps_idnat))]


def asked(annuaire: Annuaire) -> int:
    return len([one for one in annuaire.calls if one.startswith("Practitioner?")])


@pytest.mark.rem("RIS.ANN.02", scenario="ANN/va1.02.01")
@pytest.mark.rem("SC.SSI/IE.30")
def test_every_user_with_an_rpps_is_looked_up_then_left_alone_for_two_years(
    lookup: Round,
    annuaire: tuple[Annuaire, AnnuaireSettings],
    database: Database,
    evidence: Evidence,
) -> None:
    assert (lookup(), asked(annuaire[0])) == (3, 3)
    with database.transaction() as session:
        named = session.scalars(select(Account).where(Account.rpps.is_not(None))).all()
        assert {one.family for one in named} == {one.family for one, _ in STAFF[:3]}
        checked = {one.ps_idnat: str(one.directory_checked_at) for one in named}
    assert (lookup(), asked(annuaire[0]), alerts(database)) == (0, 3, [])
    with clock.frozen(clock.now() + timedelta(days=719)):
        assert lookup() == 0
    with clock.frozen(clock.now() + timedelta(days=721)):
        assert lookup() == 3
    with database.transaction() as session:
        lines = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "auth.directory_checked")
        )
        assert len(lines.all()) == 6
    evidence.add("01", "looked-up.json", checked)


@pytest.mark.rem("RIS.ANN.02", scenario="ANN/va1.02.01")
@pytest.mark.rem("SC.SSI/IE.30")
def test_who_left_the_directory_is_an_alert_and_still_signs_in(
    lookup: Round, annuaire: tuple[Annuaire, AnnuaireSettings], database: Database
) -> None:
    listed = annuaire[0]._listed
    married = replace(RADIOLOGIST_A, family="NOUVEAUNOM")
    listed[RADIOLOGIST_A.ps_idnat] = Listed(married)
    listed[RADIOLOGIST_B.ps_idnat] = Listed(RADIOLOGIST_B, active=False)
    del listed[REQUESTER.ps_idnat]
    assert lookup() == 3
    assert alerts(database) == [
        (RADIOLOGIST_B.ps_idnat, "DIRECTORY_INACTIVE"),
        (REQUESTER.ps_idnat, "DIRECTORY_UNKNOWN"),
    ]
    with database.transaction() as session:
        query = select(Account.family).where(Account.ps_idnat == RADIOLOGIST_A.ps_idnat)
        assert session.scalar(query) == "NOUVEAUNOM"
        for person in (RADIOLOGIST_B, REQUESTER):
            assert accounts.link(session, parse(person.userinfo())).status == "ACTIVE"


@pytest.mark.rem("SC.SSI/IE.30")
def test_a_departure_first_seen_by_a_search_or_a_grant_is_an_alert_all_the_same(
    annuaire: tuple[Annuaire, AnnuaireSettings], database: Database
) -> None:
    """Both read the directory too, hence could pass for the look-up that tells of departures."""
    listed, settings = annuaire[0]._listed, annuaire[1]
    directory = Directory.build(settings, database=database)
    with database.transaction() as session:
        accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    assert renewal.run(database, directory, settings) == 1
    for gone in (RADIOLOGIST_A, RADIOLOGIST_B):
        listed[gone.ps_idnat] = Listed(gone, active=False)
    with clock.frozen(clock.now() + timedelta(days=721)):
        directory.find(RADIOLOGIST_A.ps_idnat[1:])
        directory.learn(RADIOLOGIST_B.ps_idnat)
        with database.transaction() as session:
            accounts.grant(session, RADIOLOGIST_B.ps_idnat, Role.RADIOLOGIST)
        assert renewal.run(database, directory, settings) == 2
        assert renewal.run(database, directory, settings) == 0
    directory.close()
    assert alerts(database) == [
        (RADIOLOGIST_A.ps_idnat, "DIRECTORY_INACTIVE"),
        (RADIOLOGIST_B.ps_idnat, "DIRECTORY_INACTIVE"),
    ]


def test_an_annuaire_out_of_reach_ends_the_round_and_accuses_nobody(
    lookup: Round, annuaire: tuple[Annuaire, AnnuaireSettings], database: Database
) -> None:
    lookup()
    annuaire[0].down = True
    with clock.frozen(clock.now() + timedelta(days=721)):
        before = asked(annuaire[0])
        assert (lookup(), asked(annuaire[0]) - before) == (0, 1)
    assert alerts(database) == []
    annuaire[0].down = False
    with clock.frozen(clock.now() + timedelta(days=721)):
        assert lookup() == 3


def test_without_a_key_nothing_is_asked_and_a_closed_account_never_is(
    lookup: Round, annuaire: tuple[Annuaire, AnnuaireSettings], database: Database
) -> None:
    keyless = annuaire[1].model_copy(update={"api_key": type(annuaire[1].api_key)("")})
    directory = Directory.build(keyless, database=database)
    assert renewal.run(database, directory, keyless) == 0
    directory.close()
    with database.transaction() as session:
        for account in session.scalars(select(Account)):
            account.status = "CLOSED"
    assert lookup() == 0


def test_the_period_is_two_years_at_most() -> None:
    with pytest.raises(ValidationError):
        AnnuaireSettings(recheck_months=25)
