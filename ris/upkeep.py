"""The periodic jobs of every feature, as the settings ask for them; `ris.app` hands them on.

What a job does is its feature's business, when it runs is the worker's (`ris.diffusion.jobs`).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from ris.auth import upkeep as sign_ins
from ris.auth.card.settings import CardSettings
from ris.auth.certificates import watch
from ris.auth.certificates.pool import CertificatePool
from ris.auth.directory import renewal
from ris.auth.directory.service import Directory
from ris.core import audit_anchor, audit_retention
from ris.core.audit_retention import JournalSettings
from ris.core.db import Database
from ris.core.download import refresh_crls
from ris.core.settings import HttpSettings
from ris.diffusion.wiring import Upkeep
from ris.identity.bulk.run import BulkVerifications
from ris.identity.copies import purge
from ris.identity.copies.feature import CopyFeature
from ris.identity.duplicates.scan import EVERY_S as DUPLICATES_EVERY_S
from ris.identity.duplicates.scan import DuplicateScan
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.check import ForeignChecks
from ris.identity.propagation.run import Propagator
from ris.interop.hl7v2.client import Sender
from ris.interop.hl7v2.group import Group
from ris.interop.hl7v2.replies import Replies
from ris.interop.hl7v2.service import Inbox
from ris.mss import refresh as mss_refresh
from ris.mss.poll import Poller
from ris.reports.verification import verify_new_versions
from ris.settings import Settings
from ris.web import idempotency

DAY_S: Final = 86_400
CARD_CRL_S: Final = 14_400  # a lost card is believed no longer than that after its publication


def of_identity(
    settings: Settings, database: Database, identity: IdentityFeature, inbox: Inbox
) -> Iterator[Upkeep]:
    """Give the jobs of the identity feeds: verify, tell the attached systems, settle, forget."""
    sender = settings.site.ipp_oid
    propagator = Propagator(database, Sender(settings.hl7), sender=sender)
    every = settings.hl7.upkeep_s
    yield Upkeep("verify_foreign_ins", every, ForeignChecks(database, identity).run)
    batches, insi = BulkVerifications(database, identity), settings.identity.insi
    yield Upkeep("begin_ins_batch", DAY_S, batches.begin_due)
    yield Upkeep("verify_ins_batches", insi.bulk_every_s, batches.run)
    yield Upkeep("propagate_identities", every, propagator.run)
    yield Upkeep("apply_hl7_messages", every, Group(inbox).apply_waiting)
    yield Upkeep("reply_hl7_messages", every, Replies(database, settings.hl7).run)
    yield Upkeep("purge_hl7_messages", DAY_S, inbox.purge)
    yield Upkeep("find_duplicates", DUPLICATES_EVERY_S, DuplicateScan(database).run)


def _purge_idempotency(database: Database) -> None:
    with database.transaction() as session:
        idempotency.purge(session)


def of_features(
    settings: Settings, database: Database, poller: Poller, copies: CopyFeature
) -> Iterator[Upkeep]:
    """Give the periodic jobs of the features, as the settings ask for them."""
    often = settings.diffusion
    yield Upkeep("poll_receipts", often.receipts_poll_s, poller.poll_receipts)
    verify = partial(verify_new_versions, database, settings.reports)
    yield Upkeep("reports.verify", often.requeue_s, verify)
    yield Upkeep("purge_id_copies", purge.EVERY_S, partial(purge.purge_due, database, copies))
    yield Upkeep("purge_idempotency", DAY_S, partial(_purge_idempotency, database))
    sweep = partial(sign_ins.run, database, settings.auth)
    yield Upkeep("sweep_sign_ins", sign_ins.EVERY_S, sweep)
    yield from _of_cards(settings.auth.card, settings.http)
    yield from _of_journal(settings.journal, database)
    if settings.mss.whitelist_url:
        refresh = partial(mss_refresh.refresh_whitelist, settings.mss, settings.http)
        yield Upkeep("refresh_whitelist", DAY_S, refresh)
    if settings.mss.crl_urls:
        refresh = partial(mss_refresh.refresh_crls, settings.mss, settings.http)
        yield Upkeep("refresh_crls", DAY_S, refresh)


def of_certificates(database: Database, pool: CertificatePool) -> Upkeep:
    """Give the daily look at the end of every certificate."""
    return Upkeep("warn_certificates", DAY_S, partial(watch.warn, database, pool))


def of_directory(settings: Settings, database: Database, directory: Directory) -> Upkeep:
    """Give the job that looks the users up again in the Annuaire Santé."""
    renew = partial(renewal.run, database, directory, settings.auth.annuaire)
    return Upkeep("renew_directory_users", renewal.EVERY_S, renew)


def _of_cards(card: CardSettings, transport: HttpSettings) -> Iterator[Upkeep]:
    if card.enabled and card.crl and card.trust and card.crl_urls:
        refresh = partial(refresh_crls, card.crl, card.crl_urls, trust=card.trust)
        yield Upkeep("refresh_card_crls", CARD_CRL_S, partial(refresh, transport=transport))


def _of_journal(journal: JournalSettings, database: Database) -> Iterator[Upkeep]:
    erase = partial(audit_retention.erase_due, database, journal)
    yield Upkeep("erase_journal", DAY_S, erase)
    if journal.anchor:
        anchor = partial(audit_anchor.anchor, database, Path(journal.anchor))
        yield Upkeep("anchor_journal", journal.anchor_every_s, anchor)
