"""`ris demo` as a newcomer runs it: it ends well, or says why and leaves nothing running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ris.demo.artefacts import EXPECTED

PATIENCE_S = 90


@contextmanager
def demo(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ris", "demo"], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_the_demo_ends_well_and_leaves_what_it_promised(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    assert "Un compte rendu signé part seul" in told
    for name in EXPECTED:
        assert (tmp_path / "var" / "demo" / name).stat().st_size
    assert "NON" not in (tmp_path / "var" / "demo" / "requirements.md").read_text("utf-8")


@pytest.mark.kill
def test_a_demo_whose_worker_dies_says_so_and_stops_all_it_started(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        worker = await_worker(process.pid)
        os.kill(worker, signal.SIGKILL)
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, told
    assert "Le processus worker s'est arrêté." in " ".join(told.split())
    assert "Traceback" not in told
    assert children(process.pid) == {}


def await_worker(parent: int) -> int:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for pid, command in children(parent).items():
            if command.endswith("ris worker"):
                return pid
        time.sleep(0.05)
    pytest.fail("the demo started no worker")


def children(parent: int) -> dict[int, str]:
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {
        int(line.split(maxsplit=1)[0]): line.split(maxsplit=1)[1].strip()
        for line in listed.stdout.splitlines()
    }
