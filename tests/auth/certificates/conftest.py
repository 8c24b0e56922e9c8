"""A pool with its key ring, its authorities and a journal."""

from pathlib import Path

import pytest
from sqlalchemy import select

from ris.auth.certificates import service
from ris.auth.certificates.offers import Offer
from ris.auth.certificates.pool import CertificatePool
from ris.auth.certificates.settings import PoolSettings
from ris.auth.certificates.values import Held, Usage
from ris.core.audit import AuditEvent
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.sandbox.pki import TestPki
from tests.auth.certificates.making import A


class Shelf:
    """A pool under test: what another process would see of it, and what the journal says."""

    def __init__(self, folder: Path, database: Database, settings: PoolSettings) -> None:
        self.folder = folder / "certificates"
        self.ring = folder / "ring.json"
        Keyring.generate(self.ring)
        self.database = database
        self.settings = settings
        self.pool = self.reopened()

    def reopened(self) -> CertificatePool:
        """The same pool as another process opens it."""
        return CertificatePool(self.folder, self.settings, Sealer(Keyring.from_file(self.ring)))

    def add(self, offer: Offer, usage: Usage = "AUTH_CLI", struct: str = A) -> Held:
        with self.database.transaction() as session:
            return service.add(session, self.pool, struct, usage, offer)

    def retire(self, serial: str, *, in_use: bool = False, struct: str = A) -> Held:
        with self.database.transaction() as session:
            return service.retire(session, self.pool, struct, "AUTH_CLI", serial, in_use=in_use)

    def serving(self, usage: Usage = "AUTH_CLI", struct: str = A) -> str:
        """The serial that a call would leave under."""
        leaf, _ = self.reopened().credential(struct, usage).load()
        return format(leaf.serial_number, "x")

    def standing(self) -> list[tuple[str, str]]:
        """Serials and states, newest first."""
        return [(one.serial, one.state.value) for one in self.pool.inventory()]

    def journal(self, prefix: str = "auth.certificate") -> list[AuditEvent]:
        with self.database.transaction() as session:
            query = select(AuditEvent).where(AuditEvent.action.startswith(prefix))
            return list(session.scalars(query.order_by(AuditEvent.seq)))


@pytest.fixture
def shelf(tmp_path: Path, database: Database, pki: TestPki) -> Shelf:
    return Shelf(tmp_path, database, PoolSettings(trust=pki.trust))
