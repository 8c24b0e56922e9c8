"""An account that is not open enters by no door: web, application, phone, token, card."""

import pytest

from ris.auth.psc.client import challenge_of
from ris.core.crypto import Sealer
from ris.core.db import Database
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.auth.browser import Browser, query_of
from tests.auth.card_site import card_of, card_settings, card_site
from tests.auth.conftest import HOST_RIS, Site

VERIFIER = "v" * 43
NATIVE = f"/auth/psc/login?native_port=49152&native_challenge={challenge_of(VERIFIER)}"
CLOSED = {
    "PENDING": "account_pending",
    "SUSPENDED": "account_suspended",
    "CLOSED": "account_suspended",
}


def becomes(status: str) -> str:
    return f"update account set status = '{status}' where rpps = '99700993001'"


@pytest.mark.parametrize(("status", "code"), CLOSED.items())
def test_no_door_of_pro_sante_connect_opens_to_an_account_that_is_not_open(
    site: Site, provider: PscProvider, browser: Browser, status: str, code: str
) -> None:
    browser.sign_in(RADIOLOGIST_A)
    waiting = site.browser()
    ticket = query_of(waiting.sign_in(RADIOLOGIST_A, NATIVE).headers["location"])["code"]
    api = site.browser().application
    bearer = {"Authorization": f"Bearer {provider.token_for(RADIOLOGIST_A, HOST_RIS)[0]}"}
    assert api.get("/v1/session", headers=bearer).status_code == 200
    provider.phones.interval_s = 0
    kiosk = site.browser().application
    asked = kiosk.post("/auth/psc/ciba", json={"ps_idnat": RADIOLOGIST_A.ps_idnat}).json()["id"]
    provider.phones.decide(RADIOLOGIST_A.ps_idnat, approve=True)

    site.change(becomes(status))

    assert browser.application.get("/v1/session").json()["code"] == "session_expired"
    application = site.browser().application
    application.post("/auth/native/session", json={"code": ticket, "verifier": VERIFIER})
    assert application.get("/v1/session").status_code == 401
    told = api.get("/v1/session", headers=bearer)
    assert (told.status_code, told.json()["code"]) == (403, code)
    fresh = {"Authorization": f"Bearer {provider.token_for(RADIOLOGIST_A, HOST_RIS)[0]}"}
    assert api.get("/v1/session", headers=fresh).json()["code"] == code
    site.change("update ciba_request set next_poll_at = now()")
    followed = kiosk.post(f"/auth/psc/ciba/{asked}")
    assert (followed.status_code, followed.json()["code"]) == (403, code)
    assert kiosk.get("/v1/session").status_code == 401
    again = kiosk.post("/auth/psc/ciba", json={"ps_idnat": RADIOLOGIST_A.ps_idnat})
    assert (again.status_code, again.json()["code"]) == (404, "psc_user_unknown")
    for path in ("/auth/psc/login", NATIVE):
        refused = site.browser().sign_in(RADIOLOGIST_A, path)
        assert (refused.status_code, refused.json()["code"]) == (403, code)


def test_no_card_opens_an_account_that_is_not_open(
    database: Database, sealer: Sealer, pki: TestPki, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cards = TestPki(tmp_path_factory.mktemp("cards"))
    with card_site(database, sealer, pki, card_settings(cards, pki.server())) as site:
        card = card_of(cards, RADIOLOGIST_A)
        assert site.login(card).status_code == 303
        for status, code in CLOSED.items():
            site.change(becomes(status))
            refused = site.login(card)
            assert (refused.status_code, refused.json()["code"]) == (403, code)
