"""`python -m tests.mutation [part of a module's name | kept]`: does a test notice each small wrong?

Every mutant gets a process of its own where the module is imported as mutated and its tests run
until one fails. Writes `docs/mutants-identity.md` for a whole run, and for `kept`, which plays
nothing and tells what cut runs left; ends with 1 when a mutant lives that `explained.py` does not
account for.
"""

import ast
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from types import CodeType

import hypothesis
import pytest

from tests.mutation.explained import EXPLAINED
from tests.mutation.operators import Mutant, enums, mutants
from tests.mutation.report import Outcome, page

ROOT = Path(__file__).parents[2]
IDENTITY, TESTS = "ris/identity/", "tests/identity/"
GUARDS = ("test_rules.py", "test_guards.py", "test_matricule.py")
LANE = {
    "states.py": ("test_states.py",),
    "rules.py": GUARDS,
    "matricule.py": ("test_matricule.py",),
    "insi/comparison.py": (*GUARDS, "test_comparison.py"),
    "copies/retention.py": ("copies/test_retention.py",),
    "insi/retrieval.py": (*GUARDS, "test_retrieval.py"),
    "foreign/check.py": ("test_foreign_check.py", "test_foreign.py"),
}
PLACES = {  # of a module that also writes and calls: the functions that guard
    "insi/retrieval.py": ("prepare", "accept", "reject", "imported", "_check_import", "_pending",
                          "_refuse_double", "_decide"),
    "foreign/check.py": ("_decided", "_confirmed", "_against"),
}  # fmt: skip
WORKERS = int(os.environ.get("WORKERS", "2"))
CAP_S = 300.0
STAGING = tempfile.TemporaryDirectory(prefix="mutants-")  # what tests file as evidence
SERVED = ("foreign/check.py",)  # its tests need the API, which `tests/identity/conftest.py` builds
PRELOADED = (
    "fastapi", "httpx", "lxml.builder", "psycopg", "sqlalchemy.orm", "cryptography.x509", "uvicorn",
    "alembic.command", "hypothesis.strategies", "ris.core.schema", "ris.diffusion.engine_schema",
    "ris.sandbox.pki", "ris.sandbox.server",
)  # fmt: skip


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from the source given, every other one as it is."""

    def __init__(self, module: str, source: str) -> None:
        self.name = module.removesuffix(".py").replace("/", ".")
        self.source = source

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        mine = fullname == self.name
        return importlib.util.spec_from_loader(fullname, self) if mine else None

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, f"<mutant of {fullname}>", "exec")


class Verdict:
    """Ends the process at the first failure with 1, at the end of a green run with 0."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        recorder = config.pluginmanager.getplugin("rem-recorder")
        recorder.staging = Path(STAGING.name)  # type: ignore[union-attr]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        os._exit(int(exitstatus != pytest.ExitCode.OK))


def play(mutant: Mutant, number: int) -> None:
    """Run the tests of a mutant in this process, which ends with the verdict."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.environ["PYTEST_XDIST_WORKER"] = f"m{number}"  # a database of its own
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("mutants")
    sys.meta_path.insert(0, Mutated(mutant.module, mutant.source))
    module = mutant.module.removeprefix(IDENTITY)
    files = [TESTS + name for name in LANE[module]]
    options = ["-q", "-x", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
    if module not in SERVED:
        options += ["--noconftest", "-p", "tests.conftest"]  # half the time is imports
    pytest.main([*options, *files], plugins=[Verdict()])
    os._exit(1)


def outcomes(listed: Sequence[Mutant]) -> Iterator[Outcome]:
    """Play every mutant, `WORKERS` at a time; one that never ends counts as noticed."""
    fork = multiprocessing.get_context("fork")
    waiting, running = list(enumerate(listed)), {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            number, mutant = waiting.pop(0)
            process = fork.Process(target=play, args=(mutant, number))
            process.start()
            running[process.sentinel] = process, mutant, time.monotonic()
        wait(list(running), timeout=1)
        for sentinel, (process, mutant, since) in list(running.items()):
            late = time.monotonic() - since > CAP_S
            if late:
                process.kill()
                process.join()
            if process.exitcode is not None:
                del running[sentinel]
                yield Outcome(mutant, alive=process.exitcode == 0, slow=late)


def played(
    module: str, members: Mapping[str, Sequence[str]], *, only_kept: bool
) -> tuple[int, list[Outcome]]:
    """Return how many mutants a module has, and the outcomes: all, or those `var/mutants` kept."""
    source = (ROOT / IDENTITY / module).read_text(encoding="utf-8")
    every = mutants(IDENTITY + module, source, members)
    listed = [one for one in every if one.place in PLACES.get(module, (one.place,))]
    tests = [(ROOT / TESTS / name).read_text(encoding="utf-8") for name in LANE[module]]
    names = {one: digest(one.source, *tests) for one in listed}
    kept = ROOT / "var" / "mutants" / f"{module.replace('/', '.')}.json"
    marks = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    left = [one for one in listed if names[one] not in marks and not only_kept]
    sound = Mutant(IDENTITY + module, "module", 0, "nothing", source)
    if left and not next(outcomes([sound])).alive:
        sys.exit(f"{module}: its tests fail without any mutation")
    kept.parent.mkdir(parents=True, exist_ok=True)
    for one in outcomes(left):
        marks[names[one.mutant]] = one.alive, one.slow
        kept.write_text(json.dumps(marks), encoding="utf-8")
    done = [Outcome(one, *marks[names[one]]) for one in listed if names[one] in marks]
    return len(listed), done


def digest(*sources: str) -> str:
    """Name *sources* by what they do: where their imports come from is left out."""
    trees = [ast.parse(source) for source in sources]
    for tree in trees:
        tree.body = [one for one in tree.body if not isinstance(one, ast.Import | ast.ImportFrom)]
    return hashlib.sha256("\n".join(map(ast.unparse, trees)).encode()).hexdigest()[:16]


def main(wanted: str) -> int:
    """Play the lane, print what lives, write the page; return the exit status."""
    os.environ.setdefault("PYTEST_XDIST_TESTRUNUID", f"mutants{os.getpid()}")
    for name in PRELOADED:
        importlib.import_module(name)
    if any(name.startswith("ris.identity.") for name in sys.modules):
        sys.exit("PRELOADED brings in what is to be mutated")
    told = [path.read_text(encoding="utf-8") for path in (ROOT / IDENTITY).rglob("*.py")]
    found: list[Outcome] = []
    totals: dict[str, int] = {}
    whole = wanted in ("", "kept")
    for module in (one for one in LANE if whole or wanted in one):
        start = time.monotonic()
        total, done = played(module, enums(told), only_kept=wanted == "kept")
        totals[IDENTITY + module] = total
        found += done
        living = [one.mutant for one in done if one.alive]
        took = time.monotonic() - start
        sys.stdout.write(f"{module}: {len(done)} mutants, {len(living)} alive, {took:.0f} s\n")
        for one in living:
            reason = EXPLAINED.get(one.key, "UNEXPLAINED")
            sys.stdout.write(f"  {one.place}:{one.line}  {one.change}  [{reason}]\n")
        sys.stdout.flush()
    if whole:
        text = page(found, totals, EXPLAINED)
        (ROOT / "docs" / "mutants-identity.md").write_text(text, encoding="utf-8")
    return int(any(one.alive and one.mutant.key not in EXPLAINED for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
