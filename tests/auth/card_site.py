"""A site where people sign in by card, its card listener, and a proxy's words: for its tests."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select, text

from ris.auth import accounts, situations
from ris.auth.card import listener as card_listener
from ris.auth.card.desk import CardDesk
from ris.auth.card.routes import router as card_router
from ris.auth.card.settings import CardSettings
from ris.auth.psc import userinfo
from ris.auth.rights import Role
from ris.auth.routes import router
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings
from ris.core import http
from ris.core.audit import AuditEvent
from ris.core.crypto import Credential, Sealer
from ris.core.db import Database
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_TWO_SITES, SECRETARY, Person
from ris.sandbox.server import Running, serve
from ris.web import problems

SECRET = "a-secret-shared-with-the-proxy-of-the-site"
COOKIE = "__Host-ris_session"
LOGIN = "/auth/card/login"


def card_settings(cards: TestPki, server: Credential) -> CardSettings:
    """Cards of *cards*, its list, our proxy on this machine, a listener of its own."""
    return CardSettings(
        enabled=True,
        trust=cards.trust,
        crl=cards.crl,
        person_authorities=(cards.issuer.load()[0].subject.rfc4514_string(),),
        proxies=(ip_network("127.0.0.1"),),
        proxy_secret=SecretStr(SECRET),
        server_certificate=server.certificate,
        server_key=server.key,
    )


def card_of(cards: TestPki, person: Person) -> Credential:
    """The card of *person*."""
    return cards.person(person.ps_idnat, person.family, person.given)


def by_proxy(credential: Credential) -> dict[str, str]:
    """What our proxy says of a browser that presented *credential*."""
    leaf = credential.certificate.read_text().split("-----END CERTIFICATE-----")[0]
    whole = f"{leaf}-----END CERTIFICATE-----\n"
    return {"X-SSL-Client-Cert": quote(whole), "X-RIS-Proxy-Secret": SECRET}


@dataclass
class CardSite:
    """The main site and its card listener; *trust* verifies both."""

    main: str
    listener: str
    desk: CardDesk
    database: Database
    trust: Path
    open: ExitStack

    def client(self, base: str, credential: Credential | None = None) -> httpx.Client:
        """A browser, with a card in its reader or not."""
        tls = http.context(trust=self.trust, credential=credential)
        made = httpx.Client(base_url=base, verify=tls, trust_env=False)
        return self.open.enter_context(made)

    def login(self, credential: Credential | None, **options: Any) -> httpx.Response:
        """Sign in on the listener, as a browser that was never here."""
        return self.client(self.listener, credential).get(LOGIN, **options)

    def session(self, token: str) -> httpx.Response:
        """Ask the main site who holds the cookie *token*."""
        return self.client(self.main).get("/v1/session", headers={"Cookie": f"{COOKIE}={token}"})

    def trace(self, action: str) -> list[AuditEvent]:
        """Return the journal's events of one action."""
        with self.database.transaction() as session:
            query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.seq)
            return list(session.scalars(query))

    def change(self, statement: str) -> None:
        """Change a row as another process would."""
        with self.database.transaction() as session:
            session.execute(text(statement))


@contextmanager
def listening(desk: CardDesk) -> Iterator[str]:
    """The very listener of `ris card-login`, on a free port."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    config = card_listener.configured(desk, "127.0.0.1", 0)
    with Running(uvicorn.Server(config), bound, secure=True) as running:
        yield running.url


@contextmanager
def card_site(
    database: Database, sealer: Sealer, pki: TestPki, settings: CardSettings
) -> Iterator[CardSite]:
    """Both doors, before the accounts of a radiologist and a secretary known of PSC."""
    with ExitStack() as stack:
        app = FastAPI()
        problems.install(app)
        app.include_router(card_router)
        app.include_router(router, prefix="/v1")
        main = stack.enter_context(serve(app, tls=pki.server())).url
        auth = AuthSettings(card=settings, origin=main, allow_test_ids=True)
        desk = SignInDesk.build(auth, database=database, sealer=sealer, environment="test")
        stack.callback(desk.close)
        card = CardDesk(desk)
        stack.callback(card.close)
        app.state.database, app.state.auth, app.state.card = database, desk, card
        listener = stack.enter_context(listening(card))
        enrol(database)
        yield CardSite(main, listener, card, database, pki.trust, stack)


def enrol(database: Database) -> None:
    """Grant the roles, and let PSC have told the situations once."""
    for person, role in (
        (RADIOLOGIST_A, Role.RADIOLOGIST),
        (RADIOLOGIST_TWO_SITES, Role.RADIOLOGIST),
        (SECRETARY, Role.SECRETARY),
    ):
        with database.transaction() as session:
            accounts.grant(session, person.ps_idnat, role)
            told = userinfo.parse(person.userinfo())
            situations.refresh(session, accounts.link(session, told), told)
