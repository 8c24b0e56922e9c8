"""Signing in by card: the listener in real mutual TLS, the proxy's header, and all who lie."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import SecretStr

from ris.auth import accounts, cookies
from ris.auth.card import listener as card_listener
from ris.auth.card import routes as card_routes
from ris.auth.card.channel import certificate
from ris.auth.card.desk import CardDesk
from ris.auth.card.settings import CardSettings
from ris.auth.errors import CardRefused
from ris.auth.rights import Role
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings, PscSettings
from ris.core.crypto import Credential, Sealer
from ris.core.db import Database
from ris.core.errors import NotConfigured
from ris.rem.evidence import Evidence
from ris.sandbox.ocsp import Responder
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import (
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    RADIOLOGIST_TWO_SITES,
    REQUESTER,
    SECRETARY,
    Person,
)
from ris.sandbox.server import serve
from tests.auth.card_site import (
    COOKIE,
    LOGIN,
    CardSite,
    by_proxy,
    card_of,
    card_settings,
    card_site,
    listening,
)

LOSER = RADIOLOGIST_B


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> TestPki:
    """An authority of one's own: tests revoke the card of one person, LOSER."""
    return TestPki(tmp_path_factory.mktemp("cards"))


@pytest.fixture
def settings(cards: TestPki, pki: TestPki) -> CardSettings:
    return card_settings(cards, pki.server())


@pytest.fixture
def site(
    database: Database, sealer: Sealer, pki: TestPki, settings: CardSettings
) -> Iterator[CardSite]:
    with card_site(database, sealer, pki, settings) as made:
        yield made


def refused(site: CardSite, answer: httpx.Response, reason: str) -> httpx.Response:
    """No session, no cookie, and the reason in the journal."""
    assert answer.status_code >= 400, answer.headers
    assert "set-cookie" not in answer.headers
    last = site.trace("auth.login_failed")[-1]
    assert (last.outcome, last.reason, last.auth_method) == ("failure", reason, "CPX_MTLS")
    assert site.trace("auth.login_success") == []
    return answer


