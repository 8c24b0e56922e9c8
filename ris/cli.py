"""The `ris` command: starting the product's processes and the operator's few tools.

Thin: each command reads the settings and calls one function of the product. The operator's tools
are in `ris/commands/`.
"""

import asyncio
import json
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
import typer
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from ris import app as root
from ris.auth.card import listener as card_listener
from ris.auth.certificates import rules, service
from ris.commands.accounts import accounts_cli, structures_cli
from ris.commands.certificates import certificates_cli, described
from ris.commands.database import db
from ris.commands.documents import docs
from ris.commands.journal import audit_cli
from ris.commands.keys import copies, keys
from ris.core import logs, schema
from ris.core.errors import NotConfigured, RisError
from ris.core.peer_certificate import PeerCertificate
from ris.diffusion import jobs
from ris.diffusion.engine_schema import engine_schema
from ris.interop.hl7v2 import server
from ris.rem.cli import app as rem_cli
from ris.reports.cli import app as reports_cli
from ris.settings import Settings, missing

ROOT: Final = Path(__file__).parents[1]
cli = typer.Typer(
    help="Ségur RIS Core", no_args_is_help=True, pretty_exceptions_enable=False,
    add_completion=False,
)  # fmt: skip
config = typer.Typer(help="Configuration.", no_args_is_help=True)
cli.add_typer(db, name="db")
cli.add_typer(keys, name="keys")
cli.add_typer(copies, name="copies")
cli.add_typer(docs, name="docs")
cli.add_typer(audit_cli, name="audit")
cli.add_typer(config, name="config")
cli.add_typer(accounts_cli, name="accounts")
cli.add_typer(structures_cli, name="structures")
cli.add_typer(certificates_cli, name="certificates")
cli.add_typer(rem_cli, name="rem")
cli.add_typer(reports_cli, name="reports")


def main() -> None:
    """Run the command line; a known failure is one French line and exit code 1."""
    try:
        cli()
    except RisError as error:
        told = f"{error.title} : {error.detail}" if error.detail else error.title
        typer.echo(f"{told} [{error.code}]", err=True)
        sys.exit(1)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            place = "__".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"Réglage RIS_{place} : {problem['msg']}", err=True)
        sys.exit(1)
    except SettingsError:
        typer.echo("Réglage RIS_… : une liste ou un objet n'est pas en JSON.", err=True)
        sys.exit(1)
    except (ProgrammingError, psycopg.errors.UndefinedTable):
        typer.echo("Base vide ou ancienne : lancez « ris db upgrade ».", err=True)
        sys.exit(1)
    except (SQLAlchemyError, psycopg.Error) as error:
        told = f"Base de données : opération impossible [{type(error).__name__}]"
        typer.echo(f"{told}. Vérifiez RIS_DATABASE_URL.", err=True)
        sys.exit(1)


@cli.command()
def api(
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port d'écoute.")] = 8000,
) -> None:
    """Démarrer l'API HTTP."""
    logs.configure()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again once stopped
    with root.serving(Settings()) as runtime:
        uvicorn.run(
            root.create_app(runtime), host=host, port=port, log_config=None, access_log=False,
            server_header=False, http=PeerCertificate,
        )  # fmt: skip


@cli.command("card-login")
def card_login(
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port d'écoute.")] = 8443,
) -> None:
    """Recevoir les connexions par carte CPS ou CPE (TLS mutuel), sur le même nom que le site."""
    logs.configure()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again once stopped
    with root.serving(Settings()) as runtime:
        if runtime.card is None:
            raise NotConfigured(
                "La connexion par carte n'est pas activée : RIS_AUTH__CARD__ENABLED."
            )
        uvicorn.Server(card_listener.configured(runtime.card, host, port)).run()


@cli.command()
def worker(
    concurrency: Annotated[int | None, typer.Option(help="Envois simultanés.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Vider la file puis s'arrêter.")] = False,
) -> None:
    """Démarrer un processus d'envoi ; SIGTERM laisse finir les envois en cours."""
    logs.configure()
    with root.serving(Settings()) as runtime:
        jobs.run_worker(runtime.diffusion, concurrency=concurrency, once=once)


@cli.command()
def mllp(
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port d'écoute.")] = 2575,
) -> None:
    """Recevoir les identités par HL7 v2 (MLLP) ; SIGTERM laisse finir les échanges en cours."""
    logs.configure()
    with root.serving(Settings()) as runtime:
        asyncio.run(server.run(runtime.inbox, host, port))


@cli.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Laisser les services en marche.")] = False,
) -> None:
    """Jouer le parcours complet sur les services bac à sable."""
    from ris.demo.run import play  # noqa: PLC0415 - needs the sandbox extra

    sys.exit(play(Path("var"), keep=keep))


@cli.command()
def sandbox(
    directory: Annotated[Path, typer.Option(help="PKI de test et réglages.")] = Path("var/sandbox"),
    api_url: Annotated[str, typer.Option(help="Adresse du RIS.")] = "http://127.0.0.1:8000",
) -> None:
    """Démarrer les simulateurs et écrire les réglages qui y mènent (directory/ris.env)."""
    from ris.demo.environment import environment  # noqa: PLC0415 - needs the sandbox extra
    from ris.sandbox.services import Sandbox  # noqa: PLC0415 - needs the sandbox extra

    logs.configure(level="ERROR")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    directory = directory.resolve()
    with Sandbox(directory, api_url=api_url) as services:
        told = environment(services, directory)
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in told.items()]
        (directory / "ris.env").write_text("".join(lines), encoding="utf-8")
        typer.echo(f"Simulateurs démarrés. Dans un autre terminal :\n  . {directory / 'ris.env'}")
        typer.echo("  ris db upgrade ; ris accounts grant 899700993001 RADIOLOGIST")
        typer.echo("  ris api   puis   ris worker")
        stop.wait()


@cli.command()
def openapi(
    check: Annotated[bool, typer.Option("--check", help="Comparer sans écrire.")] = False,
) -> None:
    """Écrire docs/openapi.json."""
    path = ROOT / "docs" / "openapi.json"
    text = json.dumps(root.describe(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if not check:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        typer.echo("docs/openapi.json n'est plus à jour : make openapi", err=True)
        raise typer.Exit(1)


@config.command("check")
def config_check(
    database_only: Annotated[bool, typer.Option("--database-only")] = False,
) -> None:
    """Afficher les réglages effectifs, sans secret, et tout ce qui manque (code 1)."""
    settings = Settings()
    absent = [] if database_only else missing(settings)
    if not database_only:
        typer.echo(_shown(settings.model_dump(mode="json")))
    for line in absent:
        typer.echo(f"Manque : {line}")
    with root.running(settings) as runtime:
        runtime.database.ping()
        if not schema.is_at_head(runtime.database.url, engine=engine_schema()):
            typer.echo("Base à mettre à niveau : ris db upgrade", err=True)
            raise typer.Exit(1)
        with runtime.database.transaction() as session:
            certificates = service.inventory(session, runtime.desk.certificates)
        for held in certificates:
            typer.echo(described(held))
        useless = [] if database_only else rules.faults(certificates)
        for held in useless:
            typer.echo(f"À corriger : {described(held)}", err=True)
    typer.echo("Base joignable et à jour.")
    raise typer.Exit(1 if absent or useless else 0)


def _shown(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=2)


if __name__ == "__main__":
    main()
