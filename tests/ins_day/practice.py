"""The practice of the test day: one site, its staff, an attached PACS, invented people at INSi.

Starting and reaching things; what staff do is `acts.py`, what must be seen is said by each test.
"""

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from ris.auth.rights import Role
from ris.demo.client import Browser
from ris.identity.matricule import key_of
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.message import Message
from ris.interop.hl7v2.mllp import framed
from ris.sandbox.insi import InsiSandbox
from ris.sandbox.insi_people import Person
from ris.sandbox.psc_people import (
    ADMINISTRATOR,
    IDENTITY_OFFICER,
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    SECRETARY,
)
from tests.interop.hl7v2.test_mllp import connected, frame
from tests.journeys.site import PATIENCE_S, Site

GAM: Final = "2.25.77"  # our own domain's repository, see tests/interop/hl7v2/sample.py
PARTNER: Final = "2.25.88"  # a sender whose patients we may hold under a trust contract
STRANGER: Final = "2.25.99"  # a sender without any contract
NIR_TEST: Final = "1.2.250.1.213.1.4.10"
STAFF: Final = (
    (RADIOLOGIST_A, Role.RADIOLOGIST),
    (RADIOLOGIST_B, Role.INTERN),
    (SECRETARY, Role.SECRETARY),
    (IDENTITY_OFFICER, Role.IDENTITY_OFFICER),
    (ADMINISTRATOR, Role.AUDITOR),
)
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Json = dict[str, Any]


class Desk(Browser):
    """One signed-in member of staff; every call says which status it expects."""

    @property
    def me(self) -> str:
        """The national identifier of who acts."""
        return self.person.ps_idnat

    def refused(self, method: str, path: str, status: int, **options: Any) -> Json:
        """Return the problem document of a request that answers *status*."""
        problem: Json = self.request(method, path, status=status, **options)
        return problem

    @contextmanager
    def at(self, url: str) -> Iterator[None]:
        """Work for a while at another address of the site, in the same session."""
        here, self._api = self._api, httpx.Client(
            base_url=url, cookies=self._api.cookies, headers=self._api.headers, trust_env=False,
            timeout=30,
        )  # fmt: skip
        try:
            yield
        finally:
            self._api.close()
            self._api = here


@dataclass
class Pacs:
    """The attached system: keeps every message that it hears."""

    heard: list[bytes] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen on a port of this machine and answer AA to every message."""
        heard = self.heard

        class Talk(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while data := frame(self.request):
                    heard.append(data)
                    control = parser.header(data).text(10)
                    answer = f"MSH|^~\\&|PACS|C|RIS|C|1||ACK|9|P|2.5\rMSA|AA|{control}\r"
                    self.request.sendall(framed(answer.encode()))

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()
                thread.join()

    def about(self, patient: Json) -> list[Message]:
        """Return what it was told of a patient, in order."""
        told = [parser.parse(data) for data in list(self.heard)]
        return [one for one in told if one.segment("PID").text(3) == patient["ipp"]]


@dataclass
class Practice:
    """What a test of the day is given."""

    site: Site
    insi: InsiSandbox
    pacs: Pacs
    mllp: int
    desks: dict[Role, Desk] = field(default_factory=dict)
    count: int = 0

    def desk(self, role: Role = Role.SECRETARY) -> Desk:
        """The member of staff of this role, signed in through Pro Santé Connect."""
        if role not in self.desks:
            person = next(one for one, held in STAFF if held is role)
            desk = Desk(self.site.sandbox.api_url, self.site.sandbox.pki.trust, person)
            session = desk.sign_in()
            if session["state"] == "NEEDS_SITUATION":
                desk.choose_situation(person.workplaces[0].struct_idnat)
            self.desks[role] = desk
        return self.desks[role]

    def stranger(self, **traits: Any) -> Person:
        """An invented person whom INSi does not know; no real number starts with 9."""
        self.count += 1
        number = f"985{self.count // 90 + 50:02d}75114{self.count:03d}"
        letters = "".join(LETTERS[int(digit)] for digit in f"{self.count:03d}")
        person = Person(
            f"ESSAI-JOUR {letters}", "CAMILLE ANNE", "F", f"1985-06-{self.count % 28 + 1:02d}",
            "75114", number + key_of(number), NIR_TEST,
        )  # fmt: skip
        return replace(person, **traits)

    def person(self, **traits: Any) -> Person:
        """An invented person whom INSi knows."""
        person = self.stranger(**traits)
        self.insi.people.append(person)
        return person

    def changes_nationally(self, person: Person, **traits: Any) -> Person:
        """The civil status of *person* changes: INSi knows the new one only."""
        self.insi.people.remove(person)
        changed = replace(person, **traits)
        self.insi.people.append(changed)
        return changed

    def send(self, message: bytes) -> Message:
        """Send one HL7 message to the site over MLLP; return the answer."""
        with connected(self.mllp) as link:
            link.sendall(framed(message))
            return parser.parse(frame(link))

    def until(self, seen: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """Ask again until *seen* gives something; return it."""
        end = time.monotonic() + seconds
        while not (found := seen()):
            if time.monotonic() > end:
                pytest.fail(f"rien vu en {seconds} s")
            time.sleep(0.1)
        return found


def listening_port(log: Path) -> int:
    """Return the port that the MLLP process wrote in its log, once it listens; 0 before."""
    for line in log.read_text(encoding="utf-8").splitlines():
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == "hl7.listening":
            return int(said["port"])
    return 0
