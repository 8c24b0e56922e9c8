"""A worker process of its own, for the tests that kill it: `python -m tests.diffusion.worker`.

Arguments: database URL, folder of the remote, concurrency, `once` or `stay`.
"""

import sys
from pathlib import Path

from ris.core.db import Database
from ris.diffusion.jobs import run_worker
from ris.diffusion.wiring import Upkeep
from tests.diffusion.bench import Bench
from tests.diffusion.remote import Remote
from tests.plugin_database import SEALER


def main(url: str, folder: str, concurrency: str, mode: str) -> None:
    database = Database(url, pool_size=int(concurrency) + 2, sealer=SEALER)
    bench = Bench(database, Path(folder))
    ticks = Remote(Path(folder) / "ticks")
    tick = Upkeep("tick", 1, ticks.next)
    bench.wire(tick)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    run_worker(bench.diffusion, concurrency=int(concurrency), once=mode == "once")


if __name__ == "__main__":
    main(*sys.argv[1:])
