"""The end of the demo: collect, validate, and show in tables what this run proves.

Raises `DemoFailure` when a check fails or an artefact is missing.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ris.core.db import Database
from ris.demo import artefacts
from ris.demo.checks import CHECKS, Artefacts
from ris.demo.client import Browser, DemoFailure
from ris.demo.story import Facts
from ris.rem.catalogue import load
from ris.sandbox.psc_people import RADIOLOGIST_A
from ris.sandbox.services import Sandbox

CHANNELS: Final = {
    "dmp": "DMP", "mss_ps": "MSSanté professionnels", "mss_patient": "MSSanté patients",
}  # fmt: skip


def show(var: Path, sandbox: Sandbox, database: Database, facts: Facts, console: Console) -> None:
    """Collect and check everything, then print the tables."""
    folder = var / "demo"
    reader = Browser(sandbox.api_url, sandbox.pki.trust, RADIOLOGIST_A)
    try:
        reader.sign_in()
        artefacts.collect(folder, sandbox, database, reader, facts.report["id"])
    finally:
        reader.close()
    kit = official_kit()
    depth = "XSD et schématrons officiels" if kit else "contrôles internes seulement"
    rows = judge(Artefacts(folder, kit), depth)
    write(folder, rows)
    console.rule("Exigences montrées par ce parcours")
    console.print(_requirements(rows))
    if not kit:
        console.print("Kit officiel absent : XSD et schématrons non joués (RIS_CONFORMANCE_DIR).")
    events = len((folder / "audit.jsonl").read_text(encoding="utf-8").splitlines())
    console.print(f"[green]✓[/] Journal intègre, {events} événements.", highlight=False)
    console.rule("Tableau de bord (RIS.TBB)")
    console.print(_dashboard(facts.dashboard))
    console.rule("Artefacts")
    missing = [name for name in artefacts.EXPECTED if not (folder / name).is_file()]
    for name in artefacts.EXPECTED:
        console.print(f"  {folder / name}", highlight=False)
    failed = [row["label"] for row in rows if not row["holds"]]
    if failed or missing:
        raise DemoFailure(f"Contrôles en échec : {', '.join([*failed, *missing])}.")


def official_kit() -> Path | None:
    """Return the official CDA kit when this machine has it (`RIS_CONFORMANCE_DIR`)."""
    told = Path(os.environ.get("RIS_CONFORMANCE_DIR", "../shared/conformance"))
    kit = told / "cda" / "kit"
    return kit if kit.is_dir() else None


def judge(seen: Artefacts, depth: str) -> list[dict[str, Any]]:
    """Return what each check says; *depth* names how far the CDA was validated."""
    return [
        {
            "ids": list(check.ids),
            "label": check.label.format(depth=depth),
            "holds": check.holds(seen),
        }
        for check in CHECKS
    ]


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write the requirement table as JSON and Markdown."""
    text = json.dumps(rows, ensure_ascii=False, indent=2)
    (folder / "requirements.json").write_text(text + "\n", encoding="utf-8")
    lines = ["| Exigence | Contrôle | Résultat |", "| --- | --- | --- |"]
    lines += [
        f"| {', '.join(row['ids']) or '–'} | {row['label']} | {'oui' if row['holds'] else 'NON'} |"
        for row in rows
    ]
    (folder / "requirements.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _requirements(rows: list[dict[str, Any]]) -> Table:
    titles = load()
    table = Table("Exigence", "Intitulé", "Vu dans ce parcours", "")
    for row in rows:
        mark = "[green]✓[/]" if row["holds"] else "[red]✗[/]"
        for number in row["ids"] or ["–"]:
            title = titles[number].title if number in titles else ""
            table.add_row(number, title, row["label"], mark)
    return table


def _dashboard(counts: dict[str, Any]) -> Table:
    table = Table("Ce mois", "Total", "Envoyés", "INS qualifiée", "INS non qualifiée", "Échecs")
    month = next(one for one in counts["periods"] if one["name"] == "current_month")
    for channel, label in CHANNELS.items():
        line = month["channels"][channel]
        names = ("total", "sent", "with_ins", "without_ins", "failures")
        table.add_row(label, *(str(line[name]) for name in names))
    table.add_row("Dossiers avec les trois envois", str(month["files_all_three"]))
    return table
