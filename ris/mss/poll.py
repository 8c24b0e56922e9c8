"""From mails in our mailboxes to facts about our messages: matching, keeping, telling.

A receipt is believed only when it names a message that this mailbox really sent (mss.md §13).
Mails that match nothing are left to humans, untouched.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.crypto import Sealer
from ris.core.db import Database
from ris.core.errors import RemoteError
from ris.mss import inbox, operators
from ris.mss.inbox import Fetched
from ris.mss.model import MssCursor, MssMessage, MssReceipt
from ris.mss.operators import CredentialFor, TokenFor, no_token
from ris.mss.receipts import Receipt, ReceiptKind, ReceiptState, classify
from ris.mss.settings import AuthMode, MailboxSettings, MssSettings
from ris.rem import satisfies

_GOOD: Final = (ReceiptState.DELIVERED, ReceiptState.READ, ReceiptState.PROCESSED)
_BAD: Final = (ReceiptState.BOUNCED, ReceiptState.PROCESSED_KO)
_TOLD_FOR: Final = timedelta(days=1)


class OnReceipt(Protocol):
    """Tells the deliveries what came back; False means "not now", and it is told again."""

    def __call__(
        self, session: Session, delivery_id: UUID, *, ok: bool, code: str | None = None
    ) -> bool:
        """Acknowledge (*ok*) or bounce the delivery."""
        ...


@dataclass(frozen=True, slots=True)
class Poller:
    """Reads the mailboxes of the settings. *on_receipt* belongs to the deliveries."""

    database: Database
    settings: MssSettings
    sealer: Sealer
    credential_for: CredentialFor
    on_receipt: OnReceipt
    token_for: TokenFor = no_token

    @satisfies("RIS.MSS.18")
    def poll_receipts(self) -> int:
        """Read every mailbox and tell what came; return the number of new receipts.

        A mailbox that cannot be read never stops the others (ECO.1.2.3).
        """
        found = 0
        for box in self.settings.mailboxes:
            if box.auth is AuthMode.PSC_XOAUTH2 and self.token_for(box.ps_idnat) is None:
                continue
            try:
                found += self.read(box)
            except RemoteError as error:
                structlog.get_logger().warning("mss.poll_failed", code=error.code)
        self.tell()
        return found

    def read(self, box: MailboxSettings) -> int:
        """Read what is new in one mailbox; return the number of receipts kept."""
        operator = operators.operator_of(self.settings, box)
        context, login = operators.proof(
            self.settings, box, box.struct_idnat, self.credential_for, self.token_for
        )
        timeout = self.settings.command_timeout_s
        with inbox.opened(
            operator.host, operator.imap_port, context, login, timeout=timeout
        ) as opened:
            validity = inbox.uidvalidity(opened)
            last = self._cursor(box.address, validity)
            return sum(
                self._keep(box.address, validity, mail) for mail in inbox.after(opened, last)
            )

    def tell(self) -> None:
        """Offer every receipt not yet taken to the deliveries; a late settlement takes it later."""
        since = clock.now() - _TOLD_FOR
        with self.database.transaction() as session:
            waiting = session.scalars(
                select(MssReceipt)
                .where(MssReceipt.applied_at.is_(None), MssReceipt.received_at > since)
                .where(MssReceipt.state.in_([*_GOOD, *_BAD]))
                .order_by(MssReceipt.received_at)
            ).all()
            for row in waiting:
                ok = row.state in _GOOD
                code = None if ok else row.cause or row.state
                if self.on_receipt(session, row.delivery_id, ok=ok, code=code):
                    row.applied_at = clock.now()

    def _cursor(self, mailbox: str, validity: int) -> int:
        """Return the last UID read; a new UIDVALIDITY means reading again from the start."""
        first = insert(MssCursor).values(mailbox=mailbox, uidvalidity=validity, last_uid=0)
        with self.database.transaction() as session:
            session.execute(first.on_conflict_do_nothing())
            row = session.get_one(MssCursor, mailbox, with_for_update=True)
            if row.uidvalidity != validity:
                row.uidvalidity, row.last_uid = validity, 0
            return row.last_uid

    def _keep(self, mailbox: str, validity: int, mail: Fetched) -> bool:
        """Keep one mail; one that nobody can read is passed over, those behind it are waiting."""
        try:
            return self._kept(mailbox, validity, mail, classify(mail.raw))
        except (ValueError, LookupError, TypeError, AttributeError, DataError) as error:
            structlog.get_logger().warning("mss.mail_unreadable", error=type(error).__name__)
            return self._kept(mailbox, validity, mail, Receipt(ReceiptKind.OTHER))

    def _kept(self, mailbox: str, validity: int, mail: Fetched, receipt: Receipt) -> bool:
        with self.database.transaction() as session:
            cursor = session.get_one(MssCursor, mailbox, with_for_update=True)  # one at a time
            message = _match(session, mailbox, receipt)
            if message is not None and not _known(session, mailbox, validity, mail.uid):
                session.add(self._row(mailbox, validity, mail, receipt, message.delivery_id))
                _note(message, receipt)
            cursor.last_uid = max(cursor.last_uid, mail.uid)
        return message is not None

    def _row(
        self, mailbox: str, validity: int, mail: Fetched, receipt: Receipt, delivery_id: UUID
    ) -> MssReceipt:
        return MssReceipt(
            mailbox=mailbox,
            uidvalidity=validity,
            uid=mail.uid,
            delivery_id=delivery_id,
            kind=receipt.kind,
            state=receipt.state,
            cause=receipt.cause,
            code=receipt.code,
            raw_sealed=self.sealer.seal(mail.raw, f"ris.mss.receipt.v1|{delivery_id}".encode()),
            received_at=clock.now(),
        )


def _match(session: Session, mailbox: str, receipt: Receipt) -> MssMessage | None:
    """Return the message that *receipt* is about: by ENVID, then by Message-ID, never by subject.

    The mailbox read is the sending one, or the return address of several.
    """
    if receipt.kind is ReceiptKind.OTHER or not (receipt.envid or receipt.references):
        return None
    named = or_(
        MssMessage.envid == receipt.envid.lower(),
        MssMessage.message_id.in_(receipt.references),
    )
    rows = session.scalars(select(MssMessage).where(named)).all()
    own = [row for row in rows if row.mailbox == mailbox] or list(rows)
    order = {identifier: place for place, identifier in enumerate(receipt.references)}
    own.sort(key=lambda row: (row.envid != receipt.envid.lower(), order.get(row.message_id, 99)))
    return own[0] if own else None


def _known(session: Session, mailbox: str, validity: int, uid: int) -> bool:
    query = select(MssReceipt.id).where(
        MssReceipt.mailbox == mailbox, MssReceipt.uidvalidity == validity, MssReceipt.uid == uid
    )
    return session.scalars(query).first() is not None


def _note(message: MssMessage, receipt: Receipt) -> None:
    now = clock.now()
    if receipt.kind is ReceiptKind.DSN and receipt.state:
        message.dsn, message.dsn_cause, message.dsn_at = receipt.state, receipt.cause or None, now
    elif receipt.kind in (ReceiptKind.MDN, ReceiptKind.INTEGRATION_ERROR) and receipt.state:
        message.mdn, message.mdn_code, message.mdn_at = receipt.state, receipt.code, now
