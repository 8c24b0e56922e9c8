"""`ris mllp` as a process: killed without warning it loses and doubles nothing; SIGTERM is soft."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from ris.core.audit import SYSTEM
from ris.core.crypto import Keyring
from ris.core.db import Database
from ris.identity.foreign import trust
from ris.identity.foreign.model import TrustScope
from ris.identity.model import IdentityHistory, Patient
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.mllp import framed
from ris.interop.hl7v2.model import Hl7Message, Hl7State
from tests.interop.hl7v2.sample import DOMAIN, message
from tests.interop.hl7v2.test_mllp import connected, frame

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@contextmanager
def mllp(database: Database, folder: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    ring = folder / "keyring.json"
    if not ring.exists():
        Keyring.generate(ring)
    senders = [{"application": "GAM", "facility": "CHU-T", "domain": DOMAIN}]
    environment = {
        **os.environ,
        "RIS_ENVIRONMENT": "test",
        "RIS_DATABASE_URL": database.url,
        "RIS_DATA_DIR": str(folder),
        "RIS_KEYRING": str(ring),
        "RIS_SITE__IPP_OID": DOMAIN,
        "RIS_HL7__SENDERS": json.dumps(senders),
        "RIS_HL7__APPLY_EVERY_S": "0.1",
    }
    command = [sys.executable, "-m", "ris", "mllp", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process, port_of(process)
    finally:
        process.kill()
        process.communicate()


def port_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == "hl7.listening":
            return int(said["port"])
    raise AssertionError("the listener did not start")


def deliver(port: int, controls: list[int], *, stop_after: int | None = None) -> list[int]:
    """Send one patient a control number; return those answered AA or CA."""
    accepted: list[int] = []
    with connected(port) as link:
        for number in controls:
            names = f"TESTRIS {LETTERS[number]}^ANNE^ANNE^^^^L"
            accept = "AL" if number % 3 == 0 else ""
            link.sendall(
                framed(message(control=f"K{number}", ipp=f"P{number}", names=names, accept=accept))
            )
            if stop_after == len(accepted):
                break
            answer = parser.parse(frame(link)).segment("MSA").text(1)
            assert answer in ("AA", "CA")
            accepted.append(number)
    return accepted


def count(database: Database, table: Any) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def contract(database: Database) -> None:
    with database.transaction() as session:
        trust.sign(session, sender=DOMAIN, scope=TrustScope.OWN_DOMAIN, label="GAM", actor=SYSTEM)


@pytest.mark.kill
@pytest.mark.usefixtures("contract")
def test_killed_in_the_middle_of_a_feed_nothing_is_lost_nor_doubled(
    database: Database, tmp_path: Path
) -> None:
    everyone = list(range(24))
    with mllp(database, tmp_path) as (process, port):
        accepted = deliver(port, everyone, stop_after=10)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert accepted == everyone[:10]
    assert count(database, Hl7Message) in (10, 11)
    with mllp(database, tmp_path) as (process, port):
        deliver(port, everyone)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with mllp(database, tmp_path) as (process, port):
        deliver(port, everyone[:1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with database.transaction() as session:
        states = set(session.scalars(select(Hl7Message.state)))
        names = sorted(session.scalars(select(Patient.birth_family)))
    assert states == {Hl7State.APPLIED}
    assert names == [f"TESTRIS {letter}" for letter in LETTERS[:24]]
    assert count(database, IdentityHistory) == 24
