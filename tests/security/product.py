"""The whole product in this process, on the test database: what the breaker's tests attack.

Sessions are opened in the database, as a sign-in would: the sign-in itself has its own tests.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from ris import app as root
from ris.auth import accounts, cookies, sessions, situations
from ris.auth.psc import userinfo
from ris.auth.psc.client import SignIn
from ris.auth.rights import Role
from ris.core import clock
from ris.core.db import Database
from ris.sandbox.psc_people import (
    ADMINISTRATOR,
    IDENTITY_OFFICER,
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    REQUESTER,
    SCM_SIRET,
    SECRETARY,
    TECHNOLOGIST,
    Person,
)
from ris.sandbox.server import serve
from tests.applications import borrowed

PERSON_OF: dict[Role, Person] = {
    Role.RADIOLOGIST: RADIOLOGIST_A,
    Role.NUCLEAR_PHYSICIAN: RADIOLOGIST_B,
    Role.TECHNOLOGIST: TECHNOLOGIST,
    Role.SECRETARY: SECRETARY,
    Role.INTERN: Person(f"5{SCM_SIRET}/CPFT00011", "INTERNEFICTIF", "IRIS"),
    Role.REFERRER: REQUESTER,
    Role.IDENTITY_OFFICER: IDENTITY_OFFICER,
    Role.ADMIN_SECURITY: ADMINISTRATOR,
    Role.ADMIN_TECH: Person(f"5{SCM_SIRET}/CPAT00012", "TECHNIQUEFICTIF", "JULES"),
    Role.AUDITOR: Person(f"5{SCM_SIRET}/CPAT00013", "AUDITFICTIF", "KARIM"),
    Role.INTEGRATOR: Person(f"5{SCM_SIRET}/CPAT00014", "AUTOMATEFICTIF", "LEO"),
}


@dataclass
class Product:
    """The application, its runtime and the address it listens on."""

    app: FastAPI
    runtime: root.Runtime
    url: str
    stack: ExitStack = field(repr=False)

    def signed_in(
        self, role: Role, person: Person | None = None, *, habilitated: bool | None = None
    ) -> httpx.Client:
        """A client of *role*: session cookie and CSRF token in place."""
        token = session_of(self.runtime, role, person, habilitated=habilitated)
        name = cookies.name_of(cookies.SESSION, secure=self.runtime.settings.auth.cookie_secure)
        return self.stack.enter_context(
            httpx.Client(
                base_url=self.url,
                cookies={name: token},
                headers={"X-CSRF-Token": cookies.csrf_token(token)},
                trust_env=False,
                timeout=30,
            )
        )


@contextmanager
def running(database: Database, settings: root.Settings) -> Iterator[Product]:
    """The product on *database*, listening on 127.0.0.1."""
    with ExitStack() as stack:
        runtime = root.compose(settings, database)
        stack.callback(runtime.desk.close)
        stack.callback(runtime.directory.close)
        stack.callback(runtime.identity.close)
        application = stack.enter_context(borrowed("product", root.create_app(runtime)))
        url = stack.enter_context(serve(application)).url
        yield Product(application, runtime, url, stack)


def session_of(
    runtime: root.Runtime,
    role: Role,
    person: Person | None = None,
    *,
    habilitated: bool | None = None,
) -> str:
    """Open a session for a person of *role*; return the secret of its cookie.

    A secretary is *habilitated* to validate identities unless told otherwise, nobody else is.
    """
    person = person or PERSON_OF[role]
    able = role is Role.SECRETARY if habilitated is None else habilitated
    told = userinfo.parse(person.userinfo())
    claims: dict[str, Any] = {"acr": "eidas1", "amr": ["pwd"]}
    with runtime.database.transaction() as session:
        accounts.grant(session, person.ps_idnat, role, identity_habilitated=able)
        account = accounts.link(session, told)
        listed = situations.refresh(session, account, told)
        sign_in = SignIn(claims, person.userinfo(), "id-token", clock.now())
        _, token = sessions.open_session(
            session, account, listed, sign_in, sealer=runtime.desk.sealer
        )
    return token
