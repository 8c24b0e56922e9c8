"""A channel over the test database, for the tests that freeze, send and poll."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import ris.auth.model
import ris.diffusion.model
import ris.identity.model
import ris.orders.model
import ris.reports.model  # noqa: F401 - these tables are the ends of our foreign keys
from ris.auth.certificates.values import Usage
from ris.core import ids
from ris.core.crypto import Credential, Sealer
from ris.core.db import Database
from ris.mss.channel import MssChannel
from ris.mss.model import MssMessage
from ris.mss.poll import Poller
from ris.mss.settings import MssSettings
from ris.reports.channels import ChannelName, Operation, SendOrder, SignedDocument, Ticket
from ris.sandbox.pki import TestPki
from tests.mss.material import REQUESTER


class Bench:
    """A channel over the test database, and the shortest way to a frozen delivery."""

    def __init__(self, database: Database, settings: MssSettings, sealer: Sealer, pki: TestPki):
        self.database, self.settings, self.sealer, self.pki = database, settings, sealer, pki
        self.told: list[tuple[UUID, bool, str | None]] = []
        self.ready = True

    def credential(self, struct_idnat: str, usage: Usage) -> Credential:
        assert usage == "AUTH_CLI"
        return self.pki.organisation(struct_idnat, "AUTH_CLI")

    def with_settings(self, **changes: object) -> "Bench":
        self.settings = self.settings.model_copy(update=changes)
        return self

    @property
    def channel(self) -> MssChannel:
        return MssChannel(self.database, self.settings, self.sealer, self.credential)

    def freeze(
        self, document: SignedDocument, channel: ChannelName = ChannelName.MSS_PS,
        operation: Operation = Operation.SEND, replaces: UUID | None = None,
    ) -> Ticket:  # fmt: skip
        recipient = REQUESTER if channel is ChannelName.MSS_PS else None
        order = SendOrder(ids.new(), channel, operation, recipient, replaces=replaces)
        with self.database.transaction() as session:
            # the rows of other features are not the subject: their foreign keys are not checked
            session.execute(text("set local session_replication_role = replica"))
            external = self.channel.prepare(session, document, order)
        return Ticket(order.delivery_id, document.version_id, channel, operation, 1, external)

    def row(self, ticket: Ticket) -> MssMessage:
        with self.database.transaction() as session:
            return session.get_one(MssMessage, ticket.delivery_id)

    def poll(self) -> int:
        def on_receipt(
            session: Session, delivery_id: UUID, *, ok: bool, code: str | None = None
        ) -> bool:
            self.told.append((delivery_id, ok, code))
            return self.ready

        return Poller(
            self.database, self.settings, self.sealer, self.credential, on_receipt
        ).poll_receipts()
