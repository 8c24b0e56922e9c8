"""The DMP as a delivery channel: freezes a lot when a report is signed, sends it, probes for it.

Implements `ris.reports.channels.Channel`. It holds no delivery state; errors tell the engine what
to do. Everything leaves in the name of the radiologist who signed (RIS.AUTH.01).
"""

import hashlib
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.db import Database
from ris.core.errors import NotConfigured, RisError
from ris.dmp import metadata
from ris.dmp.certificates import CredentialFor
from ris.dmp.client import DmpClient, Observe
from ris.dmp.errors import (
    CdaInvalid,
    ConfigMissing,
    DmpRefused,
    NoDmp,
    NotSupported,
    ReplacedNotFound,
)
from ris.dmp.errors_table import DEPRECATED, DUPLICATE
from ris.dmp.journal import Journal, author_of, frozen_author
from ris.dmp.lot_signature import SignedPart, sign_lot
from ris.dmp.model import DmpSubmission
from ris.dmp.settings import DmpSettings
from ris.dmp.submission import Lot
from ris.dmp.vihf import Sender, sender_of
from ris.identity.values import Ins
from ris.rem import satisfies
from ris.reports.channels import Accepted, Operation, Probe, SendOrder, SignedDocument, Ticket
from ris.reports.content import Level, Visibility
from ris.reports.xds import DocumentEntry, MetadataError, SubmissionSet, dtm


