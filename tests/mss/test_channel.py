"""The MSSanté channel against the sandbox operator: frozen, sent, acknowledged, probed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import text

from ris.auth import structures
from ris.core import clock, ids
from ris.core.errors import Held, Lost
from ris.identity.values import Status
from ris.mss.errors import AwaitingSession, MailboxNotConfigured, MessageRefused, NotSupported
from ris.mss.model import MssReceipt
from ris.mss.settings import AuthMode, MailboxKind, MailboxSettings
from ris.mss.whitelist import WhitelistPolicy
from ris.rem.evidence import Evidence
from ris.reports.channels import ChannelName, Operation, Probe, SendOrder, Ticket
from ris.reports.content import Visibility
from ris.sandbox.faults import Fault
from ris.sandbox.mss.operator import SandboxOperator
from tests.mss.bench import Bench
from tests.mss.conftest import APP, GP, OWN, PATIENT, RANG, RETURN
from tests.mss.material import MATRICULE, RADIOLOGIST, REQUESTER, STRUCTURE, identity, signed


def _mail(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


@pytest.mark.rem("RIS.MSS.19", scenario="MSS/va1.21.01")
@pytest.mark.rem("RIS.MSS.23", scenario="MSS/va1.29.01")
@pytest.mark.rem("RIS.MSS.08", scenario="MSS/va1.12.01")
@pytest.mark.rem("RIS.MSS.10", scenario="MSS/va1.11.01")
@pytest.mark.rem("RIS.MSS.11", scenario="MSS/va1.09.01")
@pytest.mark.rem("RIS.MSS.13", scenario="MSS/va1.16.01")
@pytest.mark.rem("RIS.MSS.14", scenario="MSS/va1.15.01")
@pytest.mark.rem("RIS.MSS.17", scenario="MSS/va1.18.01")
def test_a_signed_report_leaves_from_the_application_mailbox(
    bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    ticket = bench.freeze(signed())
    accepted = bench.channel.deliver(ticket)
    raw = operator.store.inbox(GP)[0]
    mail = _mail(raw)
    body = mail.get_body(("plain",))
    assert accepted.remote_reference
    assert "queued as" in accepted.remote_reference
    assert mail["Message-ID"] == ticket.external_id
    assert body is not None
    assert body.get_content_type() == "text/plain"
    assert body.get_content().rstrip().endswith(f"écrivez à {RETURN}.")
    assert mail["Reply-To"] == RETURN
    assert mail["From"].addresses[0].display_name == "Imagerie des Lilas - envoi automatique"
    assert mail["Return-Receipt-To"] == mail["Disposition-Notification-To"] == APP
    assert [part.get_filename() for part in mail.iter_attachments()] == [
        "IHE_XDM.zip",
        "20260305_CR d'imagerie medicale_PAT-TROIS_DOMINIQUE.pdf",
    ]
    row = bench.row(ticket)
    assert (row.smtp_reply, row.accepted_at is not None) == ("250 2.0.0", True)
    assert "OU=1750000001" in str(operator.messages[0].certificate)
    evidence.add("01", "smtp-source.eml", raw)
    evidence.add("02", "smtp-session.txt", f"{row.smtp_reply} {row.tls_session}")


@pytest.mark.rem("RIS.MSS.22", scenario="MSS/va1.17.01")
@pytest.mark.rem("RIS.MSS.12", scenario="MSS/va1.19.01-02")
def test_the_patient_message_is_closed_to_answers_and_its_address_is_never_in_clear_at_rest(
    bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    ticket = bench.freeze(signed(), ChannelName.MSS_PATIENT)
    bench.channel.deliver(ticket)
    raw = operator.store.inbox(PATIENT)[0]
    assert _mail(raw)["X-MSS-MES"] == "FIN"
    with bench.database.transaction() as session:
        stored = session.execute(text("select mss_message::text from mss_message")).scalar_one()
    assert MATRICULE not in stored
    evidence.add("01", "patient-smtp-source.eml", raw)


@pytest.mark.rem("RIS.MSS.12", scenario="MSS/va1.19.01-02")
def test_no_patient_message_is_even_written_for_an_identity_that_is_not_qualified(
    bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    with pytest.raises(Held) as refused:
        bench.freeze(signed(identity(Status.VALIDEE)), ChannelName.MSS_PATIENT)
    assert refused.value.code == "INS_NOT_QUALIFIED"
    assert operator.messages == []
    evidence.add("02", "refusal.txt", f"{refused.value.code}: {refused.value.detail}")


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01-02")
@pytest.mark.parametrize("status", [Status.PROVISOIRE, Status.RECUPEREE, Status.VALIDEE])
def test_an_unqualified_report_goes_to_the_professional_without_any_matricule(
    status: Status, bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    bench.channel.deliver(bench.freeze(signed(identity(status))))
    raw = operator.messages[0].raw
    attached = b"".join(
        bytes(part.get_payload(decode=True) or b"") for part in _mail(raw).walk()
        if not part.is_multipart()
    )  # fmt: skip
    assert _mail(raw)["X-MSS-INS"] == "N"
    assert MATRICULE.encode() not in raw + attached
    evidence.add("03", "smtp-source.eml", raw)


@pytest.mark.rem("SC.MSS/CONF.23")
def test_a_document_that_carries_an_ins_it_should_not_never_leaves(
    bench: Bench, operator: SandboxOperator
) -> None:
    ticket = bench.freeze(signed(identity(Status.VALIDEE), ins=True))
    with pytest.raises(MessageRefused) as refused:
        bench.channel.deliver(ticket)
    assert (refused.value.code, refused.value.remote_code) == ("INCONSISTENT", "X_MSS_INS_WRONG")
    assert operator.messages == []


@pytest.mark.rem("RIS.MSS.24", scenario="MSS/va1.30.01")
def test_in_a_scm_the_report_leaves_from_the_validators_mailbox_with_his_certificate(
    bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    own = MailboxSettings(
        address=OWN, kind=MailboxKind.PERSONAL, auth=AuthMode.RPPS_RANG_CERT,
        ps_idnat=RADIOLOGIST.ps_idnat, struct_idnat=RANG,
    )  # fmt: skip
    bench.with_settings(mailboxes=(*bench.settings.mailboxes, own))
    document = signed()
    scm = replace(RADIOLOGIST, structure=replace(STRUCTURE, struct_idnat=RANG))
    document = replace(document, content=replace(document.content, author=scm))
    bench.channel.deliver(bench.freeze(document))
    sent = operator.messages[0]
    assert sent.sender == OWN
    assert f"OU={RANG}" in str(sent.certificate)
    label = _mail(sent.raw)["From"].addresses[0].display_name
    assert label == "Dr Jeanne BIDAULT - Centre d'imagerie des Lilas"
    evidence.add("01", "smtp-source.eml", sent.raw)
    evidence.add("02", "client-certificate.txt", str(sent.certificate))


@pytest.mark.rem("RIS.MSS.24", scenario="MSS/va1.30.01")
def test_the_practices_of_an_scm_never_send_from_one_shared_mailbox(bench: Bench) -> None:
    (box,) = bench.settings.mailboxes
    bench.with_settings(mailboxes=(box.model_copy(update={"struct_idnat": ""}),))
    bench.freeze(signed())  # elsewhere the mailbox of any structure serves
    with bench.database.transaction() as session:
        structures.declare(session, "300000000993014", "SCM IMAGERIE INVENTEE", is_scm=True)
    with pytest.raises(Held) as held:
        bench.freeze(signed())
    assert held.value.code == "NO_MAILBOX"


@pytest.mark.rem("RIS.MSS.15", scenario="MSS/va1.02.01")
@pytest.mark.rem("RIS.MSS.09", scenario="MSS/va1.08.01")
def test_a_corrected_report_replaces_and_threads_on_the_first(
    bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    first = bench.freeze(signed())
    bench.channel.deliver(first)
    second = bench.freeze(
        signed(version=2), operation=Operation.REPLACE, replaces=first.delivery_id
    )
    bench.channel.deliver(second)
    mail = _mail(operator.store.inbox(GP)[1])
    body = mail.get_body(("plain",))
    assert mail["In-Reply-To"] == mail["References"] == first.external_id
    assert mail["Subject"].startswith("XDM/1.0/DDM+[Annule et remplace] CR d'imagerie medicale ")
    assert body is not None
    assert "Ce message annule et remplace celui du" in body.get_content()
    evidence.add("01", "replacement-source.eml", operator.store.inbox(GP)[1])


@pytest.mark.rem("RIS.MSS.16")
def test_a_deletion_is_announced_to_whom_got_the_report(
    bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    first = bench.freeze(signed())
    bench.channel.deliver(first)
    notice = bench.freeze(
        signed(), operation=Operation.ANNOUNCE_DELETION, replaces=first.delivery_id
    )
    bench.channel.deliver(notice)
    body = _mail(operator.store.inbox(GP)[1]).get_body(("plain",))
    assert body is not None
    assert "Merci de supprimer le document" in body.get_content()
    evidence.add("01", "deletion-notice.eml", operator.store.inbox(GP)[1])


@pytest.mark.rem("RIS.MSS.18", scenario="MSS/va1.14.01")
def test_the_operators_report_acknowledges_the_delivery(
    bench: Bench, operator: SandboxOperator, evidence: Evidence
) -> None:
    ticket = bench.freeze(signed())
    bench.channel.deliver(ticket)
    assert bench.poll() == 1
    assert bench.told == [(ticket.delivery_id, True, None)]
    assert bench.row(ticket).dsn == "DELIVERED"
    assert bench.poll() == 0
    assert len(bench.told) == 1
    evidence.add("01", "delivery-report.eml", operator.store.inbox(APP)[0])


def test_an_unknown_recipient_bounces_with_its_cause(
    bench: Bench, operator: SandboxOperator
) -> None:
    document = signed()
    stranger = replace(REQUESTER, mss_address="personne@medecin.test.mssante.fr")
    order = SendOrder(ids.new(), ChannelName.MSS_PS, Operation.SEND, stranger)
    with bench.database.transaction() as session:
        session.execute(text("set local session_replication_role = replica"))
        external = bench.channel.prepare(session, document, order)
    ticket = Ticket(
        order.delivery_id, document.version_id, order.channel, order.operation, 1, external
    )
    bench.channel.deliver(ticket)
    bench.poll()
    assert bench.told == [(ticket.delivery_id, False, "UNKNOWN_MAILBOX")]


@pytest.mark.rem("RIS.MSS.18", scenario="MSS/va1.14.01")
def test_a_read_receipt_is_matched_by_message_id_and_a_stranger_changes_nothing(
    bench: Bench, operator: SandboxOperator
) -> None:
    ticket = bench.freeze(signed())
    bench.channel.deliver(ticket)
    for reference in (ticket.external_id, "<unknown@elsewhere.mssante.fr>"):
        operator.store.append(APP, "INBOX", _mdn(reference))
    assert bench.poll() == 2
    row = bench.row(ticket)
    assert (row.mdn, row.dsn) == ("READ", "DELIVERED")
    assert all(stored.flags == set() for stored in operator.store.folder(APP, "INBOX"))


def test_a_receipt_that_comes_too_early_is_told_again(
    bench: Bench, operator: SandboxOperator
) -> None:
    ticket = bench.freeze(signed())
    bench.channel.deliver(ticket)
    bench.ready = False
    bench.poll()
    bench.ready = True
    bench.poll()
    assert bench.told == [(ticket.delivery_id, True, None)] * 2
    with bench.database.transaction() as session:
        assert session.query(MssReceipt).one().applied_at is not None


@pytest.mark.rem("LOC-MSS-02")
def test_after_a_cut_the_probe_finds_the_mail_that_arrived_and_not_the_one_that_did_not(
    bench: Bench, operator: SandboxOperator
) -> None:
    arrived, vanished = bench.freeze(signed()), bench.freeze(signed())
    operator.faults.inject("smtp.data", Fault("drop", after=True))
    with pytest.raises(Lost):
        bench.channel.deliver(arrived)
    operator.faults.inject("smtp.data", Fault("drop"))
    with pytest.raises(Lost):
        bench.channel.deliver(vanished)
    assert bench.channel.probe(arrived) is Probe.FOUND
    assert bench.channel.probe(vanished) is Probe.ABSENT
    bench.channel.deliver(vanished)
    assert len(operator.messages) == 2


def test_the_probe_waits_before_it_says_absent(bench: Bench, operator: SandboxOperator) -> None:
    bench.with_settings(lost_wait=timedelta(minutes=15))
    ticket = bench.freeze(signed())
    operator.faults.inject("smtp.data", Fault("drop"))
    with pytest.raises(Lost):
        bench.channel.deliver(ticket)
    assert bench.channel.probe(ticket) is Probe.UNCLEAR
    with clock.frozen(clock.now() + timedelta(minutes=16)):
        assert bench.channel.probe(ticket) is Probe.ABSENT


def test_a_retry_sends_the_same_bytes(bench: Bench, operator: SandboxOperator) -> None:
    ticket = bench.freeze(signed())
    bench.channel.deliver(ticket)
    bench.channel.deliver(ticket)
    assert operator.messages[0].raw == operator.messages[1].raw


@pytest.mark.rem("LOC-MSS-01")
def test_a_domain_outside_the_white_list_is_refused_before_any_connection(
    bench: Bench, operator: SandboxOperator, tmp_path: Path
) -> None:
    listed = tmp_path / "liste.xml"
    listed.write_text(
        '<L xmlns="https://listeblanche.mssante.fr/schema"><Domaine><Nom>autre.mssante.fr</Nom>'
        "</Domaine></L>"
    )
    bench.with_settings(whitelist_file=listed, whitelist_policy=WhitelistPolicy.ENFORCE)
    with pytest.raises(MessageRefused) as refused:
        bench.channel.deliver(bench.freeze(signed()))
    assert refused.value.code == "OUT_OF_TRUST_SPACE"
    assert operator.messages == []


@pytest.mark.parametrize(
    ("written", "code"), [(None, "WHITELIST_MISSING"), ("<broken", "WHITELIST_REFUSED")]
)
def test_without_a_readable_white_list_the_message_waits(
    written: str | None, code: str, bench: Bench, operator: SandboxOperator, tmp_path: Path
) -> None:
    listed = tmp_path / "liste.xml"
    if written:
        listed.write_text(written)
    bench.with_settings(whitelist_file=listed, whitelist_policy=WhitelistPolicy.ENFORCE)
    ticket = bench.freeze(signed())
    with pytest.raises(Held) as held:
        bench.channel.deliver(ticket)
    assert held.value.code == code
    bench.with_settings(whitelist_policy=WhitelistPolicy.WARN)
    if written is None:
        bench.channel.deliver(ticket)
        assert len(operator.messages) == 1


def test_unreadable_tls_files_hold_the_message(bench: Bench, tmp_path: Path) -> None:
    ticket = bench.freeze(signed())
    broken = tmp_path / "crl.pem"
    broken.write_text("not a list")
    for changes in ({"trust": None}, {"trust": bench.pki.trust, "crl": broken}):
        with pytest.raises(MailboxNotConfigured):
            bench.with_settings(**changes).channel.deliver(ticket)


def test_a_mailbox_that_starts_anew_is_read_again_and_tells_nothing_twice(
    bench: Bench, operator: SandboxOperator
) -> None:
    bench.channel.deliver(bench.freeze(signed()))
    bench.poll()
    with bench.database.transaction() as session:
        session.execute(text("update mss_cursor set uidvalidity = 99"))
    bench.poll()
    assert len(bench.told) == 1


@pytest.mark.rem("SC.MSS/CONF.28")
def test_a_personal_mailbox_without_a_live_session_waits(bench: Bench) -> None:
    own = MailboxSettings(
        address=OWN, kind=MailboxKind.PERSONAL, auth=AuthMode.PSC_XOAUTH2,
        ps_idnat=RADIOLOGIST.ps_idnat,
    )  # fmt: skip
    bench.with_settings(mailboxes=(own,))
    with pytest.raises(AwaitingSession):
        bench.channel.deliver(bench.freeze(signed()))


def test_without_a_mailbox_for_the_structure_the_delivery_is_held(bench: Bench) -> None:
    bench.with_settings(mailboxes=())
    with pytest.raises(MailboxNotConfigured):
        bench.freeze(signed())


@pytest.mark.parametrize(
    ("hidden", "channel"),
    [
        (Visibility.HIDDEN_FROM_PROFESSIONALS, ChannelName.MSS_PS),
        (Visibility.HIDDEN_FROM_PATIENT, ChannelName.MSS_PATIENT),
    ],
)
def test_a_document_masked_to_its_reader_is_never_written(
    hidden: Visibility, channel: ChannelName, bench: Bench
) -> None:
    document = signed()
    masked = replace(document.content, visibility=frozenset({hidden}))
    with pytest.raises(MessageRefused) as refused:
        bench.freeze(replace(document, content=masked), channel)
    assert refused.value.code == "MASKED"


def test_an_operation_without_a_message_is_refused(bench: Bench) -> None:
    with pytest.raises(NotSupported):
        bench.freeze(signed(), operation=Operation.VISIBILITY)


def _mdn(reference: str) -> bytes:
    lines: Callable[..., str] = "\r\n".join
    return lines([
        f"From: {GP}", f"To: {APP}", "Subject: Lu", "Message-ID: <m@medecin.test.mssante.fr>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"', "",
        "--b", "Content-Type: text/plain", "", "Lu.", "--b",
        "Content-Type: message/disposition-notification", "",
        f"Final-Recipient: rfc822;{GP}", f"Original-Message-ID: {reference}",
        "Disposition: manual-action/MDN-sent-manually; displayed", "", "--b--", "",
    ]).encode()  # fmt: skip
