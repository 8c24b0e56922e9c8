"""`ris docs`: documents written from the code's real parameters."""

from pathlib import Path
from typing import Annotated, Final

import typer

from ris import app as root
from ris.commands import error_codes
from ris.identity.copies import document, parameters

ROOT: Final = Path(__file__).parents[2]
docs = typer.Typer(help="Documents produits par le logiciel.", no_args_is_help=True)


@docs.command("id-copies")
def id_copies(
    check: Annotated[bool, typer.Option("--check", help="Comparer sans écrire.")] = False,
) -> None:
    """Écrire docs/security-id-copies.md (RIS.INS.58)."""
    text = document.render(parameters.parameters(root.ACTIVITIES))
    _publish(document.PUBLISHED, text, "id-copies", check=check)


@docs.command("errors")
def errors(
    check: Annotated[bool, typer.Option("--check", help="Comparer sans écrire.")] = False,
) -> None:
    """Écrire docs/error-codes.md, la table des codes d'erreur de l'API."""
    _publish(error_codes.PUBLISHED, error_codes.render(), "errors", check=check)


def _publish(name: str, text: str, command: str, *, check: bool) -> None:
    """Write the document *name*, or exit with 1 when it is no longer *text*."""
    path = ROOT / name
    if not check:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        typer.echo(f"{name} n'est plus à jour : ris docs {command}", err=True)
        raise typer.Exit(1)
