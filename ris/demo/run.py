"""`ris demo`: starts everything on this machine, plays the story, shows the proofs, stops it all.

Orchestration and progress only; what is played is in `story`, what is checked in `proof`.
"""

import shutil
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from rich.console import Console

from ris.auth import accounts
from ris.auth.rights import Role
from ris.core import embedded, ids, logs, schema
from ris.core.db import Database
from ris.core.errors import RisError
from ris.demo import proof
from ris.demo.client import DemoFailure
from ris.demo.environment import environment
from ris.demo.processes import Processes, free_port
from ris.demo.story import Facts, Story
from ris.diffusion.engine_schema import engine_schema
from ris.sandbox.psc_people import IDENTITY_OFFICER, RADIOLOGIST_A, SECRETARY
from ris.sandbox.services import Sandbox

STAFF: Final = (
    (RADIOLOGIST_A, Role.RADIOLOGIST),
    (SECRETARY, Role.SECRETARY),
    (IDENTITY_OFFICER, Role.IDENTITY_OFFICER),
)


def play(var: Path, *, keep: bool) -> int:
    """Play the demo with data under *var*; return the exit code. *keep* waits for Ctrl-C."""
    console = Console()
    started = time.monotonic()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when started in the background
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _site(var, console) as (sandbox, processes, database):
            facts = _story(sandbox, processes, console)
            proof.show(var, sandbox, database, facts, console)
            console.print(
                f"[bold green]✓[/] Parcours : {facts.seconds:.1f} s ; "
                f"démonstration complète : {time.monotonic() - started:.1f} s"
            )
            if keep:
                _hold(sandbox, database, console)
    except (DemoFailure, RisError) as error:
        detail = error.detail or error.title if isinstance(error, RisError) else str(error)
        console.print(f"[bold red]✗[/] {detail}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Interrompu.")
        return 130
    except Exception as error:
        trace = var / "demo" / "demo.log"
        trace.parent.mkdir(parents=True, exist_ok=True)
        trace.write_text(traceback.format_exc(), encoding="utf-8")
        console.print(
            f"[bold red]✗[/] Erreur inattendue ({type(error).__name__}), détail : {trace}",
            highlight=False,
        )
        return 1
    return 0


@contextmanager
def _site(var: Path, console: Console) -> Iterator[tuple[Sandbox, Processes, Database]]:
    """Start PostgreSQL, the sandbox, the API and one worker; stop them at the end."""
    logs.configure(level="ERROR")
    home, records = var / "demo-site", var / "demo"
    shutil.rmtree(records, ignore_errors=True)
    for folder in (home, records):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = free_port()
    with (
        console.status("Démarrage : PostgreSQL embarqué, bac à sable, API, processus d'envoi…"),
        embedded.server(var) as server_url,
        _fresh_database(server_url) as url,
        Sandbox(home, api_url=f"http://127.0.0.1:{port}") as sandbox,
    ):
        settings = environment(sandbox, home) | {"RIS_DATABASE_URL": url}
        schema.upgrade(url, engine=engine_schema())
        database = Database(url, pool_size=2)
        _grant(database)
        with Processes(settings, records) as processes:
            processes.start("api", "api", "--port", str(port))
            processes.start("worker", "worker")
            processes.await_ready(sandbox.api_url)
            try:
                yield sandbox, processes, database
            finally:
                database.close()


def _story(sandbox: Sandbox, processes: Processes, console: Console) -> Facts:
    console.rule("Un compte rendu signé part seul")

    def tell(text: str) -> None:
        console.print(f"[green]✓[/] {text}", highlight=False)

    story = Story(sandbox.api_url, sandbox.pki.trust, tell, processes.check)
    try:
        return story.play()
    finally:
        story.close()


def _grant(database: Database) -> None:
    with database.transaction() as session:
        for person, role in STAFF:
            accounts.grant(session, person.ps_idnat, role, identity_habilitated=True)


@contextmanager
def _fresh_database(server_url: str) -> Iterator[str]:
    """Give a new empty database; drop it at the end, and those of demos that were killed."""
    name = f"demo_{ids.new().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        idle = admin.execute(
            "select datname from pg_database d where datname like 'demo\\_%' and not exists"
            " (select from pg_stat_activity a where a.datname = d.datname)"
        ).fetchall()
        for (left,) in idle:
            admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(left)))
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield server_url.replace("/postgres?", f"/{name}?")
        finally:
            admin.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


def _hold(sandbox: Sandbox, database: Database, console: Console) -> None:
    told = f"""API : {sandbox.api_url}/v1 (documentation : docs/openapi.json)
Connexion : ouvrir {sandbox.api_url}/auth/psc/login?next=/v1/session et choisir une personne.
  {RADIOLOGIST_A.family} radiologue, {SECRETARY.family} secrétaire habilitée,
  {IDENTITY_OFFICER.family} identitovigilance ; les autres n'ont pas de compte ici.
Requêtes qui modifient : en-tête X-CSRF-Token, donné par GET /v1/session.
Autorité de test du portefeuille : {sandbox.pki.trust}
Autre patient connu d'INSi : ADRUN ZOE, née le 1975-12-31, F, 63220
  (hors domaine de test : son compte rendu n'ira pas au DMP, INS_DOMAIN).
Base : {database.url}
Ctrl-C arrête tout."""
    console.print(told, highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)
