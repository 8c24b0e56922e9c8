"""A strict remote side that lives on disk, so that it outlives the processes that call it.

It counts every effect, refuses a repeated identifier, and follows a script of faults.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.orm import Session

from ris.core.errors import Held, Lost, Permanent, Throttled, Transient
from ris.reports.channels import Accepted, Probe, SendOrder, SignedDocument, Ticket


class Remote:
    """One remote service: a folder with its effects, its call count and its script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def script(self, *kinds: str) -> None:
        """Say what the next calls meet; `ok` once the script is over."""
        (self.folder / "script").write_text("\n".join(kinds))

    def always(self, kind: str | None) -> None:
        """Meet *kind* at every call beyond the script, until None."""
        path = self.folder / "always"
        path.write_text(kind) if kind else path.unlink(missing_ok=True)

    def next(self) -> str:
        path, always = self.folder / "script", self.folder / "always"
        with self._alone():
            lines = path.read_text().split("\n") if path.exists() else []
            lines = [line for line in lines if line]
            path.write_text("\n".join(lines[1:]))
            self._append("calls", "call")
        fallback = always.read_text() if always.exists() else "ok"
        return lines[0] if lines else fallback

    def accept(self, identifier: str, what: str) -> None:
        """Take effect once; a repeated identifier is refused, as the DMP would."""
        with self._alone():
            if self.knows(identifier):
                self._append("duplicates", identifier)
                raise Permanent(code="DUPLICATE", remote_code="XDSDuplicateUniqueIdInRegistry")
            self._append("effects", f"{identifier} {what}")

    def knows(self, identifier: str) -> bool:
        return any(line.split()[0] == identifier for line in self.effects)

    @property
    def effects(self) -> list[str]:
        return self._lines("effects")

    @property
    def duplicates(self) -> list[str]:
        return self._lines("duplicates")

    @property
    def calls(self) -> int:
        return len(self._lines("calls"))

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def _append(self, name: str, line: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield


class RemoteChannel:
    """The port of the engine, over a `Remote`."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.prepared: list[SendOrder] = []

    def prepare(self, session: Session, document: SignedDocument, order: SendOrder) -> str:
        self.prepared.append(order)
        return f"id-{order.delivery_id}"

    def deliver(self, ticket: Ticket) -> Accepted:
        kind = self.remote.next()
        what = f"{ticket.operation} {ticket.document_id}"
        errors = {
            "down": Transient("", remote_code="CONNECT"),
            "busy": Throttled(""),
            "refused": Permanent("", remote_code="XDSRepositoryMetadataError"),
            "no_dmp": Held("", code="NO_DMP"),
            "lost_before": Lost("", remote_code="RESET"),
        }
        if kind in errors:
            raise errors[kind]
        if kind == "bug":
            raise ZeroDivisionError
        if kind == "hang_before":
            time.sleep(60)
        if kind.startswith("slow:"):
            time.sleep(float(kind.partition(":")[2]))
        self.remote.accept(ticket.external_id, what)
        if kind == "hang_after":
            time.sleep(60)
        if kind == "lost_after":
            raise Lost("", remote_code="TIMEOUT")
        return Accepted(f"ref-{ticket.external_id}")

    def probe(self, ticket: Ticket) -> Probe:
        return Probe.FOUND if self.remote.knows(ticket.external_id) else Probe.ABSENT