@pytest.mark.rem("LOC-AUTH-01")
def test_a_cps_opens_the_main_site(site: CardSite, cards: TestPki, evidence: Evidence) -> None:
    answer = site.login(card_of(cards, RADIOLOGIST_A), params={"next": "/examens?jour=1"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{site.main}/examens?jour=1"
    written = answer.headers["set-cookie"]
    assert written.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(written.split("; "))
    told = site.session(answer.cookies[COOKIE]).json()
    assert told["ps_idnat"] == RADIOLOGIST_A.ps_idnat
    assert told["acr"] == "eidas2"
    assert told["psc_state"] == "EXPIRED"  # nothing of PSC came with a card
    assert [one["chosen"] for one in told["situations"]] == [True]
    (event,) = site.trace("auth.login_success")
    assert (event.auth_method, event.acr) == ("CPX_MTLS", "eidas2")
    assert event.detail["channel"] == "tls"
    evidence.add("01", "session.json", told)
    evidence.add("02", "journal.json", {"method": event.auth_method, "detail": event.detail})


@pytest.mark.rem("LOC-AUTH-01")
def test_a_nominative_cpe_opens_a_session_without_an_exercise(
    site: CardSite, cards: TestPki
) -> None:
    answer = site.login(card_of(cards, SECRETARY))
    told = site.session(answer.cookies[COOKIE]).json()
    assert (told["role"], told["situations"]) == ("SECRETARY", [])


def test_several_situations_are_kept_and_one_must_be_chosen(site: CardSite, cards: TestPki) -> None:
    site.change("update situation set ended_at = now() where name like '%SUD'")
    told = site.session(site.login(card_of(cards, RADIOLOGIST_TWO_SITES)).cookies[COOKIE]).json()
    assert [one["name"] for one in told["situations"]] == ["CABINET DR DEUXSITES NORD"]
    site.change("update situation set ended_at = null")
    told = site.session(site.login(card_of(cards, RADIOLOGIST_TWO_SITES)).cookies[COOKIE]).json()
    assert (told["state"], len(told["situations"])) == ("NEEDS_SITUATION", 2)


def test_a_physician_without_a_current_exercise_stays_out(site: CardSite, cards: TestPki) -> None:
    site.change("update situation set ended_at = now()")
    answer = refused(site, site.login(card_of(cards, RADIOLOGIST_A)), "role_denied")
    assert answer.status_code == 403


def test_the_second_sign_in_closes_the_first(site: CardSite, cards: TestPki) -> None:
    first = site.login(card_of(cards, RADIOLOGIST_A)).cookies[COOKIE]
    again = {"Cookie": f"{COOKIE}={first}"}
    second = site.login(card_of(cards, RADIOLOGIST_A), headers=again).cookies[COOKIE]
    assert site.session(first).json()["code"] == "session_expired"
    assert site.session(second).status_code == 200
    other = {"Cookie": f"{COOKIE}={second}"}
    site.login(card_of(cards, SECRETARY), headers=other)
    assert site.session(second).json()["code"] == "session_expired"


def test_logging_out_sends_nobody_to_pro_sante_connect(site: CardSite, cards: TestPki) -> None:
    token = site.login(card_of(cards, SECRETARY)).cookies[COOKIE]
    headers = {"Cookie": f"{COOKIE}={token}", "X-CSRF-Token": cookies.csrf_token(token)}
    answer = site.client(site.main).post("/v1/session/logout", headers=headers)
    assert answer.json()["psc_logout_url"] is None
    assert site.session(token).status_code == 401


@pytest.mark.parametrize(
    "wanted", ["https://ailleurs.test/", "//ailleurs.test", "/\\ailleurs.test", "ailleurs", ""]
)
def test_a_sign_in_leads_nowhere_but_to_this_site(
    site: CardSite, cards: TestPki, wanted: str
) -> None:
    card = card_of(cards, SECRETARY)
    assert site.login(card, params={"next": wanted}).headers["location"] == f"{site.main}/"
    behind = site.client(site.main).get(LOGIN, params={"next": wanted}, headers=by_proxy(card))
    assert behind.headers["location"] == "/"


@pytest.mark.parametrize(
    ("person", "statement", "reason"),
    [
        (REQUESTER, None, "ENROL_UNKNOWN"),
        (SECRETARY, "update account set status = 'SUSPENDED'", "account_suspended"),
    ],
)
def test_an_unknown_or_suspended_account_stays_out(
    site: CardSite, cards: TestPki, person: Person, statement: str | None, reason: str
) -> None:
    if statement:
        site.change(statement)
    answer = refused(site, site.login(card_of(cards, person)), reason)
    assert answer.status_code == 403
    assert site.trace("auth.login_failed")[-1].actor_ps_idnat == person.ps_idnat


@pytest.mark.rem("LOC-AUTH-01")
def test_cards_that_are_not_a_persons_open_nothing(site: CardSite, cards: TestPki) -> None:
    number = SECRETARY.ps_idnat
    for credential, reason in (
        (cards.person(number, "", ""), "NOT_NOMINATIVE"),
        (cards.person(number, "EMPLOYEAA", "EMPLOYEAA"), "NOT_NOMINATIVE"),
        (cards.organisation("499700993001004", "AUTH_CLI"), "NOT_A_PERSON"),
    ):
        answer = refused(site, site.login(credential), reason)
        assert (answer.status_code, answer.json()["code"]) == (401, "card_refused")
    signature = cards.person(number, "AGENDAFICTIF", "FLORE", "SIGN")
    refused(site, site.login(signature), "WRONG_USAGE")


def test_without_a_card_the_person_is_told_so_and_a_supervisor_gets_in(site: CardSite) -> None:
    answer = refused(site, site.login(None), "CERTIFICATE_ABSENT")
    assert "insérez-la" in answer.json()["detail"]
    listener = site.client(site.listener)
    assert listener.get("/health").json() == {"status": "ok"}
    for path in ("/", "/v1/session", "/docs", "/openapi.json", "/auth/psc/login", "/metrics"):
        assert listener.get(path).status_code == 404


def test_an_expired_card_is_refused_traced_and_explained(site: CardSite, cards: TestPki) -> None:
    who = RADIOLOGIST_A
    expired = cards.person(who.ps_idnat, who.family, who.given, expired=True)
    answer = refused(site, site.login(expired), "EXPIRED")
    assert "validité" in answer.json()["detail"]
    refused(site, site.client(site.main).get(LOGIN, headers=by_proxy(expired)), "EXPIRED")


def test_a_card_of_another_authority_does_not_pass_the_handshake_nor_the_proxy(
    site: CardSite, tmp_path: Path
) -> None:
    foreign = card_of(TestPki(tmp_path / "forger"), RADIOLOGIST_A)
    with pytest.raises(httpx.ConnectError):
        site.login(foreign)
    assert site.trace("auth.login_success") == []
    refused(site, site.client(site.main).get(LOGIN, headers=by_proxy(foreign)), "UNTRUSTED")


def test_a_revoked_card_is_refused_at_once_and_traced(site: CardSite, cards: TestPki) -> None:
    lost = card_of(cards, LOSER)
    cards.revoke(lost)
    answer = refused(site, site.login(lost), "REVOKED")
    assert "révoqué" in answer.json()["detail"]


def test_ocsp_refuses_a_revoked_card_and_its_silence_refuses_all(
    database: Database, sealer: Sealer, pki: TestPki, cards: TestPki, settings: CardSettings
) -> None:
    responder = Responder(cards)
    with serve(responder.app) as running:
        asking = settings.model_copy(
            update={"ocsp_url": f"http://127.0.0.1:{running.port}/", "ocsp_timeout_s": 2}
        )
        with card_site(database, sealer, pki, asking) as site:
            lost, kept = card_of(cards, LOSER), card_of(cards, SECRETARY)
            cards.revoke(lost)
            refused(site, site.login(lost), "REVOKED")
            responder.unknown = True
            answer = refused(site, site.login(kept), "OCSP_UNKNOWN")
            assert answer.status_code == 503
            responder.unknown = False
            assert site.login(kept).status_code == 303
            assert len(responder.asked) == 3


@pytest.mark.rem("LOC-AUTH-01")
def test_our_proxy_brings_the_card_of_a_person(site: CardSite, cards: TestPki) -> None:
    client = site.client(site.main)
    answer = client.get(
        LOGIN,
        params={"next": "/accueil"},
        headers=by_proxy(card_of(cards, RADIOLOGIST_A)) | {"X-Forwarded-For": "203.0.113.9"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/accueil")
    assert client.get("/v1/session").json()["ps_idnat"] == RADIOLOGIST_A.ps_idnat
    (event,) = site.trace("auth.login_success")
    assert event.detail["channel"] == "proxy"
    assert site.trace("auth.card_forged") == []


@pytest.mark.rem("LOC-AUTH-01")
def test_a_forged_header_opens_nothing_and_is_traced(
    site: CardSite, cards: TestPki, database: Database, sealer: Sealer, pki: TestPki
) -> None:
    headers = by_proxy(card_of(cards, RADIOLOGIST_A))
    alone = {"X-SSL-Client-Cert": headers["X-SSL-Client-Cert"]}
    main = site.client(site.main)
    for wrong in (alone, alone | {"X-RIS-Proxy-Secret": "x" * 40}):
        refused(site, main.get(LOGIN, headers=wrong), "CERTIFICATE_ABSENT")
    twice = [*headers.items(), ("X-SSL-Client-Cert", headers["X-SSL-Client-Cert"])]
    refused(site, main.get(LOGIN, headers=twice), "CERTIFICATE_ABSENT")
    reasons = [event.reason for event in site.trace("auth.card_forged")]
    assert reasons == ["CARD_HEADER_WITHOUT_SECRET"] * 2 + ["CARD_HEADER_MALFORMED"]


def test_the_header_from_another_address_is_forged_even_with_the_secret(
    database: Database, sealer: Sealer, pki: TestPki, cards: TestPki, settings: CardSettings
) -> None:
    far = settings.model_validate(settings.model_dump() | {"proxies": ["192.0.2.0/24"]})
    with card_site(database, sealer, pki, far) as site:
        headers = by_proxy(card_of(cards, RADIOLOGIST_A)) | {"X-Forwarded-For": "192.0.2.7"}
        answer = site.client(site.main).get(LOGIN, headers=headers)
        refused(site, answer, "CERTIFICATE_ABSENT")
        assert [one.reason for one in site.trace("auth.card_forged")] == [
            "CARD_HEADER_FROM_OUTSIDE"
        ]


def test_each_door_takes_its_own_channel_only(site: CardSite, cards: TestPki, pki: TestPki) -> None:
    doctor = by_proxy(card_of(cards, RADIOLOGIST_A))
    refused(site, site.login(None, headers=doctor), "CERTIFICATE_ABSENT")
    assert site.trace("auth.card_forged")[-1].reason == "CARD_HEADER_ON_LISTENER"
    answer = site.login(card_of(cards, SECRETARY), headers=doctor)
    assert site.session(answer.cookies[COOKIE]).json()["ps_idnat"] == SECRETARY.ps_idnat
    app = card_listener.application(site.desk)
    app.include_router(card_routes.router, prefix="/m")
    with serve(app, tls=pki.server(), client_ca=cards.trust, client_cert="optional") as running:
        with_card = site.client(running.url, card_of(cards, SECRETARY))
        assert with_card.get(f"/m{LOGIN}").json()["code"] == "card_refused"


def test_what_is_not_one_certificate_of_a_reasonable_size_is_refused(
    site: CardSite, cards: TestPki
) -> None:
    card = card_of(cards, SECRETARY)
    secret = by_proxy(card)["X-RIS-Proxy-Secret"]
    whole_chain = quote(card.certificate.read_text())
    for value in ("n'importe quoi", "%00%ff", whole_chain):
        headers = {"X-SSL-Client-Cert": value, "X-RIS-Proxy-Secret": secret}
        answer = site.client(site.main).get(LOGIN, headers=headers)
        refused(site, answer, "CERTIFICATE_MALFORMED")
    plain = cards.person("899700993051", "A", "A").load()[0].public_bytes(Encoding.PEM)
    large = cards.person("899700993052", "GRANDFICTIF", "FLORE" * 2000).load()[0]
    assert certificate(plain)
    with pytest.raises(CardRefused):
        certificate(large.public_bytes(Encoding.PEM))


def test_a_page_cannot_make_the_browser_present_its_card(site: CardSite, cards: TestPki) -> None:
    card = card_of(cards, SECRETARY)
    for told in (
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"},
    ):
        assert site.login(card, headers=told).json()["code"] == "csrf_refused"
    clicked = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-site"}
    assert site.login(card, headers=clicked).status_code == 303


def test_a_tls_session_is_never_resumed_so_the_card_is_there_each_time(
    site: CardSite, cards: TestPki
) -> None:
    card = card_of(cards, SECRETARY)
    context = ssl.create_default_context(cafile=str(site.trust))
    context.load_cert_chain(card.certificate, card.key)
    kept: ssl.SSLSession | None = None
    for _ in range(2):
        address = ("127.0.0.1", urlsplit(site.listener).port)
        with (
            socket.create_connection(address, 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=kept) as tls,
        ):
            assert tls.session_reused is False
            tls.sendall(f"GET {LOGIN} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            answer = b"".join(iter(lambda: tls.recv(4096), b""))
            assert answer.startswith(b"HTTP/1.1 303")
            assert b"connection: close" in answer.lower()
            kept = tls.session


def test_test_identities_and_weak_cards_are_refused_where_the_site_says_so(
    database: Database, sealer: Sealer, pki: TestPki, cards: TestPki, settings: CardSettings
) -> None:
    def desk(auth: AuthSettings) -> SignInDesk:
        return SignInDesk.build(auth, database=database, sealer=sealer, environment="test")

    strict = AuthSettings(card=settings, psc=PscSettings(acr_values="eidas3"))
    with pytest.raises(NotConfigured):
        CardDesk(desk(strict))
    with card_site(database, sealer, pki, settings) as site:
        real = desk(AuthSettings(card=settings, origin=site.main))
        with listening(CardDesk(real)) as url:
            card = card_of(cards, RADIOLOGIST_A)
            answer = site.client(url, card).get(LOGIN)
            assert refused(site, answer, "TEST_IDENTITY").status_code == 403


def test_the_listener_says_what_it_lacks(site: CardSite, cards: TestPki, tmp_path: Path) -> None:
    for update in (
        {"server_certificate": None},
        {"server_key": tmp_path / "absent.key"},
    ):
        desk = CardDesk(site.desk.desk)
        desk.settings = desk.settings.model_copy(update=update)
        with pytest.raises(NotConfigured):
            card_listener.configured(desk, "127.0.0.1", 0)


def test_a_short_secret_or_no_revocation_is_not_a_setting(cards: TestPki) -> None:
    with pytest.raises(ValueError, match="32"):
        CardSettings(proxies=["127.0.0.1"], proxy_secret=SecretStr("court"))
    with pytest.raises(ValueError, match="OCSP"):
        CardSettings(enabled=True, trust=cards.trust)


def test_a_card_names_an_account_nobody_named_yet(
    site: CardSite, cards: TestPki, database: Database
) -> None:
    with database.transaction() as session:
        accounts.grant(session, "500000000993014/CPET00077", Role.SECRETARY)
    fresh: Credential = cards.person("500000000993014/CPET00077", "NOUVELLEFICTIVE", "INES")
    told = site.session(site.login(fresh).cookies[COOKIE]).json()
    assert (told["family"], told["given"]) == ("NOUVELLEFICTIVE", "INES")
