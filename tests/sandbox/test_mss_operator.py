"""The sandbox operator is strict: every refusal a real one would oppose, by hand-made dialogues."""

import imaplib
import io
import smtplib
import ssl
import zipfile
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from ris.sandbox.faults import Fault
from ris.sandbox.mss.accounts import Account
from ris.sandbox.mss.operator import SandboxOperator
from ris.sandbox.pki import TestPki

SENDER = "envoi.auto@ambroise.test.mssante.fr"
GP = "adam.hoda@test-ci-sis.mssante.fr"
PATIENT = "279035121518989@patient.mssante.fr"
OTHER = "146026322000196@patient.mssante.fr"


@pytest.fixture
def operator(pki: TestPki) -> Iterator[SandboxOperator]:
    """An operator that knows the people of the reference mails."""
    accounts = [
        Account(SENDER, "1000000001", "secret", "token"),
        Account(GP, password="secret"),
        Account(PATIENT),
        Account("autre@ambroise.test.mssante.fr", password="secret"),
    ]
    domains = ["ambroise.test.mssante.fr", "test-ci-sis.mssante.fr", "patient.mssante.fr"]
    with SandboxOperator(pki, whitelist=domains, mailboxes=accounts) as running:
        yield running


def _tls(pki: TestPki) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pki.trust))


@pytest.fixture
def client(operator: SandboxOperator, pki: TestPki) -> Iterator[smtplib.SMTP]:
    """A plain smtplib client, in TLS and logged in."""
    with smtplib.SMTP("localhost", operator.smtp_port, local_hostname="client") as session:
        session.starttls(context=_tls(pki))
        session.login(SENDER, "secret")
        yield session


def _reference(conformance: Path, name: str) -> bytes:
    return (conformance / "mss/messages" / name).read_bytes()


def _code(client: smtplib.SMTP, raw: bytes, recipient: str = GP) -> tuple[int, bytes]:
    client.mail(SENDER)
    client.rcpt(recipient)
    code, answer = client.data(raw)
    return code, answer


def test_the_reference_mails_are_accepted(client: smtplib.SMTP, conformance: Path) -> None:
    for name, recipient in (
        ("ps-initial.eml", GP),
        ("ps-replace.eml", GP),
        ("patient-fin.eml", PATIENT),
    ):
        assert _code(client, _reference(conformance, name), recipient)[0] == 250, name


@pytest.mark.parametrize(
    ("name", "recipient", "reason"),
    [
        ("bad-missing-nil.eml", GP, b"X-MSS-NIL"),
        ("bad-ins-o-without-ins.eml", GP, b"X-MSS-INS"),
        ("bad-mention-before-prefix.eml", GP, b"subject"),
        ("bad-patient-address-other.eml", OTHER, b"patient address"),
    ],
)
def test_each_defective_reference_mail_is_refused(
    name: str, recipient: str, reason: bytes, client: smtplib.SMTP, conformance: Path
) -> None:
    code, answer = _code(client, _reference(conformance, name), recipient)
    assert code == 554
    assert reason in answer


@pytest.mark.parametrize(
    "case",
    ["bad-hash", "bad-size", "uri-missing", "two-patients", "path-traversal", "dtd-entity", "bomb",
     "no-metadata", "no-readme-index", "lowercase-paths"],
)  # fmt: skip
def test_each_corrupt_archive_is_refused(
    case: str, client: smtplib.SMTP, conformance: Path
) -> None:
    archive = (conformance / "mss/xdm/bad" / f"{case}.zip").read_bytes()
    code, answer = _code(client, _with_archive(_reference(conformance, "ps-initial.eml"), archive))
    assert code == 554
    assert b"IHE_XDM.zip" in answer


def test_the_pdf_must_be_there_and_be_the_one_of_the_cda(
    client: smtplib.SMTP, conformance: Path
) -> None:
    original = _reference(conformance, "ps-initial.eml")
    assert b"differs" in _code(client, _with_pdf(original, b"%PDF-1.4 other"))[1]
    assert b"missing" in _code(client, _with_pdf(original, b"not a pdf"))[1]


def test_nothing_is_said_before_tls(operator: SandboxOperator) -> None:
    with smtplib.SMTP("localhost", operator.smtp_port, local_hostname="client") as session:
        session.ehlo()
        assert not session.has_extn("auth")
        assert session.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 530
        assert session.docmd("AUTH", "PLAIN AGEAYg==")[0] in (530, 538)


def test_nobody_sends_without_proof(operator: SandboxOperator, pki: TestPki) -> None:
    with smtplib.SMTP("localhost", operator.smtp_port, local_hostname="client") as session:
        session.starttls(context=_tls(pki))
        session.ehlo()
        assert session.mail(SENDER)[0] == 530


def test_a_sender_must_be_ones_own(client: smtplib.SMTP) -> None:
    code, answer = client.mail("autre@ambroise.test.mssante.fr")
    assert (code, answer[:5]) == (553, b"5.7.1")


