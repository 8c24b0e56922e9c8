"""The operator of the MSSanté tests and the settings that point at it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.mss.bodies import Purpose
from ris.mss.compose import Shipment, compose
from ris.mss.settings import AuthMode, MailboxSettings, MssSettings, OperatorSettings
from ris.mss.smtp import Endpoint, Login, Parcel, Receipt, submit
from ris.mss.tls import operator_context
from ris.mss.whitelist import WhitelistPolicy
from ris.reports.channels import ChannelName, SignedDocument
from ris.sandbox.mss.accounts import Account
from ris.sandbox.mss.operator import SandboxOperator
from ris.sandbox.pki import TestPki
from tests.mss.bench import Bench
from tests.mss.material import AT, MATRICULE, REQUESTER, STRUCTURE

APP: Final = "envoi.auto@lilas.test.mssante.fr"
OWN: Final = "jeanne.bidault@medecin.test.mssante.fr"
RETURN: Final = "secretariat@lilas.test.mssante.fr"
GP: Final = REQUESTER.mss_address or ""
PATIENT: Final = f"{MATRICULE}@patient.mssante.fr"
WHITELIST: Final = ("lilas.test.mssante.fr", "medecin.test.mssante.fr", "patient.mssante.fr")
RANG: Final = "499700000011001"
ACCOUNTS: Final = (
    Account(APP, struct_idnat=STRUCTURE.struct_idnat, password="app-secret"),
    Account(OWN, struct_idnat=RANG, token="good-token"),
    Account(RETURN, password="return-secret"),
    Account(GP, password="gp-secret"),
    Account(PATIENT, password="patient-secret"),
)


@pytest.fixture
def operator(pki: TestPki) -> Iterator[SandboxOperator]:
    """A strict operator with the accounts of these tests."""
    with SandboxOperator(pki, whitelist=WHITELIST, mailboxes=ACCOUNTS) as running:
        yield running


@pytest.fixture
def settings(operator: SandboxOperator, pki: TestPki) -> MssSettings:
    """Settings of a site with one application mailbox at the sandbox operator."""
    mailbox = MailboxSettings(
        address=APP, label="Imagerie des Lilas - envoi automatique", reply_to=RETURN,
        struct_idnat=STRUCTURE.struct_idnat, auth=AuthMode.ORG_CERT,
    )  # fmt: skip
    listening = OperatorSettings(
        host="localhost", smtp_port=operator.smtp_port, imap_port=operator.imap_port
    )
    return MssSettings(
        trust=pki.trust, crl=pki.crl, whitelist_policy=WhitelistPolicy.OFF, test_oids=True,
        operators={"default": listening}, mailboxes=(mailbox,), data_timeout_s=5,
        command_timeout_s=5,
    )  # fmt: skip


Compose = Callable[..., bytes]
Send = Callable[..., Receipt]


@pytest.fixture
def composed(settings: MssSettings) -> Compose:
    """Return a function that writes the mail of a signed document, for a recipient."""

    def write(
        document: SignedDocument, recipient: str = GP, *, purpose: Purpose = Purpose.INITIAL
    ) -> bytes:
        patient = recipient.endswith("@patient.mssante.fr")
        channel = ChannelName.MSS_PATIENT if patient else ChannelName.MSS_PS
        shipment = Shipment(channel, purpose, recipient, UUID(int=42), "2.25.900", AT)
        return compose(document, shipment, settings.mailboxes[0], settings).raw

    return write


@pytest.fixture
def send(settings: MssSettings, operator: SandboxOperator, pki: TestPki) -> Send:
    """Return a function that submits bytes from the application mailbox, by ORG certificate."""

    def submit_one(
        raw: bytes, recipient: str = GP, *, sender: str = APP, login: Login | None = None,
        with_certificate: bool = True,
    ) -> Receipt:  # fmt: skip
        own = pki.organisation(STRUCTURE.struct_idnat, "AUTH_CLI") if with_certificate else None
        context = operator_context(
            settings.tls_policy, settings.trust, crl=settings.crl, credential=own
        )
        endpoint = Endpoint("localhost", operator.smtp_port, 5, 5, 2)
        proof = login or Login(APP, "external")
        return submit(endpoint, context, proof, Parcel(sender, recipient, "abc123", raw))

    return submit_one


@pytest.fixture
def bench(database: Database, settings: MssSettings, pki: TestPki, tmp_path: Path) -> Bench:
    """A bench over a fresh keyring, that never waits after a lost answer."""
    sealer = Sealer(Keyring.generate(tmp_path / "keyring.json"))
    return Bench(database, settings.model_copy(update={"lost_wait": timedelta(0)}), sealer, pki)
