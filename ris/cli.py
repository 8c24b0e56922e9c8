"""The `ris` command: starting the product's processes and the operator's few tools.

Thin: each command reads the settings and calls one function of the product.
"""

import asyncio
import json
import shlex
import signal
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
import typer
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from ris import app as root
from ris.auth import accounts, structures
from ris.auth.card import listener as card_listener
from ris.auth.rights import Role
from ris.core import audit, audit_anchor, backup, logs, resealing, schema
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.core.errors import NotConfigured, RisError
from ris.core.peer_certificate import PeerCertificate
from ris.diffusion import jobs
from ris.diffusion.engine_schema import engine_schema
from ris.identity.copies import document, parameters, purge, rotation
from ris.interop.hl7v2 import server
from ris.rem.cli import app as rem_cli
from ris.reports.cli import app as reports_cli

ROOT: Final = Path(__file__).parents[1]
cli = typer.Typer(
    help="Ségur RIS Core", no_args_is_help=True, pretty_exceptions_enable=False,
    add_completion=False,
)  # fmt: skip
db = typer.Typer(help="Base de données.", no_args_is_help=True)
audit_cli = typer.Typer(help="Journal.", no_args_is_help=True)
config = typer.Typer(help="Configuration.", no_args_is_help=True)
accounts_cli = typer.Typer(help="Comptes et rôles.", no_args_is_help=True)
structures_cli = typer.Typer(help="Structures servies par ce site.", no_args_is_help=True)
keys = typer.Typer(help="Trousseau de clés.", no_args_is_help=True)
copies = typer.Typer(help="Copies de titres d'identité.", no_args_is_help=True)
docs = typer.Typer(help="Documents produits par le logiciel.", no_args_is_help=True)
cli.add_typer(db, name="db")
cli.add_typer(keys, name="keys")
cli.add_typer(copies, name="copies")
cli.add_typer(docs, name="docs")
cli.add_typer(audit_cli, name="audit")
cli.add_typer(config, name="config")
cli.add_typer(accounts_cli, name="accounts")
cli.add_typer(structures_cli, name="structures")
cli.add_typer(rem_cli, name="rem")
cli.add_typer(reports_cli, name="reports")


def main() -> None:
    """Run the command line; a known failure is one French line and exit code 1."""
    try:
        cli()
    except RisError as error:
        typer.echo(f"{error.title} : {error.detail} [{error.code}]", err=True)
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
    with root.running(root.Settings()) as runtime:
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
    with root.running(root.Settings()) as runtime:
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
    with root.running(root.Settings()) as runtime:
        jobs.run_worker(runtime.diffusion, concurrency=concurrency, once=once)


@cli.command()
def mllp(
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port d'écoute.")] = 2575,
) -> None:
    """Recevoir les identités par HL7 v2 (MLLP) ; SIGTERM laisse finir les échanges en cours."""
    logs.configure()
    with root.running(root.Settings()) as runtime:
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


@db.command()
def upgrade() -> None:
    """Amener la base à la version de ce logiciel."""
    settings = root.Settings()
    with root.database_url(settings) as url:
        schema.upgrade(url, engine=engine_schema(), sealer=partial(root.sealer_of, settings))
    typer.echo("Base à jour.")


@db.command()
def dump(file: Path) -> None:
    """Sauvegarder la base dans un fichier ; le trousseau de clés n'y est pas."""
    settings = root.Settings()
    with root.database_url(settings) as url:
        backup.dump(url, file)
    ring = root.keyring_path(settings)
    typer.echo(f"Base sauvegardée. Sans le trousseau {ring}, à garder à part, elle est illisible.")


@db.command()
def restore(file: Path) -> None:
    """Restaurer une base vide depuis un fichier ; code 1 si le trousseau ne l'ouvre pas."""
    settings = root.Settings()
    with root.database_url(settings) as url:
        backup.restore(url, file)
        typer.echo("Base restaurée.")
        sealer = root.sealer_of(settings) if root.keyring_path(settings).exists() else None
        with closing(Database(url, pool_size=1)) as database:
            resealing.check(database, sealer)


@audit_cli.command()
def verify(
    start: Annotated[int, typer.Option("--from", help="Premier numéro à vérifier.")] = 1,
    file: Annotated[
        Path | None, typer.Option(exists=True, help="Journal exporté (une ligne par événement).")
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(exists=True, help="Têtes ancrées, à retrouver dans le journal.")
    ] = None,
) -> None:
    """Recalculer la chaîne du journal ; code 1 au premier maillon rompu."""
    if anchors is not None:
        _refuse_broken_anchor(anchors)
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        broken, last = next(audit.broken_lines(lines), None), len(lines)
    else:
        with root.database_url(root.Settings()) as url:
            broken, last = _broken_link(url, start)
    if broken is not None:
        typer.echo(f"Journal rompu à l'événement {broken}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Journal intègre jusqu'à l'événement {last}.")


@audit_cli.command("anchor")
def audit_anchor_now() -> None:
    """Écrire la tête du journal dans le fichier d'ancrage (RIS_JOURNAL__ANCHOR)."""
    settings = root.Settings()
    if not settings.journal.anchor:
        raise NotConfigured("Indiquez le fichier d'ancrage : RIS_JOURNAL__ANCHOR.")
    with root.database_url(settings) as url, closing(Database(url, pool_size=1)) as database:
        head = audit_anchor.anchor(database, Path(settings.journal.anchor))
    typer.echo(head.line() if head else "Le journal est vide.")


