"""Sending to the sandbox operator: what leaves, how it is proved, what each failure means."""

from pathlib import Path

import pytest

from ris.auth.certificates import service
from ris.auth.certificates.pool import CertificatePool
from ris.auth.certificates.settings import PoolSettings
from ris.core.crypto import Keyring, Sealer
from ris.core.db import Database
from ris.core.errors import Lost, Throttled, Transient
from ris.mss.errors import MessageRefused, OperatorAuthRefused
from ris.mss.operators import proof, smtp_endpoint
from ris.mss.settings import MssSettings
from ris.mss.smtp import Login, Parcel, submit
from ris.rem.evidence import Evidence
from ris.sandbox.faults import Fault
from ris.sandbox.mss.operator import SandboxOperator
from ris.sandbox.pki import TestPki
from tests.auth.certificates.making import issue
from tests.mss.conftest import APP, GP, OWN, PATIENT, Compose, Send
from tests.mss.material import signed


@pytest.mark.rem("RIS.MSS.19", scenario="MSS/va1.21.01")
@pytest.mark.rem("RIS.MSS.01", scenario="MSS/va1.03.01")
@pytest.mark.rem("SC.MSS/CONF.05")
@pytest.mark.rem("SC.MSS/CONF.12")
def test_a_report_reaches_the_requesters_mailbox_with_the_very_bytes_built(
    operator: SandboxOperator, composed: Compose, send: Send, evidence: Evidence
) -> None:
    raw = composed(signed())
    receipt = send(raw)
    assert receipt.code == 250
    assert receipt.tls == "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384"
    assert operator.store.inbox(GP) == [raw]
    accepted = operator.messages[0]
    assert (accepted.sender, accepted.recipients) == (APP, (GP,))
    assert "OU=1750000001" in str(accepted.certificate)
    evidence.add("01", "message-source.eml", raw)
    evidence.add("02", "tls-session.txt", receipt.tls)


def test_an_encrypted_key_of_the_pool_proves_the_mailbox_and_its_replacement_too(
    operator: SandboxOperator, settings: MssSettings, composed: Compose, *, database: Database,
    pki: TestPki, tmp_path: Path,
) -> None:  # fmt: skip
    box, raw = settings.mailboxes[0], composed(signed())
    sealer = Sealer(Keyring.generate(tmp_path / "ring.json"))
    pool = CertificatePool(tmp_path / "pool", PoolSettings(trust=pki.trust), sealer)
    for start in (-20, -10):
        offer = issue(pki, box.struct_idnat, days=(start, 100), name=f"RIS {start}")
        with database.transaction() as session:
            service.add(session, pool, box.struct_idnat, "AUTH_CLI", offer)
        context, login = proof(settings, box, box.struct_idnat, pool.credential)
        parcel = Parcel(APP, GP, f"pool{start}", raw)
        submit(smtp_endpoint(settings, box), context, login, parcel)
    shown = [str(one.certificate) for one in operator.messages]
    assert [f"CN=RIS {start}" in one for start, one in zip((-20, -10), shown, strict=True)] == [
        True, True,
    ]  # fmt: skip


@pytest.mark.rem("RIS.MSS.14", scenario="MSS/va1.15.01")
def test_the_operator_reports_the_delivery_under_our_envelope_id(
    operator: SandboxOperator, composed: Compose, send: Send
) -> None:
    send(composed(signed()))
    report = operator.store.inbox(APP)[0]
    assert b"Original-Envelope-Id: abc123" in report
    assert b"Action: delivered" in report


@pytest.mark.rem("RIS.MSS.22", scenario="MSS/va1.17.01")
def test_the_patient_gets_his_report_at_the_address_made_of_his_matricule(
    operator: SandboxOperator, composed: Compose, send: Send, evidence: Evidence
) -> None:
    raw = composed(signed(), PATIENT)
    send(raw, PATIENT)
    assert b"X-MSS-MES: FIN" in operator.store.inbox(PATIENT)[0]
    evidence.add("01", "patient-message-source.eml", raw)


