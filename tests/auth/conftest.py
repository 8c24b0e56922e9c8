"""The sign-in desk under test, in a small application, before a real sandbox provider in TLS."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from pydantic import SecretStr
from sqlalchemy import select, text

from ris.auth import accounts
from ris.auth.administration.routes import router as accounts_router
from ris.auth.certificates.routes import router as certificates_router
from ris.auth.ciba.routes import router as ciba_router
from ris.auth.dependencies import require
from ris.auth.directory.service import Directory
from ris.auth.local.routes import router as local_router
from ris.auth.rights import Permission, Role
from ris.auth.routes import router
from ris.auth.service import SignInDesk
from ris.auth.session_routes import router as session_router
from ris.auth.settings import (
    AnnuaireSettings,
    AuthSettings,
    BearerSettings,
    CibaSettings,
    PscSettings,
)
from ris.auth.sign_in_routes import router as sign_in_router
from ris.core.audit import AuditEvent
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.sandbox import annuaire as sandbox_annuaire
from ris.sandbox.annuaire import Annuaire
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider, RegisteredClient
from ris.sandbox.psc_people import (
    ADMINISTRATOR,
    RADIOLOGIST_A,
    RADIOLOGIST_TWO_SITES,
    SECRETARY,
    TECHNOLOGIST,
)
from ris.sandbox.server import Running, serve
from ris.web import problems
from tests.auth import office as offices
from tests.auth.browser import Browser
from tests.auth.office import MakeOffice, Office

SITE = "https://testserver"
CLIENT_SECRET = "sandbox-secret-long-enough-for-hs256"
API_KEY = "sandbox-key"
HOST_RIS = "host-ris"  # another software of the site, whose PSC tokens are believed
CALLBACK = f"{SITE}/auth/psc/callback"
LOGGED_OUT = f"{SITE}/auth/psc/logged-out"


def new_provider() -> PscProvider:
    """Return a sandbox Pro Santé Connect where the site is registered."""
    return PscProvider(RegisteredClient("ris-core", CLIENT_SECRET, (CALLBACK,), (LOGGED_OUT,)))


@pytest.fixture
def provider() -> PscProvider:
    """The sandbox Pro Santé Connect."""
    return new_provider()


@pytest.fixture
def provider_server(provider: PscProvider, pki: TestPki) -> Iterator[Running]:
    """The listener of the provider: a test may stop it."""
    with serve(provider.app, tls=pki.server()) as running:
        provider.base_url = running.url
        yield running


@pytest.fixture
def annuaire(pki: TestPki) -> Iterator[tuple[Annuaire, AnnuaireSettings]]:
    """The sandbox Annuaire Santé, listening, and the settings to reach it."""
    made = Annuaire(API_KEY)
    with serve(made.app, tls=pki.server()) as running:
        yield (
            made,
            AnnuaireSettings(
                url=f"{running.url}{sandbox_annuaire.BASE}",
                api_key=SecretStr(API_KEY),
                trust=pki.trust,
            ),
        )


@pytest.fixture
def psc_settings(provider: PscProvider, provider_server: Running, pki: TestPki) -> PscSettings:
    """Our registration at the sandbox provider."""
    return registration(provider, pki)


def registration(provider: PscProvider, pki: TestPki) -> PscSettings:
    """Return our registration at *provider*."""
    return PscSettings(
        issuer=provider.issuer,
        client_secret=SecretStr(CLIENT_SECRET),
        trust=pki.trust,
        redirect_uri=CALLBACK,
        post_logout_redirect_uri=LOGGED_OUT,
        http_timeout_s=3,
    )


@dataclass(frozen=True)
class Site:
    """The application under test and what its tests look at."""

    url: str
    application: FastAPI
    desk: SignInDesk
    database: Database
    trust: Path
    open: ExitStack

    def browser(self) -> Browser:
        """Return a new user agent."""
        made = Browser(self.url, self.trust)
        self.open.callback(made.close)
        return made

    def change(self, statement: str, **values: object) -> None:
        """Change a row as time or another process would."""
        with self.database.transaction() as session:
            session.execute(text(statement), values)

    def trace(self, action: str) -> list[AuditEvent]:
        """Return the journal's events of one action."""
        with self.database.transaction() as session:
            query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.seq)
            return list(session.scalars(query))


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    """A sealer over a fresh keyring."""
    return Sealer(Keyring.generate(tmp_path / "keyring.json"))


