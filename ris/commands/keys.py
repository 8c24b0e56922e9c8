"""`ris keys`, `ris copies`: the key ring and what it seals; the proofs of erasure."""

from pathlib import Path
from typing import Annotated

import typer

from ris import app as root
from ris.auth.certificates import service
from ris.core.crypto import Keyring, Sealer
from ris.identity.copies import purge, rotation
from ris.settings import Settings, keyring_path

keys = typer.Typer(help="Trousseau de clés.", no_args_is_help=True)
copies = typer.Typer(help="Copies de titres d'identité.", no_args_is_help=True)


@keys.command()
def generate(file: Path) -> None:
    """Créer un trousseau de clés (mode 0600), à désigner par RIS_KEYRING."""
    if file.exists():
        typer.echo("Ce fichier existe déjà : un trousseau ne s'écrase pas.", err=True)
        raise typer.Exit(1)
    Keyring.generate(file)
    typer.echo(f"Trousseau créé : {file}. Sauvegardez-le à part de la base.")


@keys.command()
def rotate(
    resume: Annotated[bool, typer.Option("--resume", help="Reprendre, sans nouvelle clé.")] = False,
) -> None:
    """Ajouter une clé et y passer toutes les clés de données ; code 1 s'il en reste."""
    path = keyring_path(Settings())
    with root.running(Settings()) as runtime, rotation.alone(runtime.database):
        keyring = Keyring.from_file(path)
        if not resume:
            keyring = keyring.rotate(path)
        done = rotation.rewrap(runtime.database, Sealer(keyring), keyring.current)
        with runtime.database.transaction() as session:
            pool = runtime.desk.certificates
            keys_done, lost = service.rewrap(session, pool, Sealer(keyring), keyring.current)
    typer.echo(
        f"Clé courante {done.kek_id} : {done.rewrapped} copie(s) et {done.values} autre(s)"
        " donnée(s) reprises."
    )
    if keys_done:
        typer.echo(f"{keys_done} clé(s) de certificat reprise(s).")
    if unreadable := done.unreadable + lost:
        typer.echo(f"{unreadable} donnée(s) dont la clé est perdue.", err=True)
        raise typer.Exit(1)


@copies.command()
def erasures() -> None:
    """Lister les preuves de suppression (JSON par ligne) ; code 1 si une signature est fausse."""
    sound = True
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        for proof in purge.proofs(session):
            typer.echo(proof.line())
            sound = sound and proof.sound
    if not sound:
        raise typer.Exit(1)
