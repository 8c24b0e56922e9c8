"""One practice on one machine: the sandbox, the API, real worker processes, signed-in people.

Starting, stopping, waiting and reading what happened. What is played is the story of the demo
(`ris.demo.story`); what must come out of it is said by each journey.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import pytest
from sqlalchemy import text

from ris import app as root
from ris.auth import accounts
from ris.auth.rights import Role
from ris.core.db import Database
from ris.demo.client import Browser
from ris.demo.environment import environment
from ris.demo.processes import Processes, free_port
from ris.demo.story import Story
from ris.sandbox.annuaire import REQUESTER_ADDRESS
from ris.sandbox.mss.accounts import PATIENT_DOMAIN
from ris.sandbox.mss.store import Submitted
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_B, SECRETARY, Person
from ris.sandbox.server import serve
from ris.sandbox.services import Sandbox

FAST: Final = {
    "RIS_DIFFUSION__HEARTBEAT_S": "0.5",
    "RIS_DIFFUSION__STALLED_S": "2",
    "RIS_DIFFUSION__POLLING_S": "0.2",
}
STAFF: Final = (
    (RADIOLOGIST_A, Role.RADIOLOGIST),
    (RADIOLOGIST_B, Role.RADIOLOGIST),
    (SECRETARY, Role.SECRETARY),
)
MATRICULE: Final = "279035121518989"
PATIENCE_S: Final = 30
Row = dict[str, Any]


class Site:
    """A context manager. *api*: the API as a process of its own, else in this one.

    *home* is the site's folder, with the PKI kept between sites; *url* an upgraded database;
    *staff* who works there; *more* settings of this site (`RIS_…`).
    """

    def __init__(
        self,
        home: Path,
        url: str,
        *,
        api: bool = False,
        staff: Sequence[tuple[Person, Role]] = STAFF,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.logs = home / "logs"
        self.port = free_port()
        self.sandbox = Sandbox(home, api_url=f"http://127.0.0.1:{self.port}")
        self.database = Database(url, pool_size=2)
        self._own_process = api
        self._staff = staff
        self._more = more or {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.database.close)
            self.logs.mkdir(parents=True, exist_ok=True)
            stack.enter_context(self.sandbox)
            url = {"RIS_DATABASE_URL": self.database.url}
            self.environment = environment(self.sandbox, self.home) | FAST | url
            self.environment |= self._more
            with self.database.transaction() as session:
                for person, role in self._staff:
                    accounts.grant(session, person.ps_idnat, role, identity_habilitated=True)
            self.processes = stack.enter_context(Processes(self.environment, self.logs))
            if self._own_process:
                self.processes.start("api", "api", "--port", str(self.port))
            else:
                self._serve(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _serve(self, stack: ExitStack) -> None:
        stack.enter_context(self.served(self.port))

    @contextmanager
    def served(self, port: int = 0, **more: str) -> Iterator[str]:
        """Give the address of one API in this process, some of its settings changed."""
        runtime = root.compose(self.settings(**more), Database(self.database.url))
        with closing(runtime), serve(root.create_app(runtime), port=port) as running:
            yield f"http://127.0.0.1:{running.port}"

    def settings(self, **more: str) -> root.Settings:
        """Return the product's settings as its processes here read them, some of them changed."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("RIS_")]:
                patch.delenv(name)
            for name, value in (self.environment | more).items():
                patch.setenv(name, value)
            return root.Settings()

    def worker(self, name: str = "worker", *arguments: str) -> "Popen[bytes]":
        """Start one more worker process; its output is `logs/NAME.log`."""
        return self.processes.start(name, "worker", *arguments)

    def visit(self, radiologist: Person = RADIOLOGIST_A) -> Story:
        """Return the story of one patient, both people signed in."""
        trust = self.sandbox.pki.trust
        story = Story(self.sandbox.api_url, trust, lambda _text: None, lambda: None)
        if radiologist is not RADIOLOGIST_A:
            story.radiologist.close()
            story.radiologist = Browser(self.sandbox.api_url, trust, radiologist)
        self._stack.callback(story.close)
        story.sign_in()
        return story

    def signed(self, story: Story) -> UUID:
        """Let *story* order, examine and sign one report of its patient; return its id."""
        story.order()
        story.examine()
        story.sign()
        return UUID(story.facts.report["id"])

    def deliveries(self, report: UUID | str | None = None) -> list[Row]:
        """Return the `delivery` rows, of one report or all, oldest first."""
        return self.sql(
            "select * from delivery where cast(:report as uuid) is null or report_id = :report"
            " order by created_at, id",
            report=None if report is None else str(report),
        )

    def delivery(self, channel: str, report: UUID | str | None = None) -> Row:
        """Return the only delivery of *channel*."""
        (row,) = [one for one in self.deliveries(report) if one["channel"] == channel]
        return row

    def state(self, channel: str) -> str:
        """Return the state of the only delivery of *channel*."""
        return str(self.delivery(channel)["state"])

    def history(self, channel: str) -> list[Row]:
        """Return the attempts of the only delivery of *channel*, in order."""
        return self.sql(
            "select * from delivery_attempt where delivery_id = :id order by n",
            id=self.delivery(channel)["id"],
        )

    def sql(self, query: str, **values: Any) -> list[Row]:
        """Return what a query finds now."""
        with self.database.transaction() as session:
            return [dict(row) for row in session.execute(text(query), values).mappings()]

    def arrived(self) -> bool:
        """Say whether every delivery reached the DMP or was acknowledged by its mailbox."""
        rows = self.deliveries()
        wanted = {"dmp": {"delivered"}, "mss_ps": {"acknowledged"}, "mss_patient": {"acknowledged"}}
        return bool(rows) and all(row["state"] in wanted[row["channel"]] for row in rows)

    def until(self, holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Wait until *holds*(); fail with the state of every delivery."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                pytest.fail(f"not after {seconds} s: {self._states()}", pytrace=True)
            time.sleep(0.05)

    def _states(self) -> list[tuple[str, ...]]:
        names = ("channel", "operation", "state", "reason", "last_error_code")
        return [tuple(str(row[name]) for name in names) for row in self.deliveries()]

    def mails(self) -> tuple[list[Submitted], list[Submitted]]:
        """Return what the operator accepted: for the requester, for the patient."""
        accepted = self.sandbox.operator.messages
        professional = [one for one in accepted if one.recipients == (REQUESTER_ADDRESS,)]
        patient = [one for one in accepted if one.recipients[0].endswith(f"@{PATIENT_DOMAIN}")]
        assert len(professional) + len(patient) == len(accepted)
        return professional, patient

    def printed(self) -> str:
        """Return every line that the site's processes wrote so far."""
        return "\n".join(
            path.read_text(encoding="utf-8", errors="replace") for path in self.logs.glob("*.log")
        )
