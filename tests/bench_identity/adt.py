"""ADT intake measured over sockets: `ris mllp` as a process, 8 connections, a patient a message.

The senders are a process of their own; what the listener and PostgreSQL consume is read in /proc.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ris.interop.hl7v2.mllp import END, framed
from tests.interop.hl7v2.sample import DOMAIN, message

CONNECTIONS = 8
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Rate:
    """Messages a second, and the CPU milliseconds of one in the listener and in PostgreSQL."""

    messages: float
    listener_ms: float
    server_ms: float


@contextmanager
def listener(url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run `ris mllp` on the database of *url*; give its pid and its port."""
    senders = [{"application": "GAM", "facility": "CHU-T", "domain": DOMAIN}]
    environment = {
        **os.environ, "RIS_ENVIRONMENT": "test", "RIS_DATABASE_URL": url,
        "RIS_DATA_DIR": str(folder), "RIS_SITE__IPP_OID": DOMAIN,
        "RIS_HL7__SENDERS": json.dumps(senders),
    }  # fmt: skip
    command = [sys.executable, "-m", "ris", "mllp", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = (json.loads(line) for line in process.stdout if line.startswith("{"))
        port = next(one["port"] for one in told if one.get("event") == "hl7.listening")
        yield process.pid, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def measured(url: str, folder: Path, label: str, count: int, accept: str) -> Rate:
    """Play *count* messages over 8 connections; MSH-15 is *accept*."""
    with listener(url, folder) as (pid, port):
        played(port, f"{label}-warm", 200, accept)
        before, served = cpu_ms(pid), servers_ms(url)
        took = played(port, label, count, accept)
        listened = cpu_ms(pid) - before
        return Rate(count / took, listened / count, (servers_ms(url) - served) / count)


def played(port: int, label: str, count: int, accept: str) -> float:
    """Let another process send the messages; return how long it took, seconds."""
    command = [sys.executable, "-m", "tests.bench_identity.adt", str(port), label, str(count)]
    done = subprocess.run([*command, accept], check=True, capture_output=True, text=True)
    return float(done.stdout)


def drained(url: str) -> tuple[int, float]:
    """Return how many stored messages waited, and how long all took to be applied, seconds."""
    start, waited = time.perf_counter(), 0
    with psycopg.connect(url, autocommit=True) as connection:
        waiting = "select count(*) from hl7_message where state = 'received'"
        while (row := connection.execute(waiting).fetchone()) and row[0]:
            waited = waited or row[0]
            time.sleep(0.1)
    return waited, time.perf_counter() - start


def cpu_ms(pid: int) -> float:
    """Return the CPU time a process has used, milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / _TICKS


def servers_ms(url: str) -> float:
    """Return the CPU time of the PostgreSQL server of *url*, ended backends included."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        backends = connection.execute("select pid from pg_stat_activity").fetchall()
    return sum(_of_backend(pid) for (pid,) in backends)


def _of_backend(pid: int) -> float:
    try:
        return cpu_ms(pid)
    except OSError:
        return 0


def letters(number: int) -> str:
    """Return *number* as a word a name may hold."""
    return "".join("ABCDEFGHIJ"[int(digit)] for digit in f"{number:06}")


def frames(label: str, numbers: range, accept: str) -> list[bytes]:
    """Return one message a number, each of a new patient."""
    return [
        framed(message(control=f"{label}{n}", ipp=f"{label}{n}", accept=accept,
                       names=f"TESTRIS {letters(n)}^ANNE^ANNE LUCIE^^^^L"))
        for n in numbers
    ]  # fmt: skip


def feed(port: int, messages: list[bytes], ready: threading.Barrier) -> int:
    """Send messages one by one, each after the answer to the one before; return how many."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.wait()
        for one in messages:
            link.sendall(one)
            answer = b""
            while not answer.endswith(END):
                answer += link.recv(4096)
            assert b"MSA|AA" in answer or b"MSA|CA" in answer, answer
    return len(messages)


def main(port: int, label: str, count: int, accept: str) -> None:
    """Be the senders; print how long they took."""
    ready = threading.Barrier(CONNECTIONS + 1)
    shares = [frames(label, range(k, count, CONNECTIONS), accept) for k in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as senders:
        sending = [senders.submit(feed, port, share, ready) for share in shares]
        ready.wait()
        start = time.perf_counter()
        accepted = sum(one.result() for one in sending)
    assert accepted == count
    sys.stdout.write(f"{time.perf_counter() - start}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
