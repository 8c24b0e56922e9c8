"""The practice of the test day, open for the whole session, and the line a test plays."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from ris.auth.rights import Role
from ris.demo.processes import START_S
from ris.rem.evidence import Evidence
from ris.sandbox import insi
from ris.sandbox.faults import Faults
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve
from tests.ins_day.practice import (
    GAM,
    PARTNER,
    STAFF,
    STRANGER,
    Desk,
    Pacs,
    Practice,
    listening_port,
)
from tests.ins_day.table import MARK, SEEN
from tests.journeys.site import Site
from tests.plugin_database import WORKER, cloned

SENDERS = [
    {"application": "GAM", "facility": "CHU-T", "domain": GAM},
    {"application": "TELERADIO", "facility": "PARTENAIRE", "domain": PARTNER},
    {"application": "CLINIQUE", "facility": "AILLEURS", "domain": STRANGER},
]


@pytest.fixture(scope="session")
def practice(
    pki: TestPki, tmp_path_factory: pytest.TempPathFactory, server_url: str
) -> Iterator[Practice]:
    """The site at work: API, worker, MLLP listener, INSi over mutual TLS, an attached PACS."""
    home = tmp_path_factory.mktemp("ins-day") / "site"
    shutil.copytree(pki.directory, home / "pki")
    keys, pacs, teleservice = TestPki(home / "pki"), Pacs(), insi.build(Faults())
    with ExitStack() as stack:
        url = stack.enter_context(cloned(server_url, f"{WORKER}_day"))
        tls = {"tls": keys.server(), "client_ca": keys.trust, "client_cert": "required"}
        at_insi = stack.enter_context(serve(teleservice, **tls))  # type: ignore[arg-type]
        port = stack.enter_context(pacs.listening())
        attached = {"name": "PACS", "host": "127.0.0.1", "port": port, "application": "PACS",
                    "facility": "C"}  # fmt: skip
        more = {
            "RIS_IDENTITY__INSI__ENDPOINT": at_insi.url + insi.PATH,
            "RIS_SITE__IPP_OID": GAM,
            "RIS_HL7__SENDERS": json.dumps(SENDERS),
            "RIS_HL7__PARTNERS": json.dumps([attached]),
            "RIS_HL7__UPKEEP_S": "1",
        }
        site = stack.enter_context(Site(home, url, staff=STAFF, more=more))
        site.worker()
        site.processes.start("mllp", "mllp", "--port", "0")
        made = Practice(site, teleservice.state.insi, pacs, mllp=0)
        made.mllp = made.until(lambda: listening_port(site.logs / "mllp.log"), START_S)
        yield made
        for one in made.desks.values():
            one.close()


@dataclass
class Line:
    """The line a test plays: what a witness saw, and the files that show it."""

    number: int
    seen: list[str]
    evidence: Evidence
    files: int = 0

    def saw(self, text: str) -> None:
        """Say in French what was seen, for the table."""
        self.seen.append(text)

    def keep(self, name: str, data: Any) -> None:
        """File a proof; lists and objects as JSON."""
        self.files += 1
        content = {"vu": data} if isinstance(data, list) else data
        self.evidence.add(f"{self.files:02d}", f"jour-{self.number:02d}-{name}", content)


@pytest.fixture
def line(request: pytest.FixtureRequest, evidence: Evidence) -> Line:
    """The line of the test day that this test plays."""
    mark = request.node.get_closest_marker(MARK)
    seen: list[str] = []
    request.node.stash[SEEN] = seen
    return Line(mark.args[0], seen, evidence)


@pytest.fixture
def secretary(practice: Practice) -> Desk:
    """An ordinary user, habilitated to validate identities."""
    return practice.desk(Role.SECRETARY)


@pytest.fixture
def officer(practice: Practice) -> Desk:
    """The super-user of identities (cellule d'identitovigilance)."""
    return practice.desk(Role.IDENTITY_OFFICER)


@pytest.fixture
def auditor(practice: Practice) -> Desk:
    """Who reads the journal."""
    return practice.desk(Role.AUDITOR)