def test_a_certificate_opens_only_the_mailboxes_of_its_structure(
    operator: SandboxOperator, pki: TestPki
) -> None:
    for structure, expected in (("1000000001", 250), ("1000000002", 553)):
        own = pki.organisation(structure, "AUTH_CLI")
        context = _tls(pki)
        context.load_cert_chain(own.certificate, own.key)
        with smtplib.SMTP("localhost", operator.smtp_port, local_hostname="client") as session:
            session.starttls(context=context)
            session.ehlo()
            assert session.mail(SENDER)[0] == expected


def test_a_domain_off_the_white_list_is_refused(client: smtplib.SMTP) -> None:
    client.mail(SENDER)
    for address in ("a@gmail.com", "a@sub.test-ci-sis.mssante.fr", "a@eviltest-ci-sis.mssante.fr"):
        assert client.rcpt(address)[1].startswith(b"5.7.1")


def test_a_mail_whose_headers_contradict_the_envelope_is_refused(
    client: smtplib.SMTP, conformance: Path
) -> None:
    raw = _reference(conformance, "plain-no-doc.eml")
    assert _code(client, raw)[0] == 250
    assert b"To differs" in _code(client, raw, PATIENT)[1]
    forged = raw.replace(SENDER.encode(), b"autre@ambroise.test.mssante.fr")
    assert b"From differs" in _code(client, forged)[1]
    marked = raw.replace(b"X-MSS-NIL:", b"X-MSS-INS: N\r\nX-MSS-NIL:")
    assert b"without a document" in _code(client, marked)[1]
    closing = raw.replace(b"X-MSS-NIL:", b"X-MSS-MES: FIN\r\nX-MSS-NIL:")
    assert b"X-MSS-MES" in _code(client, closing)[1]


def test_an_unknown_mailbox_bounces_to_the_sender(
    client: smtplib.SMTP, operator: SandboxOperator, conformance: Path
) -> None:
    raw = _reference(conformance, "plain-no-doc.eml").replace(b"adam.hoda@", b"personne@")
    client.mail(SENDER, ["RET=HDRS", "ENVID=e9"])
    client.rcpt("personne@test-ci-sis.mssante.fr", ["NOTIFY=SUCCESS,FAILURE"])
    assert client.data(raw)[0] == 250
    report = message_from_bytes(operator.store.inbox(SENDER)[0], policy=policy.default)
    assert report.get_content_type() == "multipart/report"
    assert "Status: 5.1.1" in report.as_string()
    assert "Original-Envelope-Id: e9" in report.as_string()


def test_a_mailbox_is_read_over_tls_only_and_by_its_owner(
    operator: SandboxOperator, pki: TestPki
) -> None:
    operator.store.append(GP, "INBOX", b"Subject: un\r\n\r\nBonjour.\r\n")
    box = imaplib.IMAP4("localhost", operator.imap_port)
    assert "LOGINDISABLED" in box.capabilities
    with pytest.raises(imaplib.IMAP4.error):
        box.login(GP, "secret")
    box.starttls(_tls(pki))
    with pytest.raises(imaplib.IMAP4.error):
        box.login(GP, "wrong")
    box.login(GP, "secret")
    assert box.select("INBOX") == ("OK", [b"1"])
    assert box.uid("SEARCH", "UNSEEN")[1] == [b"1"]
    fetched = box.uid("FETCH", "1", "(BODY[])")[1][0]
    assert isinstance(fetched, tuple)
    assert fetched[1].startswith(b"Subject: un")
    assert box.uid("SEARCH", "UNSEEN")[1] == [b""]
    with pytest.raises(imaplib.IMAP4.error):
        box.uid("COPY", "1", "Trash")
    box.logout()


def test_a_refused_token_gets_the_json_challenge(operator: SandboxOperator, pki: TestPki) -> None:
    box = imaplib.IMAP4("localhost", operator.imap_port)
    box.starttls(_tls(pki))
    seen: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        seen.append(challenge)
        return b"" if len(seen) > 1 else f"user={SENDER}\x01auth=Bearer bad\x01\x01".encode()

    with pytest.raises(imaplib.IMAP4.error):
        box.authenticate("XOAUTH2", answer)
    assert seen[1] == b'{"status":"401","schemes":"bearer","scope":"mail"}'
    box.logout()


def test_faults_strike_the_mailbox_too(operator: SandboxOperator, pki: TestPki) -> None:
    operator.faults.inject("imap.select", Fault("drop"))
    box = imaplib.IMAP4("localhost", operator.imap_port)
    box.starttls(_tls(pki))
    box.login(GP, "secret")
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        box.select("INBOX")
    box.shutdown()


def test_the_checker_stands_without_the_products_reader() -> None:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    assert (
        "ris.mss" not in Path(__file__).parents[2].joinpath("ris/sandbox/mss/volume.py").read_text()
    )


def _with_archive(raw: bytes, archive: bytes) -> bytes:
    return _replaced(raw, "application/zip", archive)


def _with_pdf(raw: bytes, pdf: bytes) -> bytes:
    return _replaced(raw, "application/pdf", pdf)


def _replaced(raw: bytes, content_type: str, data: bytes) -> bytes:
    mail = message_from_bytes(raw, policy=policy.SMTP)
    for part in mail.walk():
        if part.get_content_type() == content_type and isinstance(part, EmailMessage):
            name = part.get_filename()
            part.set_content(
                data, *content_type.split("/"), disposition="attachment", filename=name
            )
    return mail.as_bytes()
