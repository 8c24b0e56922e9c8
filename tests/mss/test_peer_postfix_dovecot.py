"""The same sending code against a real Postfix and a real Dovecot, the honest judges."""

import time
from collections.abc import Iterator

import pytest

from ris.core.errors import Transient
from ris.mss import inbox
from ris.mss.errors import MessageRefused, OperatorAuthRefused
from ris.mss.receipts import ReceiptState, classify
from ris.mss.settings import TlsPolicy
from ris.mss.smtp import Endpoint, Login, Parcel, Receipt, submit
from ris.mss.tls import operator_context
from ris.rem.evidence import Evidence
from ris.sandbox.pki import TestPki
from tests.mss.material import MATRICULE
from tests.peers.postfix_dovecot.lab import DOMAIN, PATIENT_DOMAIN, Lab, missing, running

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(missing() is not None, reason=missing() or ""),
]
SENDER = f"centre.lilas@{DOMAIN}"
GP = f"luc.martin@{DOMAIN}"
PATIENT = f"{MATRICULE}@{PATIENT_DOMAIN}"
ENVID = "0f8fad5bd9cb469fa16570867728950e"
LOGIN = Login(SENDER, "plain", "secret")


@pytest.fixture(scope="module")
def lab(pki: TestPki) -> Iterator[Lab]:
    """The operator, started once."""
    passwords = {SENDER: "secret", GP: "secret", PATIENT: "secret"}
    with running(pki.server(), pki.trust, passwords) as started:
        yield started


def _send(
    lab: Lab, pki: TestPki, recipient: str, *, login: Login = LOGIN, certificate: bool = True,
    padding: int = 0,
) -> Receipt:  # fmt: skip
    own = pki.organisation("1750000001", "AUTH_CLI") if certificate else None
    context = operator_context(TlsPolicy.VA1, pki.trust, crl=pki.crl, credential=own)
    endpoint = Endpoint("localhost", lab.smtp_port, 5, 5, 10)
    raw = (
        f"From: {SENDER}\r\nTo: {recipient}\r\nSubject: essai\r\n"
        f"Message-ID: <{ENVID}@{DOMAIN}>\r\n\r\n" + "x" * 60 + "\r\n" * (1 + padding)
    ).encode()
    return submit(endpoint, context, login, Parcel(SENDER, recipient, ENVID, raw))


def _read(lab: Lab, pki: TestPki, login: Login = LOGIN) -> list[bytes]:
    own = pki.organisation("1750000001", "AUTH_CLI")
    context = operator_context(TlsPolicy.VA1, pki.trust, crl=pki.crl, credential=own)
    with inbox.opened("localhost", lab.imap_port, context, login, timeout=5) as box:
        assert inbox.uidvalidity(box) > 0
        found = [mail.raw for mail in inbox.after(box, 0)]
        assert inbox.holds(box, "Sent", "<never@sent>") is False
        assert inbox.holds(box, "No such folder", "<never@sent>") is None
        return found


@pytest.mark.rem("RIS.MSS.01", scenario="MSS/va1.03.01")
@pytest.mark.rem("RIS.MSS.18", scenario="MSS/va1.14.01")
def test_a_mail_is_delivered_and_its_report_comes_back_under_our_envelope_id(
    lab: Lab, pki: TestPki, evidence: Evidence
) -> None:
    receipt = _send(lab, pki, GP)
    assert receipt.code == 250
    assert receipt.tls == "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384"
    report = _first_report(lab, pki)
    read = classify(report)
    assert (read.state, read.envid) == (ReceiptState.DELIVERED, ENVID)
    assert len(lab.inbox(GP)) == 1
    evidence.add("01", "postfix.log", lab.logs())
    evidence.add("02", "delivery-report.eml", report)


def test_the_patients_mailbox_is_served_like_any_other(lab: Lab, pki: TestPki) -> None:
    assert _send(lab, pki, PATIENT).code == 250


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        (f"personne@{DOMAIN}", "UNKNOWN_MAILBOX"),
        ("x@gmail.com", "OUT_OF_TRUST_SPACE"),
    ],
)
def test_a_bad_recipient_is_refused_at_once(
    recipient: str, code: str, lab: Lab, pki: TestPki
) -> None:
    with pytest.raises(MessageRefused) as refused:
        _send(lab, pki, recipient)
    assert refused.value.code == code


def test_a_mail_above_the_announced_size_is_refused_before_it_leaves(
    lab: Lab, pki: TestPki
) -> None:
    with pytest.raises(MessageRefused) as refused:
        _send(lab, pki, GP, padding=13_200_000)
    assert refused.value.code == "TOO_LARGE"


def test_a_wrong_password_holds(lab: Lab, pki: TestPki) -> None:
    with pytest.raises(OperatorAuthRefused):
        _send(lab, pki, GP, login=Login(SENDER, "plain", "wrong"))
    with pytest.raises(OperatorAuthRefused):
        _read(lab, pki, Login(SENDER, "plain", "wrong"))


def test_without_our_certificate_the_operator_refuses(lab: Lab, pki: TestPki) -> None:
    before = len(lab.inbox(GP))
    with pytest.raises(Transient):
        _send(lab, pki, GP, certificate=False)
    assert len(lab.inbox(GP)) == before


def _first_report(lab: Lab, pki: TestPki) -> bytes:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = _read(lab, pki)
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError(lab.logs())
