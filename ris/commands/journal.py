"""`ris audit`: verify the journal, anchor its head."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ris import app as root
from ris.core import audit, audit_anchor
from ris.core.db import Database
from ris.core.errors import NotConfigured
from ris.settings import Settings

audit_cli = typer.Typer(help="Journal.", no_args_is_help=True)


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
        with root.database_url(Settings()) as url:
            broken, last = _broken_link(url, start)
    if broken is not None:
        typer.echo(f"Journal rompu à l'événement {broken}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Journal intègre jusqu'à l'événement {last}.")


@audit_cli.command("anchor")
def audit_anchor_now() -> None:
    """Écrire la tête du journal dans le fichier d'ancrage (RIS_JOURNAL__ANCHOR)."""
    settings = Settings()
    if not settings.journal.anchor:
        raise NotConfigured("Indiquez le fichier d'ancrage : RIS_JOURNAL__ANCHOR.")
    with root.database_url(settings) as url, closing(Database(url, pool_size=1)) as database:
        head = audit_anchor.anchor(database, Path(settings.journal.anchor))
    typer.echo(head.line() if head else "Le journal est vide.")


def _refuse_broken_anchor(anchors: Path) -> None:
    with root.database_url(Settings()) as url, closing(Database(url, pool_size=1)) as database:
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
