"""A site without Pro Santé Connect's wire: sessions are opened in the database, HTTP is in clear.

For what happens once a person is known; the sign-in itself has its own tests.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import select, text

from ris.auth import accounts, cookies, sessions, situations
from ris.auth.administration.routes import router as accounts_router
from ris.auth.directory.service import Directory
from ris.auth.local.routes import router as local_router
from ris.auth.model import Account
from ris.auth.psc import userinfo
from ris.auth.psc.client import SignIn
from ris.auth.rights import Role
from ris.auth.routes import router
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings
from ris.core import clock
from ris.core.audit import AuditEvent
from ris.core.crypto import Sealer
from ris.core.db import Database
from ris.sandbox.psc_people import Person
from ris.sandbox.server import serve
from ris.web import problems


@dataclass
class Office:
    """The application, its desk and what tests look at."""

    url: str
    desk: SignInDesk
    database: Database
    stack: ExitStack

    def nobody(self) -> httpx.Client:
        """A client without a session."""
        return self.stack.enter_context(
            httpx.Client(base_url=self.url, trust_env=False, timeout=30)
        )

    def session_of(self, person: Person) -> str:
        """Open a session for a person who has an account; the secret of its cookie."""
        told = userinfo.parse(person.userinfo())
        claims: dict[str, Any] = {"acr": "eidas1", "amr": ["pwd"]}
        with self.database.transaction() as session:
            account = accounts.link(session, told)
            listed = situations.refresh(session, account, told)
            sign_in = SignIn(claims, person.userinfo(), "id-token", clock.now())
            _, token = sessions.open_session(
                session, account, listed, sign_in, sealer=self.desk.sealer
            )
        return token

    def signed_in(self, person: Person) -> httpx.Client:
        """A client with the session of *person*, and its CSRF token."""
        client, token = self.nobody(), self.session_of(person)
        client.cookies.set("ris_session", token)
        client.headers["X-CSRF-Token"] = cookies.csrf_token(token)
        return client

    def grant(self, person: Person, role: Role) -> Account:
        """Give a role from the console."""
        with self.database.transaction() as session:
            return accounts.grant(session, person.ps_idnat, role)

    def account(self, person: Person) -> Account:
        """The account granted to a person."""
        with self.database.transaction() as session:
            query = select(Account).where(Account.ps_idnat == person.ps_idnat)
            return session.scalars(query).one()

    def change(self, statement: str, **values: object) -> None:
        """Change a row as time or another process would."""
        with self.database.transaction() as session:
            session.execute(text(statement), values)

    def trace(self, action: str) -> list[AuditEvent]:
        """The journal's events of one action."""
        with self.database.transaction() as session:
            query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.seq)
            return list(session.scalars(query))


MakeOffice = Callable[[AuthSettings], Office]


def build(database: Database, sealer: Sealer, settings: AuthSettings, stack: ExitStack) -> Office:
    """The application on *database*, with these settings."""
    app = FastAPI()
    problems.install(app)
    app.include_router(router, prefix="/v1")
    app.include_router(accounts_router, prefix="/v1")
    app.include_router(local_router)
    database.seal_with(sealer)
    desk = SignInDesk.build(settings, database=database, sealer=sealer, environment="test")
    directory = Directory.build(settings.annuaire, database=database)
    app.state.database, app.state.auth, app.state.directory = database, desk, directory
    stack.callback(desk.close)
    stack.callback(directory.close)
    url = stack.enter_context(serve(app)).url
    return Office(url, desk, database, stack)