@pytest.fixture
def make_site(
    database: Database,
    pki: TestPki,
    sealer: Sealer,
    provider_server: Running,
) -> Iterator[Callable[[AuthSettings], Site]]:
    """A maker of applications, for settings of one's own."""
    with ExitStack() as servers:
        yield lambda settings: new_site(settings, database, sealer, pki, servers)


def new_site(
    settings: AuthSettings, database: Database, sealer: Sealer, pki: TestPki, servers: ExitStack
) -> Site:
    """Return the application under test, listening until *servers* closes."""
    application = FastAPI()
    problems.install(application)
    application.include_router(sign_in_router)
    application.include_router(ciba_router)
    application.include_router(local_router)
    application.include_router(router, prefix="/v1")
    application.include_router(session_router, prefix="/v1")
    application.include_router(certificates_router, prefix="/v1")
    application.include_router(accounts_router, prefix="/v1")

    @application.post("/v1/sign")
    def sign(_: object = Depends(require(Permission.REPORT_SIGN, fresh=True))) -> str:
        return "signed"

    desk = SignInDesk.build(settings, database=database, sealer=sealer, environment="test")
    application.state.database = database
    application.state.auth = desk
    directory = Directory.build(settings.annuaire, database=database)
    application.state.directory = directory
    url = servers.enter_context(serve(application, tls=pki.server())).url
    servers.callback(desk.close)
    servers.callback(directory.close)
    return Site(url, application, desk, database, pki.trust, servers)


@pytest.fixture
def auth_settings(psc_settings: PscSettings) -> AuthSettings:
    """Settings of the ordinary site."""
    return AuthSettings(
        psc=psc_settings,
        ciba=CibaSettings(enabled=True),
        bearer=BearerSettings(clients=frozenset({HOST_RIS})),
        allow_test_ids=True,
    )


@pytest.fixture
def site(make_site: Callable[[AuthSettings], Site], auth_settings: AuthSettings) -> Site:
    """The ordinary site, with the people of the sandbox granted their roles."""
    made = make_site(auth_settings)
    grant_people(made)
    return made


def grant_people(made: Site) -> None:
    """Grant their roles to the people of the sandbox."""
    with made.database.transaction() as session:
        for person, role in (
            (RADIOLOGIST_A, Role.RADIOLOGIST),
            (RADIOLOGIST_TWO_SITES, Role.RADIOLOGIST),
            (TECHNOLOGIST, Role.TECHNOLOGIST),
            (SECRETARY, Role.SECRETARY),
            (ADMINISTRATOR, Role.ADMIN_SECURITY),
        ):
            accounts.grant(session, person.ps_idnat, role)


@pytest.fixture
def browser(site: Site) -> Browser:
    """A user agent before the ordinary site."""
    return site.browser()


@pytest.fixture
def make_office(database: Database, sealer: Sealer) -> Iterator[MakeOffice]:
    """A maker of sites whose sessions are opened in the database."""
    with ExitStack() as stack:
        yield lambda settings: offices.build(database, sealer, settings, stack)


@pytest.fixture
def office(make_office: MakeOffice) -> Office:
    """Such a site, with its administrator of accounts."""
    made = make_office(AuthSettings(allow_test_ids=True, cookie_secure=False))
    made.grant(ADMINISTRATOR, Role.ADMIN_SECURITY)
    return made
