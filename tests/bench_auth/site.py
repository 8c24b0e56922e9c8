"""The site that is measured: PostgreSQL, `ris api` as a process, a sandbox Pro Santé Connect.

People, patients and reports are written in the database beforehand; sessions are opened there, as a
sign-in would. Only 127.0.0.1.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import select

from ris.auth import accounts, cookies, sessions
from ris.auth.model import Account
from ris.auth.psc.client import SignIn
from ris.auth.rights import Role
from ris.core import clock, ids, schema
from ris.core.audit import Actor
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.demo.processes import Processes, free_port
from ris.diffusion.engine_schema import engine_schema
from ris.identity.model import Patient
from ris.reports.model import Report
from ris.sandbox.pki import TestPki
from ris.sandbox.psc import PscProvider, RegisteredClient
from ris.sandbox.psc_people import PEOPLE, SCM_SIRET
from ris.sandbox.server import serve
from tests.bench_identity import population
from tests.diffusion.bench import draft

USERS: Final = 200
PATIENTS: Final = 20_000
REPORTS: Final = 60
SHOWN: Final = 500  # patients that the sender asks about
SECRET: Final = "bench-secret-long-enough-for-hs256"
COOKIE: Final = cookies.SESSION  # plain HTTP on the loopback: no prefix


@dataclass(frozen=True)
class Target:
    """What the sender needs to know, as JSON."""

    base: str
    trust: str
    cookie: str
    users: list[str]
    patients: list[dict[str, str]]
    reports: list[str]
    people: list[str]

    def written(self, path: Path) -> Path:
        """Write it for the sender's process."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path


@contextmanager
def running(server: str, folder: Path) -> Iterator[tuple[Target, Database]]:
    """Give a site at work, on a new database of *server*."""
    with ExitStack() as stack:
        url = fresh(server)
        sealer = Sealer(Keyring.generate(folder / "keyring.json"))
        database = Database(url, pool_size=4, sealer=sealer)
        stack.callback(database.close)
        pki, port = TestPki(folder / "pki"), free_port()
        base = f"http://127.0.0.1:{port}"
        provider = PscProvider(RegisteredClient("ris-core", SECRET, (f"{base}/auth/psc/callback",)))
        provider.base_url = stack.enter_context(serve(provider.app, tls=pki.server())).url
        told = settings(url, folder, pki, provider, base)
        processes = stack.enter_context(Processes(told, folder))
        target = Target(
            base,
            str(pki.trust),
            COOKIE,
            signed_in(database, sealer),
            *written(database),
            people=granted(database),
        )
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze")
        processes.start("api", "api", "--port", str(port))
        processes.await_ready(base)
        yield target, database


def fresh(server: str) -> str:
    """Return the URL of a new database with the whole schema and its patients."""
    name = f"bench_{ids.new().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'create database "{name}"'.encode())
    url = server.replace("/postgres?", f"/{name}?")
    schema.upgrade(url, engine=engine_schema())
    with psycopg.connect(url) as connection:
        population.fill(connection, PATIENTS)
    return url


def settings(
    url: str, folder: Path, pki: TestPki, provider: PscProvider, base: str
) -> dict[str, str]:
    """Return the environment of `ris api`."""
    return {
        "RIS_ENVIRONMENT": "test",
        "RIS_DATABASE_URL": url,
        "RIS_DATA_DIR": str(folder),
        "RIS_KEYRING": str(folder / "keyring.json"),
        "RIS_TRUST_STORE": str(pki.trust),
        "RIS_AUTH__COOKIE_SECURE": "false",
        "RIS_AUTH__ALLOW_TEST_IDS": "true",
        "RIS_AUTH__PSC__ISSUER": provider.issuer,
        "RIS_AUTH__PSC__CLIENT_SECRET": SECRET,
        "RIS_AUTH__PSC__REDIRECT_URI": f"{base}/auth/psc/callback",
    }


def granted(database: Database) -> list[str]:
    """Grant a role to the sandbox's people: those who sign in during the measure."""
    with database.transaction() as session:
        for person in PEOPLE:
            accounts.grant(session, person.ps_idnat, Role.SECRETARY)
    return [person.ps_idnat for person in PEOPLE]


def signed_in(database: Database, sealer: Sealer) -> list[str]:
    """Open a session for each of the 200 people; return the secrets of their cookies."""
    tokens = []
    for number in range(USERS):
        with database.transaction() as session:
            ps_idnat = f"5{SCM_SIRET}/CPET1{number:04}"
            account = accounts.grant(session, ps_idnat, Role.SECRETARY)
            sign_in = SignIn({"acr": "eidas1"}, {}, "id-token", clock.now())
            _, token = sessions.open_session(session, account, [], sign_in, sealer=sealer)
            tokens.append(token)
    return tokens


def written(database: Database) -> tuple[list[dict[str, str]], list[str]]:
    """Write the drafts; return the patients and the reports to ask about."""
    with database.transaction() as session:
        author = session.scalars(select(Account).limit(1)).one()
        for _ in range(REPORTS):
            draft(session, Actor(account_id=author.id))
    with database.transaction() as session:
        patients = [
            {
                "id": str(one.id),
                "birth_date": one.birth_date.isoformat(),
                "name": one.birth_family[:3],
            }
            for one in session.scalars(select(Patient).order_by(Patient.ipp).limit(SHOWN))
        ]
        return patients, [str(one) for one in session.scalars(select(Report.id))]
