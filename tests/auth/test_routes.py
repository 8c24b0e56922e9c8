"""The HTTP routes of accounts, certificates and directory, and cookies over plain HTTP."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from ris.auth.model import Account
from ris.auth.routes import router
from ris.auth.settings import AnnuaireSettings, AuthSettings
from ris.rem.evidence import Evidence
from ris.sandbox.annuaire import REQUESTER_ADDRESS, Annuaire
from ris.sandbox.psc_people import ADMINISTRATOR, RADIOLOGIST_A, REQUESTER, SECRETARY
from tests.auth.browser import Browser
from tests.auth.conftest import Site


def test_every_route_declares_exactly_one_permission() -> None:
    for route in router.routes:
        calls = [dependant.call for dependant in route.dependant.dependencies]  # type: ignore[attr-defined]
        assert len([call for call in calls if hasattr(call, "permission")]) == 1, route


def test_the_administrator_grants_a_role_and_the_person_signs_in(
    site: Site, browser: Browser
) -> None:
    browser.sign_in(ADMINISTRATOR)
    wanted = {"ps_idnat": REQUESTER.ps_idnat, "role": "REFERRER"}
    answer = browser.application.post("/v1/accounts", json=wanted, headers=browser.csrf())
    assert (answer.status_code, answer.json()["role"]) == (201, "REFERRER")
    granted = site.trace("auth.role_grant")[-1]
    assert granted.actor_ps_idnat == ADMINISTRATOR.ps_idnat
    assert site.browser().sign_in(REQUESTER).status_code == 303
    with site.database.transaction() as session:
        query = select(Account).where(Account.ps_idnat == REQUESTER.ps_idnat)
        assert session.scalars(query).one().last_login_at is not None


@pytest.mark.rem("RIS.ANN.02", scenario="ANN/va1.02.01")
@pytest.mark.rem("SC.SSI/IE.30")
def test_a_new_user_is_named_as_in_the_directory_and_granted_even_without_it(
    annuaire: tuple[Annuaire, AnnuaireSettings],  # first: it outlives our connections to it
    make_site: Callable[[AuthSettings], Site],
    site: Site,
    auth_settings: AuthSettings,
    evidence: Evidence,
) -> None:
    browser = make_site(auth_settings.model_copy(update={"annuaire": annuaire[1]})).browser()
    browser.sign_in(ADMINISTRATOR)
    wanted = {"ps_idnat": REQUESTER.ps_idnat, "role": "REFERRER"}
    answer = browser.application.post("/v1/accounts", json=wanted, headers=browser.csrf())
    with site.database.transaction() as session:
        query = select(Account).where(Account.ps_idnat == REQUESTER.ps_idnat)
        account = session.scalars(query).one()
        assert (account.family, account.given) == (REQUESTER.family, REQUESTER.given)
        assert account.directory_checked_at is not None
        named = {"ps_idnat": account.ps_idnat, "family": account.family, "given": account.given}
    evidence.add("01", "account-created.json", {"answer": answer.json(), "account": named})
    annuaire[0].down = True
    again = {**wanted, "role": "RADIOLOGIST"}
    assert browser.application.post("/v1/accounts", json=again, headers=browser.csrf()).is_success


def test_nobody_else_grants_roles_or_reads_certificates(browser: Browser) -> None:
    browser.sign_in(RADIOLOGIST_A)
    wanted = {"ps_idnat": RADIOLOGIST_A.ps_idnat, "role": "ADMIN_SECURITY"}
    answer = browser.application.post("/v1/accounts", json=wanted, headers=browser.csrf())
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Il vous manque le droit « administrer les comptes »."
    assert browser.application.get("/v1/certificates").status_code == 403


@pytest.mark.rem("RIS.ANN.05", scenario="ANN/va1.05.01")
def test_a_secretary_looks_a_correspondent_up(
    annuaire: tuple[Annuaire, AnnuaireSettings],  # first: it outlives our connections to it
    make_site: Callable[[AuthSettings], Site],
    site: Site,
    auth_settings: AuthSettings,
    evidence: Evidence,
) -> None:
    browser = make_site(auth_settings.model_copy(update={"annuaire": annuaire[1]})).browser()
    browser.sign_in(SECRETARY)
    answer = browser.application.get("/v1/directory", params={"rpps": REQUESTER.ps_idnat[1:]})
    assert answer.json()[0]["mailboxes"][0]["address"] == REQUESTER_ADDRESS
    evidence.add("01", "directory.json", answer.text)
    named = browser.application.get("/v1/directory", params={"name": "demande"}).json()
    assert [one["family"] for one in named] == [REQUESTER.family]
    empty = browser.application.get("/v1/directory")
    assert (empty.status_code, empty.json()["code"]) == (422, "SEARCH_EMPTY")


def test_over_plain_http_the_cookie_is_not_secure_and_has_no_host_prefix(
    make_site: Callable[[AuthSettings], Site], auth_settings: AuthSettings
) -> None:
    site = make_site(auth_settings.model_copy(update={"cookie_secure": False}))
    browser = site.browser()
    answer = browser.application.get("/auth/psc/login")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("ris_login=")
    assert "secure" not in cookie.lower()
