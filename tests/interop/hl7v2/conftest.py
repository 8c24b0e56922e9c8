"""An inbox over the worker's database, and the GAM of our own domain under contract."""

from pathlib import Path

import pytest

from ris.core.audit import SYSTEM
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import trust
from ris.identity.foreign.model import TrustScope
from ris.identity.settings import IdentitySettings
from ris.interop.hl7v2.service import Inbox
from ris.interop.hl7v2.settings import Hl7Settings, SenderSettings
from tests.interop.hl7v2.sample import DOMAIN

SENDERS = (
    SenderSettings(application="GAM", facility="CHU-T", domain=DOMAIN),
    SenderSettings(application="GAM", facility="CHU-X", domain="CHU-X"),
    SenderSettings(application="RIS", facility="CIM-TEST", domain="1.2.3.4.5.6"),
)


@pytest.fixture
def settings() -> Hl7Settings:
    return Hl7Settings(senders=SENDERS)


@pytest.fixture
def feature() -> IdentityFeature:
    return IdentityFeature(IdentitySettings(), DOMAIN, production=False, partners=("PACS",))


@pytest.fixture
def inbox(
    database: Database, feature: IdentityFeature, settings: Hl7Settings, tmp_path: Path
) -> Inbox:
    """The inbox; the senders of `SENDERS` are our own domain's repositories."""
    with database.transaction() as session:
        for sender in SENDERS:
            trust.sign(session, sender=sender.domain, scope=TrustScope.OWN_DOMAIN, label="GAM",
                       actor=SYSTEM)  # fmt: skip
    return Inbox(database, Sealer(Keyring.generate(tmp_path / "keyring")), feature, settings)
