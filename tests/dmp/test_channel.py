"""The DMP channel against the strict DMP: feeding, losing answers, replacing, deleting."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from ris.auth.certificates import service
from ris.auth.certificates.pool import CertificatePool
from ris.auth.certificates.settings import PoolSettings
from ris.auth.certificates.values import Usage
from ris.core.crypto import Keyring, Sealer
from ris.core.errors import Lost, Permanent, RemoteError, Throttled, Transient
from ris.dmp import mtom
from ris.dmp.errors import (
    BlockedIns,
    CertificateRefused,
    ConfigMissing,
    DmpBusy,
    DmpClosed,
    DmpRefused,
    NoDmp,
    NotSupported,
    ReplacedNotFound,
    VisibilityInvalid,
    WrongDomain,
)
from ris.dmp.model import DmpExchange, DmpSubmission
from ris.identity.values import NIR_TEST, Ins, Status
from ris.rem.evidence import Evidence
from ris.reports.channels import Operation, Probe
from ris.reports.content import ReportContent, Visibility
from ris.sandbox.dmp.registry import DELETED, DEPRECATED
from ris.sandbox.faults import Fault
from tests.auth.certificates.making import issue
from tests.dmp.bench import DOCTOR_A, DOCTOR_B, INS, SCM, Bench, report
from tests.reports import sample


@pytest.mark.rem("RIS.DMP.01", scenario="DMP/va1.13.01")
def test_a_signed_report_reaches_the_dmp_byte_for_byte(bench: Bench, evidence: Evidence) -> None:
    document, ticket = bench.submit(report())

    entry, signature = bench.sandbox.registry.entries()
    assert entry.content == document.n1
    assert entry.unique_id == document.content.n1.unique_id
    assert entry.confidentiality == ("N",)
    assert entry.set_unique_id == ticket.external_id
    assert b"IHEManifest" in signature.content
    assert [each.operation for each in bench.sandbox.received] == ["dmp.td02", "dmp.td21"]
    evidence.add("01", "dmp-iti41.mime", bench.sandbox.submissions[0].body)


def test_every_exchange_is_traced_without_any_trait(bench: Bench) -> None:
    bench.submit(report())
    with bench.database.transaction() as session:
        rows = session.scalars(select(DmpExchange).order_by(DmpExchange.started_at)).all()
        traced = repr([vars(row) for row in rows])
    assert [(row.transaction, row.outcome, row.http_status) for row in rows] == [
        ("TD0.2", "OK", 200), ("TD2.1", "OK", 200),
    ]  # fmt: skip
    assert sample.MATRICULE not in traced
    assert sample.PATIENT.traits.birth_family not in traced


def test_the_existence_of_a_dmp_is_asked_once_in_a_while(bench: Bench) -> None:
    bench.submit(report())
    bench.submit(report())
    assert [r.operation for r in bench.sandbox.received].count("dmp.td02") == 1


def test_a_patient_the_dmp_no_longer_knows_is_asked_about_again(bench: Bench) -> None:
    bench.submit(report())
    bench.sandbox.faults.inject("dmp.td21", Fault("soap", code="XDSUnknownPatientId"))
    ticket = bench.prepare(bench.signed(report()))
    with pytest.raises(NoDmp):
        bench.deliver(ticket)
    bench.deliver(ticket, attempt=2)
    assert [r.operation for r in bench.sandbox.received].count("dmp.td02") == 2


def test_the_trace_of_exchanges_cannot_be_rewritten(bench: Bench) -> None:
    bench.submit(report())
    with (
        pytest.raises(DBAPIError, match="append-only"),
        bench.database.transaction() as session,
    ):
        session.execute(text("update dmp_exchange set outcome = 'OK'"))


@pytest.mark.parametrize(
    "code", ["XDSRegistryBusy", "DMPInvalidCertificate", "XDSUnknownPatientId"]
)
def test_no_log_and_no_error_holds_a_trait(
    bench: Bench, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    caplog.set_level("DEBUG")
    bench.sandbox.faults.inject("dmp.td21", Fault("soap", code=code))
    with pytest.raises(RemoteError) as caught:
        bench.deliver(bench.prepare(bench.signed(report())))
    said = f"{caught.value!r} {caught.value.detail} {caught.value.remote_code} {caplog.text}"
    for secret in (sample.MATRICULE, sample.PATIENT.traits.birth_family, "FICTIF-A"):
        assert secret not in said


def test_a_patient_without_dmp_is_held(bench: Bench) -> None:
    ticket = bench.prepare(bench.signed(_of_somebody_else()))
    with pytest.raises(NoDmp):
        bench.deliver(ticket)
    assert bench.sandbox.registry.entries() == ()


def test_a_closed_dmp_is_held_until_it_opens(bench: Bench) -> None:
    bench.sandbox.registry.add_patient(replace(INS, status="closed"))
    ticket = bench.prepare(bench.signed(report()))
    with pytest.raises(DmpClosed):
        bench.deliver(ticket)
    bench.sandbox.registry.add_patient(INS)
    bench.deliver(ticket, attempt=2)
    assert len(bench.sandbox.registry.reports()) == 1


def test_a_document_without_qualified_ins_never_leaves(bench: Bench) -> None:
    patient = replace(sample.PATIENT, status=Status.VALIDEE, ins=None)
    ticket = bench.prepare(bench.signed(report(patient=patient)))
    with pytest.raises(BlockedIns):
        bench.deliver(ticket)
    assert bench.sandbox.received == []


def test_a_test_ins_never_leaves_a_production_site(bench: Bench) -> None:
    ticket = bench.prepare(bench.signed(report()))
    bench.channel = bench.new_channel(production=True)
    with pytest.raises(WrongDomain):
        bench.deliver(ticket)
    assert bench.sandbox.received == []


def test_a_lost_answer_is_probed_and_not_sent_twice(bench: Bench) -> None:
    bench.sandbox.faults.inject("dmp.td21", Fault("drop", after=True))
    document = bench.signed(report())
    ticket = bench.prepare(document)
    with pytest.raises(Lost):
        bench.deliver(ticket)
    assert bench.channel.probe(ticket) is Probe.FOUND
    assert [each.content for each in bench.sandbox.registry.reports()] == [document.n1]


def test_a_request_that_took_no_effect_is_probed_absent_then_sent_with_the_same_ids(
    bench: Bench,
) -> None:
    bench.sandbox.faults.inject("dmp.td21", Fault("drop"))
    ticket = bench.prepare(bench.signed(report()))
    with pytest.raises(Lost):
        bench.deliver(ticket)
    assert bench.channel.probe(ticket) is Probe.ABSENT
    bench.deliver(ticket, attempt=2)
    assert bench.sandbox.registry.reports()[0].set_unique_id == ticket.external_id


def test_already_registered_after_a_lost_answer_is_a_success(bench: Bench) -> None:
    bench.sandbox.faults.inject("dmp.td21", Fault("close_mid_message"))
    ticket = bench.prepare(bench.signed(report()))
    with pytest.raises(Lost):
        bench.deliver(ticket)
    bench.deliver(ticket, attempt=2)
    assert len(bench.sandbox.registry.reports()) == 1


def test_already_registered_on_a_first_attempt_is_a_refusal(bench: Bench) -> None:
    document, _ = bench.submit(report())
    again = bench.prepare(document)
    with pytest.raises(DmpRefused) as caught:
        bench.deliver(again)
    assert caught.value.remote_code == "XDSDuplicateUniqueIdInRegistry"


@pytest.mark.parametrize("code", ["XDSRegistryBusy", "XDSRepositoryOutOfResources"])
def test_a_busy_dmp_is_retried_with_the_same_identifiers(bench: Bench, code: str) -> None:
    bench.sandbox.faults.inject("dmp.td21", Fault("soap", code=code, times=3))
    ticket = bench.prepare(bench.signed(report()))
    for attempt in (1, 2, 3):
        with pytest.raises(DmpBusy):
            bench.deliver(ticket, attempt)
    bench.deliver(ticket, attempt=4)
    bodies = [mtom.parse(r.content_type, r.body) for r in bench.sandbox.submissions]
    assert len(bodies) == 1
    assert bench.sandbox.registry.reports()[0].set_unique_id == ticket.external_id


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("soap", code="DMPInvalidCertificate"), CertificateRefused),
        (Fault("soap", code="DMPAccessDeniedByRightsService"), DmpRefused),
        (Fault("soap", code="DMPxyz"), DmpRefused),
        (Fault("soap", code="XDSUnknownPatientId"), NoDmp),
        (Fault("http", status=500), Lost),
        (Fault("http", status=502, after=True), Lost),
        (Fault("http", status=429), Throttled),
    ],
)
def test_each_refusal_tells_what_may_be_done(
    bench: Bench, fault: Fault, expected: type[Exception]
) -> None:
    bench.sandbox.faults.inject("dmp.td21", fault)
    with pytest.raises(expected):
        bench.deliver(bench.prepare(bench.signed(report())))


def test_an_unknown_code_is_kept_raw(bench: Bench) -> None:
    bench.sandbox.faults.inject("dmp.td21", Fault("soap", code="DMPxyz"))
    with pytest.raises(Permanent) as caught:
        bench.deliver(bench.prepare(bench.signed(report())))
    assert caught.value.remote_code == "DMPxyz"
    with bench.database.transaction() as session:
        last = session.scalars(select(DmpExchange).where(DmpExchange.transaction == "TD2.1")).one()
    assert (last.outcome, last.error_codes) == ("DMP_REFUSED", ["DMPxyz"])


def test_a_code_learnt_later_is_a_setting(bench: Bench) -> None:
    bench.channel = bench.new_channel(extra_codes={"DMPMaintenance": "transient"})
    bench.sandbox.faults.inject("dmp.td21", Fault("soap", code="DMPMaintenance"))
    with pytest.raises(DmpBusy):
        bench.deliver(bench.prepare(bench.signed(report())))


def test_a_lost_question_is_only_an_outage(bench: Bench) -> None:
    bench.sandbox.faults.inject("dmp.td02", Fault("drop", after=True))
    ticket = bench.prepare(bench.signed(report()))
    with pytest.raises(Transient):
        bench.deliver(ticket)
    bench.deliver(ticket, attempt=2)


def test_multipart_answers_are_read_too(bench: Bench) -> None:
    bench.sandbox.multipart_answers = True
    bench.submit(report())
    assert len(bench.sandbox.registry.reports()) == 1


@pytest.mark.rem("RIS.DMP.02", scenario="DMP/va1.09.01")
def test_a_correction_replaces_the_current_entry(bench: Bench, evidence: Evidence) -> None:
    first, sent = bench.submit(report())
    ids = replace(report(version=2).n1, replaces=first.content.n1.unique_id)
    corrected = bench.signed(report(version=2, n1=ids))
    bench.deliver(bench.prepare(corrected, Operation.REPLACE, sent.delivery_id))

    former = bench.sandbox.registry.by_unique_id(first.content.n1.unique_id)
    assert former is not None
    assert former.status == DEPRECATED
    assert [each.content for each in bench.sandbox.registry.reports()] == [corrected.n1]
    evidence.add("01", "dmp-replace.mime", bench.sandbox.submissions[1].body)


def test_a_replaced_version_that_is_unknown_is_told(bench: Bench) -> None:
    never_sent = bench.prepare(bench.signed(report()))
    ticket = bench.prepare(
        bench.signed(report(version=2)), Operation.REPLACE, never_sent.delivery_id
    )
    with pytest.raises(ReplacedNotFound):
        bench.deliver(ticket)


@pytest.mark.rem("RIS.DMP.02", scenario="DMP/va1.09.01")
def test_a_report_sent_in_error_is_deleted(bench: Bench, evidence: Evidence) -> None:
    document, sent = bench.submit(report())
    ticket = bench.prepare(document, Operation.DELETE, sent.delivery_id)
    accepted = bench.deliver(ticket)

    entry = bench.sandbox.registry.by_unique_id(document.content.n1.unique_id)
    assert entry is not None
    assert (entry.status, accepted.remote_reference) == (DELETED, entry.entry_uuid)
    evidence.add("02", "dmp-delete.xml", bench.sandbox.received[-1].body)
    assert bench.channel.probe(ticket) is Probe.FOUND


def test_a_deletion_whose_answer_was_lost_is_probed(bench: Bench) -> None:
    document, sent = bench.submit(report())
    bench.sandbox.faults.inject("dmp.td33", Fault("drop", after=True))
    ticket = bench.prepare(document, Operation.DELETE, sent.delivery_id)
    with pytest.raises(Lost):
        bench.deliver(ticket)
    assert bench.channel.probe(ticket) is Probe.FOUND
    bench.deliver(ticket, attempt=2)


def test_visibility_is_not_switched_in_indirect_mode_but_replaced(bench: Bench) -> None:
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    first, sent = bench.submit(report(), visibility=hidden)
    with pytest.raises(NotSupported):
        bench.deliver(bench.prepare(first, Operation.VISIBILITY, sent.delivery_id))
    ids = replace(report(version=2).n1, replaces=first.content.n1.unique_id)
    renewed = bench.signed(report(version=2, n1=ids))
    bench.deliver(bench.prepare(renewed, Operation.REPLACE, sent.delivery_id))
    assert [each.confidentiality for each in bench.sandbox.registry.reports()] == [("N",)]


def test_an_operation_of_another_channel_is_refused(bench: Bench) -> None:
    with pytest.raises(NotSupported):
        bench.deliver(bench.prepare(bench.signed(report()), Operation.SEND))


@pytest.mark.rem("RIS.DMP.06", scenario="DMP/va1.14.01")
@pytest.mark.rem("RIS.DMP.07", scenario="DMP/va1.10.01")
def test_the_restrictions_chosen_by_the_radiologist_reach_the_dmp(
    bench: Bench, evidence: Evidence
) -> None:
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    bench.submit(report(), visibility=hidden)
    assert bench.sandbox.registry.reports()[0].confidentiality == ("N", "INVISIBLE_PATIENT")
    evidence.add("01", "dmp-invisible-patient.mime", bench.sandbox.submissions[0].body)


def test_hiding_from_guardians_makes_no_sense_for_an_adult(bench: Bench) -> None:
    hidden = frozenset({Visibility.HIDDEN_FROM_GUARDIANS})
    ticket = bench.prepare(bench.signed(report()), visibility=hidden)
    with pytest.raises(VisibilityInvalid):
        bench.deliver(ticket)


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_each_associate_of_an_scm_sends_in_his_own_name(bench: Bench, evidence: Evidence) -> None:
    sent = {}
    for doctor in (DOCTOR_A, DOCTOR_B):
        bench.submit(report(doctor))
        sent[doctor.family] = bench.sandbox.received[-1]
        evidence.add("01", f"dmp-{doctor.family.lower()}.mime", bench.sandbox.received[-1].body)
    for own, colleague in ((DOCTOR_A, DOCTOR_B), (DOCTOR_B, DOCTOR_A)):
        request = sent[own.family]
        assert own.structure is not None
        assert colleague.structure is not None
        assert (request.user, request.structure) == (own.ps_idnat, own.structure.struct_idnat)
        assert f"OU={own.structure.struct_idnat}" in request.client_subject
        theirs = (colleague.ps_idnat, colleague.structure.struct_idnat, colleague.family, SCM)
        for foreign in theirs:
            assert foreign.encode() not in request.body
    owners = {(each.author, each.structure) for each in bench.sandbox.registry.reports()}
    assert owners == {("899700991013", "499700991013001"), ("899700991021", "499700991021012")}


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_missing_certificate_holds_that_radiologist_only(bench: Bench) -> None:
    bench.missing = {"499700991021012"}
    held = bench.prepare(bench.signed(report(DOCTOR_B)))
    with pytest.raises(ConfigMissing):
        bench.deliver(held)
    bench.submit(report(DOCTOR_A))
    bench.missing = set()
    bench.deliver(held, attempt=2)
    assert len(bench.sandbox.registry.reports()) == 2


def test_an_expired_certificate_holds_the_site_without_losing_the_submission(bench: Bench) -> None:
    ticket = bench.prepare(bench.signed(report()))
    usual = bench.channel
    expired = bench.pki.expired("499700991013001")
    bench.channel = type(usual)(
        bench.database, usual._settings, lambda _struct, _usage: expired, bench.pki.trust
    )
    with pytest.raises(CertificateRefused):
        bench.deliver(ticket)
    bench.channel = usual
    bench.deliver(ticket, attempt=2)


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_encrypted_keys_of_the_pool_authenticate_and_sign(bench: Bench, tmp_path: Path) -> None:
    struct = "499700991013001"
    usages: Final[tuple[Usage, ...]] = ("AUTH_CLI", "SIGN")
    sealer = Sealer(Keyring.generate(tmp_path / "ring.json"))
    pool = CertificatePool(tmp_path / "pool", PoolSettings(trust=bench.pki.trust), sealer)
    with bench.database.transaction() as session:
        for usage in usages:
            service.add(session, pool, struct, usage, issue(bench.pki, struct, usage))
    usual = bench.channel
    bench.channel = type(usual)(bench.database, usual._settings, pool.credential, bench.pki.trust)
    bench.submit(report())
    assert len(bench.sandbox.registry.reports()) == 1


def test_the_lot_is_frozen_when_the_report_is_signed(bench: Bench) -> None:
    ticket = bench.prepare(bench.signed(report()))
    with bench.database.transaction() as session:
        row = session.scalars(select(DmpSubmission)).one()
        assert row.signature
        assert row.set_unique_id == ticket.external_id
        frozen = row.signature
    bench.deliver(ticket)
    assert frozen in [each.content for each in bench.sandbox.registry.entries()]


def test_a_site_without_homologation_number_sends_nothing(bench: Bench) -> None:
    bench.channel = bench.new_channel(homologation="")
    with pytest.raises(ConfigMissing):
        bench.deliver(bench.prepare(bench.signed(report())))
    assert bench.sandbox.received == []


def _of_somebody_else() -> ReportContent:
    other = replace(sample.PATIENT, ins=Ins("255069999999934", NIR_TEST))
    return report(patient=other)
