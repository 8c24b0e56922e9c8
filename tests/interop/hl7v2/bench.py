"""ADT intake measured over sockets: 8 connections, one new patient a message, both ACK modes.

`python -m tests.interop.hl7v2.bench [messages]` prints the machine and the PostgreSQL settings too.
"""

import os
import platform
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from ris.core import embedded, logs, schema
from ris.core.audit import SYSTEM
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.diffusion.engine_schema import engine_schema
from ris.identity import trust
from ris.identity.feature import IdentityFeature
from ris.identity.foreign_model import Scope
from ris.identity.settings import IdentitySettings
from ris.interop.hl7v2.mllp import framed
from ris.interop.hl7v2.service import Inbox
from ris.interop.hl7v2.settings import Hl7Settings
from tests.interop.hl7v2.conftest import SENDERS
from tests.interop.hl7v2.sample import DOMAIN, message
from tests.interop.hl7v2.test_mllp import connected, frame, listening

CONNECTIONS = 8


def letters(number: int) -> str:
    return "".join("ABCDEFGHIJ"[int(digit)] for digit in f"{number:06}")


def feed(port: int, label: str, numbers: range, accept: str) -> None:
    with connected(port) as link:
        for number in numbers:
            names = f"TESTRIS {letters(number)}^ANNE^ANNE LUCIE^^^^L"
            ipp = f"{label}{number}"
            link.sendall(framed(message(control=ipp, ipp=ipp, names=names, accept=accept)))
            assert b"MSA|AA" in (answer := frame(link)) or b"MSA|CA" in answer


def played(inbox: Inbox, label: str, count: int, accept: str) -> float:
    """Messages answered a second over every connection."""
    with listening(inbox.settings, inbox.receive) as port:
        threads = [
            threading.Thread(target=feed, args=(port, label, range(k, count, CONNECTIONS), accept))
            for k in range(CONNECTIONS)
        ]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return count / (time.perf_counter() - start)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(count: int) -> None:
    logs.configure(level="ERROR")
    with tempfile.TemporaryDirectory() as folder, embedded.server(Path(folder)) as url:
        schema.upgrade(url, engine=engine_schema())
        database = Database(url)
        feature = IdentityFeature(IdentitySettings(), DOMAIN, production=False)
        sealer = Sealer(Keyring.generate(Path(folder) / "keyring.json"))
        database.seal_with(sealer)
        inbox = Inbox(database, sealer, feature, Hl7Settings(senders=SENDERS))
        with database.transaction() as session:
            trust.sign(session, sender=DOMAIN, scope=Scope.OWN_DOMAIN, label="GAM", actor=SYSTEM)
            told = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
            shown = [f"{name}={session.scalar(text(f'show {name}'))}" for name in told]
        say(f"{platform.machine()}, {os.cpu_count()} cœurs, charge {os.getloadavg()[0]:.1f}")
        say(f"PostgreSQL {' '.join(shown)}")
        say(f"appliqué puis AA : {played(inbox, 'A', count, ''):.0f} messages/s")
        say(f"conservé puis CA : {played(replace(inbox), 'B', count, 'AL'):.0f} messages/s")
        start = time.perf_counter()
        done = inbox.apply_waiting()
        say(f"application différée : {done / (time.perf_counter() - start):.0f} messages/s")
        database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
