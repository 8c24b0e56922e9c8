"""From a change of identity to an attached system, over a socket: what leaves, in which order."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select

from ris.core.audit import SYSTEM
from ris.identity import service
from ris.identity.model import Patient
from ris.identity.propagation.model import IdentityOutbox, InsDisclosure
from ris.identity.propagation.run import Propagator
from ris.identity.values import Status
from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.client import Sender
from ris.interop.hl7v2.service import Inbox
from ris.interop.hl7v2.settings import Hl7Settings, PartnerSettings
from ris.rem.evidence import Evidence
from tests.interop.hl7v2.sample import DOMAIN, INS, message
from tests.interop.hl7v2.test_inbox import told
from tests.interop.hl7v2.test_mllp import listening, quick

MATRICULE = b"279035121518989"


@dataclass
class Pacs:
    """An attached system: keeps what it hears; *answers* first, AA afterwards."""

    inbox: Inbox
    sender: Sender | None = None
    heard: list[bytes] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def receive(self, data: bytes, _origin: str, _whole: bool) -> bytes | None:
        self.heard.append(data)
        code = self.answers.pop(0) if self.answers else "AA"
        control = parser.header(data).text(10)
        return f"MSH|^~\\&|P|C|R|C|1||ACK|9|P|2.5\rMSA|{code}|{control}\r".encode()

    def propagate(self) -> list[str]:
        """Run the queue once; the events heard, in order."""
        assert self.sender is not None
        self.heard.clear()
        Propagator(self.inbox.database, self.sender, sender=DOMAIN).run()
        return [parser.header(data).text(9, 2) for data in self.heard]


@pytest.fixture
def pacs(inbox: Inbox) -> Iterator[Pacs]:
    peer = Pacs(inbox)
    with listening(quick(), peer.receive) as port:
        partner = PartnerSettings(
            name="PACS", host="127.0.0.1", port=port, application="PACS", facility="C"
        )
        peer.sender = Sender(Hl7Settings(partners=(partner,)))
        yield peer


def edited(inbox: Inbox, **typed: str) -> Patient:
    with inbox.database.transaction() as session:
        patient = session.scalars(select(Patient)).one()
        return service.edit(
            session, inbox.feature, patient.id, typed, service.Contact(),
            version=patient.version, superuser=True, reason="Erreur de saisie", actor=SYSTEM,
        )  # fmt: skip


@pytest.mark.rem("RIS.INS.34", scenario="INS/va1.60.03")
@pytest.mark.rem("RIS.INS.36", scenario="INS/va1.60.03")
def test_a_strict_trait_changed_on_a_qualified_identity_withdraws_the_ins_then_updates(
    inbox: Inbox, pacs: Pacs, evidence: Evidence
) -> None:
    inbox.receive(message(ins=INS, status="VALI"))
    assert pacs.propagate() == ["A28"]
    assert MATRICULE in pacs.heard[0]
    patient = edited(inbox, birth_family="TESTRIS-DELTA")
    assert (patient.status, patient.ins_matricule) == (Status.VALIDEE, None)
    assert pacs.propagate() == ["A47", "A31"]
    assert not [data for data in pacs.heard if MATRICULE in data]
    assert b"TESTRIS-DELTA" in pacs.heard[1]
    for number, data in enumerate(pacs.heard, 1):
        evidence.add(f"{number:02}", f"{parser.header(data).text(9, 2).lower()}.hl7", data)
    assert pacs.propagate() == []


@pytest.mark.rem("RIS.INS.34", scenario="INS/va1.60.01")
@pytest.mark.rem("RIS.INS.36", scenario="INS/va1.60.01")
def test_a_strict_trait_changed_on_a_retrieved_identity_is_told_as_provisional(
    inbox: Inbox, pacs: Pacs, evidence: Evidence
) -> None:
    inbox.receive(message(status="RECUP"))
    pacs.propagate()
    assert b"INSI" in pacs.heard[0]
    assert edited(inbox, birth_family="TESTRIS-DELTA").status == Status.PROVISOIRE
    assert pacs.propagate() == ["A31"]
    pid = parser.parse(pacs.heard[0]).segment("PID")
    assert (pid.raw(32), pid.text(5)) == ("PROV", "TESTRIS-DELTA")
    evidence.add("01", "a31.hl7", pacs.heard[0])


@pytest.mark.rem("RIS.INS.34", scenario="INS/va1.60.04")
def test_a_used_name_changed_keeps_the_ins_and_is_told(
    inbox: Inbox, pacs: Pacs, evidence: Evidence
) -> None:
    inbox.receive(message(ins=INS, status="VALI"))
    pacs.propagate()
    assert edited(inbox, used_family="MARTIN").status == Status.QUALIFIEE
    assert pacs.propagate() == ["A31"]
    assert MATRICULE in pacs.heard[0]
    assert b"MARTIN" in pacs.heard[0]
    evidence.add("01", "a31.hl7", pacs.heard[0])
    with inbox.database.transaction() as session:
        told_to = list(session.scalars(select(InsDisclosure)))
    assert [(one.partner, one.channel) for one in told_to] == [("PACS", "hl7_pam")] * 2


def test_what_was_queued_before_a_downgrade_never_carries_the_withdrawn_ins(
    inbox: Inbox, pacs: Pacs
) -> None:
    inbox.receive(message(ins=INS, status="VALI"))
    edited(inbox, birth_family="TESTRIS-DELTA")
    assert pacs.propagate() == ["A28", "A47", "A31"]
    assert not [data for data in pacs.heard if MATRICULE in data]


def test_a_message_refused_for_now_is_repeated_under_its_control_id_before_any_other(
    inbox: Inbox, pacs: Pacs
) -> None:
    inbox.receive(message(ins=INS, status="VALI"))
    edited(inbox, used_family="MARTIN")
    pacs.answers = ["AR"]
    assert pacs.propagate() == ["A28"]
    first = parser.header(pacs.heard[0]).text(10)
    with inbox.database.transaction() as session:
        for row in session.scalars(select(IdentityOutbox)):
            row.due_at = row.occurred_at
    assert pacs.propagate() == ["A28", "A31"]
    assert parser.header(pacs.heard[0]).text(10) == first


def test_two_cores_tell_each_other(inbox: Inbox, pacs: Pacs) -> None:
    """What this core emits, this core accepts: the pair is the round trip of ins.md §13.7."""
    inbox.receive(message(ins=INS, status="VALI", zfd="ZFD|||N|N|INSI"))
    pacs.propagate()
    settings = inbox.settings.model_copy(update={"processing_ids": ("P",)})
    again = replace(inbox, settings=settings).receive(pacs.heard[0])
    assert told(again)[0] == "AA"
    with inbox.database.transaction() as session:
        patient = session.scalars(select(Patient)).one()
    assert patient.status == Status.QUALIFIEE
