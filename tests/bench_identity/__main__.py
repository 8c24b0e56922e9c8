"""`python -m tests.bench_identity`: prints machine, settings and figures; fails below a target."""

import os
import platform
import sys
import time
from pathlib import Path
from typing import Final

import psycopg
from rich.console import Console
from rich.table import Table

from ris.core import embedded, logs
from ris.core.db import Database
from tests.bench import SHOWN, processor
from tests.bench_identity import adt, population, searches

FOLDER: Final = Path("var/bench-identity")
P95_MS: Final = 50.0
APPLIED: Final = 200.0
STORED: Final = 1000.0
_MORE: Final = ("wal_level", "effective_cache_size", "work_mem", "synchronous_commit")


def main() -> None:
    logs.configure(level="ERROR")
    FOLDER.mkdir(parents=True, exist_ok=True)
    population.keyring(FOLDER)
    console, kept = Console(width=110), []
    with embedded.server(FOLDER) as server:
        start = time.perf_counter()
        url = population.populated(server)
        database = Database(url)
        population.bear_ins(database)
        population.under_contract(database)
        population.check_keys(database)
        console.print(f"base prête en {time.perf_counter() - start:.0f} s")
        console.print(machine(url))
        table = Table("mesure", "p50", "p95", "p99", "cible", "")
        for act, took in searches.searched(database).items():
            kept.append(took.p95 <= P95_MS)
            table.add_row(act, *(f"{ms:.1f} ms" for ms in (took.p50, took.p95, took.p99)),
                          f"p95 ≤ {P95_MS:.0f} ms", verdict(kept[-1]))  # fmt: skip
        took, scans = searches.created(database)
        kept.append(scans == 0)
        table.add_row("création, puis doublons éventuels",
                      *(f"{ms:.1f} ms" for ms in (took.p50, took.p95, took.p99)),
                      "0 table parcourue", verdict(kept[-1]))  # fmt: skip
        database.close()
        console.print(table)
        console.print(intake(url, kept))
    sys.exit(0 if all(kept) else 1)


def intake(url: str, kept: list[bool]) -> Table:
    """Measure the ADT intake on the same database, and add whether each target is met."""
    table = Table("flux ADT, 8 connexions", "messages/s", "CPU/message", "cible", "")
    label = f"{int(time.time()):x}"
    for name, accept, count, target in (
        ("appliqué, historisé, journalisé, puis AA", "", 2000, APPLIED),
        ("conservé durablement, puis CA (MSH-15)", "AL", 5000, STORED),
    ):
        rate = adt.measured(url, FOLDER, f"{label}{accept}", count, accept)
        kept.append(rate.messages >= target)
        cpu = f"{rate.listener_ms:.2f} + {rate.server_ms:.2f} ms"
        told = f"{rate.messages:.0f}", cpu, f"≥ {target:.0f}/s", verdict(kept[-1])
        table.add_row(name, *told)
    with adt.listener(url, FOLDER):
        waiting, took = adt.drained(url)
    table.add_row("application de ce qui était conservé", f"{waiting / took:.0f}", "", "", "")
    table.caption = f"charge de la machine : {os.getloadavg()[0]:.1f} ; CPU : écouteur + PostgreSQL"
    return table


def machine(url: str) -> Table:
    """Return the machine and the PostgreSQL settings."""
    table = Table("machine", "valeur", show_header=False)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    table.add_row("processeur", f"{os.cpu_count()} × {processor()}, {memory:.0f} Gio")
    table.add_row("système", f"{platform.system()}, Python {platform.python_version()}")
    with psycopg.connect(url) as connection:
        for name in dict.fromkeys((*SHOWN, *_MORE)):
            row = connection.execute("select current_setting(%s)", (name,)).fetchone()
            table.add_row(f"postgresql {name}", str(row[0]) if row else "?")
        row = connection.execute("select count(*) from patient").fetchone()
        table.add_row("patients", f"{row[0]:,}".replace(",", " ") if row else "?")
    return table


def verdict(good: bool) -> str:
    """Return the cell that says whether a target is met."""
    return "[green]atteinte" if good else "[red]manquée"


if __name__ == "__main__":
    main()
