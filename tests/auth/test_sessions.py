"""Sessions of an account, ended together; the machine of one session is in test_session_states."""

from ris.auth import sessions
from ris.auth.model import Account, CloseReason
from ris.sandbox.psc_people import RADIOLOGIST_A, SECRETARY
from tests.auth.browser import Browser
from tests.auth.conftest import Site


def account_of(site: Site, ps_idnat: str) -> Account:
    with site.database.transaction() as session:
        return session.query(Account).filter_by(ps_idnat=ps_idnat).one()


def test_every_session_of_an_account_ends_at_once_and_is_traced(
    site: Site, browser: Browser
) -> None:
    elsewhere, colleague = site.browser(), site.browser()
    for one, person in (
        (browser, RADIOLOGIST_A), (elsewhere, RADIOLOGIST_A), (colleague, SECRETARY),
    ):  # fmt: skip
        one.sign_in(person)
    account = account_of(site, RADIOLOGIST_A.ps_idnat)
    with site.database.transaction() as session:
        ended = sessions.end_all_of(session, account.id, CloseReason.REVOKED)
        assert [(one.close_reason, one.psc_tokens_sealed) for one in ended] == [
            ("revoked", None), ("revoked", None),
        ]  # fmt: skip
    for one in (browser, elsewhere):
        assert one.application.get("/v1/session").json()["code"] == "session_expired"
    assert colleague.application.get("/v1/session").status_code == 200
    traced = site.trace("auth.session_closed")
    assert [(one.reason, one.actor_role) for one in traced] == [("revoked", "SYSTEM")] * 2
    with site.database.transaction() as session:
        assert sessions.end_all_of(session, account.id, CloseReason.REVOKED) == []
