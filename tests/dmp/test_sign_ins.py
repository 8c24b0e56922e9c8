"""The sign-in that each VIHF tells is the signer's behind the act, never the moment it is sent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ris.auth.values import Authentication
from ris.core import clock
from ris.core.errors import Lost
from ris.core.xml import Element
from ris.dmp import vihf
from ris.rem.evidence import Evidence
from ris.reports.channels import Operation, Probe
from ris.reports.model import Report
from ris.sandbox.faults import Fault
from ris.sandbox.pki import TestPki
from tests.dmp.bench import CABINET_A, DOCTOR_A, Bench, report, settings

AT = datetime(2026, 3, 5, 9, 31, tzinfo=UTC)


def the_vihf(pki: TestPki, authentication: Authentication) -> Element:
    certificate, _ = pki.organisation(CABINET_A.struct_idnat, "SIGN").load()
    sender = vihf.sender_of(DOCTOR_A, "x", authentication)
    chosen = settings("https://dmp")
    return vihf.assertion(sender, chosen, certificate, issued_at=AT, assertion_id="_1")


@pytest.mark.rem("RIS.AUTH.01")
@pytest.mark.parametrize(
    ("at", "told"),
    [
        (AT - timedelta(days=3), "2026-03-02T09:31:00Z"),
        ((AT - timedelta(days=3)).astimezone(clock.PARIS), "2026-03-02T09:31:00Z"),
        (AT + timedelta(seconds=9), "2026-03-05T09:31:00Z"),
    ],
    ids=["days ago", "another zone", "a clock ahead of ours"],
)
def test_a_vihf_tells_the_sign_in_of_its_sender_and_never_one_after_its_issue(
    pki: TestPki, at: datetime, told: str
) -> None:
    assertion = the_vihf(pki, Authentication(at))
    statement = assertion.find("{*}AuthnStatement")
    assert statement is not None
    assert statement.get("AuthnInstant") == told
    assert assertion.get("IssueInstant") == "2026-03-05T09:31:00Z"


@pytest.mark.parametrize(
    ("method", "declared"),
    [
        ("CPX_MTLS", "SmartcardPKI"),
        ("LOCAL_EMERGENCY", "Password"),
        ("PSC_CODE", "unspecified"),
        ("", "unspecified"),
    ],
)
def test_a_vihf_declares_how_its_sender_signed_in(pki: TestPki, method: str, declared: str) -> None:
    assertion = the_vihf(pki, Authentication(AT, method))
    context = assertion.findtext("{*}AuthnStatement/{*}AuthnContext/{*}AuthnContextClassRef")
    assert context == f"urn:oasis:names:tc:SAML:2.0:ac:classes:{declared}"


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_every_request_of_a_submission_tells_when_its_signer_signed_in(
    bench: Bench, evidence: Evidence
) -> None:
    days_ago = clock.now().replace(microsecond=0) - timedelta(days=4)
    bench.signed_in = Authentication(days_ago - timedelta(minutes=20), "CPX_MTLS")
    with clock.frozen(days_ago):
        document = bench.signed(report())
        ticket = bench.prepare(document)
    bench.sandbox.faults.inject("dmp.td21", Fault("drop", after=True))
    with pytest.raises(Lost):
        bench.deliver(ticket)
    assert bench.channel.probe(ticket) is Probe.FOUND
    bench.deliver(ticket, attempt=2)

    asked = bench.sandbox.received
    assert {each.operation for each in asked} == {"dmp.td02", "dmp.td21", "dmp.td31"}
    assert {each.authenticated_at for each in asked} == {bench.signed_in.at}
    assert all(b"ac:classes:SmartcardPKI" in each.body for each in asked)
    evidence.add("01", "dmp-sign-in.mime", asked[-1].body)

    corrected_in = Authentication(days_ago + timedelta(days=2))
    bench.signed_in = corrected_in
    ids = replace(report(version=2).n1, replaces=document.content.n1.unique_id)
    corrected = bench.signed(report(version=2, n1=ids))
    bench.sandbox.received.clear()
    bench.deliver(bench.prepare(corrected, Operation.REPLACE, ticket.delivery_id))
    assert {each.authenticated_at for each in bench.sandbox.received} == {corrected_in.at}


def test_a_deletion_tells_the_sign_in_in_which_the_signer_deleted(bench: Bench) -> None:
    document, sent = bench.submit(report())
    ticket = bench.prepare(document, Operation.DELETE, sent.delivery_id)
    deleted_in = clock.now().replace(microsecond=0) - timedelta(minutes=7)
    with bench.database.transaction() as session:
        withdrawn = session.get_one(Report, document.report_id)
        withdrawn.withdrawn_authenticated_at = deleted_in
    bench.sandbox.received.clear()
    bench.deliver(ticket)
    assert [(each.operation, each.authenticated_at) for each in bench.sandbox.received] == [
        ("dmp.td31", deleted_in), ("dmp.td33", deleted_in),
    ]  # fmt: skip
