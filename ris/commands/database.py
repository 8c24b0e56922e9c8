"""`ris db`: bring the database up to date, save it, restore it."""

from contextlib import closing
from functools import partial
from pathlib import Path

import typer

from ris import app as root
from ris.core import backup, resealing, schema
from ris.core.db import Database
from ris.diffusion.engine_schema import engine_schema
from ris.settings import Settings, keyring_path

db = typer.Typer(help="Base de données.", no_args_is_help=True)


@db.command()
def upgrade() -> None:
    """Amener la base à la version de ce logiciel."""
    settings = Settings()
    with root.database_url(settings) as url:
        schema.upgrade(url, engine=engine_schema(), sealer=partial(root.sealer_of, settings))
    typer.echo("Base à jour.")


@db.command()
def dump(file: Path) -> None:
    """Sauvegarder la base dans un fichier ; le trousseau de clés n'y est pas."""
    settings = Settings()
    with root.database_url(settings) as url:
        backup.dump(url, file)
    ring = keyring_path(settings)
    typer.echo(f"Base sauvegardée. Sans le trousseau {ring}, à garder à part, elle est illisible.")


@db.command()
def restore(file: Path) -> None:
    """Restaurer une base vide depuis un fichier ; code 1 si le trousseau ne l'ouvre pas."""
    settings = Settings()
    with root.database_url(settings) as url:
        backup.restore(url, file)
        typer.echo("Base restaurée.")
        sealer = root.sealer_of(settings) if keyring_path(settings).exists() else None
        with closing(Database(url, pool_size=1)) as database:
            resealing.check(database, sealer)
