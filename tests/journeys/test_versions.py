"""A report that changes after its signature: corrected, deleted, announced."""

from email import message_from_bytes, policy

import pytest

from ris.rem.evidence import Evidence
from ris.sandbox.dmp.registry import APPROVED, DELETED, DEPRECATED
from tests.journeys.acts import act, correct, draft
from tests.journeys.site import Site


@pytest.mark.rem("RIS.DMP.02", scenario="DMP/va1.09.01")
@pytest.mark.rem("RIS.MSS.15", scenario="MSS/va1.02.01")
@pytest.mark.rem("RIS.MSS.16")
def test_a_correction_replaces_everywhere_and_a_deletion_withdraws(
    site: Site, evidence: Evidence
) -> None:
    site.worker()
    story = site.visit()
    story.register()
    story.qualify()
    site.signed(story)
    site.until(site.arrived)
    correct(story, "Petite anomalie, à revoir.")
    site.until(lambda: len(site.deliveries()) == 6 and site.arrived())
    first, second = documents(site)
    assert [first.status, second.status] == [DEPRECATED, APPROVED]
    assert first.unique_id.encode() in second.content  # relatedDocument RPLC
    for mails in site.mails():
        original, replacing = (message_from_bytes(one.raw, policy=policy.default) for one in mails)
        assert replacing["In-Reply-To"] == original["Message-ID"]
        assert original["Message-ID"] in replacing["References"]
        body = replacing.get_body(("plain",))
        assert body is not None
        assert "annule et remplace" in body.get_content().lower()
    evidence.add("01", "correction.eml", site.mails()[0][1].raw)

    act(story, "DELETE")
    site.until(lambda: len(site.deliveries()) == 9 and site.arrived())
    assert [one.status for one in documents(site)] == [DEPRECATED, DELETED]
    assert site.sandbox.dmp.registry.reports() == ()
    for mails in site.mails():
        assert len(mails) == 3
        notice = message_from_bytes(mails[2].raw, policy=policy.default)
        assert notice["In-Reply-To"]


def documents(site: Site) -> list:  # type: ignore[type-arg]
    """The reports that the DMP ever held; signatures of lots left out."""
    entries = site.sandbox.dmp.registry.entries()
    return [one for one in entries if "xmldsig" not in one.format_code]


@pytest.mark.rem("RIS.CRR.02", scenario="CRI/va1.02.01")
@pytest.mark.rem("RIS.CRR.03", scenario="CRI/va1.03.01")
@pytest.mark.rem("RIS.DMP.06", scenario="DMP/va1.14.01")
def test_a_result_to_announce_is_hidden_from_the_patient_until_it_is_announced(
    site: Site, evidence: Evidence
) -> None:
    site.worker()
    story = site.visit()
    for step in (story.register, story.qualify, story.order, story.examine):
        step()
    draft(story)
    act(story, "POST", "/announcement", json={"needed": True})
    act(story, "POST", "/signature", status=201)
    site.until(lambda: site.state("dmp") == "delivered" and site.state("mss_ps") == "acknowledged")
    (hidden,) = site.sandbox.dmp.registry.reports()
    assert "INVISIBLE_PATIENT" in hidden.confidentiality
    assert (site.delivery("mss_patient")["state"], site.delivery("mss_patient")["reason"]) == (
        "held",
        "HELD_ANNOUNCEMENT",
    )
    assert site.mails()[1] == []
    evidence.add("01", "hidden.txt", str(hidden.confidentiality))

    act(story, "POST", "/announcement-done")
    site.until(lambda: len(site.sandbox.dmp.submissions) == 2 and len(site.mails()[1]) == 1)
    site.until(lambda: "running" not in {row["state"] for row in site.deliveries()})
    (shown,) = site.sandbox.dmp.registry.reports()
    assert "INVISIBLE_PATIENT" not in shown.confidentiality
    assert shown.unique_id != hidden.unique_id
    assert len(site.mails()[0]) == 1  # the requester, who has it, is not disturbed again
    evidence.add("02", "shown.txt", str(shown.confidentiality))
