"""A remote side that fails disturbs no other, and the report arrives when it is back."""

from datetime import datetime

import pytest

from ris.demo.story import Story
from ris.rem.evidence import Evidence
from ris.sandbox.faults import Fault
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.journeys.acts import act, delegate, refuse
from tests.journeys.site import Site


def qualified(site: Site) -> Story:
    story = site.visit()
    story.register()
    story.qualify()
    return story


@pytest.mark.parametrize(
    "fault",
    [
        Fault("http", status=500, times=50),
        Fault("soap", code="XDSRepositoryBusy", times=50),
        Fault("drop", times=50),
    ],
    ids=["http-500", "busy", "connection-cut"],
)
def test_a_dmp_that_fails_disturbs_no_mail_and_is_fed_once_when_it_is_back(
    site: Site, fault: Fault
) -> None:
    site.worker()
    site.sandbox.faults.inject("dmp.td21", fault)
    site.signed(qualified(site))
    mails = ("mss_ps", "mss_patient")
    site.until(lambda: all(site.state(channel) == "acknowledged" for channel in mails))
    site.until(lambda: len(site.history("dmp")) >= 1)
    assert site.state("dmp") in ("pending", "unknown", "running")
    assert site.sandbox.dmp.registry.reports() == ()
    site.sandbox.faults.clear()
    site.until(site.arrived)
    outcomes = [line["outcome"] for line in site.history("dmp")]
    assert outcomes[-1] == "ok"
    assert set(outcomes[:-1]) <= {"retry", "unknown"}
    assert len(site.sandbox.dmp.registry.reports()) == 1


@pytest.mark.rem("RIS.TBB.03", scenario="TBB/va1.05.01")
@pytest.mark.rem("LOC-MSS-01")
def test_a_mail_put_off_is_tried_again_and_one_refused_is_shown_then_replayed_by_staff(
    site: Site, evidence: Evidence
) -> None:
    site.worker()
    story = qualified(site)
    refuse(story, patient=True)
    site.sandbox.faults.inject("smtp.data", Fault("smtp", status=451, code="4.3.0"))
    site.sandbox.faults.inject("smtp.data", Fault("smtp", status=554, code="5.7.1"))
    site.signed(story)
    site.until(lambda: site.state("mss_ps") == "failed")
    assert [line["outcome"] for line in site.history("mss_ps")] == ["retry", "permanent"]
    assert site.sandbox.operator.messages == []
    (shown,) = story.secretary.get("/v1/deliveries", state="failed")["items"]
    dashboard = story.secretary.get("/v1/dashboard")
    month = next(one for one in dashboard["periods"] if one["name"] == "current_month")
    assert month["channels"]["mss_ps"]["failures"] == 1
    evidence.add("01", "dashboard.txt", str(month))
    delegate(story, "delivery.retry")
    story.secretary.post(f"/v1/deliveries/{shown['id']}/replay", status=200)
    site.until(lambda: site.state("mss_ps") == "acknowledged")
    outcomes = [line["outcome"] for line in site.history("mss_ps")]
    assert outcomes == ["retry", "permanent", "ok"]
    assert len(site.mails()[0]) == 1


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_feeding_replayed_by_a_secretary_and_a_deletion_name_the_signer_as_he_signed_in(
    site: Site, evidence: Evidence
) -> None:
    site.worker()
    story = qualified(site)
    in_the_morning = signed_in_again(site, "12 minutes")
    site.sandbox.faults.inject("dmp.td21", Fault("soap", code="DMPAccessDeniedByRightsService"))
    site.signed(story)
    site.until(lambda: site.state("dmp") == "failed")
    signed_in_again(site, "5 minutes")
    delegate(story, "delivery.retry")
    story.secretary.post(f"/v1/deliveries/{site.delivery('dmp')['id']}/replay", status=200)
    site.until(site.arrived)
    asked = list(site.sandbox.dmp.received)
    assert {one.operation for one in asked} == {"dmp.td02", "dmp.td21"}
    assert {(one.user, one.authenticated_at) for one in asked} == {
        (RADIOLOGIST_A.ps_idnat, in_the_morning)
    }
    evidence.add("01", "dmp-replayed.mime", asked[-1].body)

    in_the_evening = signed_in_again(site, "1 minute")
    act(story, "DELETE")
    site.until(lambda: site.sandbox.dmp.registry.reports() == ())
    deletion = site.sandbox.dmp.received[-1]
    assert (deletion.operation, deletion.user, deletion.authenticated_at) == (
        "dmp.td33", RADIOLOGIST_A.ps_idnat, in_the_evening,
    )  # fmt: skip


def signed_in_again(site: Site, ago: str) -> datetime:
    """Let the radiologist have signed in *ago*, as his session tells; return that instant."""
    (row,) = site.sql(
        "update ris_session set auth_time = date_trunc('second', now()) - cast(:ago as interval)"
        " from account where account.id = ris_session.account_id and ps_idnat = :who"
        " returning auth_time",
        ago=ago,
        who=RADIOLOGIST_A.ps_idnat,
    )
    instant: datetime = row["auth_time"]
    return instant
