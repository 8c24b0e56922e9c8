"""`ris accounts local`: accesses by password and one-time code, for emergencies and administration.

The operator at the console creates them: what is handed over is shown once, here only.
"""

from typing import Annotated

import typer

from ris import app as root
from ris.auth.local import credentials
from ris.auth.local.credentials import Handed
from ris.auth.rights import Role
from ris.settings import Settings

local_cli = typer.Typer(
    help="Accès locaux : secours (Pro Santé Connect indisponible) et administration.",
    no_args_is_help=True,
)


@local_cli.command()
def admin(
    login: str,
    role: Role,
    family: Annotated[str, typer.Option("--family", help="Nom de la personne.")],
    given: Annotated[str, typer.Option("--given", help="Prénom de la personne.")],
    owner: Annotated[
        str | None, typer.Option("--owner", help="PS_IdNat de son compte ordinaire, si elle en a.")
    ] = None,
) -> None:
    """Ouvrir un compte local d'administration, distinct du compte de soins de la personne."""
    settings = Settings()
    with root.running(settings) as runtime, runtime.database.transaction() as session:
        handed = credentials.open_administration(
            session, login, role, family, given, settings=settings.auth.local, owner=owner
        )
    _hand_over(handed)
    if not settings.auth.local.administrators:
        typer.echo("À activer : RIS_AUTH__LOCAL__ADMINISTRATORS=true.", err=True)


@local_cli.command()
def emergency(login: str, ps_idnat: str) -> None:
    """Donner un accès de secours à une personne qui a déjà un compte ici."""
    settings = Settings()
    with root.running(settings) as runtime, runtime.database.transaction() as session:
        handed = credentials.open_emergency(session, login, ps_idnat, settings=settings.auth.local)
    _hand_over(handed)
    if settings.auth.local.mode == "off":
        typer.echo("À activer : RIS_AUTH__LOCAL__MODE=emergency.", err=True)


@local_cli.command()
def renew(login: str) -> None:
    """Donner un nouveau mot de passe initial et un nouveau second facteur, et débloquer."""
    settings = Settings()
    with root.running(settings) as runtime, runtime.database.transaction() as session:
        handed = credentials.renew(session, login, settings=settings.auth.local)
    _hand_over(handed)


@local_cli.command()
def disable(login: str) -> None:
    """Fermer un accès local ; les sessions de la personne se ferment."""
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        credentials.disable(session, login)
    typer.echo(f"Accès local {login} fermé.")


@local_cli.command()
def unlock(login: str) -> None:
    """Oublier les échecs d'un identifiant bloqué."""
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        credentials.unlock(session, login)
    typer.echo(f"Accès local {login} débloqué.")


def _hand_over(handed: Handed) -> None:
    typer.echo(f"Identifiant : {handed.login}")
    typer.echo(f"Mot de passe initial, à changer avant tout : {handed.password}")
    typer.echo(f"Second facteur, à lire par l'application du téléphone : {handed.otpauth}")
    typer.echo("Ces secrets ne seront plus jamais affichés.")
    typer.echo("Changer le mot de passe : POST /auth/local/password. Un code ne sert qu'une fois.")
