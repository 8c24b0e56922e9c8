"""`ris accounts`, `ris structures`: who may sign in, which practices this site serves."""

from typing import Annotated

import typer

from ris import app as root
from ris.auth import accounts, structures
from ris.auth.rights import Role
from ris.commands.local_accounts import local_cli
from ris.settings import Settings

accounts_cli = typer.Typer(help="Comptes et rôles.", no_args_is_help=True)
accounts_cli.add_typer(local_cli, name="local")
structures_cli = typer.Typer(help="Structures servies par ce site.", no_args_is_help=True)


@accounts_cli.command()
def grant(
    ps_idnat: str,
    role: Role,
    habilitated: Annotated[bool, typer.Option(help="Habilité à valider les identités.")] = False,
    convert: Annotated[
        bool,
        typer.Option(
            "--convert", help="Passer un compte de soins à l'administration, ou l'inverse."
        ),
    ] = False,
) -> None:
    """Donner un rôle à une personne avant sa première connexion."""
    with root.running(Settings()) as runtime:
        runtime.directory.learn(ps_idnat)
        with runtime.database.transaction() as session:
            accounts.grant(
                session, ps_idnat, role, identity_habilitated=habilitated, convert=convert
            )
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
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        structures.declare(session, struct_idnat, name, is_scm=scm)
    typer.echo(f"Structure {struct_idnat} déclarée{' comme SCM' if scm else ''}.")
