"""`ris accounts`, `ris structures`: who may sign in, which practices this site serves."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from ris import app as root
from ris.auth import accounts, structures
from ris.auth.compartments import members
from ris.auth.rights import Role
from ris.commands.local_accounts import local_cli
from ris.core import clock
from ris.orders import compartment
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
    """Donner un rôle à une personne, avant sa première connexion ou pour en changer."""
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
        apart, blind = members.apart(session), members.without_practice(session)
    typer.echo(f"Structure {struct_idnat} déclarée{' comme SCM' if scm else ''}.")
    if apart and blind:
        typer.echo("Chaque cabinet ne voit que ses examens. Comptes sans cabinet, à rattacher :")
        for account in blind:
            typer.echo(f"  {account.ps_idnat}  {account.role}")


@structures_cli.command("list")
def list_structures() -> None:
    """Lister les structures du site et les personnes qui y sont rattachées."""
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        declared = members.structures(session)
        if not declared:
            typer.echo("Aucune structure déclarée : ris structures declare.", err=True)
        for one in declared:
            typer.echo(f"{one.struct_idnat}  {one.name}{'  (SCM)' if one.is_scm else ''}")
            for member, account in members.listed(session, one.id):
                typer.echo(f"  {account.ps_idnat}  {account.role}{_until(member.valid_to)}")


def _until(end: datetime | None) -> str:
    last = end.astimezone(clock.PARIS) - timedelta(seconds=1) if end else None
    return f" jusqu'au {last:%d/%m/%Y}" if last else ""


@structures_cli.command()
def adopt(struct_idnat: str) -> None:
    """Donner à un cabinet les examens qu'aucun ne possède, avant d'en déclarer un second."""
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        structures.require_acting(session, structures.served(session, struct_idnat).struct_idnat)
        adopted = compartment.adopt(session, struct_idnat)
    typer.echo(f"{adopted} examen(s) rattaché(s) à {struct_idnat}.")


@structures_cli.command()
def attach(
    struct_idnat: str,
    ps_idnat: str,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Dernier jour, inclus.")
    ] = None,
) -> None:
    """Rattacher une personne à un cabinet, ou à la SCM : elle travaille alors pour tous."""
    end = (until + timedelta(days=1)).replace(tzinfo=clock.PARIS) if until else None
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        found = structures.served(session, struct_idnat)
        members.add(session, found.id, ps_idnat, valid_to=end)
    typer.echo(f"{ps_idnat} rattaché à {struct_idnat}.")


@structures_cli.command()
def detach(struct_idnat: str, ps_idnat: str) -> None:
    """Mettre fin aux rattachements en cours d'une personne à une structure."""
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        found = structures.served(session, struct_idnat)
        ended = members.end_all(session, found.id, ps_idnat)
    typer.echo(f"{ended} rattachement(s) de {ps_idnat} à {struct_idnat} terminé(s).")
