"""Command `ris reports`: validation of documents, whoever made them."""

from pathlib import Path
from typing import Annotated

import typer

from ris.reports.validation.findings import errors
from ris.reports.validation.validate import validate_files

app = typer.Typer(help="Comptes rendus : validation des documents CDA et PDF/A.")


@app.callback()
def group() -> None:
    """Comptes rendus d'imagerie."""


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    kit: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            envvar="RIS_REPORTS__KIT_DIR",
            help="Répertoire « kit » du kit de test CDA officiel.",
        ),
    ] = None,
) -> None:
    """Contrôler des documents CDA (N1, N3) ou PDF ; code de sortie 1 s'il y a des erreurs."""
    found = validate_files(files, kit)
    for finding in found:
        place = f"{finding.source} [{finding.pattern}] {finding.severity}"
        typer.echo(f"{place} {finding.location} : {finding.message} ({finding.rule})")
    wrong = errors(found)
    typer.echo(f"{len(files)} fichier(s), {len(wrong)} erreur(s).")
    raise typer.Exit(1 if wrong else 0)
