"""The application answers of the enhanced mode: sent later, to where the sender listens (MSH-16).

One connection an answer; each waits for the sender's CA and is repeated, same MSH-10, until then.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from ris.core import clock
from ris.core.audit import record
from ris.core.db import Database
from ris.core.errors import Permanent, RemoteError
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.client import deliver
from ris.interop.hl7v2.model import Hl7Message
from ris.interop.hl7v2.settings import Hl7Settings, LinkSettings

_BATCH: Final = 100
_LONGEST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Claimed:
    """One answer taken by this process, and where it goes; no link: nobody listens any more."""

    id: UUID
    reply: bytes
    link: LinkSettings | None


@dataclass(frozen=True)
class Replies:
    """The periodic job; several processes may run it at once."""

    database: Database
    settings: Hl7Settings

    def run(self) -> int:
        """Send the answers that are due, 100 at most; return how many were accepted."""
        accepted = 0
        for _ in range(_BATCH):
            claimed = self._claim()
            if claimed is None:
                break
            accepted += self._send(claimed)
        return accepted

    def _send(self, claimed: _Claimed) -> bool:
        try:
            if claimed.link is None:
                raise Permanent("Adresse de réponse inconnue.", remote_code="HL7_NO_RETURN_LINK")
            control = parser.header(claimed.reply).text(10)
            deliver(claimed.link, claimed.reply, control, timeout_s=self.settings.answer_timeout_s)
        except Permanent as error:
            self._settle(claimed.id, given_up=error.remote_code or error.code)
            return False
        except RemoteError:
            return False  # it is due again when its lease is over
        self._settle(claimed.id)
        return True

    def _claim(self) -> _Claimed | None:
        """Take the next answer due, leased for longer after each failure, an hour at most."""
        now = clock.now()
        due = select(Hl7Message).where(Hl7Message.reply_due_at <= now)
        first = due.order_by(Hl7Message.reply_due_at).limit(1).with_for_update(skip_locked=True)
        with self.database.transaction() as session:
            row = session.scalar(first)
            if row is None:
                return None
            row.reply_tries += 1
            wait = timedelta(seconds=2 * self.settings.answer_timeout_s)
            row.reply_due_at = now + min(_LONGEST, wait * 2 ** min(row.reply_tries, 10))
            msh = parser.header(row.reply)
            link = self.settings.answers_to(msh.text(5), msh.text(6))
            return _Claimed(row.id, row.reply, link)

    def _settle(self, message_id: UUID, *, given_up: str = "") -> None:
        with self.database.transaction() as session:
            row = session.get(Hl7Message, message_id, with_for_update=True)
            if row is None:
                return
            row.reply_due_at, row.replied_at = None, None if given_up else clock.now()
            if given_up:
                target = ("hl7_message", row.id)
                record(session, "hl7.reply_given_up", outcome="failure", reason=given_up,
                       target=target)  # fmt: skip
