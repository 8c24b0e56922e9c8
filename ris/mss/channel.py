"""MSSanté as a delivery channel: freezes a mail when a report is signed, hands it over, probes.

Implements `ris.reports.channels.Channel` for `mss_ps` and `mss_patient`. It holds no delivery
state; errors tell the engine what to do.
"""

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import structures
from ris.core import clock, ids
from ris.core.crypto import Sealer
from ris.core.db import Database
from ris.core.errors import Held, Invalid
from ris.mss import inbox, operators, whitelist
from ris.mss.address import patient_address
from ris.mss.bodies import Purpose
from ris.mss.compose import Composed, Shipment, compose
from ris.mss.consistency import problems
from ris.mss.errors import NotSupported, PatientAddressRefused, WhitelistRefused
from ris.mss.masking import accepted
from ris.mss.model import MssMessage, MssReceipt
from ris.mss.operators import CredentialFor, TokenFor, no_token
from ris.mss.poll import Poller
from ris.mss.replies import refused
from ris.mss.settings import MailboxSettings, MssSettings
from ris.mss.smtp import Parcel, Receipt, submit
from ris.mss.whitelist import WhitelistPolicy
from ris.rem import satisfies
from ris.reports.channels import (
    Accepted,
    ChannelName,
    Operation,
    Probe,
    SendOrder,
    SignedDocument,
    Ticket,
)

_PURPOSES: Final = {
    Operation.SEND: Purpose.INITIAL,
    Operation.REPLACE: Purpose.REPLACE,
    Operation.ANNOUNCE_DELETION: Purpose.DELETE,
}


