"""The documents the product itself signs: their mails must pass our gate and the operator's."""

from dataclasses import replace
from uuid import UUID

import pytest

from ris.identity.values import Status
from ris.mss import compose as composition
from ris.mss.bodies import Purpose
from ris.mss.compose import Shipment
from ris.mss.consistency import problems
from ris.mss.settings import MailboxSettings, MssSettings
from ris.reports.artefacts import make
from ris.reports.channels import ChannelName, SignedDocument
from ris.reports.content import Level, ReportContent
from ris.reports.settings import ReportSettings
from ris.sandbox.mss.rules import check
from tests.mss.conftest import APP, RETURN
from tests.reports import sample

BOX = MailboxSettings(address=APP, label="Imagerie", reply_to=RETURN)
GP = str(sample.REQUESTER.mss_address)
PATIENT = f"{sample.MATRICULE}@patient.mssante.fr"


def _signed(content: ReportContent) -> SignedDocument:
    made = make(content, ReportSettings())
    return SignedDocument(
        UUID(int=1), UUID(int=2), content.patient.id, content, made.n1, made.n3, made.pdf
    )


def _mail(
    content: ReportContent, recipient: str = GP, *, level: Level = Level.N1
) -> composition.Composed:
    channel = ChannelName.MSS_PATIENT if recipient == PATIENT else ChannelName.MSS_PS
    shipment = Shipment(channel, Purpose.INITIAL, recipient, UUID(int=9), "2.25.9", sample.AT)
    settings = MssSettings(level=level, test_oids=True)
    return composition.compose(_signed(content), shipment, BOX, settings)


@pytest.mark.rem("RIS.MSS.19", scenario="MSS/va1.21.01")
@pytest.mark.parametrize("level", list(Level))
def test_a_report_in_either_level_is_sound_for_us_and_for_the_operator(level: Level) -> None:
    composed = _mail(sample.content(), level=level)
    assert problems(composed.raw) == []
    check(composed.raw, APP, [GP])


@pytest.mark.rem("RIS.MSS.22", scenario="MSS/va1.17.01")
def test_the_patients_mail_is_sound_too() -> None:
    composed = _mail(sample.content(), PATIENT)
    assert composed.qualified
    assert problems(composed.raw) == []
    check(composed.raw, APP, [PATIENT])


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01-02")
@pytest.mark.parametrize("status", [Status.PROVISOIRE, Status.RECUPEREE, Status.VALIDEE])
def test_without_qualification_the_mail_is_sound_and_carries_no_matricule(status: Status) -> None:
    content = sample.content()
    composed = _mail(replace(content, patient=replace(content.patient, status=status)))
    assert problems(composed.raw) == []
    check(composed.raw, APP, [GP])
    assert not composed.qualified
    assert sample.MATRICULE.encode() not in composed.raw


def test_two_builds_are_the_same_to_the_byte() -> None:
    document = _signed(sample.content())
    shipment = Shipment(ChannelName.MSS_PS, Purpose.INITIAL, GP, UUID(int=9), "2.25.9", sample.AT)
    once, again = (composition.compose(document, shipment, BOX, MssSettings()) for _ in range(2))
    assert once.raw == again.raw