def _refuse_broken_anchor(anchors: Path) -> None:
    with root.database_url(root.Settings()) as url, closing(Database(url, pool_size=1)) as database:
        broken = next(audit_anchor.broken_anchors(database, anchors), None)
    if broken is not None:
        typer.echo(f"Le journal ne contient plus la tête ancrée {broken}.", err=True)
        raise typer.Exit(1)


def _broken_link(url: str, start: int) -> tuple[int | None, int]:
    database = Database(url, pool_size=1)
    with closing(database), database.transaction() as session:
        with closing(audit.broken_links(session, start=start)) as links:
            broken = next(links, None)
        head = audit.head(session)
        return broken, head.seq if head else 0


@config.command("check")
def config_check(
    database_only: Annotated[bool, typer.Option("--database-only")] = False,
) -> None:
    """Afficher les réglages effectifs, sans secret, et tout ce qui manque (code 1)."""
    settings = root.Settings()
    absent = [] if database_only else root.missing(settings)
    if not database_only:
        typer.echo(_shown(settings.model_dump(mode="json")))
    for line in absent:
        typer.echo(f"Manque : {line}")
    with root.running(settings) as runtime:
        runtime.database.ping()
        if not schema.is_at_head(runtime.database.url, engine=engine_schema()):
            typer.echo("Base à mettre à niveau : ris db upgrade", err=True)
            raise typer.Exit(1)
        for held in runtime.desk.certificates.inventory():
            end = f"{held.not_after:%d/%m/%Y}" if held.not_after else "?"
            state = held.refusal or "utilisable"
            typer.echo(f"certificat {held.struct_idnat} {held.usage} : {state}, fin {end}")
    typer.echo("Base joignable et à jour.")
    raise typer.Exit(1 if absent else 0)


@keys.command()
def generate(file: Path) -> None:
    """Créer un trousseau de clés (mode 0600), à désigner par RIS_KEYRING."""
    if file.exists():
        typer.echo("Ce fichier existe déjà : un trousseau ne s'écrase pas.", err=True)
        raise typer.Exit(1)
    Keyring.generate(file)
    typer.echo(f"Trousseau créé : {file}. Sauvegardez-le à part de la base.")


@accounts_cli.command()
def grant(
    ps_idnat: str,
    role: Role,
    habilitated: Annotated[bool, typer.Option(help="Habilité à valider les identités.")] = False,
) -> None:
    """Donner un rôle à une personne avant sa première connexion."""
    with root.running(root.Settings()) as runtime:
        runtime.directory.learn(ps_idnat)
        with runtime.database.transaction() as session:
            accounts.grant(session, ps_idnat, role, identity_habilitated=habilitated)
    typer.echo(f"Rôle {role} donné à {ps_idnat}.")


@structures_cli.command()
def declare(
    struct_idnat: str,
    name: str,
    scm: Annotated[
        bool, typer.Option("--scm", help="Société civile de moyens : n'agit jamais au dehors.")
    ] = False,
) -> None:
    """Déclarer une structure de ce site, ou la corriger ; une SCM ne porte aucun acte médical."""
    with root.running(root.Settings()) as runtime, runtime.database.transaction() as session:
        structures.declare(session, struct_idnat, name, is_scm=scm)
    typer.echo(f"Structure {struct_idnat} déclarée{' comme SCM' if scm else ''}.")


@keys.command()
def rotate(
    resume: Annotated[bool, typer.Option("--resume", help="Reprendre, sans nouvelle clé.")] = False,
) -> None:
    """Ajouter une clé et y passer toutes les clés de données ; code 1 s'il en reste."""
    path = root.keyring_path(root.Settings())
    with root.running(root.Settings()) as runtime, rotation.alone(runtime.database):
        keyring = Keyring.from_file(path)
        if not resume:
            keyring = keyring.rotate(path)
        done = rotation.rewrap(runtime.database, Sealer(keyring), keyring.current)
    typer.echo(
        f"Clé courante {done.kek_id} : {done.rewrapped} copie(s) et {done.values} autre(s)"
        " donnée(s) reprises."
    )
    if done.unreadable:
        typer.echo(f"{done.unreadable} donnée(s) dont la clé est perdue.", err=True)
        raise typer.Exit(1)


@copies.command()
def erasures() -> None:
    """Lister les preuves de suppression (JSON par ligne) ; code 1 si une signature est fausse."""
    sound = True
    with root.running(root.Settings()) as runtime, runtime.database.transaction() as session:
        for proof in purge.proofs(session):
            typer.echo(proof.line())
            sound = sound and proof.sound
    if not sound:
        raise typer.Exit(1)


@docs.command("id-copies")
def id_copies(
    check: Annotated[bool, typer.Option("--check", help="Comparer sans écrire.")] = False,
) -> None:
    """Écrire docs/security-id-copies.md (RIS.INS.58)."""
    path = ROOT / document.PUBLISHED
    text = document.render(parameters.parameters(root.ACTIVITIES))
    if not check:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        typer.echo(f"{document.PUBLISHED} n'est plus à jour : ris docs id-copies", err=True)
        raise typer.Exit(1)


def _shown(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=2)


if __name__ == "__main__":
    main()
