"""`python -m tests.bench_auth`: prints machine, settings and figures; fails below a target."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from ris.core import embedded, logs
from ris.core.audit import AuditEvent
from ris.core.db import Database
from tests.bench_auth import site
from tests.bench_auth.sender import LOGIN, LOGINS, MIX, RATE
from tests.bench_identity.__main__ import machine, verdict

SECONDS: Final = float(os.environ.get("RIS_BENCH_SECONDS", "60"))
MIX_P95_MS: Final = 150.0
LOGIN_P95_MS: Final = 300.0
_ALL: Final = "toutes"


def main() -> None:
    logs.configure(level="ERROR")
    console = Console(width=110)
    with TemporaryDirectory() as told:
        folder = Path(told)
        with (
            embedded.server(folder / "pg") as server,
            site.running(server, folder) as (target, database),
        ):
            console.print(machine(database.url))
            before = lines(database)
            measured = sent(target.written(folder / "target.json"))
            written = lines(database) - before
    kept: list[bool] = []
    console.print(figures(measured["times"], kept))
    console.print(
        f"{site.USERS} personnes connectées, {RATE:.0f} requêtes et {LOGINS:.0f} connexion par"
        f" seconde pendant {SECONDS:.0f} s ; {written} lignes au journal ; charge de la machine :"
        f" {os.getloadavg()[0]:.1f}"
    )
    for wrong, times in measured["errors"].items():
        console.print(f"[red]{wrong} × {times}")
    sys.exit(0 if all(kept) and not measured["errors"] else 1)


def sent(target: Path) -> dict[str, Any]:
    """Let another process send the requests; return what it measured."""
    command = [sys.executable, "-m", "tests.bench_auth.sender", str(target), str(SECONDS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def lines(database: Database) -> int:
    with database.transaction() as session:
        return session.execute(select(func.count()).select_from(AuditEvent)).scalar_one()


def figures(times: dict[str, list[float]], kept: list[bool]) -> Table:
    """Return the percentiles by act, and add whether each target is met."""
    table = Table("mesure", "nombre", "p50", "p95", "p99", "cible", "")
    for name, _ in MIX:
        _row(table, name, times[name])
    every = [one for name, _ in MIX for one in times[name]]
    _row(table, _ALL, every, MIX_P95_MS, kept)
    _row(table, f"{LOGIN}, bac à sable compris", times[LOGIN], LOGIN_P95_MS, kept)
    return table


def _row(
    table: Table,
    name: str,
    took: list[float],
    target: float | None = None,
    kept: list[bool] | None = None,
) -> None:
    cuts = quantiles(took, n=100) if len(took) > 1 else [float("inf")] * 99
    shown = (f"{cuts[at]:.1f} ms" for at in (49, 94, 98))
    told = ("", "")
    if target is not None and kept is not None:
        kept.append(cuts[94] <= target)
        told = (f"p95 ≤ {target:.0f} ms", verdict(kept[-1]))
    table.add_row(name, str(len(took)), *shown, *told)


if __name__ == "__main__":
    main()
