"""An identity that is not qualified, no longer, or at last: what leaves and what never does."""

import pytest

from ris.rem.evidence import Evidence
from tests.journeys.acts import doubt
from tests.journeys.site import MATRICULE, Site
from tests.journeys.wire import of_mail

INS_MARKS = (MATRICULE, MATRICULE[:13], "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", "INS-NIR")


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.01")
@pytest.mark.rem("RIS.MSS.12", scenario="MSS/va1.19.02")
@pytest.mark.rem("LOC-DMP-01")
def test_an_unqualified_identity_goes_to_the_requester_without_ins_and_to_all_once_qualified(
    site: Site, evidence: Evidence
) -> None:
    site.worker()
    story = site.visit()
    story.register()
    story.retrieve()  # récupérée: the matricule is on record, and may not leave
    site.signed(story)
    site.until(lambda: site.state("mss_ps") == "acknowledged")
    assert (site.delivery("dmp")["state"], site.delivery("dmp")["reason"]) == (
        "held",
        "BLOCKED_INS",
    )
    assert site.state("mss_patient") == "held"
    (sent,) = site.sandbox.operator.messages
    opened = [content.decode("utf-8", "replace") for content in of_mail(sent)]
    assert any("PAT-TROIS" in text for text in opened)
    assert not [mark for mark in INS_MARKS for text in opened if mark in text]
    assert site.sandbox.dmp.received == []
    evidence.add("01", "mail-without-ins.eml", sent.raw)

    story.validate()
    site.until(lambda: len(site.sandbox.dmp.submissions) == 1 and len(site.mails()[1]) == 1)
    site.until(lambda: not [row for row in site.deliveries() if row["state"] == "running"])
    versions = story.radiologist.get(f"/v1/reports/{story.facts.report['id']}")["versions"]
    assert [one["kind"] for one in versions] == ["INITIAL", "IDENTITY"]
    fed = [row for row in site.deliveries() if row["channel"] == "dmp"]
    assert [(row["operation"], row["state"]) for row in fed] == [
        ("submit", "cancelled"),
        ("submit", "delivered"),
    ]
    (entry,) = site.sandbox.dmp.registry.reports()
    assert entry.unique_id == versions[1]["n1_unique_id"]
    assert MATRICULE.encode() in entry.content
    assert site.mails()[1][0].recipients == (f"{MATRICULE}@patient.mssante.fr",)


@pytest.mark.rem("RIS.INS.37", scenario="INS/va1.59.02")
def test_an_identity_doubted_between_signature_and_sending_puts_nothing_on_the_wire(
    site: Site,
) -> None:
    story = site.visit()
    story.register()
    story.qualify()
    site.signed(story)
    assert {row["state"] for row in site.deliveries()} == {"pending"}
    doubt(story)
    assert site.worker("worker", "--once").wait(timeout=30) == 0
    found = {row["channel"]: (row["state"], row["reason"]) for row in site.deliveries()}
    assert found == {
        "dmp": ("held", "BLOCKED_INS"),
        "mss_ps": ("held", "IDENTITY_DOUBTFUL"),
        "mss_patient": ("held", "IDENTITY_DOUBTFUL"),
    }
    assert site.sandbox.operator.messages == []
    assert site.sandbox.dmp.received == []
