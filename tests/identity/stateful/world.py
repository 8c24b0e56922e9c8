"""The whole product on its test database, beside INSi, a partner and an HL7 sender: what is played.

Acts and readings only; what must never be seen is said by `oracle.py`, what is tried by
`machine.py`.
"""

import io
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
import structlog
from psycopg import sql
from psycopg.rows import dict_row

from ris import app as root
from ris.auth.rights import Role
from ris.core import logs
from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.demo.environment import environment
from ris.identity.foreign import trust
from ris.identity.foreign.model import TrustScope
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.mllp import framed
from ris.sandbox import insi
from ris.sandbox.faults import Faults
from ris.sandbox.server import serve
from ris.sandbox.services import Sandbox
from tests.identity.stateful.planted import ANY
from tests.interop.hl7v2.test_mllp import connected, frame, listening
from tests.plugin_database import filled
from tests.security.product import Product, running

DOMAIN: Final = "1.2.250.1.999.1.1"  # the IPP domain of the demo's site
STAFF: Final = (Role.IDENTITY_OFFICER, Role.SECRETARY, Role.RADIOLOGIST)
SENDERS: Final = {"GAM": DOMAIN, "CLINIQUE": "1.2.3.4.5.6", "INCONNU": "9.9.9.9"}


@dataclass
class Partner:
    """An attached system that believes everything and keeps what it heard."""

    heard: list[bytes] = field(default_factory=list)

    def receive(self, data: bytes, _origin: str, _whole: bool) -> bytes | None:
        self.heard.append(data)
        control = parser.header(data).text(10)
        return f"MSH|^~\\&|P|C|R|C|1||ACK|9|P|2.5\rMSA|AA|{control}\r".encode()


@dataclass
class World:
    """Everything a sequence of acts touches; `reset` empties it between two sequences."""

    product: Product
    insi: insi.InsiSandbox
    partner: Partner
    log: io.StringIO
    line: socket.socket
    staff: dict[Role, httpx.Client]
    kept_tables: frozenset[str]
    reader: "psycopg.Connection[dict[str, Any]]"

    @property
    def database(self) -> Database:
        return self.product.runtime.database

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return what a query finds now."""
        return self.reader.execute(query, values).fetchall()  # type: ignore[arg-type]

    def send(self, message: bytes) -> bytes:
        """Send one HL7 message by MLLP; return its answer."""
        self.line.sendall(framed(message))
        return frame(self.line)

    def work(self) -> list[bytes]:
        """Let the worker do what is due; return what the attached system heard meanwhile."""
        self.partner.heard.clear()
        jobs = {job.name: job.run for job in self.product.runtime.diffusion.upkeep}
        for name in ("verify_foreign_ins", "apply_hl7_messages", "propagate_identities"):
            jobs[name]()
        return list(self.partner.heard)

    def logged(self) -> str:
        """Return what was logged since the last time."""
        told = self.log.getvalue()
        self.log.seek(0)
        self.log.truncate()
        return told

    def where(self) -> list[tuple[str, str]]:
        """Return (table, number) for every planted number that any row of any table shows."""
        with psycopg.connect(self.database.url) as link:
            parts = [_search(link, table) for table in filled(link) if table != "engine_schema"]
            return [(str(t), str(n)) for t, n in link.execute(sql.SQL(" union ").join(parts))]

    def reset(self) -> None:
        """Empty the database of what a sequence wrote; sessions and contracts stay."""
        with psycopg.connect(self.database.url) as link:
            link.execute("set session_replication_role = replica")
            for table in filled(link):
                if table not in self.kept_tables:
                    link.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))
        self.insi.scripted.clear()
        self.insi.faults.clear()
        self.partner.heard.clear()
        self.logged()


def _search(link: "psycopg.Connection[Any]", table: str) -> sql.Composed:
    columns = link.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and not attisdropped and atttypid = 'bytea'::regtype", (table,)
    ).fetchall()  # fmt: skip
    text = sql.SQL("to_jsonb(x)::text")
    for (name,) in columns:
        text += sql.SQL(" || coalesce(encode(x.{}, 'escape'), '')").format(sql.Identifier(name))
    found = sql.SQL("select {}, m[1] from {} x, regexp_matches({}, {}, 'g') m")
    return found.format(sql.Literal(table), sql.Identifier(table), text, sql.Literal(ANY))


@contextmanager
def world(database: Database, folder: Path) -> Iterator[World]:
    """Give the world, everyone signed in; the former logging comes back at the end."""
    with (
        Sandbox(folder / "sandbox", api_url="http://127.0.0.1:9") as sandbox,
        _insi(sandbox) as (address, state),
        _partner() as (port, partner),
        _logging() as log,
    ):
        settings = _settings(sandbox, folder / "settings", address, port)
        with (
            running(database, settings) as product,
            listening(settings.hl7, product.runtime.inbox.receive) as intake,
            connected(intake) as line,
        ):
            staff = {role: product.signed_in(role) for role in STAFF}
            with database.transaction() as session:
                for name, scope in (
                    ("GAM", TrustScope.OWN_DOMAIN),
                    ("CLINIQUE", TrustScope.NO_DIRECT_CARE),
                ):
                    trust.sign(session, sender=SENDERS[name], scope=scope, label=name, actor=SYSTEM)
            with psycopg.connect(database.url, autocommit=True, row_factory=dict_row) as reader:
                with psycopg.connect(database.url) as link:
                    kept = frozenset(filled(link)) - {"audit_event"}
                yield World(product, state, partner, log, line, staff, kept, reader)


def _settings(sandbox: Sandbox, folder: Path, insi_url: str, port: int) -> root.Settings:
    partner = {"name": "PACS", "host": "127.0.0.1", "port": port, "application": "PACS",
               "facility": "C", "use_recup_qual": True}  # fmt: skip
    senders = [
        {"application": name, "facility": "", "domain": oid} for name, oid in SENDERS.items()
    ]
    told = environment(sandbox, folder) | {
        "RIS_IDENTITY__INSI__ENDPOINT": insi_url,
        "RIS_HL7__PARTNERS": json.dumps([partner]),
        "RIS_HL7__SENDERS": json.dumps(senders),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RIS_")]:
            patch.delenv(name)
        for name, value in told.items():
            patch.setenv(name, value)
        return root.Settings()


@contextmanager
def _insi(sandbox: Sandbox) -> Iterator[tuple[str, insi.InsiSandbox]]:
    app, pki = insi.build(Faults()), sandbox.pki
    with serve(app, tls=pki.server(), client_ca=pki.trust, client_cert="required") as running_insi:
        yield running_insi.url + insi.PATH, app.state.insi


@contextmanager
def _partner() -> Iterator[tuple[int, Partner]]:
    partner = Partner()
    with listening(root.Settings().hl7, partner.receive) as port:
        yield port, partner


@contextmanager
def _logging() -> Iterator[io.StringIO]:
    """Give what the product logs, DEBUG included."""
    top = logging.getLogger()
    before = (top.handlers, top.level, logging.raiseExceptions)
    levels = {name: logging.getLogger(name).level for name in top.manager.loggerDict}
    stream = io.StringIO()
    logs.configure(level="DEBUG", stream=stream)
    try:
        yield stream
    finally:
        top.handlers, top.level, logging.raiseExceptions = before
        logging.captureWarnings(capture=False)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        structlog.reset_defaults()