class DmpChannel:
    """Feeds, replaces and deletes reports in the DMP."""

    def __init__(
        self,
        database: Database,
        settings: DmpSettings,
        credential_for: CredentialFor,
        trust: Path | None,
    ) -> None:
        self._settings = settings
        self._credential_for = credential_for
        self._client = DmpClient(settings, trust, credential_for)
        self._journal = Journal(database)
        self._known = _Recent(settings.existence_cache_s)

    @satisfies("RIS.DMP.01", "RIS.DMP.06", "RIS.AUTH.01")
    def prepare(self, session: Session, document: SignedDocument, order: SendOrder) -> str:
        """Freeze identifiers, author, visibility and lot signature; return the set uniqueId.

        A certificate or a setting that is missing does not stop the signature of the report: the
        lot is then signed at the first attempt, which is held until the cause is lifted.
        """
        author = document.content.author
        level = self._settings.level
        row = DmpSubmission(
            delivery_id=order.delivery_id,
            document_id=document.version_id,
            patient_id=document.patient_id,
            operation=order.operation,
            level=level,
            doc_unique_id=_unique_id(document, level),
            replaces_delivery_id=order.replaces,
            visibility=sorted(order.visibility),
            author=frozen_author(author),
            struct_idnat=author.structure.struct_idnat if author.structure else "",
            ps_idnat=author.ps_idnat,
            submitted_at=clock.now().replace(microsecond=0),
        )
        session.add(row)
        session.flush()
        if order.operation is not Operation.DELETE and row.struct_idnat:
            try:
                row.signature = self._sign(row, document.cda(level))
            except RisError:  # told again, to the engine, by the first attempt
                row.signature = None
        session.flush()
        return row.set_unique_id

    @satisfies("RIS.DMP.01", "RIS.DMP.02")
    def deliver(self, ticket: Ticket) -> Accepted:
        """Perform one attempt; raises the `RemoteError` that tells what may be done next."""
        attempt = self._attempt(ticket)
        match Operation(attempt.row.operation):
            case Operation.SUBMIT | Operation.REPLACE:
                return self._feed(attempt)
            case Operation.DELETE:
                return self._delete(attempt)
            case _:  # a visibility is changed by a new version (ruling 35): no TD3.3b here
                raise NotSupported

    def probe(self, ticket: Ticket) -> Probe:
        """Ask once, by TD3.1b, whether an attempt whose answer was lost took effect."""
        attempt = self._attempt(ticket)
        found = self._reference(attempt, attempt.row.doc_unique_id)
        if attempt.row.operation == Operation.DELETE:
            return Probe.ABSENT if found else Probe.FOUND
        if found is None:
            return Probe.ABSENT
        self._journal.keep_entry(ticket.delivery_id, found)
        return Probe.FOUND

    def _attempt(self, ticket: Ticket) -> "_Attempt":
        found = self._journal.submission(ticket.delivery_id)
        row, cda = found.row, found.cda
        chosen = frozenset(map(Visibility, row.visibility))
        try:
            entry = metadata.describe(cda, chosen, self._settings)
        except MetadataError as error:
            raise CdaInvalid(error.detail) from error
        return _Attempt(
            row=row,
            cda=cda,
            entry=entry,
            sender=sender_of(author_of(row), entry.patient_id, found.authentication),
            observe=partial(self._journal.observe, ticket.delivery_id),
            repeated=ticket.attempt_no > 1 or self._journal.was_sent(ticket.delivery_id),
        )

    def _feed(self, attempt: "_Attempt") -> Accepted:
        row, entry = attempt.row, attempt.entry
        chosen = frozenset(map(Visibility, row.visibility))
        today = clock.now().astimezone(clock.PARIS).date()
        metadata.check_visibility(chosen, metadata.birth_date(entry), today)
        self._must_have_dmp(attempt)
        signature = row.signature or self._journal.keep_signature(
            row.delivery_id, self._sign(row, attempt.cda)
        )
        replaced = self._replaced(attempt)
        try:
            self._send(attempt, signature, replaced)
        except DmpRefused as error:
            # The version replaced got a new entryUUID meanwhile: looked up again, once (§6.6).
            if error.remote_code != DEPRECATED or replaced is None:
                raise
            self._send(attempt, signature, self._replaced(attempt))
        return Accepted(row.doc_unique_id)

    def _send(self, attempt: "_Attempt", signature: bytes, replaced: str | None) -> None:
        """Send the lot; "already registered" is a success when it is our own earlier attempt."""
        row, entry = attempt.row, attempt.entry
        own = self._set(row, entry)
        signed = metadata.signature_entry(entry, own, signature, row.sig_unique_id)
        lot = Lot(own, entry, signed, attempt.cda, signature, replaced)
        try:
            self._client.feed(attempt.sender, lot, attempt.observe)
        except NoDmp:
            self._known.forget(attempt.sender.patient)
            raise
        except DmpRefused as error:
            if error.remote_code != DUPLICATE or not attempt.repeated:
                raise
            found = self._reference(attempt, row.doc_unique_id)
            if found is None:
                raise
            self._journal.keep_entry(row.delivery_id, found)

    def _delete(self, attempt: "_Attempt") -> Accepted:
        row = attempt.row
        found = self._reference(attempt, row.doc_unique_id)
        if found is None:  # already gone: the patient sees what was asked
            return Accepted(row.doc_unique_id)
        own = self._set(row, attempt.entry)
        self._client.delete(attempt.sender, own, found, attempt.observe)
        return Accepted(found)

    def _must_have_dmp(self, attempt: "_Attempt") -> None:
        patient = attempt.sender.patient
        if not self._known.has(patient):
            found = self._client.existence(attempt.sender, _ins_of(patient), attempt.observe)
            found.must_be_active()
            self._known.add(patient)

    def _replaced(self, attempt: "_Attempt") -> str | None:
        """Return the current entryUUID of the version replaced: it is always looked up again."""
        row = attempt.row
        if row.operation == Operation.SUBMIT:
            return None
        if row.replaces_delivery_id is None:
            raise ReplacedNotFound
        former = self._journal.submission(row.replaces_delivery_id).row
        found = self._reference(attempt, former.doc_unique_id)
        if found is None:
            raise ReplacedNotFound
        return found

    def _reference(self, attempt: "_Attempt", unique_id: str) -> str | None:
        return self._client.reference(attempt.sender, unique_id, attempt.observe)

    def _sign(self, row: DmpSubmission, cda: bytes) -> bytes:
        try:
            certificate, key = self._credential_for(row.struct_idnat, "SIGN").load()
        except NotConfigured as error:
            raise ConfigMissing(error.detail) from error
        return sign_lot(
            row.set_unique_id,
            [SignedPart(row.doc_unique_id, cda)],
            signed_at=row.submitted_at,
            certificate=certificate,
            key=key,
            suite=self._settings.lot_signature_suite,
        )

    def _set(self, row: DmpSubmission, entry: DocumentEntry) -> SubmissionSet:
        return metadata.submission_set(
            entry,
            self._settings,
            unique_id=row.set_unique_id,
            submitted_at=dtm(row.submitted_at),
        )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one attempt works with; *repeated*: an earlier one may have taken effect."""

    row: DmpSubmission
    cda: bytes
    entry: DocumentEntry
    sender: Sender
    observe: Observe
    repeated: bool


class _Recent:
    """Patients whose DMP was seen active lately: hashes of the INS, never traits (dmp.md §4)."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._until: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def has(self, patient: str) -> bool:
        """Say whether *patient* was seen active less than the configured time ago."""
        with self._lock:
            return self._until.get(_digest(patient), 0) > time.monotonic()

    def forget(self, patient: str) -> None:
        """Ask again next time: the DMP has just said it does not know *patient*."""
        with self._lock:
            self._until.pop(_digest(patient), None)

    def add(self, patient: str) -> None:
        """Remember *patient*, and forget those whose time is over."""
        now = time.monotonic()
        with self._lock:
            self._until = {key: until for key, until in self._until.items() if until > now}
            self._until[_digest(patient)] = now + self._seconds


def _digest(patient: str) -> bytes:
    return hashlib.sha256(patient.encode()).digest()


def _ins_of(patient: str) -> Ins:
    matricule, _, rest = patient.partition("^^^&")
    return Ins(matricule, rest.partition("&")[0])


def _unique_id(document: SignedDocument, level: Level) -> str:
    content = document.content
    return (content.n1 if level is Level.N1 else content.n3).unique_id
