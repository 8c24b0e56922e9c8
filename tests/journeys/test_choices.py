"""What the patient refuses never leaves, and two associates never leave under one name."""

from uuid import UUID

import pytest

from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_B, SCM_SIRET, Person
from ris.sandbox.services import mailbox_of
from tests.journeys.acts import oppose, refuse
from tests.journeys.site import Site
from tests.journeys.wire import of_mail, of_request


@pytest.mark.rem("RIS.MSS.21", scenario="MSS/va1.20.01")
@pytest.mark.rem("RIS.MSS.25", scenario="MSS/va1.22.01")
@pytest.mark.rem("RIS.DMP.03", scenario="DMP/va1.12.01")
def test_nothing_leaves_on_a_channel_that_the_patient_refuses(
    site: Site, evidence: Evidence
) -> None:
    site.worker()
    story = site.visit()
    story.register()
    story.qualify()
    for lane, reason in (
        ("mss_patient", "REFUSED_BY_PATIENT_MES"),
        ("mss_ps", "REFUSED_BY_PATIENT_PRO"),
        ("dmp", "OPPOSED"),
    ):
        refuse(story, professional=lane == "mss_ps", patient=lane == "mss_patient")
        if lane == "dmp":
            oppose(story)
        report = site.signed(story)
        site.until(lambda: settled(site, report, but=lane))  # noqa: B023 - called at once
        row = site.delivery(lane, report)
        wanted = "held" if lane == "dmp" else "not_applicable"
        assert (row["state"], row["reason"], row["attempt_no"]) == (wanted, reason, 0)
        evidence.add("01", f"{lane}.txt", f"{row['state']} {row['reason']}")
    assert len(site.sandbox.dmp.submissions) == 2
    assert [len(mails) for mails in site.mails()] == [2, 2]


def settled(site: Site, report: UUID, *, but: str) -> bool:
    """Say whether every delivery of *report* arrived, the one on *but* aside."""
    others = [row["state"] for row in site.deliveries(report) if row["channel"] != but]
    return len(others) == 2 and set(others) <= {"delivered", "acknowledged"}


def test_two_associates_of_one_scm_each_send_under_their_own_certificate_and_mailbox(
    site: Site,
) -> None:
    site.worker()
    first, second = site.visit(RADIOLOGIST_A), site.visit(RADIOLOGIST_B)
    first.register()
    first.qualify()
    second.facts.patient = first.facts.patient
    site.signed(first)
    site.signed(second)
    site.until(site.arrived)
    for mine, colleague in (
        (RADIOLOGIST_A, RADIOLOGIST_B),
        (RADIOLOGIST_B, RADIOLOGIST_A),
    ):
        practice = mine.workplaces[0].struct_idnat
        mails = [one for one in site.sandbox.operator.messages if one.sender == mailbox_of(mine)]
        fed = [one for one in site.sandbox.dmp.received if one.structure == practice]
        assert len(mails) == 2
        assert [one.operation for one in fed].count("dmp.td21") == 1
        assert all(f"OU={practice}" in (one.certificate or "") for one in mails)
        assert all(f"OU={practice}" in one.client_subject for one in fed)
        opened = [content for one in mails for content in of_mail(one)]
        opened += [content for one in fed for content in of_request(one)]
        assert any(practice.encode() in content for content in opened)
        for stranger in identifiers(colleague):
            assert not [stranger for content in opened if stranger in content]


def identifiers(colleague: Person) -> tuple[bytes, ...]:
    """What may never be in someone else's sendings: the colleague's identifiers and the SCM's."""
    rpps = colleague.ps_idnat[1:]
    return tuple(one.encode() for one in (rpps, mailbox_of(colleague), SCM_SIRET))
