"""`python -m tests.bench`: how long the main job takes, how many signatures and attempts a second.

Measures and prints; judges nothing. The database is the embedded one, durable as in production.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

import psycopg
from sqlalchemy.orm import Session

from ris.core import embedded, ids, logs, schema
from ris.core.db import Database
from ris.diffusion.engine_schema import engine_schema
from ris.diffusion.jobs import run_worker
from ris.reports.channels import Accepted, ChannelName, Probe, SendOrder, SignedDocument, Ticket
from tests.diffusion.bench import Bench
from tests.journeys.site import Site
from tests.plugin_database import SEALER

SIGNATURES = 5
ATTEMPTS = 200
SHOWN = ("server_version", "shared_buffers", "fsync", "synchronous_commit", "max_connections")


class Counting:
    """A channel that only counts: what is left is the price of our own engine."""

    def __init__(self) -> None:
        self.delivered = 0

    def prepare(self, session: Session, document: SignedDocument, order: SendOrder) -> str:
        return str(ids.new())

    def deliver(self, ticket: Ticket) -> Accepted:
        self.delivered += 1
        return Accepted(ticket.external_id)

    def probe(self, ticket: Ticket) -> Probe:
        return Probe.NOT_FOUND


def main() -> None:
    logs.configure(level="ERROR")
    say(f"machine : {os.cpu_count()} × {processor()}, {platform.system()}, Python {python()}")
    with TemporaryDirectory() as folder, embedded.server(Path(folder) / "pg") as server:
        with psycopg.connect(server) as connection:
            for name in SHOWN:
                row = connection.execute("select current_setting(%s)", (name,)).fetchone()
                say(f"postgresql {name} : {row[0] if row else '?'}")
        with fresh(server) as url:
            main_job(Path(folder), url)
        with fresh(server) as url:
            engine(Path(folder), url)


def main_job(folder: Path, url: str) -> None:
    with Site(folder / "site", url) as site:
        site.worker()
        time.sleep(5)  # the worker is up, as on any working day
        story = site.visit()
        facts = story.play()
        say(f"parcours (connexion → dernier accusé) : {facts.seconds:.2f} s")
        times = []
        for _ in range(SIGNATURES):
            story.order()
            story.examine()
            times.append(timed(story.sign))
        say(f"rédiger, signer, planifier par l'API : {1 / median(times):.1f} par seconde")


def engine(folder: Path, url: str) -> None:
    database = Database(url, pool_size=8, sealer=SEALER)
    bench = Bench(database, folder / "remote")
    channel = Counting()
    bench.diffusion = replace(bench.diffusion, channels={ChannelName.DMP: channel})
    drafts: list[UUID] = [bench.report() for _ in range(ATTEMPTS)]
    took = timed(lambda: [bench.sign(one) for one in drafts])
    say(f"planifier dans la transaction de signature : {ATTEMPTS / took:.0f} par seconde")
    took = timed(lambda: run_worker(bench.diffusion, once=True))
    say(f"tentatives, un processus : {channel.delivered / took:.0f} par seconde")
    database.close()
    if channel.delivered != ATTEMPTS:
        sys.exit(f"{channel.delivered} envois au lieu de {ATTEMPTS}")


@contextmanager
def fresh(server: str) -> Iterator[str]:
    """Give a new database with the whole schema; the server goes with it."""
    name = f"bench_{ids.new().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'create database "{name}"'.encode())
    url = server.replace("/postgres?", f"/{name}?")
    schema.upgrade(url, engine=engine_schema())
    yield url


def timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if os.name == "posix" else []
    return next((one.split(": ")[1] for one in lines if one.startswith("model name")), "processeur")


def python() -> str:
    return platform.python_version()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
