"""`ris rem`: the matrix, the checks and the look-ups of the requirement catalogue.

Thin: each command prints what another module of this package computed.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_args

import typer

from ris.rem.bundle import NoFullRun, write_bundle
from ris.rem.export import ans_csv
from ris.rem.gates import gates as judge
from ris.rem.idfile import write_ids
from ris.rem.matrix import PACKAGED, SOURCES, Entry, build, published
from ris.rem.normaliser import normalise
from ris.rem.render import check_json, documents, drift
from ris.rem.runs import RESULTS
from ris.rem.states import State
from ris.rem.tags import UnknownRequirement

Root = Annotated[Path, typer.Option(help="Racine des sources (contient ris/ et tests/).")]
app = typer.Typer(help="Exigences du REM : catalogue, couverture, preuves.", no_args_is_help=True)


class Layout(StrEnum):
    """Column layouts of the export."""

    ANS = "ans"


@app.command()
def matrix(
    check: Annotated[bool, typer.Option(help="Vérifier sans écrire.")] = False,
    root: Root = SOURCES,
) -> None:
    """Écrire docs/requirements.md, .json et .csv, ou vérifier qu'ils sont à jour."""
    entries = build(root)
    if check:
        _end(drift(entries, root))
        return
    for path, text in documents(entries).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        typer.echo(str(path))
    if not (root / RESULTS).is_file():
        typer.echo(
            "Aucun passage complet des tests : états repris de la dernière matrice.", err=True
        )


@app.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="Sortie JSON.")] = False,
    require: Annotated[list[str] | None, typer.Option(help="États admis; sinon échec.")] = None,
    root: Root = SOURCES,
) -> None:
    """Montrer l'état des 117 exigences de la vague 1."""
    allowed = set(require or ())
    if unknown := allowed - set(get_args(State)):
        raise typer.BadParameter(f"état inconnu : {', '.join(sorted(unknown))}")
    report = check_json(_entries(root))
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        for row in report["requirements"]:
            typer.echo(f"{row['id']:<14} {row['state']:<15} {row['profile']}")
        typer.echo("  ".join(f"{state} {n}" for state, n in report["counts"].items()))
    rows = report["requirements"]
    if allowed and any(row["state"] not in allowed for row in rows):
        raise typer.Exit(1)


@app.command()
def show(number: str, root: Root = SOURCES) -> None:
    """Montrer une exigence d'après n'importe laquelle de ses écritures."""
    try:
        match = normalise(number)
    except UnknownRequirement as error:
        raise typer.BadParameter(f"exigence inconnue : {number}") from error
    for warning in match.warnings:
        typer.echo(f"Attention : {warning}", err=True)
    for entry in _entries(root):
        if entry.requirement.id in match.ids:
            _show(entry)


@app.command()
def export(layout: Layout = Layout.ANS, root: Root = SOURCES) -> None:
    """Écrire sur la sortie le catalogue dans les colonnes d'un REM officiel (CSV)."""
    del layout
    typer.echo(ans_csv(_entries(root)), nl=False)


@app.command()
def evidence(out: Path, root: Root = SOURCES) -> None:
    """Rassembler dans OUT les preuves du dernier passage complet, avec une liste par profil."""
    try:
        write_bundle(build(root), root, out)
    except NoFullRun as error:
        typer.echo("Aucun passage complet des tests : lancer make test.", err=True)
        raise typer.Exit(1) from error


@app.command()
def gates(root: Root = SOURCES) -> None:
    """Passer les contrôles de traçabilité (REM §10.5); code 1 si l'un échoue."""
    results = judge(root)
    for gate in results:
        verdict = "ÉCHEC" if gate.problems else "ok"
        typer.echo(f"{gate.number} {gate.title} : {verdict}")
        for line in (*gate.problems, *(f"(information) {text}" for text in gate.warnings)):
            typer.echo(f"    {line}")
    if any(gate.problems for gate in results):
        raise typer.Exit(1)


@app.command()
def ids() -> None:
    """Régénérer ris/rem/ids.py à partir du catalogue."""
    write_ids()


def _entries(root: Path) -> list[Entry]:
    """Judge the sources; an installed package has no tests and shows its published matrix."""
    if (root / "tests").is_dir():
        return build(root)
    return list(published(PACKAGED).values())


def _show(entry: Entry) -> None:
    row = entry.requirement
    lines = {
        "Titre": (row.title,),
        "État": (f"{entry.state} (profil {row.profile_code}, {row.kind}, {row.wave})",),
        "Énoncé": (row.paraphrase,),
        "Preuve": (row.proof,),
        "Alias": (*row.aliases, *row.related),
        "Scénarios": row.scenarios,
        "Code": entry.places,
        "Tests": entry.nodeids,
        "Éléments": entry.evidence,
    }
    typer.echo(row.id)
    for label, values in lines.items():
        for value in values:
            typer.echo(f"  {label:<10} {value}")


def _end(problems: list[str]) -> None:
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