@pytest.mark.rem("SC.MSS/CONF.07")
def test_password_and_psc_token_open_a_mailbox_without_certificate(
    operator: SandboxOperator, composed: Compose, send: Send
) -> None:
    raw = composed(signed())
    send(raw, login=Login(APP, "plain", "app-secret"), with_certificate=False)
    assert operator.messages[0].login == APP
    own = raw.replace(APP.encode(), OWN.encode())
    send(own, sender=OWN, login=Login(OWN, "xoauth2", "good-token"), with_certificate=False)
    assert operator.messages[1].login == OWN


@pytest.mark.parametrize(
    "login",
    [
        Login(APP, "plain", "wrong"),
        Login(OWN, "xoauth2", "stale-token"),
        Login(OWN, "external"),
        Login(APP, "external"),
    ],
)
def test_refused_credentials_hold_the_message(
    login: Login, operator: SandboxOperator, composed: Compose, send: Send
) -> None:
    with pytest.raises(OperatorAuthRefused) as refused:
        send(composed(signed()), login=login, with_certificate=False)
    assert refused.value.code == "AUTH_REFUSED"
    assert operator.messages == []


def test_a_certificate_alone_is_enough_where_the_operator_asks_no_sasl(
    operator: SandboxOperator, composed: Compose, send: Send
) -> None:
    send(composed(signed()), login=Login(APP, "none"))
    assert operator.messages[0].login is None


@pytest.mark.parametrize(
    ("operation", "status", "code", "expected"),
    [
        ("smtp.mail", 421, "4.3.2", Throttled),
        ("smtp.rcpt", 450, "4.2.0", Throttled),
        ("smtp.rcpt", 451, "4.7.1", Transient),
        ("smtp.data", 452, "4.3.1", Transient),
        ("smtp.rcpt", 552, "5.2.2", Throttled),
        ("smtp.rcpt", 550, "5.1.1", MessageRefused),
        ("smtp.data", 554, "5.7.1", MessageRefused),
    ],
)
def test_each_reply_becomes_the_right_kind_of_failure(
    operation: str, status: int, code: str, expected: type[Exception], *,
    operator: SandboxOperator, composed: Compose, send: Send,
) -> None:  # fmt: skip
    operator.faults.inject(operation, Fault("smtp", status=status, code=code))
    with pytest.raises(expected):
        send(composed(signed()))
    assert operator.messages == []


def test_a_server_that_refuses_dsn_options_gets_the_message_without_them(
    operator: SandboxOperator, composed: Compose, send: Send
) -> None:
    operator.faults.inject("smtp.mail", Fault("smtp", status=555, code="5.5.4"))
    assert send(composed(signed())).code == 250
    assert operator.messages[0].envid == ""


@pytest.mark.parametrize("operation", ["smtp.mail", "smtp.rcpt"])
def test_a_cut_before_the_message_left_is_transient(
    operation: str, operator: SandboxOperator, composed: Compose, send: Send
) -> None:
    operator.faults.inject(operation, Fault("drop"))
    with pytest.raises(Transient):
        send(composed(signed()))


@pytest.mark.parametrize(
    ("operation", "fault", "arrived"),
    [
        ("smtp.data.begin", Fault("close_mid_message"), 0),
        ("smtp.data", Fault("drop"), 0),
        ("smtp.data", Fault("drop", after=True), 1),
    ],
)
def test_a_cut_after_the_message_left_is_lost_whatever_really_happened(
    operation: str, fault: Fault, arrived: int, *,
    operator: SandboxOperator, composed: Compose, send: Send,
) -> None:  # fmt: skip
    operator.faults.inject(operation, fault)
    with pytest.raises(Lost):
        send(composed(signed()))
    assert len(operator.messages) == arrived


def test_silence_after_the_message_left_is_lost(
    operator: SandboxOperator, composed: Compose, send: Send
) -> None:
    operator.faults.inject("smtp.data", Fault("delay", seconds=4))
    with pytest.raises(Lost):
        send(composed(signed()))
