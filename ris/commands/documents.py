"""`ris docs`: documents written from the code's real parameters."""

from pathlib import Path
from typing import Annotated, Final

import typer

from ris import app as root
from ris.identity.copies import document, parameters

ROOT: Final = Path(__file__).parents[2]
docs = typer.Typer(help="Documents produits par le logiciel.", no_args_is_help=True)


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