class MssChannel:
    """Sends reports to professionals and to patients.

    *credential_for*(struct_idnat, "AUTH_CLI") gives the client certificate of a structure or of
    an RPPS-rang; *token_for*(ps_idnat) the live PSC token of the owner of a mailbox, or None.
    """

    def __init__(
        self,
        database: Database,
        settings: MssSettings,
        sealer: Sealer,
        credential_for: CredentialFor,
        token_for: TokenFor = no_token,
    ) -> None:
        self._database = database
        self._settings = settings
        self._sealer = sealer
        self._credential_for = credential_for
        self._token_for = token_for

    @satisfies("RIS.MSS.12", "RIS.MSS.19", "RIS.MSS.22")
    def prepare(self, session: Session, document: SignedDocument, order: SendOrder) -> str:
        """Freeze the very bytes of the mail, sealed; return its Message-ID.

        Raises `Held` (`INS_NOT_QUALIFIED`, `NO_ADDRESS`, `NO_MAILBOX`) or `MessageRefused`
        (`MASKED`, `INCONSISTENT`).
        """
        _refuse_masked(document, order)
        author = document.content.author
        structure = author.structure.struct_idnat if author.structure else ""
        box = operators.sending_mailbox(
            self._settings, author.ps_idnat, structure, shared=not structures.any_scm(session)
        )
        replaced = session.get(MssMessage, order.replaces) if order.replaces else None
        shipment = self._shipment(document, order, replaced)
        try:
            composed = compose(document, shipment, box, self._settings)
        except (Invalid, ValueError) as error:
            raise refused("INCONSISTENT") from error
        row = MssMessage(
            delivery_id=order.delivery_id,
            patient_id=document.patient_id,
            channel=order.channel,
            purpose=shipment.purpose,
            mailbox=box.address,
            ps_idnat=author.ps_idnat,
            struct_idnat=structure,
            thread=list(shipment.thread),
            created_at=shipment.at,
            **self._frozen(order.delivery_id, shipment, composed),
        )
        session.add(row)
        session.flush()
        return row.message_id

    @satisfies("RIS.MSS.19", "RIS.MSS.22", "LOC-MSS-01")
    def deliver(self, ticket: Ticket) -> Accepted:
        """Hand the frozen bytes over; raises the `RemoteError` that tells what may be done next."""
        row = self._attempted(ticket.delivery_id)
        parcel = self._parcel(row)
        self._last_gate(row, parcel)
        box = operators.mailbox(self._settings, row.mailbox)
        context, login = operators.proof(
            self._settings, box, row.struct_idnat, self._credential_for, self._token_for
        )
        receipt = submit(operators.smtp_endpoint(self._settings, box), context, login, parcel)
        self._accepted(ticket.delivery_id, receipt)
        return Accepted(receipt.queue)

    @satisfies("LOC-MSS-02")
    def probe(self, ticket: Ticket) -> Probe:
        """Look for traces of an attempt whose answer was lost: a receipt, or a copy in Sent.

        `ABSENT` only after `lost_wait` without a trace (mss.md §12); `UNCLEAR` before that.
        """
        with self._database.transaction() as session:
            row = session.get_one(MssMessage, ticket.delivery_id)
        box = operators.mailbox(self._settings, row.mailbox)
        self._reader().read(box)
        if row.accepted_at or self._answered(ticket.delivery_id) or self._sent(box, row):
            return Probe.FOUND
        if row.attempted_at and clock.now() - row.attempted_at < self._settings.lost_wait:
            return Probe.UNCLEAR
        return Probe.ABSENT

    def _shipment(
        self, document: SignedDocument, order: SendOrder, replaced: MssMessage | None
    ) -> Shipment:
        purpose = _PURPOSES.get(order.operation)
        if purpose is None:
            raise NotSupported
        before = (*replaced.thread, replaced.message_id) if replaced else ()
        return Shipment(
            channel=order.channel,
            purpose=purpose,
            recipient=self._recipient(document, order),
            unique=uuid4(),
            submission_oid=ids.new_oid(),
            at=clock.now().replace(microsecond=0),
            thread=before,
            previous=_local(replaced.accepted_at or replaced.created_at) if replaced else None,
        )

    def _recipient(self, document: SignedDocument, order: SendOrder) -> str:
        if order.channel is not ChannelName.MSS_PATIENT:
            if order.recipient is None or not order.recipient.mss_address:
                raise Held("Aucune adresse MSSanté pour ce professionnel.", code="NO_ADDRESS")
            return order.recipient.mss_address
        try:
            return patient_address(document.content.patient, test_mode=self._settings.test_oids)
        except PatientAddressRefused as error:
            raise Held(error.detail, code=error.code, rem=error.rem) from error

    def _frozen(
        self, delivery_id: UUID, shipment: Shipment, composed: Composed
    ) -> dict[str, object]:
        address = shipment.recipient.encode()
        return {
            "message_id": composed.message_id,
            "envid": shipment.unique.hex,
            "recipient_sealed": self._sealer.seal(address, _context("recipient", delivery_id)),
            "recipient_hash": self._sealer.digest(address, b"mss").hex()[:12],
            "raw_sealed": self._sealer.seal(composed.raw, _context("raw", delivery_id)),
            "raw_sha256": hashlib.sha256(composed.raw).hexdigest(),
            "archive_sha256": hashlib.sha256(composed.archive).hexdigest(),
            "size": len(composed.raw),
            "ins_qualified": composed.qualified,
            "codes": list(composed.codes),
        }

    def _attempted(self, delivery_id: UUID) -> MssMessage:
        with self._database.transaction() as session:
            row = session.get_one(MssMessage, delivery_id)
            row.attempted_at = clock.now()
        return row

    def _parcel(self, row: MssMessage) -> Parcel:
        recipient = open_recipient(self._sealer, row)
        raw = self._sealer.open(row.raw_sealed, _context("raw", row.delivery_id))
        return Parcel(row.mailbox, recipient, row.envid, raw)

    def _last_gate(self, row: MssMessage, parcel: Parcel) -> None:
        """Refuse before any connection what must not leave."""
        settings = self._settings
        _check_domain(settings, whitelist.domain_of(parcel.recipient))
        if row.channel == ChannelName.MSS_PATIENT and row.size > settings.patient_size_limit:
            raise refused("TOO_LARGE")
        found = problems(parcel.raw)
        if found or hashlib.sha256(parcel.raw).hexdigest() != row.raw_sha256:
            raise refused("INCONSISTENT", remote_code=",".join(found) or "HASH")

    def _accepted(self, delivery_id: UUID, receipt: Receipt) -> None:
        with self._database.transaction() as session:
            row = session.get_one(MssMessage, delivery_id)
            row.accepted_at = clock.now()
            row.smtp_reply = f"{receipt.code} {receipt.enhanced}".strip()
            row.tls_session = receipt.tls
        structlog.get_logger().info(
            "mss.accepted", delivery_id=str(delivery_id), reply=row.smtp_reply, tls=receipt.tls
        )

    def _reader(self) -> Poller:
        return Poller(
            self._database, self._settings, self._sealer, self._credential_for,
            lambda *_args, **_options: False, self._token_for,
        )  # fmt: skip

    def _answered(self, delivery_id: UUID) -> bool:
        with self._database.transaction() as session:
            query = select(MssReceipt.id).where(MssReceipt.delivery_id == delivery_id)
            return session.scalars(query.limit(1)).first() is not None

    def _sent(self, box: MailboxSettings, row: MssMessage) -> bool:
        operator = operators.operator_of(self._settings, box)
        context, login = operators.proof(
            self._settings, box, row.struct_idnat, self._credential_for, self._token_for
        )
        timeout = self._settings.command_timeout_s
        with inbox.opened(
            operator.host, operator.imap_port, context, login, timeout=timeout
        ) as opened:
            return bool(inbox.holds(opened, operator.sent_folder, row.message_id))


def open_recipient(sealer: Sealer, row: MssMessage) -> str:
    """Return the address a message goes to. Never log it, never show a patient's."""
    return sealer.open(row.recipient_sealed, _context("recipient", row.delivery_id)).decode()


def _refuse_masked(document: SignedDocument, order: SendOrder) -> None:
    to_patient = order.channel is ChannelName.MSS_PATIENT
    if not accepted(
        document.content.visibility, to_professionals=not to_patient, to_patient=to_patient
    ):
        raise refused("MASKED")


def _check_domain(settings: MssSettings, domain: str) -> None:
    """Refuse a domain off the white list; without a readable list, wait for one (mss.md §4)."""
    if settings.whitelist_policy is WhitelistPolicy.OFF:
        return
    try:
        listed = whitelist.load(settings.whitelist_file)
    except WhitelistRefused as error:
        raise Held(error.detail, code=error.code) from error
    if listed and listed.allows(domain):
        return
    if settings.whitelist_policy is WhitelistPolicy.WARN:
        structlog.get_logger().warning("mss.domain_not_listed", domain=domain)
        return
    if listed is None:
        raise Held("Liste blanche MSSanté jamais chargée.", code="WHITELIST_MISSING")
    raise refused("OUT_OF_TRUST_SPACE")


def _context(what: str, delivery_id: UUID) -> bytes:
    return f"ris.mss.{what}.v1|{delivery_id}".encode()


def _local(at: datetime) -> datetime:
    return at.astimezone(clock.PARIS)
