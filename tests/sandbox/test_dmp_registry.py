"""The sandbox DMP's questions and deletions: TD0.2, TD3.1b, TD3.3c, and who may act."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ris.core import clock, ids
from ris.dmp import existence
from ris.dmp.submission import DELETED, reference_query, status_update
from ris.identity.values import NIR_TEST, Ins
from ris.sandbox.dmp import DmpSandbox
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve
from tests.dmp.bench import CABINET_A, CABINET_B, DOCTOR_B, INS, settings
from tests.sandbox.dmp_message import Sender

TD31 = "urn:ihe:iti:2007:RegistryStoredQuery"
TD33 = "urn:ihe:iti:2010:UpdateDocumentSet"
TD02 = "urn:hl7-org:v3:PRPA_IN201307UV02"


@pytest.fixture(scope="module")
def sandbox(pki: TestPki) -> DmpSandbox:
    return DmpSandbox(pki.believes, patients=[INS])


@pytest.fixture(scope="module")
def sender(pki: TestPki, sandbox: DmpSandbox) -> Iterator[Sender]:
    with serve(
        sandbox.app, tls=pki.server(), client_ca=pki.trust, client_cert="required"
    ) as running:
        yield Sender(pki, running.url)


def test_the_indirect_mode_gives_references_only(sender: Sender) -> None:
    lot = sender.lot()
    query = reference_query(lot.report.unique_id)
    assert sender.ask("registry", TD31, query, lot) == "OK"
    query[0].set("returnType", "LeafClass")
    assert sender.ask("registry", TD31, query, lot) == "DMPAccessDeniedByRightsService"


def test_a_document_is_deleted_once_and_by_its_own_structure(
    sender: Sender, sandbox: DmpSandbox
) -> None:
    lot = sender.lot()
    assert sender.send(lot) == "OK"
    entry = sandbox.registry.by_unique_id(lot.report.unique_id)
    assert entry is not None
    foreign = replace(entry, structure=CABINET_B.struct_idnat, entry_uuid=f"urn:uuid:{ids.new()}")
    sandbox.registry.register(ids.new_oid(), [foreign], None)

    def delete(entry_uuid: str, status: str = DELETED) -> str:
        own = replace(lot.submission_set, unique_id=ids.new_oid())
        return sender.ask("registry", TD33, status_update(own, entry_uuid, status), lot)

    assert delete(foreign.entry_uuid) == "DMPAccessDeniedByRightsService"
    archived = "urn:asip:ci-sis:2010:StatusType:Archived"
    assert delete(entry.entry_uuid, archived) == "DMPAccessDeniedByRightsService"
    assert delete("urn:uuid:0") == "XDSDocumentUniqueIdError"
    assert delete(entry.entry_uuid) == "OK"
    assert delete(entry.entry_uuid) == "XDSRegistryMetadataError"


def test_a_question_about_another_patient_than_that_of_the_vihf_is_refused(sender: Sender) -> None:
    lot = sender.lot()
    other = Ins("255069999999934", NIR_TEST)
    question = existence.request(other, settings(sender.url), message="1", at=clock.now())
    assert sender.ask("patients", TD02, question, lot) == "DMPInvalidRequest"
    ours = Ins(INS.matricule, INS.oid)
    sound = existence.request(ours, settings(sender.url), message="1", at=clock.now())
    assert sender.ask("patients", TD02, sound, lot) == "OK"
    sound.insert(0, sound[1])
    assert sender.ask("patients", TD02, sound, lot) == "DMPInvalidRequest"


def test_a_structure_the_dmp_does_not_know_or_link_is_refused(pki: TestPki) -> None:
    for links in ({}, {CABINET_A.struct_idnat: frozenset({DOCTOR_B.ps_idnat})}):
        strict = DmpSandbox(pki.believes, patients=[INS], links=links)
        with serve(
            strict.app, tls=pki.server(), client_ca=pki.trust, client_cert="required"
        ) as running:
            sender = Sender(pki, running.url)
            assert sender.send(sender.lot()) == "DMPInvalidVIHF"
