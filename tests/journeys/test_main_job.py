"""A signed report leaves by itself: what arrived, what is counted, what a backup gives back."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from ris.core import audit, backup
from ris.core.db import Database
from ris.demo.artefacts import attachment
from ris.demo.story import Story
from ris.diffusion.model import Delivery
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.journeys.site import MATRICULE, Site

pytestmark = pytest.mark.xdist_group("main-job")


@pytest.fixture(scope="module")
def job(lasting_site: Site) -> Story:
    """The main job, played once: API and worker are processes, everything over the wire."""
    lasting_site.worker()
    lasting_site.processes.await_ready(lasting_site.sandbox.api_url)
    story = lasting_site.visit()
    story.play()
    return story


def stored(job: Story, artefact: str) -> bytes:
    return job.radiologist.download(f"/v1/reports/{job.facts.report['id']}/versions/1/{artefact}")


@pytest.mark.rem("RIS.DMP.01", scenario="DMP/va1.13.01")
@pytest.mark.rem("RIS.MSS.19", scenario="MSS/va1.21.01")
@pytest.mark.rem("RIS.MSS.22", scenario="MSS/va1.17.01")
@pytest.mark.rem("RIS.MSS.18", scenario="MSS/va1.14.01")
def test_a_signed_report_reaches_the_dmp_the_requester_and_the_patient_without_a_click(
    lasting_site: Site, job: Story, evidence: Evidence
) -> None:
    states = {row["channel"]: row["state"] for row in job.facts.deliveries}
    assert states == {
        "dmp": "delivered", "mss_ps": "acknowledged", "mss_patient": "acknowledged",
    }  # fmt: skip
    attempts = [line["outcome"] for row in job.facts.deliveries for line in row["attempts"]]
    assert attempts == ["ok"] * 3
    professional, patient = lasting_site.mails()
    assert len(professional) == len(patient) == len(lasting_site.sandbox.dmp.submissions) == 1
    assert patient[0].recipients == (f"{MATRICULE}@patient.mssante.fr",)
    evidence.add("01", "deliveries.json", json.dumps(job.facts.deliveries, indent=2))
    evidence.add("02", "mail-ps.eml", professional[0].raw)
    evidence.add("03", "mail-patient.eml", patient[0].raw)


def test_what_the_dmp_holds_and_what_the_mails_carry_is_what_was_signed(
    lasting_site: Site, job: Story
) -> None:
    (entry,) = lasting_site.sandbox.dmp.registry.reports()
    assert entry.content == stored(job, "n1")
    professional, patient = lasting_site.mails()
    for sent in (*professional, *patient):
        assert attachment(sent.raw, "application/pdf") == stored(job, "pdf")


@pytest.mark.rem("RIS.TBB.01")
def test_the_dashboard_counts_the_report_on_the_three_channels(job: Story) -> None:
    for asked in ({}, {"rpps": RADIOLOGIST_A.ps_idnat[1:]}):
        counts = job.radiologist.get("/v1/dashboard", **asked)
        (month,) = [one for one in counts["periods"] if one["name"] == "current_month"]
        for channel in ("dmp", "mss_ps", "mss_patient"):
            line = month["channels"][channel]
            assert (line["total"], line["sent"], line["with_ins"], line["failures"]) == (1, 1, 1, 0)
        assert month["files_all_three"] == 1
    other = job.radiologist.get("/v1/dashboard", rpps="99700993019")
    assert {period["files_all_three"] for period in other["periods"]} == {0}


@pytest.mark.rem("LOC-AUD-01")
def test_the_journal_of_the_job_holds_and_tells_each_step(lasting_site: Site, job: Story) -> None:
    with lasting_site.database.transaction() as session:
        assert next(audit.broken_links(session), None) is None
    told = {row["action"] for row in lasting_site.sql("select action from audit_event")}
    assert {"auth.login_success", "report.signed", "delivery.delivered"} <= told


def test_a_restored_backup_resends_nothing_and_its_journal_holds(
    lasting_site: Site, job: Story, new_database: Callable[[], str], tmp_path: Path
) -> None:
    file, before = tmp_path / "ris.dump", len(lasting_site.sandbox.dmp.received)
    backup.dump(lasting_site.database.url, file)
    url = new_database()
    backup.restore(url, file)
    drained = ris(lasting_site, url, "worker", "--once")
    assert "delivery.attempt" not in drained
    restored = Database(url, pool_size=1)
    with restored.transaction() as session:
        assert next(audit.broken_links(session), None) is None
        assert audit.head(session) is not None
        kept = session.scalars(select(Delivery.state).order_by(Delivery.state)).all()
    restored.close()
    assert kept == ["acknowledged", "acknowledged", "delivered"]
    professional, patient = lasting_site.mails()
    assert (len(professional), len(patient)) == (1, 1)
    assert len(lasting_site.sandbox.dmp.received) == before


def test_the_logs_of_the_api_and_of_the_worker_tell_the_work_and_never_the_patient(
    lasting_site: Site, job: Story
) -> None:
    """The search itself ends every journey (`conftest.assert_silent`); here: there are lines."""
    lines = [json.loads(line) for line in lasting_site.printed().splitlines() if line[:1] == "{"]
    assert {"delivery.attempt"} <= {line["event"] for line in lines}
    assert [line["outcome"] for line in lines if line["event"] == "delivery.attempt"] == ["ok"] * 3
    assert (lasting_site.logs / "api.log").stat().st_size


def ris(site: Site, url: str, *arguments: str) -> str:
    """Run a command of the product on the database of *url*; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "ris", *arguments],
        env=site.processes.environment | {"RIS_DATABASE_URL": url},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
