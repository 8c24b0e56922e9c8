"""The processes of the demo: the API and one worker, started, watched and stopped.

Each is the product's own command (`ris api`, `ris worker`) with the demo's settings.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from ris.demo.client import DemoFailure

_SETPRIV = shutil.which("setpriv")
_LEASH = (_SETPRIV, "--pdeathsig", "TERM", "--") if _SETPRIV else ()  # ends with us, even killed
START_S = 60
STOP_S = 15


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """A context manager that stops all it started, whatever happens."""

    def __init__(self, settings: Mapping[str, str], logs: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if name[:4] != "RIS_"}
        self.environment = inherited | dict(settings)
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `ris ARGUMENTS…`, its output in `logs/NAME.log`."""
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*_LEASH, sys.executable, "-m", "ris", *arguments],
                env=self.environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._running[name] = process
        return process

    def await_ready(self, api_url: str) -> None:
        """Wait until the API says it is ready; raises `DemoFailure` with the log's last line."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            self.check()
            try:
                if httpx.get(f"{api_url}/readyz", trust_env=False, timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise DemoFailure(f"L'API n'est pas prête. {self._last_line('api')}")

    def check(self) -> None:
        """Raise `DemoFailure` when a process has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise DemoFailure(f"Le processus {name} s'est arrêté. {self._last_line(name)}")

    def _last_line(self, name: str) -> str:
        path = self._logs / f"{name}.log"
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        return f"{path} : {next((line for line in reversed(lines) if line.strip()), 'vide')}"
